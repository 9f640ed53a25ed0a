/*
 * Owns the grammar of JSON. Stands on the hot path: strings are looked through
 * eight bytes at a time, and a token costs one call.
 */
#include "common/compat.h"

#include <endian.h>
#include <string.h>

#include "worker/jsonlex.h"
#include "worker/utf8.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a misspelled word or a name without quotes is made of. */
static bool
is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    is_digit(c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* ---- strings ---- */

static inline uint64_t
zero_bytes(uint64_t w)
{
	return (w - ONES) & ~w & HIGHS;
}

/*
 * A high bit for each byte that a string cannot just hold: quote, backslash,
 * control, not ASCII. Borrows may add bits above the lowest one, which alone
 * is to be trusted.
 */
static inline uint64_t
special_bytes(uint64_t w)
{
	return ((w - ONES * 0x20) & ~w & HIGHS) | (w & HIGHS) |
	    zero_bytes(w ^ (ONES * '"')) | zero_bytes(w ^ (ONES * '\\'));
}

static inline bool
is_special(char c)
{
	unsigned char u = (unsigned char)c;

	return u < 0x20 || u >= 0x80 || u == '"' || u == '\\';
}

/* The first special byte at or after p, or end. */
static inline const char *
find_special(const char *p, const char *end)
{
	uint64_t w, m;

	while (end - p >= 8) {
		memcpy(&w, p, sizeof(w));
		m = special_bytes(le64toh(w));
		if (m != 0)
			return p + (__builtin_ctzll(m) >> 3);
		p += 8;
	}
	while (p < end && !is_special(*p))
		p++;
	return p;
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The unit of the six bytes \uXXXX at p. */
static bool
read_unit(const char *p, const char *end, uint32_t *unit)
{
	*unit = 0;
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return false;
	for (int i = 2; i < 6; i++) {
		int v = hex_value(p[i]);

		if (v == -1)
			return false;
		*unit = *unit << 4 | (uint32_t)v;
	}
	return true;
}

/*
 * The character of the escape at p. Returns the bytes that it takes, those of
 * both halves for a surrogate pair; 0 when it is no escape.
 */
static size_t
read_escape(const char *p, const char *end, uint32_t *cp)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char means[] = "\"\\/\b\f\n\r\t";
	const char *at;
	uint32_t low;

	if (end - p < 2)
		return 0;
	if (p[1] != 'u') {
		at = memchr(letters, p[1], sizeof(letters) - 1);
		if (at == NULL)
			return 0;
		*cp = (uint32_t)means[at - letters];
		return 2;
	}
	if (!read_unit(p, end, cp))
		return 0;
	if (*cp < 0xd800 || *cp > 0xdfff)
		return 6;
	if (*cp > 0xdbff || !read_unit(p + 6, end, &low) || low < 0xdc00 ||
	    low > 0xdfff)
		return 0;
	*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

/* Behind the string that broke at p: its closing quote, or its line's end. */
static const char *
leave_string(const char *p, const char *end)
{
	while (p < end) {
		char c = *p++;

		if (c == '"' || c == '\n')
			break;
		if (c == '\\' && p < end && *p != '\n')
			p++;
	}
	return p;
}

/* A string whose first byte, behind the quote, is at p. */
static inline bool
read_string(struct jsonlex *lx, const char *p)
{
	uint32_t cp;
	size_t n;

	lx->text = p;
	lx->escaped = false;
	for (;;) {
		p = find_special(p, lx->end);
		if (p == lx->end)
			break;
		if (*p == '"') {
			lx->len = (size_t)(p - lx->text);
			lx->p = p + 1;
			return true;
		}
		if (*p == '\\') {
			lx->escaped = true;
			n = read_escape(p, lx->end, &cp);
		} else {
			/* A control character is no sequence here. */
			n = (unsigned char)*p < 0x20 ? 0 : utf8_len(p, lx->end);
		}
		if (n == 0)
			break;
		p += n;
	}
	lx->p = leave_string(p, lx->end);
	return false;
}

size_t
jsonlex_decode(char *dst, const char *text, size_t len)
{
	const char *end = text + len;
	char *to = dst;
	uint32_t cp;

	while (text < end) {
		const char *stop = memchr(text, '\\', (size_t)(end - text));
		size_t n = (size_t)((stop == NULL ? end : stop) - text);

		memmove(to, text, n);
		to += n;
		text += n;
		if (text == end)
			break;
		n = read_escape(text, end, &cp);
		if (n == 0)
			break; /* not a text of jsonlex_next */
		to += utf8_put(to, cp);
		text += n;
	}
	return (size_t)(to - dst);
}

/* ---- numbers and words ---- */

static inline const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* Behind the number at p; *good says whether it is one. */
static inline const char *
scan_number(const char *p, const char *end, bool *good)
{
	const char *digits;

	*good = false;
	if (*p == '-')
		p++;
	digits = p;
	p = skip_digits(p, end);
	if (p == digits)
		return p;
	if (*digits == '0' && p - digits > 1)
		return digits + 1;
	if (p < end && *p == '.') {
		digits = ++p;
		p = skip_digits(p, end);
		if (p == digits)
			return p;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = skip_digits(p, end);
		if (p == digits)
			return p;
	}
	*good = true;
	return p;
}

static enum json_token
word_token(const char *p, size_t len)
{
	if (len == 4 && memcmp(p, "true", 4) == 0)
		return JSON_WORD;
	if (len == 5 && memcmp(p, "false", 5) == 0)
		return JSON_WORD;
	if (len == 4 && memcmp(p, "null", 4) == 0)
		return JSON_NULL;
	return JSON_ERROR;
}

static enum json_token
read_word(struct jsonlex *lx, const char *p)
{
	lx->text = p;
	while (p < lx->end && is_word_byte(*p))
		p++;
	lx->p = p;
	lx->len = (size_t)(p - lx->text);
	return word_token(lx->text, lx->len);
}

/* ---- containers ---- */

/* Where reading stands once a value is behind it, good or bad. */
static inline void
settle(struct jsonlex *lx)
{
	if (lx->depth == 0)
		lx->place = JSON_AT_ROOT;
	else
		lx->place = lx->in_object[lx->depth] ? JSON_AFTER_MEMBER
						     : JSON_AFTER_ELEMENT;
}

static enum json_token
open_container(struct jsonlex *lx, const char *p, bool object)
{
	lx->p = p + 1;
	if (lx->depth == JSON_MAX_DEPTH) {
		settle(lx);
		return JSON_ERROR;
	}
	lx->in_object[++lx->depth] = object;
	lx->place = object ? JSON_AFTER_BRACE : JSON_AFTER_BRACKET;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token
close_container(struct jsonlex *lx, const char *p)
{
	bool object = lx->in_object[lx->depth];

	lx->p = p + 1;
	lx->depth--;
	settle(lx);
	return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

/* The byte at p does not belong there. */
static enum json_token
refuse(struct jsonlex *lx, const char *p)
{
	char close = lx->in_object[lx->depth] ? '}' : ']';

	settle(lx);
	lx->p = p;
	if (p == lx->end)
		return JSON_ERROR;
	if (*p == '"')
		(void)read_string(lx, p + 1); /* an error either way */
	else if (lx->depth == 0 || (*p != ',' && *p != close))
		lx->p = p + 1;
	return JSON_ERROR;
}

/* ---- tokens ---- */

static inline enum json_token
read_value(struct jsonlex *lx, const char *p)
{
	enum json_token t;
	bool good;

	if (p == lx->end)
		return refuse(lx, p);
	switch (*p) {
	case '"':
		t = read_string(lx, p + 1) ? JSON_STRING : JSON_ERROR;
		break;
	case '{':
	case '[':
		return open_container(lx, p, *p == '{');
	default:
		if (is_digit(*p) || *p == '-') {
			lx->text = p;
			lx->p = scan_number(p, lx->end, &good);
			lx->len = (size_t)(lx->p - p);
			lx->escaped = false;
			t = good ? JSON_NUMBER : JSON_ERROR;
		} else if (is_word_byte(*p)) {
			lx->escaped = false;
			t = read_word(lx, p);
		} else {
			return refuse(lx, p);
		}
	}
	settle(lx);
	return t;
}

static inline enum json_token
read_name(struct jsonlex *lx, const char *p)
{
	if (p == lx->end || *p != '"')
		return refuse(lx, p);
	if (!read_string(lx, p + 1)) {
		settle(lx);
		return JSON_ERROR;
	}
	lx->place = JSON_AFTER_NAME;
	return JSON_NAME;
}

void
jsonlex_init(struct jsonlex *lx, const char *data, size_t len)
{
	size_t bom = sizeof(BYTE_ORDER_MARK) - 1;

	lx->p = data;
	lx->end = len == 0 ? data : data + len;
	if (len >= bom && memcmp(data, BYTE_ORDER_MARK, bom) == 0)
		lx->p += bom;
	lx->text = data;
	lx->len = 0;
	lx->escaped = false;
	lx->place = JSON_AT_ROOT;
	lx->depth = 0;
	lx->in_object[0] = false;
}

enum json_token
jsonlex_next(struct jsonlex *lx)
{
	const char *p = skip_space(lx->p, lx->end);

	if (p == lx->end) {
		lx->p = p;
		return lx->depth == 0 ? JSON_END : JSON_ERROR;
	}
	switch (lx->place) {
	case JSON_AT_ROOT:
		return read_value(lx, p);
	case JSON_AFTER_BRACE:
		if (*p == '}')
			return close_container(lx, p);
		return read_name(lx, p);
	case JSON_AFTER_NAME:
		if (*p != ':')
			return refuse(lx, p);
		return read_value(lx, skip_space(p + 1, lx->end));
	case JSON_AFTER_MEMBER:
		if (*p == '}')
			return close_container(lx, p);
		if (*p != ',')
			return refuse(lx, p);
		return read_name(lx, skip_space(p + 1, lx->end));
	case JSON_AFTER_BRACKET:
		if (*p == ']')
			return close_container(lx, p);
		return read_value(lx, p);
	case JSON_AFTER_ELEMENT:
		if (*p == ']')
			return close_container(lx, p);
		if (*p != ',')
			return refuse(lx, p);
		return read_value(lx, skip_space(p + 1, lx->end));
	}
	return JSON_ERROR;
}
