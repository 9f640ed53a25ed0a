/* Owns the reading of Content-Type and Accept. */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "supervisor/media.h"

#define VENDOR "application/vnd.elasticsearch+"
#define VERSION_BAD (-1)
#define Q_MAX 1000 /* q is counted in thousandths, as RFC 9110 has it */

/* What Content-Type may be, as far as it is known here at all. */
static const struct {
	const char *type;
	unsigned fits;	       /* bits of enum media_body */
	const char *no_stream; /* says the API of data in this type */
} body_types[] = {
	{ "application/json", 1u << MEDIA_JSON | 1u << MEDIA_DATA, NULL },
	{ VENDOR "json", 1u << MEDIA_JSON | 1u << MEDIA_DATA, NULL },
	{ "application/x-ndjson", 1u << MEDIA_DATA, NULL },
	{ VENDOR "x-ndjson", 1u << MEDIA_DATA, NULL },
	{ "text/plain", 1u << MEDIA_DATA, NULL },
	{ "application/yaml", 0, "YAML" },
	{ VENDOR "yaml", 0, "YAML" },
	{ "application/cbor", 0, "CBOR" },
	{ VENDOR "cbor", 0, "CBOR" },
};

static const struct {
	const char *range;
	enum media_form form;
} answer_types[] = {
	{ "*/*", FORM_ANY },
	{ "application/*", FORM_ANY },
	{ "application/json", FORM_JSON },
	{ VENDOR "json", FORM_JSON },
	{ "application/x-ndjson", FORM_JSON },
	{ VENDOR "x-ndjson", FORM_JSON },
	{ "application/yaml", FORM_YAML },
	{ VENDOR "yaml", FORM_YAML },
	{ "text/plain", FORM_TEXT },
	{ "text/*", FORM_TEXT },
};

/* A piece of a header. */
struct piece {
	const char *p;
	size_t len;
};

/* One media type or range with those of its parameters that matter. */
struct range {
	struct piece type;
	struct piece version_text;
	int version; /* 0: none; VERSION_BAD: not spoken here */
	int q;
	bool utf8; /* no charset, or one that UTF-8 bytes may have */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct piece
trimmed(const char *from, const char *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (to > from && is_blank(to[-1]))
		to--;
	return (struct piece){ from, (size_t)(to - from) };
}

static bool
piece_is(struct piece a, const char *text)
{
	return strlen(text) == a.len && strncasecmp(a.p, text, a.len) == 0;
}

static bool
has_prefix(struct piece a, const char *prefix)
{
	size_t len = strlen(prefix);

	return a.len >= len && strncasecmp(a.p, prefix, len) == 0;
}

/* The next of ";" or ",", or the end; not those inside of quotes. */
static const char *
next_separator(const char *s)
{
	bool quoted = false;

	for (; *s != '\0'; s++) {
		if (*s == '\\' && quoted && s[1] != '\0')
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (!quoted && (*s == ';' || *s == ','))
			break;
	}
	return s;
}

/* 0, 0.5, 1.000, ...; what is none of these counts as 1. */
static int
q_of(struct piece v)
{
	int q = 0, unit = Q_MAX;

	for (size_t i = 0; i < v.len && unit > 0; i++) {
		if (i == 1 && v.p[i] == '.')
			continue;
		if (v.p[i] < '0' || v.p[i] > '9')
			return Q_MAX;
		q += (v.p[i] - '0') * unit;
		unit /= 10;
	}
	return v.len == 0 || q > Q_MAX ? Q_MAX : q;
}

static void
range_param(struct range *r, struct piece name, struct piece value)
{
	if (value.len >= 2 && *value.p == '"' &&
	    value.p[value.len - 1] == '"') {
		value.p++;
		value.len -= 2;
	}
	if (piece_is(name, "q")) {
		r->q = q_of(value);
	} else if (piece_is(name, "charset")) {
		r->utf8 =
		    piece_is(value, "utf-8") || piece_is(value, "us-ascii");
	} else if (piece_is(name, "compatible-with") &&
	    has_prefix(r->type, VENDOR)) {
		r->version_text = value;
		r->version =
		    value.len == 1 && *value.p >= '7' && *value.p <= '9'
		    ? *value.p - '0'
		    : VERSION_BAD;
	}
}

/* Reads one range of a list; returns where the next one begins, or the end. */
static const char *
range_read(const char *s, struct range *r)
{
	const char *end = next_separator(s);

	*r = (struct range){ .type = trimmed(s, end), .q = Q_MAX };
	r->utf8 = true;
	while (*end == ';') {
		const char *from = end + 1, *eq;

		end = next_separator(from);
		eq = memchr(from, '=', (size_t)(end - from));
		if (eq != NULL)
			range_param(r, trimmed(from, eq), trimmed(eq + 1, end));
	}
	return *end == ',' ? end + 1 : end;
}

/* The cause is set; the API puts all faults of versions behind this one. */
static int
version_fault(struct apierr *e)
{
	return apierr_wrap(e, "media_type_header_exception",
	    "Invalid media-type value on headers [Accept, Content-Type]");
}

static int
version_unspoken(const char *header, const char *value, const struct range *r,
    struct apierr *e)
{
	apierr_set(e, 400, E_STATUS,
	    "%s version must be either version 9, 8 or 7, but found %.*s. "
	    "%s=%s",
	    header, (int)r->version_text.len, r->version_text.p, header, value);
	return version_fault(e);
}

static bool
answer_form(const struct range *r, enum media_form *form)
{
	for (size_t i = 0; i < NELEM(answer_types); i++) {
		if (piece_is(r->type, answer_types[i].range)) {
			*form = answer_types[i].form;
			return true;
		}
	}
	return false;
}

int
media_accept(const char *accept, struct media_wish *wish, struct apierr *e)
{
	const char *s = accept;
	int best = 0;

	*wish = (struct media_wish){ FORM_ANY, 0 };
	if (accept == NULL || *accept == '\0')
		return 0;
	while (*s != '\0') {
		enum media_form form;
		struct range r;

		s = range_read(s, &r);
		if (r.version == VERSION_BAD)
			return version_unspoken("Accept", accept, &r, e);
		if (wish->version == 0)
			wish->version = r.version;
		if (r.q > best && answer_form(&r, &form)) {
			best = r.q;
			wish->form = form;
		}
	}
	if (best > 0)
		return 0;
	return apierr_set(e, 406, E_STATUS,
	    "Accept header [%s] is not supported; application/json and "
	    "application/yaml are",
	    accept);
}

int
media_format(
    const char *format, bool text, struct media_wish *wish, struct apierr *e)
{
	bool is_text =
	    strcasecmp(format, "text") == 0 || strcasecmp(format, "txt") == 0;

	if (strcasecmp(format, "json") == 0)
		wish->form = FORM_JSON;
	else if (strcasecmp(format, "yaml") == 0)
		wish->form = FORM_YAML;
	else if (is_text && text)
		wish->form = FORM_TEXT;
	else
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Failed to parse value [%s] of the parameter [format] as "
		    "only [json]%s [yaml] are allowed.",
		    format, text ? ", [text] or" : " or");
	return 0;
}

int
media_agree(enum media_body kind, const char *content_type, const char *accept,
    const struct media_wish *wish, struct apierr *e)
{
	struct range r = { .version = 0 };

	if (content_type != NULL)
		range_read(content_type, &r);
	if (r.version == VERSION_BAD)
		return version_unspoken("Content-Type", content_type, &r, e);
	if (r.version == wish->version ||
	    (kind == MEDIA_DATA && piece_is(r.type, "text/plain")))
		return 0;
	apierr_set(e, 400, E_STATUS,
	    "A compatible version is required on both Content-Type and Accept "
	    "headers if either one has requested a compatible version and the "
	    "compatible versions must match. Accept=%s, Content-Type=%s",
	    accept == NULL ? "null" : accept,
	    content_type == NULL ? "null" : content_type);
	return version_fault(e);
}

/* The row of body_types, or -1; a charset must be one that is read here. */
static int
body_type(const char *type)
{
	struct range r;

	if (*range_read(type, &r) != '\0' || !r.utf8)
		return -1;
	for (size_t i = 0; i < NELEM(body_types); i++)
		if (piece_is(r.type, body_types[i].type))
			return (int)i;
	return -1;
}

int
media_check_body(
    enum media_body kind, const char *content_type, bool old, struct apierr *e)
{
	int row;

	if (content_type == NULL || *content_type == '\0')
		return apierr_set(e, 406, E_STATUS, "%s",
		    old ? "Content-Type header [] is not supported"
			: "Content-Type header is missing");
	row = body_type(content_type);
	if (row != -1 && (body_types[row].fits & 1u << kind) != 0)
		return 0;
	if (row != -1 && kind == MEDIA_DATA &&
	    body_types[row].no_stream != NULL)
		return apierr_set(e, 406, E_STATUS,
		    "Content-Type [%s] does not support stream parsing. Use "
		    "JSON or SMILE instead",
		    body_types[row].no_stream);
	return apierr_set(e, 406, E_STATUS,
	    "Content-Type header [%s] is not supported", content_type);
}

int
media_check_source(enum media_body kind, const char *type, struct apierr *e)
{
	int row;

	if (type == NULL)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "source and source_content_type parameters are required");
	row = body_type(type);
	if (row != -1 && (body_types[row].fits & 1u << kind) != 0)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "Unknown value for source_content_type [%s]; [application/json]%s",
	    type,
	    kind == MEDIA_DATA ? " or [application/x-ndjson] is wanted"
			       : " is wanted");
}

void
media_answer(const struct media_wish *wish, bool old, char *dst, size_t dstlen)
{
	const char *form = wish->form == FORM_YAML ? "yaml" : "json";

	if (wish->version != 0)
		snprintf(dst, dstlen, VENDOR "%s;compatible-with=%d", form,
		    wish->version);
	else
		snprintf(dst, dstlen, "application/%s%s", form,
		    old && wish->form != FORM_YAML ? "; charset=UTF-8" : "");
}
