/*
 * The layout of an answer {"count":N,"<rows>":[...]} that is made row by row:
 * plain, or with filter_path and pretty, exactly as if the whole were filtered
 * and printed at once.
 */
#ifndef QUERY_STYLE_H
#define QUERY_STYLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/wire.h"
#include "query/out.h"
#include "query/request.h"

struct style {
	const struct request *req; /* borrowed */
	const char *rows;	   /* name of the array; static */
	struct out *out;	   /* borrowed */
	struct wbuf row;	   /* scratch for one row */
	bool dressed;		   /* filter_path or pretty */
	bool open;		   /* the array has begun */
	bool any;		   /* a member stands before */
	bool whole;		   /* style_begin has written all */
};

void style_init(struct style *, const struct request *, struct out *);
void style_clear(struct style *);

/*
 * In this order: once, for each row, once. nrows: how many rows will come.
 * Each returns 0, or -1 with errno.
 */
int style_begin(struct style *, uint64_t count, uint64_t nrows) MUST_CHECK;
/* The buffer for the JSON text of a row; then style_row takes it over. */
struct wbuf *style_row_buffer(struct style *);
int style_row(struct style *) MUST_CHECK;
struct json_object;

/* The row o, which it takes; NULL fails. 0, or -1 with errno. */
int style_row_json(struct style *, struct json_object *o) MUST_CHECK;
int style_end(struct style *) MUST_CHECK;

#endif
