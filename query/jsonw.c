/* Owns the writing of JSON text without a tree. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/jsonout.h"
#include "query/jsonw.h"

static void
put(struct jsonw *w, const void *p, size_t len)
{
	/* Sticky: whoever owns the buffer looks at it in the end. */
	(void)wire_put_bytes(w->out, p, len);
}

static void
put_char(struct jsonw *w, char c)
{
	put(w, &c, 1);
}

static void
separate(struct jsonw *w)
{
	if (w->comma)
		put_char(w, ',');
	w->comma = true;
}

void
jsonw_begin(struct jsonw *w, char bracket)
{
	separate(w);
	put_char(w, bracket);
	w->comma = false;
}

void
jsonw_end(struct jsonw *w, char bracket)
{
	put_char(w, bracket);
	w->comma = true;
}

static void
put_escape(struct jsonw *w, unsigned char c)
{
	static const char plain[] = "\b\f\n\r\t\"\\";
	static const char letter[] = "bfnrt\"\\";
	const char *p = c == '\0' ? NULL : strchr(plain, c);
	char text[8];

	if (p != NULL) {
		text[0] = '\\';
		text[1] = letter[p - plain];
		put(w, text, 2);
		return;
	}
	snprintf(text, sizeof(text), "\\u%04x", c);
	put(w, text, 6);
}

static bool
needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static void
put_quoted(struct jsonw *w, const char *p, size_t len)
{
	size_t from = 0;

	put_char(w, '"');
	for (size_t i = 0; i < len; i++) {
		if (!needs_escape((unsigned char)p[i]))
			continue;
		put(w, p + from, i - from);
		put_escape(w, (unsigned char)p[i]);
		from = i + 1;
	}
	put(w, p + from, len - from);
	put_char(w, '"');
}

void
jsonw_key(struct jsonw *w, const char *name)
{
	separate(w);
	put_quoted(w, name, strlen(name));
	put_char(w, ':');
	w->comma = false;
}

void
jsonw_str(struct jsonw *w, struct span v)
{
	separate(w);
	put_quoted(w, v.p == NULL ? "" : v.p, v.len);
}

void
jsonw_i64(struct jsonw *w, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, v);

	separate(w);
	put(w, text, (size_t)n);
}

void
jsonw_u64(struct jsonw *w, uint64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, v);

	separate(w);
	put(w, text, (size_t)n);
}

void
jsonw_f64(struct jsonw *w, double v)
{
	char text[32];

	separate(w);
	jsonout_double(text, v);
	put(w, text, strlen(text));
}

void
jsonw_bool(struct jsonw *w, bool v)
{
	separate(w);
	if (v)
		put(w, "true", 4);
	else
		put(w, "false", 5);
}

void
jsonw_key_str(struct jsonw *w, const char *name, const char *v)
{
	jsonw_key(w, name);
	jsonw_str(w, span_of(v));
}

void
jsonw_key_span(struct jsonw *w, const char *name, struct span v)
{
	if (v.p == NULL)
		return;
	jsonw_key(w, name);
	jsonw_str(w, v);
}

void
jsonw_key_i64(struct jsonw *w, const char *name, int64_t v)
{
	jsonw_key(w, name);
	jsonw_i64(w, v);
}

void
jsonw_key_f64(struct jsonw *w, const char *name, double v)
{
	jsonw_key(w, name);
	jsonw_f64(w, v);
}

void
jsonw_key_bool(struct jsonw *w, const char *name, bool v)
{
	jsonw_key(w, name);
	jsonw_bool(w, v);
}
