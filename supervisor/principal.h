/* Who makes a request, and what that one may do. */
#ifndef SUPERVISOR_PRINCIPAL_H
#define SUPERVISOR_PRINCIPAL_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/msg.h"
#include "supervisor/route.h"

struct grants;

enum realm {
	REALM_NONE, /* nobody: may do nothing */
	REALM_OFF,  /* security is off: anybody, may do everything */
	REALM_NATIVE,
	REALM_UNIX, /* a trusted peer on the Unix socket */
};

#define KEY_ID_MAX 32

struct principal {
	enum realm realm;
	char user[MSG_USER_MAX + 1]; /* "" with REALM_OFF */
	char key_id[KEY_ID_MAX + 1]; /* "": not by a key */
	unsigned rights;	     /* on everything */
	unsigned cap;		     /* those of the owner of a key */
	uint64_t revision;	     /* of the user, when no key is used */
	struct grants *grants;	     /* a reference, on some jobs; NULL: none */
};

/* A second one of the same; to be cleared too. */
void principal_copy(struct principal *dst, const struct principal *src);
void principal_clear(struct principal *); /* then it is nobody */

/* May this one do that to the job? NULL: to what is not one job's. */
bool principal_may(
    const struct principal *, enum privilege, const char *job_id);
/* On some job at least: a list may be asked for, and has those. */
bool principal_may_some(const struct principal *, enum privilege);

/* "default_native", "unix", as keys carry it; unknown: REALM_NONE. */
const char *realm_name(enum realm);
enum realm realm_find(struct span name);

#endif
