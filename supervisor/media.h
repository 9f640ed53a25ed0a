/* Media types: what a body may be, and what the answer is to be. */
#ifndef SUPERVISOR_MEDIA_H
#define SUPERVISOR_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"

enum media_body { MEDIA_JSON, MEDIA_DATA };

/*
 * Is this Content-Type (NULL: absent) fit for a body of that kind? MEDIA_DATA
 * also takes x-ndjson, and text/plain, which an official client sends.
 * Returns 0, or -1 with *e set (406).
 */
int media_check_body(
    enum media_body, const char *content_type, struct apierr *e);

/*
 * Content-Type of the answer for this Accept (NULL: absent). old: the path is
 * of the old family, whose answers name the charset.
 */
void media_answer(const char *accept, bool old, char *dst, size_t dstlen);

#endif
