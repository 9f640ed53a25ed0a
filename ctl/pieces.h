/*
 * A stream of records cut into uploads: at line ends, of bounded size, each
 * with a key that is the same whenever the same file is cut again. So a run
 * that was interrupted is repeated from the start, and what the daemon has
 * taken before it does not count again.
 */
#ifndef CTL_PIECES_H
#define CTL_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define PIECES_KEY_BYTES 48 /* with its NUL */

struct pieces;

struct piece {
	const char *data; /* of pieces, until the next one */
	size_t len;
	uint64_t offset; /* in the unpacked stream, for messages */
	char key[PIECES_KEY_BYTES];
};

struct pieces_form {
	const char *name; /* as the user gave it; part of every key */
	const char *tag;  /* the same; NULL: none */
	size_t max_bytes; /* of a piece without a repeated header */
	bool header;	  /* the first line goes before every piece */
};

/*
 * fd is owned, also when it fails; gzip is found by its first bytes. form is
 * borrowed. NULL with why.
 */
struct pieces *pieces_new(
    int fd, const struct pieces_form *, char *why, size_t whylen);
void pieces_free(struct pieces *);

/*
 * The next piece. Returns 1; 0: the end; -1 with why: the file cannot be read,
 * is a damaged gzip, or a line is longer than a piece.
 */
int pieces_next(
    struct pieces *, struct piece *, char *why, size_t whylen) MUST_CHECK;

/* The input is packed: what is sent should be as well. */
bool pieces_is_gzip(const struct pieces *);
/* Bytes of the file itself that were read; of a pipe, unpacked. */
uint64_t pieces_position(const struct pieces *);

#endif
