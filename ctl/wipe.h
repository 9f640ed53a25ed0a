/*
 * malloc(3) and its family for a library that is given secrets: memory is
 * overwritten before it is freed, and when it moves. What one of these gave
 * must go back by these.
 */
#ifndef CTL_WIPE_H
#define CTL_WIPE_H

#include <stddef.h>

#include "common/compat.h"

void *wipe_malloc(size_t len);
void *wipe_calloc(size_t n, size_t size);
void *wipe_realloc(void *, size_t len);
char *wipe_strdup(const char *);
void wipe_free(void *); /* NULL is fine */

#endif
