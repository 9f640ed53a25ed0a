/*
 * Passwords and keys: a text that is overwritten before its memory is given
 * back, and the ways to get one. Never by way of a stream of stdio, whose
 * buffer would keep a copy.
 */
#ifndef CTL_SECRET_H
#define CTL_SECRET_H

#include <stddef.h>

#include "common/compat.h"

#define SECRET_MAX_BYTES ((size_t)4096) /* of what is read or asked for */

/* A zeroed one is empty. text ends in NUL once anything was added. */
struct secret {
	char *text; /* owned */
	size_t len; /* bytes without the NUL */
	size_t room;
};

/* Overwrite, and free. */
void secret_clear(struct secret *);

/* Append. Returns 0, or -1 with ENOMEM; the secret is then unchanged. */
int secret_add(struct secret *, const void *data, size_t len) MUST_CHECK;
int secret_add_text(struct secret *, const char *text) MUST_CHECK;
/* As a JSON string, with its quotes. text: UTF-8. */
int secret_add_json(struct secret *, const char *text) MUST_CHECK;

/*
 * Read the first line of a file, without its end.
 *
 * path  "-" is the standard input, of which no more than the line is taken
 * s     empty
 *
 * Returns 0, or -1 with why saying what is wrong with the file: unreadable,
 * empty, too long, with a NUL or other bytes than UTF-8.
 */
int secret_read(
    struct secret *s, const char *path, char *why, size_t whylen) MUST_CHECK;

/*
 * Ask on the terminal of the process, without echo.
 *
 * s  empty
 *
 * Returns 0, or -1 with why: there is no terminal, nothing was typed.
 */
int secret_ask(
    struct secret *s, const char *prompt, char *why, size_t whylen) MUST_CHECK;

/*
 * Make a password of 24 letters and digits, none of which is easily taken for
 * another: 139 random bits. Returns 0, or -1 with ENOMEM.
 */
int secret_generate(struct secret *s) MUST_CHECK;

/* Write the text and a newline. Returns 0, or -1 with errno. */
int secret_write(const struct secret *, int fd) MUST_CHECK;

#endif
