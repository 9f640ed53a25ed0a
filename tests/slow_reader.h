/*
 * A reader of JSON uploads that does what jobs-and-data 5.3 and 5.9 say in the
 * plainest way, to compare the real one with: it cuts the whole upload into a
 * list of tokens first, byte by byte, and then walks the list.
 */
#ifndef TESTS_SLOW_READER_H
#define TESTS_SLOW_READER_H

#include <stddef.h>

#include "common/jobconf.h"

/* The whole upload, as read_bytes of reader_text.h writes it. Caller frees. */
char *slow_read(const struct jobconf *, const char *data, size_t len);

#endif
