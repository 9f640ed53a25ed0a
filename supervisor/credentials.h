/* What a client says of itself: the header Authorization, taken apart. */
#ifndef SUPERVISOR_CREDENTIALS_H
#define SUPERVISOR_CREDENTIALS_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/msg.h"

enum credentials_kind {
	CREDENTIALS_NONE,  /* of no scheme that is known here */
	CREDENTIALS_BAD,   /* of one, and malformed */
	CREDENTIALS_BASIC, /* a user and a password */
	CREDENTIALS_KEY,   /* the id of a key and its secret */
};

struct credentials {
	enum credentials_kind kind;
	bool basic; /* of CREDENTIALS_BAD: it was meant to be Basic */
	/*
	 * Both are UTF-8 without NUL. Longer ones than a user or password can
	 * have, and empty ones, are marked: nobody has them.
	 */
	char name[MSG_USER_MAX + 1];
	char secret[MSG_PASSWORD_MAX + 1];
	bool impossible;
};

/* value: of the header; NULL is CREDENTIALS_NONE. */
void credentials_read(struct credentials *, const char *value);
/* Overwrites them: to be called as soon as they are not needed. */
void credentials_wipe(struct credentials *);

#endif
