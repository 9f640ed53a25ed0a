/*
 * Job configurations in general: what one means, whether the API takes it, and
 * ways to write it. The rules are told a second time, from the reference, and
 * use nothing of the parser that they test.
 */
#ifndef TESTS_JOBCONF_MODEL_H
#define TESTS_JOBCONF_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "tests/random.h"

#define MODEL_ID "the-job"
#define MODEL_MAX_MB 4096 /* xpack.ml.max_model_memory_limit of the tests */

/* A value and its texts; all of them mean the same. NULL ends the list. */
struct spelling {
	const char *text[4]; /* JSON */
	int64_t value;
	bool bad; /* the texts are no value of this kind */
};

struct model_detector {
	int function;	      /* index in model_functions; -1: left out */
	const char *field[4]; /* field, by, over, partition; NULL: left out */
	bool use_null;
	int frequent;	  /* 0: none, else index in model_frequent */
	const char *text; /* description; NULL: the default */
	int rules;	  /* index in model_rules */
};

#define MODEL_DETECTORS 3
#define MODEL_INFLUENCERS 3

struct model {
	const struct spelling *span, *latency, *prune, *persist; /* or NULL */
	const struct spelling *memory;
	const struct spelling *retention, *daily, *results, *renormal,
	    *examples;
	struct model_detector detector[MODEL_DETECTORS];
	size_t ndetectors;
	const char *influencer[MODEL_INFLUENCERS];
	size_t ninfluencers;
	const char *summary, *category; /* fields, or NULL */
	int filters, analyzer,
	    partitions;		/* index in the list of each; 0: none */
	const char *time_field; /* NULL: left out */
	int time_format;
	const char *group, *index_name, *description; /* or NULL */
	int zone, plot, settings;
	bool lazy;
	const char *fault; /* a member of the top that is always wrong */
};

/* What is chosen by number: JSON, and whether the API takes it. */
struct choice {
	const char *json; /* NULL: left out */
	bool bad;
};

struct model_function {
	const char *name;
	const char *alias; /* or NULL */
	const char *needs; /* F B O required, f b o optional, ! may be alone */
	bool valueless;	   /* its rules are of time */
};

enum { RULE_EMPTY = 1 }; /* means the same as 0, which is left out */

extern const struct model_function model_functions[];
extern const char *const model_frequent[];
extern const struct choice model_rules[], model_filters[], model_analyzers[],
    model_partitions[], model_time_formats[], model_zones[], model_plots[],
    model_settings[];

/* Most are valid, and few of the others have more than one fault. */
void model_choose(struct model *, struct random *);

/* Does the API take it? Else why says which rule does not. */
bool model_is_valid(const struct model *, const char **why);

/* Its analysis fields that records have, each once; their number. */
size_t model_nfields(const struct model *);

/*
 * One of the ways to write it: order of members, spellings, blanks, escapes,
 * members that come twice, defaults that are left out or not. The caller
 * frees.
 */
char *model_write(const struct model *, struct random *);

/* A number below n. */
static inline int
model_below(struct random *r, int n)
{
	return (int)(random_uniform(r) * n);
}

#endif
