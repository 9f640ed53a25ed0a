/*
 * The last step of every answer: filter_path, human twins and layout, which
 * is JSON or YAML.
 */
#ifndef COMMON_JSONOUT_H
#define COMMON_JSONOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

struct json_object;

struct jsonout_style {
	bool pretty;		 /* two spaces, " : ", newline at the end */
	bool yaml;		 /* a document in block style instead */
	bool human;		 /* date fields gain "<name>_string" before */
	const char *filter_path; /* NULL or "": everything */
};

/*
 * Print an answer. Numbers print so that they parse back to the same double,
 * integers without a point; a double that is whole prints with ".0".
 *
 * *len  bytes without the NUL
 *
 * Returns text that the caller frees, or NULL with ENOMEM. The object is the
 * caller's still and may have been changed (filtered).
 */
char *jsonout_print(
    struct json_object *, const struct jsonout_style *, size_t *len);

/*
 * Keep what filter_path asks for (comma list of dotted paths; * one level, **
 * any depth, a leading - excludes). Returns false when nothing is left: the
 * answer is then {}.
 */
bool jsonout_filter(struct json_object *, const char *filter_path);

/* A double, as jsonout_print writes it, into dst of at least 32 bytes. */
void jsonout_double(char *dst, double v);

#endif
