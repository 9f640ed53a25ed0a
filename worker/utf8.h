/* UTF-8 one character at a time, strict (RFC 3629). */
#ifndef WORKER_UTF8_H
#define WORKER_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define UTF8_MAX_BYTES 4 /* of one character */

/*
 * Length of the character that begins at p, which must be before end; 0 when
 * the bytes there are none: truncated, overlong, a surrogate or past U+10FFFF.
 */
size_t utf8_len(const char *p, const char *end);

/*
 * Write the character cp, a Unicode scalar value, to dst of at least
 * UTF8_MAX_BYTES. Returns the number of bytes written.
 */
size_t utf8_put(char *dst, uint32_t cp);

#endif
