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

/* The slice is used up at p, where more follows. */
static enum json_token
pause_at(struct jsonlex *lx, const char *p)
{
	lx->p = p;
	lx->paused = true;
	return JSON_MORE;
}

static enum json_token
pause_scan(struct jsonlex *lx, const char *p, enum json_scan scan)
{
	lx->scan = scan;
	return pause_at(lx, p);
}

/* Go behind the string that broke at p: its closing quote or its line. */
static enum json_token
leave_string(struct jsonlex *lx, const char *p)
{
	char c = '\0';

	while (p < lx->stop && c != '"' && c != '\n') {
		c = *p++;
		if (c == '\\' && p < lx->end && *p != '\n')
			p++;
	}
	if (c != '"' && c != '\n' && p < lx->end)
		return pause_scan(lx, p, JSON_SCAN_BROKEN);
	lx->p = p;
	settle(lx);
	return JSON_ERROR;
}

static inline enum json_token
end_string(struct jsonlex *lx, const char *p, enum json_token kind)
{
	lx->len = (size_t)(p - lx->text);
	lx->p = p + 1;
	if (kind == JSON_NAME)
		lx->place = JSON_AFTER_NAME;
	else
		settle(lx);
	return kind;
}

/* Go on at p with the string whose text has begun; it becomes this kind. */
static enum json_token
scan_string(struct jsonlex *lx, const char *p, enum json_token kind)
{
	uint32_t cp;
	size_t n;

	for (;;) {
		p = find_special(p, lx->stop);
		if (p >= lx->stop && p < lx->end) {
			lx->kind = kind;
			return pause_scan(lx, p, JSON_SCAN_STRING);
		}
		if (p == lx->end)
			break;
		if (*p == '"')
			break;
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
	if (p == lx->end || *p != '"')
		return leave_string(lx, p);
	return end_string(lx, p, kind);
}

/* The string whose first byte, behind the quote, is at p. */
static inline enum json_token
read_string(struct jsonlex *lx, const char *p, enum json_token kind)
{
	lx->text = p;
	lx->escaped = false;
	p = find_special(p, lx->stop);
	if (p < lx->stop && *p == '"')
		return end_string(lx, p, kind);
	return scan_string(lx, p, kind);
}

size_t
jsonlex_decode(char *dst, const char **text, const char *end, size_t most)
{
	const char *p = *text, *stop = end;
	char *to = dst;
	uint32_t cp;

	if (most < (size_t)(end - p))
		stop = p + most;
	while (p < stop) {
		const char *escape = memchr(p, '\\', (size_t)(stop - p));
		size_t n = (size_t)((escape == NULL ? stop : escape) - p);

		memcpy(to, p, n);
		to += n;
		p += n;
		if (p == stop)
			break;
		n = read_escape(p, end, &cp);
		if (n == 0)
			p = end; /* not a text of jsonlex_next */
		else
			to += utf8_put(to, cp);
		p += n;
	}
	*text = p;
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

/* The end, or p + most if that is nearer. */
static inline const char *
near_end(const struct jsonlex *lx, const char *p, size_t most)
{
	return (size_t)(lx->end - p) > most ? p + most : lx->end;
}

static enum json_token
read_number(struct jsonlex *lx, const char *p)
{
	bool good;

	lx->text = p;
	lx->p = scan_number(p, near_end(lx, p, JSON_MAX_NUMBER + 1), &good);
	lx->len = (size_t)(lx->p - p);
	return good && lx->len <= JSON_MAX_NUMBER ? JSON_NUMBER : JSON_ERROR;
}

static enum json_token
read_word(struct jsonlex *lx, const char *p)
{
	const char *end = near_end(lx, p, JSON_MAX_WORD);

	lx->text = p;
	while (p < end && is_word_byte(*p))
		p++;
	lx->p = p;
	lx->len = (size_t)(p - lx->text);
	return word_token(lx->text, lx->len);
}

/* ---- containers ---- */

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
		return read_string(lx, p + 1, JSON_ERROR);
	if (lx->depth == 0 || (*p != ',' && *p != close))
		lx->p = p + 1;
	return JSON_ERROR;
}

/* ---- tokens ---- */

/* Nothing is at p, where place is: because of the end, or of the slice's. */
static enum json_token
nothing_at(struct jsonlex *lx, const char *p, enum json_place place)
{
	if (p == lx->end)
		return refuse(lx, p);
	lx->place = place;
	return pause_at(lx, p);
}

static inline enum json_token
read_value(struct jsonlex *lx, const char *p, enum json_place place)
{
	enum json_token t;

	if (p == lx->stop)
		return nothing_at(lx, p, place);
	switch (*p) {
	case '"':
		return read_string(lx, p + 1, JSON_STRING);
	case '{':
	case '[':
		return open_container(lx, p, *p == '{');
	default:
		lx->escaped = false;
		if (is_digit(*p) || *p == '-')
			t = read_number(lx, p);
		else if (is_word_byte(*p))
			t = read_word(lx, p);
		else
			return refuse(lx, p);
	}
	settle(lx);
	return t;
}

static inline enum json_token
read_name(struct jsonlex *lx, const char *p, enum json_place place)
{
	if (p == lx->stop)
		return nothing_at(lx, p, place);
	if (*p != '"')
		return refuse(lx, p);
	return read_string(lx, p + 1, JSON_NAME);
}

static void
begin_slice(struct jsonlex *lx)
{
	lx->stop = near_end(lx, lx->p, lx->slice);
	lx->paused = false;
}

/* Go on behind a pause. */
static enum json_token
resume(struct jsonlex *lx)
{
	enum json_scan scan = lx->scan;

	begin_slice(lx);
	lx->scan = JSON_SCAN_NONE;
	switch (scan) {
	case JSON_SCAN_STRING:
		return scan_string(lx, lx->p, lx->kind);
	case JSON_SCAN_BROKEN:
		return leave_string(lx, lx->p);
	case JSON_SCAN_NONE:
		break;
	}
	return jsonlex_next(lx);
}

/* The slice, which the input's end ends too, is used up between tokens. */
static enum json_token
reach_stop(struct jsonlex *lx, const char *p)
{
	if (lx->paused)
		return resume(lx);
	if (p < lx->end)
		return pause_at(lx, p);
	lx->p = p;
	return lx->depth == 0 ? JSON_END : JSON_ERROR;
}

void
jsonlex_init(struct jsonlex *lx, const char *data, size_t len, size_t slice)
{
	size_t bom = sizeof(BYTE_ORDER_MARK) - 1;

	lx->p = data;
	lx->end = len == 0 ? data : data + len;
	if (len >= bom && memcmp(data, BYTE_ORDER_MARK, bom) == 0)
		lx->p += bom;
	lx->slice = slice;
	begin_slice(lx);
	lx->scan = JSON_SCAN_NONE;
	lx->kind = JSON_ERROR;
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
	const char *p = skip_space(lx->p, lx->stop);

	if (p >= lx->stop)
		return reach_stop(lx, p);
	switch (lx->place) {
	case JSON_AFTER_BRACE:
		if (*p == '}')
			return close_container(lx, p);
		return read_name(lx, p, JSON_AFTER_BRACE);
	case JSON_AFTER_NAME:
		if (*p != ':')
			return refuse(lx, p);
		p = skip_space(p + 1, lx->stop);
		return read_value(lx, p, JSON_AFTER_COLON);
	case JSON_AFTER_MEMBER:
		if (*p == '}')
			return close_container(lx, p);
		if (*p != ',')
			return refuse(lx, p);
		p = skip_space(p + 1, lx->stop);
		return read_name(lx, p, JSON_AFTER_MEMBER_COMMA);
	case JSON_AFTER_MEMBER_COMMA:
		return read_name(lx, p, JSON_AFTER_MEMBER_COMMA);
	case JSON_AFTER_ELEMENT:
		if (*p == ']')
			return close_container(lx, p);
		if (*p != ',')
			return refuse(lx, p);
		p = skip_space(p + 1, lx->stop);
		return read_value(lx, p, JSON_AFTER_ELEMENT_COMMA);
	case JSON_AFTER_BRACKET:
		if (*p == ']')
			return close_container(lx, p);
		break;
	case JSON_AT_ROOT:
	case JSON_AFTER_COLON:
	case JSON_AFTER_ELEMENT_COMMA:
		break;
	}
	return read_value(lx, p, lx->place);
}

bool
jsonlex_pass_colon(struct jsonlex *lx)
{
	const char *p = skip_space(lx->p, lx->stop);

	if (p >= lx->stop || *p != ':')
		return false;
	lx->p = skip_space(p + 1, lx->stop);
	lx->place = JSON_AFTER_COLON;
	return true;
}

enum json_token
jsonlex_value(struct jsonlex *lx, const char *p)
{
	return read_value(lx, p, JSON_AFTER_COLON);
}
