/*
 * JSON text written straight into a buffer: no tree, no allocation but the
 * buffer's. A failure sticks to the buffer (wbuf.bad).
 */
#ifndef QUERY_JSONW_H
#define QUERY_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/wire.h"

struct jsonw {
	struct wbuf *out; /* borrowed */
	bool comma;	  /* something stands before in this object or array */
};

void jsonw_begin(struct jsonw *, char bracket); /* '{' or '[' */
void jsonw_end(struct jsonw *, char bracket);	/* '}' or ']' */
void jsonw_key(struct jsonw *, const char *name);

/* A value: after jsonw_key, or as an element of an array. */
void jsonw_str(struct jsonw *, struct span); /* valid UTF-8; NULs are escaped */
void jsonw_i64(struct jsonw *, int64_t);
void jsonw_u64(struct jsonw *, uint64_t);
void jsonw_f64(struct jsonw *, double); /* finite; as jsonout_double */
void jsonw_bool(struct jsonw *, bool);

/* Members with their key. */
void jsonw_key_str(struct jsonw *, const char *name, const char *v);
/* Nothing at all when v.p is NULL. */
void jsonw_key_span(struct jsonw *, const char *name, struct span v);
void jsonw_key_i64(struct jsonw *, const char *name, int64_t);
void jsonw_key_f64(struct jsonw *, const char *name, double);
void jsonw_key_bool(struct jsonw *, const char *name, bool);

#endif
