/*
 * The words of a command line, read by a table of options. Not getopt_long():
 * it takes shortened names, which an option of a later version would make
 * ambiguous, and lets the environment say whether options may follow operands.
 */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

/* One option; a table of them ends with a name that is NULL. */
struct args_form {
	char letter;	   /* 0: only the name */
	const char *name;  /* "password-file" */
	const char *value; /* what help calls its value, NULL: it has none */
	const char *help;
	bool repeats;
};

struct args_option {
	const struct args_form *form;
	const char *value; /* NULL when the form has none */
};

/* Borrows all texts. */
struct args {
	const char **operand; /* owned */
	size_t noperands;
	struct args_option *option; /* owned; in their order */
	size_t noptions;
	char why[256];
};

/* room: number of words that will be read. Returns 0, or -1 with ENOMEM. */
int args_init(struct args *, size_t room) MUST_CHECK;
void args_clear(struct args *);

/*
 * Read words: "-x", "-xvalue", "-x value", "--name", "--name=value",
 * "--name value"; behind "--" and for "-" operands only.
 *
 * forms  options that may stand here: tables, NULL behind the last one
 * first  stop in front of the first operand
 *
 * Adds to what was read before. Returns how many of the n words were used, or
 * -1 with args->why saying what is wrong.
 */
int args_read(struct args *, const struct args_form *const *forms,
    const char *const *words, size_t n, bool first) MUST_CHECK;

bool args_has(const struct args *, const char *name);
/* The value that was given last, or NULL. */
const char *args_value(const struct args *, const char *name);
/*
 * The values of an option that repeats, one at each call; NULL behind the
 * last one. *pos begins as 0.
 */
const char *args_next(const struct args *, const char *name, size_t *pos);

#endif
