/* What the files behind jobconf.h share. Not for others. */
#ifndef COMMON_JOBCONF_INT_H
#define COMMON_JOBCONF_INT_H

#include "common/compat.h"
#include "common/jobconf.h"
#include "common/objparse.h"

#define MLCATEGORY "mlcategory" /* the field that categorization makes */
#define NAME_BYTES_MAX 512	/* of a field */

extern const struct objparse_table jobconf_table;
extern const struct objparse_table jobconf_analysis_table;
extern const struct objparse_table jobconf_detector_table;
extern const struct objparse_table jobconf_rule_table;
extern const struct objparse_table jobconf_data_description_table;
extern const struct objparse_table jobconf_limits_table;
extern const struct objparse_table jobconf_analyzer_table;

/*
 * The tree of a body that came from a client; an error has the type that the
 * base it came by knows. NULL with op->e.
 */
struct jsonx_value *jobconf_tree(
    struct objparse *op, const char *text, size_t len);

/* The rules that a conversion or check is to go by; never NULL. */
const struct jobconf_rules *jobconf_rules(const struct objparse *op);

/*
 * The checks of the whole behind those of the parts, and the defaults of the
 * top level. job_id NULL: the one in obj, or any. Returns 0, or -1 with op->e.
 */
int jobconf_check(
    struct objparse *op, struct json_object *obj, const char *job_id);
/* Read into the struct. Takes obj. NULL with op->e. */
struct jobconf *jobconf_from_object(
    struct objparse *op, struct json_object *obj);
/* The id in the body against that of the URL. Returns 0, or -1 with op->e. */
int jobconf_check_body_id(
    struct objparse *op, struct json_object *obj, const char *job_id);
/* The limit against the greatest one there may be. Returns 0, or -1. */
int jobconf_check_memory(struct objparse *op, struct json_object *limits);

/* A field's name; one that is empty counts as not given. */
objparse_convert jobconf_convert_name;
objparse_convert jobconf_convert_names;

/* A name of an analyzer, or an object of parts. */
objparse_convert jobconf_convert_analyzer;
/*
 * Writes the analyzer that stands for none, the categorization_filters moved
 * into it. Returns 0, or -1 with op->e.
 */
int jobconf_default_analyzer(struct objparse *op, struct json_object *analysis);
/*
 * Is its analyzer one that was written so? Returns 1 or 0, or -1 with op->e.
 */
int jobconf_has_default_analyzer(
    struct objparse *op, struct json_object *analysis);

/* No quote, backslash, control character, and not the dot alone (2.4). */
int jobconf_check_name(struct objparse *op, const char *name);

/* Returns 0, or -1 with op->e. */
int jobconf_check_categories(struct objparse *op, struct json_object *analysis);

/* Rules against the detector that has them. Returns 0, or -1 with op->e. */
int jobconf_check_rules(struct objparse *op, struct json_object *detector,
    const struct function_info *fn);

/* 1234567 as "1,234,567", the way texts of the API show numbers. */
#define JOBCONF_GROUPED_BYTES 32
const char *jobconf_grouped(char dst[JOBCONF_GROUPED_BYTES], int64_t v);

/* Of the object; NULL when it is absent or, for a text, empty. */
struct json_object *jobconf_member(struct json_object *obj, const char *key);
const char *jobconf_text(struct json_object *obj, const char *key);
size_t jobconf_length(struct json_object *list); /* NULL: 0 */
/* Take out a list that has nothing in it: it counts as not given. */
void jobconf_drop_empty(struct json_object *obj, const char *key);
int64_t jobconf_number(
    struct json_object *obj, const char *key, int64_t otherwise);
/* A duration that was checked already; 0 when absent. */
int64_t jobconf_duration_ns(struct json_object *obj, const char *key);

/* The keys of a detector that split its series. */
#define JOBCONF_NAME_KEYS 3
extern const char *const jobconf_name_keys[JOBCONF_NAME_KEYS];

/* Bytewise; for qsort over const char *. */
int jobconf_compare_names(const void *, const void *);
/* Sorts, keeps each once, and returns how many are left. */
size_t jobconf_sort_unique(const char **list, size_t n);

/*
 * The analysis fields (2.3) of an analysis_config, each once, sorted; the
 * texts are borrowed from it. *list is the caller's (free). terms_only: those
 * alone that split or explain: by, over, partition fields and influencers.
 * Returns 0, or -1 when memory is out.
 */
int jobconf_collect_fields(struct json_object *analysis, bool terms_only,
    const char ***list, size_t *n);

#endif
