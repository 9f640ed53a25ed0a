/* Owns a reader: its choice of format and the end of its uploads. */
#include "common/compat.h"

#include <stdlib.h>

#include "worker/reader.h"
#include "worker/reader_int.h"

static const struct reader_format *
format_of(const struct reader *r)
{
	return r->conf->format == FORMAT_DELIMITED ? &reader_delimited
						   : &reader_json;
}

struct reader *
reader_new(const struct jobconf *conf)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->conf = conf;
	r->slice = READER_SLICE;
	if (fieldset_init(&r->fields, conf) == -1) {
		free(r);
		return NULL;
	}
	if (format_of(r)->init(r) == -1) {
		reader_free(r);
		return NULL;
	}
	reader_begin(r, NULL, 0);
	return r;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	format_of(r)->clear(r);
	fieldset_clear(&r->fields);
	free(r);
}

void
reader_set_slice(struct reader *r, size_t bytes)
{
	r->slice = bytes;
}

void
reader_begin(struct reader *r, const char *data, size_t len)
{
	fieldset_trim(&r->fields);
	r->data = data;
	r->len = len;
	r->last = 1;
	format_of(r)->begin(r);
}

int
reader_next(struct reader *r, const struct record **rec, struct apierr *e)
{
	if (r->last == 1)
		fieldset_reset(&r->fields);
	if (r->last > 0)
		r->last = format_of(r)->next(r, &r->error);
	if (r->last == 1)
		*rec = fieldset_record(&r->fields);
	else if (r->last == -1)
		*e = r->error;
	return r->last;
}

size_t
reader_bytes(const struct reader *r)
{
	return format_of(r)->bytes(r);
}
