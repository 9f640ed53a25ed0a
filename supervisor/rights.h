/*
 * What callers may be allowed to: the privileges and roles that the API names,
 * as bits, and the grants of an API key, which may hold for some jobs only.
 */
#ifndef SUPERVISOR_RIGHTS_H
#define SUPERVISOR_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "supervisor/route.h"

struct json_object;

enum right {
	RIGHT_MONITOR = 1 << 0, /* of the server itself: GET / */
	RIGHT_MONITOR_ML = 1 << 1,
	RIGHT_MANAGE_ML = 1 << 2,
	RIGHT_OWN_KEYS = 1 << 3,
	RIGHT_SECURITY = 1 << 4, /* users, and the keys of all */
};
#define RIGHTS_ALL 0x1fu

/* Do these rights suffice? Everybody who is known has PRIV_AUTHENTICATED. */
bool rights_suffice(unsigned rights, enum privilege);
/* The privileges that grant it, the least first: "manage_ml,manage,all". */
const char *rights_granting(enum privilege);

/* Of a built-in role. 0, or -1: there is no such role. */
int rights_of_role(const char *role, unsigned *rights);
/* "superuser, machine_learning_admin, ..." */
const char *rights_roles(void);

#define GRANTS_MAX 32 /* patterns of one key */
#define GRANT_PATTERN_MAX 128

struct grant {
	unsigned rights;
	char pattern[GRANT_PATTERN_MAX + 1]; /* of job ids, "*" in it */
};

/* For some jobs; shared by those who look at the key. */
struct grants {
	unsigned refs;
	size_t n;
	struct grant item[GRANTS_MAX];
};

struct grants *grants_ref(struct grants *); /* NULL is fine */
void grants_unref(struct grants *);
bool grants_same(const struct grants *, const struct grants *);
/* The rights that they give on this job. */
unsigned grants_on(const struct grants *, const char *job_id);

/*
 * Read role_descriptors: what they give on all jobs, and on some (*grants,
 * owned by the caller; NULL: none). 0, or -1 with *e set (400, 503).
 */
int rights_read(struct json_object *descriptors, unsigned *rights,
    struct grants **grants, struct apierr *e) MUST_CHECK;

#endif
