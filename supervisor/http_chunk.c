/* Owns the framing of chunked bodies: one step function per state. */
#include "common/compat.h"

#include <string.h>

#include "supervisor/http_chunk.h"

/* Largest size: no sum with it can overflow, and no body is this large. */
#define CHUNK_MAX (UINT64_C(1) << 60)

void
http_chunk_init(struct http_chunk *ck, size_t trailers_max)
{
	memset(ck, 0, sizeof(*ck));
	ck->trailers_max = trailers_max;
}

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum http_fault
go(struct http_chunk *ck, enum http_chunk_state state)
{
	ck->state = state;
	return HTTP_FAULT_NONE;
}

/* ---- the size ---- */

/* What may follow a size, a name or a value that is whole. */
static enum http_fault
after_part(struct http_chunk *ck, unsigned char c, enum http_fault otherwise)
{
	if (c == '\r')
		return go(ck, CHUNK_SIZE_LF);
	if (c == ';')
		return go(ck, CHUNK_EXT_NAME_FIRST);
	if (c == ' ' || c == '\t')
		return go(ck, CHUNK_BEFORE_EXT);
	return http_bad_byte(c, otherwise);
}

static enum http_fault
step_size(struct http_chunk *ck, unsigned char c)
{
	int digit = hex_digit(c);

	if (digit == -1)
		return after_part(ck, c, HTTP_FAULT_CHUNK_SIZE);
	if (ck->left > CHUNK_MAX / 16)
		return HTTP_FAULT_CHUNK_HUGE;
	ck->left = ck->left * 16 + (unsigned)digit;
	return ck->left > CHUNK_MAX ? HTTP_FAULT_CHUNK_HUGE : HTTP_FAULT_NONE;
}

static enum http_fault
step_size_first(struct http_chunk *ck, unsigned char c)
{
	int digit = hex_digit(c);

	if (digit == -1)
		return http_bad_byte(c, HTTP_FAULT_CHUNK_SIZE);
	ck->left = (unsigned)digit;
	return go(ck, CHUNK_SIZE);
}

static enum http_fault
step_size_lf(struct http_chunk *ck, unsigned char c)
{
	if (c != '\n')
		return HTTP_FAULT_BARE_CR;
	ck->line = 0;
	if (ck->left > 0)
		return go(ck, CHUNK_DATA);
	ck->field = FIELD_START;
	return go(ck, CHUNK_TRAILER);
}

/* ---- extensions: read for their form, then forgotten ---- */

static enum http_fault
step_before_ext(struct http_chunk *ck, unsigned char c)
{
	if (c == ' ' || c == '\t')
		return HTTP_FAULT_NONE;
	if (c == ';')
		return go(ck, CHUNK_EXT_NAME_FIRST);
	return http_bad_byte(c, HTTP_FAULT_CHUNK_EXTENSION);
}

static enum http_fault
step_name_first(struct http_chunk *ck, unsigned char c)
{
	if (c == ' ' || c == '\t')
		return HTTP_FAULT_NONE;
	if (http_is_token(c))
		return go(ck, CHUNK_EXT_NAME);
	return http_bad_byte(c, HTTP_FAULT_CHUNK_EXTENSION);
}

static enum http_fault
step_name(struct http_chunk *ck, unsigned char c)
{
	if (http_is_token(c))
		return HTTP_FAULT_NONE;
	if (c == '=')
		return go(ck, CHUNK_EXT_VALUE_FIRST);
	if (c == ' ' || c == '\t')
		return go(ck, CHUNK_AFTER_NAME);
	return after_part(ck, c, HTTP_FAULT_CHUNK_EXTENSION);
}

static enum http_fault
step_after_name(struct http_chunk *ck, unsigned char c)
{
	if (c == '=')
		return go(ck, CHUNK_EXT_VALUE_FIRST);
	return step_before_ext(ck, c);
}

static enum http_fault
step_value_first(struct http_chunk *ck, unsigned char c)
{
	if (c == ' ' || c == '\t')
		return HTTP_FAULT_NONE;
	if (c == '"')
		return go(ck, CHUNK_EXT_QUOTED);
	if (http_is_token(c))
		return go(ck, CHUNK_EXT_VALUE);
	return http_bad_byte(c, HTTP_FAULT_CHUNK_EXTENSION);
}

static enum http_fault
step_value(struct http_chunk *ck, unsigned char c)
{
	if (http_is_token(c))
		return HTTP_FAULT_NONE;
	return after_part(ck, c, HTTP_FAULT_CHUNK_EXTENSION);
}

static enum http_fault
step_quoted(struct http_chunk *ck, unsigned char c)
{
	if (c == '"')
		return go(ck, CHUNK_EXT_QUOTED_END);
	if (c == '\\')
		return go(ck, CHUNK_EXT_ESCAPED);
	return http_is_value(c) ? HTTP_FAULT_NONE
				: http_bad_byte(c, HTTP_FAULT_CHUNK_EXTENSION);
}

static enum http_fault
step_escaped(struct http_chunk *ck, unsigned char c)
{
	if (!http_is_value(c))
		return http_bad_byte(c, HTTP_FAULT_CHUNK_EXTENSION);
	return go(ck, CHUNK_EXT_QUOTED);
}

static enum http_fault
step_quoted_end(struct http_chunk *ck, unsigned char c)
{
	return after_part(ck, c, HTTP_FAULT_CHUNK_EXTENSION);
}

/* ---- behind the data ---- */

static enum http_fault
step_data_cr(struct http_chunk *ck, unsigned char c)
{
	if (c != '\r')
		return HTTP_FAULT_CHUNK_END;
	return go(ck, CHUNK_DATA_LF);
}

static enum http_fault
step_data_lf(struct http_chunk *ck, unsigned char c)
{
	if (c != '\n')
		return HTTP_FAULT_CHUNK_END;
	return go(ck, CHUNK_SIZE_FIRST);
}

/* Trailers are held to the form of fields and then forgotten. */
static enum http_fault
step_trailer(struct http_chunk *ck, unsigned char c)
{
	enum http_fault fault = http_field_step(&ck->field, c);

	if (fault != HTTP_FAULT_NONE)
		return fault;
	if (++ck->trailers > ck->trailers_max)
		return HTTP_FAULT_TRAILER_LARGE;
	if (ck->field == FIELD_END)
		ck->state = CHUNK_DONE;
	return HTTP_FAULT_NONE;
}

static enum http_fault (*const chunk_steps[])(
    struct http_chunk *, unsigned char) = {
	[CHUNK_SIZE_FIRST] = step_size_first,
	[CHUNK_SIZE] = step_size,
	[CHUNK_BEFORE_EXT] = step_before_ext,
	[CHUNK_EXT_NAME_FIRST] = step_name_first,
	[CHUNK_EXT_NAME] = step_name,
	[CHUNK_AFTER_NAME] = step_after_name,
	[CHUNK_EXT_VALUE_FIRST] = step_value_first,
	[CHUNK_EXT_VALUE] = step_value,
	[CHUNK_EXT_QUOTED] = step_quoted,
	[CHUNK_EXT_ESCAPED] = step_escaped,
	[CHUNK_EXT_QUOTED_END] = step_quoted_end,
	[CHUNK_SIZE_LF] = step_size_lf,
	[CHUNK_DATA_CR] = step_data_cr,
	[CHUNK_DATA_LF] = step_data_lf,
	[CHUNK_TRAILER] = step_trailer,
};

static enum http_fault
chunk_byte(struct http_chunk *ck, unsigned char c)
{
	if (ck->state < CHUNK_SIZE_LF && ++ck->line > HTTP_CHUNK_LINE_MAX)
		return HTTP_FAULT_CHUNK_LINE_LONG;
	if (ck->state > CHUNK_SIZE && ck->state < CHUNK_SIZE_LF &&
	    ++ck->extensions > ck->data + HTTP_CHUNK_EXCESS_MAX)
		return HTTP_FAULT_CHUNK_LINE_LONG;
	return chunk_steps[ck->state](ck, c);
}

enum http_chunk_result
http_chunk_read(
    struct http_chunk *ck, const void *bytes, size_t len, size_t *used)
{
	const unsigned char *p = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		if (ck->state == CHUNK_DATA || ck->state == CHUNK_DONE)
			break;
		ck->fault = chunk_byte(ck, p[i]);
		if (ck->fault != HTTP_FAULT_NONE) {
			*used = i;
			return HTTP_CHUNK_BAD;
		}
	}
	*used = i;
	if (ck->state == CHUNK_DATA)
		return HTTP_CHUNK_DATA;
	return ck->state == CHUNK_DONE ? HTTP_CHUNK_DONE : HTTP_CHUNK_MORE;
}

void
http_chunk_take(struct http_chunk *ck, uint64_t n)
{
	ck->left -= n;
	ck->data += n;
	if (ck->left == 0)
		ck->state = CHUNK_DATA_CR;
}
