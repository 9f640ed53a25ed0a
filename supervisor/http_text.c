/* Owns the classes of bytes and the grammar of lists and field lines. */
#include "common/compat.h"

#include <string.h>
#include <strings.h>

#include "supervisor/http_text.h"

/* Not isalnum(3): a locale has no say here. */
static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

bool
http_is_token(unsigned char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

bool
http_is_target(unsigned char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("-._~:/?[]@!$&'()*+,;=%", c));
}

bool
http_is_value(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

enum http_fault
http_bad_byte(unsigned char c, enum http_fault otherwise)
{
	if (c == '\n')
		return HTTP_FAULT_BARE_LF;
	if (c == '\r')
		return HTTP_FAULT_BARE_CR;
	if (c != '\t' && (c < 0x20 || c == 0x7f))
		return HTTP_FAULT_CONTROL_BYTE;
	return otherwise;
}

bool
http_list_next(const char **pos, const char **item, size_t *len)
{
	const char *p = *pos;

	p += strspn(p, " \t,");
	*item = p;
	*len = strcspn(p, ",");
	*pos = p + *len;
	while (*len > 0 && (p[*len - 1] == ' ' || p[*len - 1] == '\t'))
		(*len)--;
	return *len > 0;
}

bool
http_item_is(const char *item, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(item, word, len) == 0;
}

static enum http_fault
first_byte(enum http_field_state *st, unsigned char c)
{
	if (c == '\r') {
		*st = FIELD_END_LF;
		return HTTP_FAULT_NONE;
	}
	if (c == ' ' || c == '\t')
		return HTTP_FAULT_FIELD_FOLDED;
	if (!http_is_token(c))
		return http_bad_byte(c, HTTP_FAULT_FIELD_NAME);
	*st = FIELD_NAME;
	return HTTP_FAULT_NONE;
}

static enum http_fault
name_byte(enum http_field_state *st, unsigned char c)
{
	if (http_is_token(c))
		return HTTP_FAULT_NONE;
	if (c == ' ' || c == '\t')
		return HTTP_FAULT_FIELD_SPACE;
	if (c == '\r') /* a line without a colon */
		return HTTP_FAULT_FIELD_NAME;
	if (c != ':')
		return http_bad_byte(c, HTTP_FAULT_FIELD_NAME);
	*st = FIELD_VALUE;
	return HTTP_FAULT_NONE;
}

static enum http_fault
value_byte(enum http_field_state *st, unsigned char c)
{
	if (http_is_value(c))
		return HTTP_FAULT_NONE;
	if (c != '\r')
		return http_bad_byte(c, HTTP_FAULT_CONTROL_BYTE);
	*st = FIELD_LF;
	return HTTP_FAULT_NONE;
}

enum http_fault
http_field_step(enum http_field_state *st, unsigned char c)
{
	switch (*st) {
	case FIELD_START:
		return first_byte(st, c);
	case FIELD_NAME:
		return name_byte(st, c);
	case FIELD_VALUE:
		return value_byte(st, c);
	case FIELD_LF:
	case FIELD_END_LF:
		if (c != '\n')
			return HTTP_FAULT_BARE_CR;
		*st = *st == FIELD_LF ? FIELD_START : FIELD_END;
		return HTTP_FAULT_NONE;
	case FIELD_END:
		break;
	}
	return HTTP_FAULT_NONE;
}
