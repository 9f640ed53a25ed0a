/* Owns the reading of the header Authorization (RFC 7617, RFC 6750). */
#include "common/compat.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "common/wire.h"
#include "supervisor/credentials.h"

#define DECODED_MAX 4096 /* more is not looked at */

static const struct {
	const char *scheme;
	enum credentials_kind kind;
} schemes[] = {
	{ "Basic", CREDENTIALS_BASIC }, { "ApiKey", CREDENTIALS_KEY },
	{ "Bearer", CREDENTIALS_KEY }, /* the same id and secret */
};

/* Padding may be left out, as the peer's decoder allows. */
static int
decode(char *dst, size_t *len, const char *text)
{
	size_t n = strlen(text);

	return sodium_base642bin((unsigned char *)dst, DECODED_MAX, text, n,
	    NULL, len, NULL,
	    n % 4 == 0 ? sodium_base64_VARIANT_ORIGINAL
		       : sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

static void
take(struct credentials *c, char *dst, size_t size, const char *src, size_t len)
{
	if (len == 0 || len >= size)
		c->impossible = true;
	if (len >= size)
		len = size - 1;
	/* Not in the middle of a character. */
	while (len > 0 && !wire_utf8_ok(src, len))
		len--;
	memcpy(dst, src, len);
	dst[len] = '\0';
}

static void
split(struct credentials *c, enum credentials_kind kind, const char *text,
    size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t n;

	if (colon == NULL || !wire_utf8_ok(text, len))
		return;
	n = (size_t)(colon - text);
	take(c, c->name, sizeof(c->name), text, n);
	take(c, c->secret, sizeof(c->secret), colon + 1, len - n - 1);
	c->kind = kind;
}

void
credentials_read(struct credentials *c, const char *value)
{
	char text[DECODED_MAX];
	size_t i = 0, n = value == NULL ? 0 : strcspn(value, " ");
	size_t len;

	memset(c, 0, sizeof(*c));
	while (i < NELEM(schemes) &&
	    (strlen(schemes[i].scheme) != n ||
		strncasecmp(schemes[i].scheme, value, n) != 0))
		i++;
	if (value == NULL || i == NELEM(schemes))
		return;
	c->kind = CREDENTIALS_BAD;
	c->basic = schemes[i].kind == CREDENTIALS_BASIC;
	value += n + strspn(value + n, " ");
	if (decode(text, &len, value) == 0)
		split(c, schemes[i].kind, text, len);
	sodium_memzero(text, sizeof(text));
}

void
credentials_wipe(struct credentials *c)
{
	sodium_memzero(c, sizeof(*c));
}
