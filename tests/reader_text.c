/* Owns the text form of what readers give. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader_text.h"

#define MAX_FIELDS 32
#define SLICE_OVERRUN 1024 /* bytes: a number may be as long */
#define SLICED_MOST 100000 /* bytes: longer uploads are read once */

struct jobconf *
conf_new(const char *fields)
{
	struct jobconf *jc = calloc(1, sizeof(*jc));
	char *list = strdup(fields), *rest = list, *name;

	jc->bucket_span_s = 3600;
	jc->format = FORMAT_XCONTENT;
	jc->field_delimiter = ',';
	jc->quote_character = '"';
	jc->time_field = strdup("time");
	jc->time_format = strdup("epoch");
	jc->field = calloc(MAX_FIELDS, sizeof(*jc->field));
	while ((name = strsep(&rest, " ")) != NULL)
		if (*name != '\0')
			jc->field[jc->nfields++] = strdup(name);
	free(list);
	return jc;
}

void
conf_free(struct jobconf *jc)
{
	for (size_t i = 0; i < jc->nfields; i++)
		free(jc->field[i]);
	free(jc->field);
	free(jc->time_field);
	free(jc->time_format);
	free(jc);
}

/* What is allocated for so many bytes: a power of two, to be copied seldom. */
static size_t
text_capacity(size_t len)
{
	size_t capacity = 64;

	while (capacity < len + 1)
		capacity *= 2;
	return capacity;
}

void
text_add(struct text *t, const char *p, size_t len)
{
	size_t capacity = text_capacity(t->len + len);

	if (t->p == NULL || capacity != text_capacity(t->len))
		t->p = realloc(t->p, capacity);
	if (len > 0)
		memcpy(t->p + t->len, p, len);
	t->len += len;
	t->p[t->len] = '\0';
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	char b[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(b, sizeof(b), fmt, ap);
	va_end(ap);
	cr_assert(n >= 0 && (size_t)n < sizeof(b));
	text_add(t, b, (size_t)n);
}

static void
add_value(struct text *t, const struct field_value *f)
{
	if (!f->present) {
		text_printf(t, "-");
		return;
	}
	text_printf(t, "'");
	for (size_t i = 0; i < f->len; i++) {
		unsigned char c = (unsigned char)f->p[i];

		if (c >= 0x20 && c < 0x7f)
			text_add(t, &f->p[i], 1);
		else
			text_printf(t, "\\x%02x", c);
	}
	text_printf(t, "'");
}

void
text_add_record(struct text *t, const struct record *rec)
{
	text_printf(t, "%u(", rec->value_count);
	for (size_t i = 0; i < rec->nfields; i++) {
		if (i > 0)
			text_printf(t, " ");
		add_value(t, &rec->field[i]);
	}
	text_printf(t, ")");
}

void
text_add_end(struct text *t, int rc, const struct apierr *e)
{
	if (rc == 0)
		text_printf(t, ".");
	else
		text_printf(t, "!%d %s %s", e->status, e->link[0].type,
		    e->link[0].reason);
}

/* In slices of so many bytes. */
static char *
read_in_slices(struct reader *r, const char *data, size_t len, size_t slice)
{
	struct text t = { NULL, 0 };
	const struct record *rec;
	struct apierr e;
	size_t was = 0;
	int rc;

	reader_set_slice(r, slice);
	reader_begin(r, data, len);
	while ((rc = reader_next(r, &rec, &e)) > 0) {
		cr_assert_leq(reader_bytes(r), len);
		cr_assert_geq(reader_bytes(r), was);
		/* what was begun is gone through to its end, and looked at */
		cr_assert_leq(reader_bytes(r) - was, slice + SLICE_OVERRUN);
		was = reader_bytes(r);
		if (rc == 1)
			text_add_record(&t, rec);
	}
	text_add_end(&t, rc, &e);
	cr_assert_leq(reader_bytes(r), len);
	if (rc == 0)
		cr_assert_eq(reader_bytes(r), len, "%zu of %zu bytes",
		    reader_bytes(r), len);
	cr_assert_eq(reader_next(r, &rec, &e), rc, "the end does not last");
	return t.p;
}

char *
read_bytes(struct reader *r, const char *data, size_t len)
{
	static const size_t slices[] = { 1, 2, 3, 7, 64 };
	char *whole = read_in_slices(r, data, len, READER_SLICE), *out;

	for (size_t i = 0; i < NELEM(slices) && len < SLICED_MOST; i++) {
		out = read_in_slices(r, data, len, slices[i]);
		cr_assert_str_eq(out, whole, "slices of %zu gave %s, not %s",
		    slices[i], out, whole);
		free(out);
	}
	return whole;
}

char *
read_text(const char *fields, const char *text)
{
	struct jobconf *jc = conf_new(fields);
	struct reader *r = reader_new(jc);
	/* In memory of its own length: a sanitizer sees reads past it. */
	size_t len = strlen(text);
	char *copy = malloc(len + (len == 0)), *out;

	memcpy(copy, text, len);
	out = read_bytes(r, copy, len);
	free(copy);
	reader_free(r);
	conf_free(jc);
	return out;
}
