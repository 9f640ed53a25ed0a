/* Help for tests of readers: job configurations, and uploads as text. */
#ifndef TESTS_READER_TEXT_H
#define TESTS_READER_TEXT_H

#include <stddef.h>

#include "common/jobconf.h"
#include "worker/reader.h"

/*
 * A configuration with the time field "time" in seconds and these analysis
 * fields, a list split at blanks. The caller frees it with conf_free.
 */
struct jobconf *conf_new(const char *fields);
void conf_free(struct jobconf *);

/* A piece of text that grows. */
struct text {
	char *p; /* owned, NUL-terminated */
	size_t len;
};
void text_add(struct text *, const char *p, size_t len);
void text_printf(struct text *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Append a record: its count of values, then each wanted field, the time
 * first: "-" is missing, else the value between single quotes, what is not
 * printable as \xNN. For example: 2('1' 'a' -).
 */
void text_add_record(struct text *, const struct record *);
/* Append how an upload ended: "." or "!" with the error. */
void text_add_end(struct text *, int rc, const struct apierr *);

/*
 * Read a whole upload, and unless it is very long also in several small
 * slices, which must not change anything. Checks also that all bytes are
 * consumed at the end, and never more than there are. The caller frees it.
 */
char *read_bytes(struct reader *, const char *data, size_t len);
/* The same for a text, with a new reader for these fields. */
char *read_text(const char *fields, const char *text);

#endif
