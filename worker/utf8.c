/* Owns the shape of characters in UTF-8. */
#include "common/compat.h"

#include <stdbool.h>

#include "worker/utf8.h"

static bool
is_tail(unsigned char c)
{
	return (c & 0xc0u) == 0x80u;
}

/*
 * Bytes of a character by its lead byte and the range that its second byte
 * must be in: that range alone excludes overlong forms, surrogates and what
 * lies past U+10FFFF (RFC 3629 section 4).
 */
static size_t
lead_shape(unsigned char c, unsigned char *lo, unsigned char *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return 2;
	if (c < 0xf0) {
		if (c == 0xe0)
			*lo = 0xa0;
		if (c == 0xed)
			*hi = 0x9f;
		return 3;
	}
	if (c > 0xf4)
		return 0;
	if (c == 0xf0)
		*lo = 0x90;
	if (c == 0xf4)
		*hi = 0x8f;
	return 4;
}

size_t
utf8_len(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char lo, hi;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	n = lead_shape(p[0], &lo, &hi);
	if (n == 0 || (size_t)(end - text) < n)
		return 0;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (!is_tail(p[i]))
			return 0;
	return n;
}

size_t
utf8_put(char *dst, uint32_t cp)
{
	static const unsigned char mark[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	if (n == 1) {
		dst[0] = (char)cp;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--) {
		dst[i] = (char)(0x80u | (cp & 0x3fu));
		cp >>= 6;
	}
	dst[0] = (char)(mark[n] | cp);
	return n;
}
