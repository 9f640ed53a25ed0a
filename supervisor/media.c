/* Owns the reading of Content-Type and Accept. */
#include "common/compat.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "supervisor/media.h"

#define VENDOR "application/vnd.elasticsearch+"

static const struct {
	const char *type;
	unsigned fits; /* bits of enum media_body */
} body_types[] = {
	{ "application/json", 1u << MEDIA_JSON | 1u << MEDIA_DATA },
	{ VENDOR "json", 1u << MEDIA_JSON | 1u << MEDIA_DATA },
	{ "application/x-ndjson", 1u << MEDIA_DATA },
	{ VENDOR "x-ndjson", 1u << MEDIA_DATA },
	{ "text/plain", 1u << MEDIA_DATA },
};

/* Length of the type before its parameters, without blanks behind. */
static size_t
type_len(const char *value)
{
	size_t len = strcspn(value, ";,");

	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return len;
}

int
media_check_body(
    enum media_body kind, const char *content_type, struct apierr *e)
{
	size_t len;

	if (content_type == NULL || *content_type == '\0')
		return apierr_set(
		    e, 406, E_STATUS, "Content-Type header is missing");
	len = type_len(content_type);
	for (size_t i = 0; i < NELEM(body_types); i++)
		if ((body_types[i].fits & 1u << kind) != 0 &&
		    strlen(body_types[i].type) == len &&
		    strncasecmp(content_type, body_types[i].type, len) == 0)
			return 0;
	return apierr_set(e, 406, E_STATUS,
	    "Content-Type header [%s] is not supported", content_type);
}

/* The digits of "compatible-with=<n>" in the parameters of one media range. */
static int
compatible_with(const char *range, size_t len)
{
	static const char name[] = "compatible-with=";
	size_t nlen = sizeof(name) - 1;

	for (size_t i = 0; i + nlen < len; i++)
		if (strncasecmp(range + i, name, nlen) == 0 &&
		    range[i + nlen] >= '7' && range[i + nlen] <= '9')
			return range[i + nlen] - '0';
	return 0;
}

void
media_answer(const char *accept, bool old, char *dst, size_t dstlen)
{
	while (accept != NULL && *accept != '\0') {
		size_t len = strcspn(accept, ",");
		int version = compatible_with(accept, len);

		if (strncasecmp(accept, VENDOR, sizeof(VENDOR) - 1) == 0 &&
		    version != 0) {
			snprintf(dst, dstlen, VENDOR "json;compatible-with=%d",
			    version);
			return;
		}
		accept += len;
		accept += strspn(accept, ", \t");
	}
	snprintf(
	    dst, dstlen, "application/json%s", old ? "; charset=UTF-8" : "");
}
