/*
 * The small grammars that heads, chunks and trailers share: classes of bytes,
 * lists, and field lines read byte by byte.
 */
#ifndef SUPERVISOR_HTTP_TEXT_H
#define SUPERVISOR_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/http_fault.h"

bool http_is_token(unsigned char);  /* tchar of RFC 9110 */
bool http_is_target(unsigned char); /* what RFC 3986 lets stand in a URI */
bool http_is_value(unsigned char);  /* in a field value: HTAB, SP, the rest */

/* Why a byte is refused: the control byte that it is, or else otherwise. */
enum http_fault http_bad_byte(unsigned char, enum http_fault otherwise);

/*
 * Next element of a comma-separated list; empty ones are passed over.
 *
 * pos   where to go on; moved
 * item  receives the trimmed element, which is not NUL-terminated
 *
 * Returns false at the end of the list.
 */
bool http_list_next(const char **pos, const char **item, size_t *len);
/* Case-insensitive comparison of len bytes with a word. */
bool http_item_is(const char *item, size_t len, const char *word);

/*
 * Where the reader of a section of field lines stands. It begins in
 * FIELD_START, is there again after each line, and ends in FIELD_END with the
 * LF of the empty line.
 */
enum http_field_state {
	FIELD_START,
	FIELD_NAME,
	FIELD_VALUE,
	FIELD_LF,     /* CR of a line seen */
	FIELD_END_LF, /* CR of the empty line seen */
	FIELD_END
};

/* Take one byte. HTTP_FAULT_NONE, or why it may not stand there. */
enum http_fault http_field_step(enum http_field_state *, unsigned char);

#endif
