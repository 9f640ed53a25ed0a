/* Owns the query string: decoding, look-up, refusal of what nobody takes. */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/likeness.h"
#include "common/units.h"
#include "common/wire.h"
#include "supervisor/params.h"

static const char common_params[] = "pretty,human,error_trace,filter_path,"
				    "format,source,source_content_type";

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
params_hex_byte(const char *s)
{
	int hi = hex_digit(s[0]);
	int lo = hi == -1 ? -1 : hex_digit(s[1]);

	return lo == -1 ? -1 : hi << 4 | lo;
}

long
params_decode(char *s, bool plus)
{
	char *out = s;

	for (const char *p = s; *p != '\0'; p++) {
		if (*p == '+' && plus) {
			*out++ = ' ';
		} else if (*p == '%') {
			int byte = params_hex_byte(p + 1);

			if (byte <= 0)
				return -1;
			*out++ = (char)byte;
			p += 2;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return wire_utf8_ok(s, (size_t)(out - s)) ? (long)(out - s) : -1;
}

static int
params_add(struct params *ps, const char *text, size_t len, struct apierr *e)
{
	struct param *p = &ps->item[ps->n];
	const char *eq = memchr(text, '=', len);
	size_t nlen = eq == NULL ? len : (size_t)(eq - text);

	if (ps->n == PARAMS_MAX)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "more than %d query parameters", PARAMS_MAX);
	p->name = strndup(text, nlen);
	p->value = eq == NULL ? strdup("") : strndup(eq + 1, len - nlen - 1);
	ps->n++;
	if (p->name == NULL || p->value == NULL)
		return apierr_set(e, 503, E_STATUS, "out of memory");
	if (params_decode(p->name, true) == -1 ||
	    params_decode(p->value, true) == -1)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "a query parameter is not percent-encoded UTF-8");
	return 0;
}

int
params_parse(struct params *ps, const char *query, struct apierr *e)
{
	ps->n = 0;
	while (query != NULL && *query != '\0') {
		size_t len = strcspn(query, "&");

		if (len > 0 && params_add(ps, query, len, e) == -1)
			return -1;
		query += len;
		if (*query == '&')
			query++;
	}
	return 0;
}

void
params_clear(struct params *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		free(ps->item[i].name);
		free(ps->item[i].value);
	}
	ps->n = 0;
}

const char *
params_get(const struct params *ps, const char *name)
{
	for (size_t i = ps->n; i > 0; i--)
		if (strcmp(ps->item[i - 1].name, name) == 0)
			return ps->item[i - 1].value;
	return NULL;
}

int
params_bool(const struct params *ps, const char *name, bool fallback, bool *v,
    struct apierr *e)
{
	const char *text = params_get(ps, name);

	*v = fallback;
	return text == NULL ? 0 : units_bool(text, v, e);
}

/* Does the comma list hold this name? Else remember the nearest. */
static bool
list_has(const char *list, const char *name, const char **near, size_t *nearlen,
    double *score)
{
	size_t namelen = strlen(name);

	while (*list != '\0') {
		size_t len = strcspn(list, ",");
		double alike = likeness(name, namelen, list, len);

		if (len == namelen && strncmp(list, name, len) == 0)
			return true;
		if (alike > *score) {
			*score = alike;
			*near = list;
			*nearlen = len;
		}
		list += len;
		if (*list == ',')
			list++;
	}
	return false;
}

int
params_check(const struct params *ps, const char *known, const char *path,
    struct apierr *e)
{
	char text[768] = "";
	size_t used = 0, bad = 0;

	for (size_t i = 0; i < ps->n; i++) {
		const char *near = NULL;
		size_t nearlen = 0;
		/* The peer suggests what is more alike than not. */
		double score = 0.5;
		int n;

		if ((known != NULL &&
			list_has(known, ps->item[i].name, &near, &nearlen,
			    &score)) ||
		    list_has(common_params, ps->item[i].name, &near, &nearlen,
			&score))
			continue;
		n = snprintf(text + used, sizeof(text) - used, "%s[%s]",
		    bad++ == 0 ? "" : ", ", ps->item[i].name);
		if (n > 0)
			used += (size_t)n;
		if (near != NULL && known != NULL && used < sizeof(text)) {
			n = snprintf(text + used, sizeof(text) - used,
			    " -> did you mean [%.*s]?", (int)nearlen, near);
			used += n > 0 ? (size_t)n : 0;
		}
		if (used >= sizeof(text))
			break;
	}
	if (bad == 0)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "request [%s] contains unrecognized parameter%s: %s", path,
	    bad == 1 ? "" : "s", text);
}
