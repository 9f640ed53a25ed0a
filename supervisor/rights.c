/* Owns the meaning of privileges, roles and role descriptors. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/msg.h"
#include "common/wildcard.h"
#include "supervisor/rights.h"

#define APPLICATION "anomd"

static const struct {
	const char *name;
	unsigned rights;
} privileges[] = {
	{ "all", RIGHTS_ALL },
	{ "manage", RIGHT_MONITOR | RIGHT_MONITOR_ML | RIGHT_MANAGE_ML },
	{ "monitor", RIGHT_MONITOR | RIGHT_MONITOR_ML },
	{ "manage_ml", RIGHT_MONITOR_ML | RIGHT_MANAGE_ML },
	{ "monitor_ml", RIGHT_MONITOR_ML },
	{ "manage_security", RIGHT_SECURITY | RIGHT_OWN_KEYS },
	{ "manage_own_api_key", RIGHT_OWN_KEYS },
	{ "none", 0 },
};

#define PRIVILEGE_NAMES                                                        \
	"all, manage, monitor, manage_ml, monitor_ml, manage_security, "       \
	"manage_own_api_key, none"

static const struct {
	const char *name;
	unsigned rights;
} roles[] = {
	{ "superuser", RIGHTS_ALL },
	{ "machine_learning_admin", RIGHT_MONITOR_ML | RIGHT_MANAGE_ML },
	{ "machine_learning_user", RIGHT_MONITOR_ML },
	{ "manage", RIGHT_MONITOR | RIGHT_MONITOR_ML | RIGHT_MANAGE_ML },
	{ "monitor", RIGHT_MONITOR | RIGHT_MONITOR_ML },
};

static const struct {
	unsigned right;
	const char *granting;
} needs[] = {
	[PRIV_MONITOR] = { RIGHT_MONITOR, "monitor,manage,all" },
	[PRIV_MONITOR_ML] = { RIGHT_MONITOR_ML,
	    "monitor_ml,monitor,manage_ml,manage,all" },
	[PRIV_MANAGE_ML] = { RIGHT_MANAGE_ML, "manage_ml,manage,all" },
	[PRIV_AUTHENTICATED] = { 0, "" },
	[PRIV_OWN_KEYS] = { RIGHT_OWN_KEYS,
	    "manage_own_api_key,manage_security,all" },
	[PRIV_SECURITY] = { RIGHT_SECURITY, "manage_security,all" },
};

bool
rights_suffice(unsigned rights, enum privilege p)
{
	return (rights & needs[p].right) == needs[p].right;
}

const char *
rights_granting(enum privilege p)
{
	return needs[p].granting;
}

int
rights_of_role(const char *role, unsigned *rights)
{
	for (size_t i = 0; i < NELEM(roles); i++) {
		if (strcmp(roles[i].name, role) != 0)
			continue;
		*rights = roles[i].rights;
		return 0;
	}
	return -1;
}

const char *
rights_roles(void)
{
	return "superuser, machine_learning_admin, machine_learning_user, "
	       "manage, monitor";
}

/* ---- grants ---- */

struct grants *
grants_ref(struct grants *g)
{
	if (g != NULL)
		g->refs++;
	return g;
}

void
grants_unref(struct grants *g)
{
	if (g != NULL && --g->refs == 0)
		free(g);
}

bool
grants_same(const struct grants *a, const struct grants *b)
{
	if (a == b)
		return true;
	if (a == NULL || b == NULL || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->item[i].rights != b->item[i].rights ||
		    strcmp(a->item[i].pattern, b->item[i].pattern) != 0)
			return false;
	return true;
}

/* What is longer than an id can be names no job, and is not tried. */
unsigned
grants_on(const struct grants *g, const char *job_id)
{
	unsigned rights = 0;

	if (g == NULL || strlen(job_id) > MSG_ID_MAX)
		return 0;
	for (size_t i = 0; i < g->n; i++)
		if (wildcard_matches(g->item[i].pattern, job_id))
			rights |= g->item[i].rights;
	return rights;
}

/* ---- role descriptors ---- */

struct reading {
	const char *role; /* the descriptor that is read */
	unsigned rights;
	struct grants *grants; /* owned; NULL: none yet */
	struct apierr *e;
};

static int PRINTF_LIKE(2, 3) bad(struct reading *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return apierr_set(r->e, 400, E_ILLEGAL_ARGUMENT,
	    "role descriptor [%.200s]: %s", r->role, text);
}

/* The i-th string of a list; NULL with the error set. */
static const char *
word_at(
    struct reading *r, const char *field, struct json_object *list, size_t i)
{
	struct json_object *o = json_object_array_get_idx(list, i);

	if (json_object_is_type(o, json_type_string))
		return json_object_get_string(o);
	bad(r, "[%s] must be a list of strings", field);
	return NULL;
}

/* A list of names of privileges; an absent one has none. */
static int
read_privileges(struct reading *r, const char *field, struct json_object *list,
    unsigned *rights)
{
	if (!json_object_is_type(list, json_type_array))
		return bad(r, "[%s] must be a list of strings", field);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *word = word_at(r, field, list, i);
		size_t k = 0;

		if (word == NULL)
			return -1;
		while (k < NELEM(privileges) &&
		    strcmp(privileges[k].name, word) != 0)
			k++;
		if (k == NELEM(privileges))
			return bad(r,
			    "unknown privilege [%.100s] in [%s]; there are "
			    "[%s]",
			    word, field, PRIVILEGE_NAMES);
		*rights |= privileges[k].rights;
	}
	return 0;
}

static int
add_pattern(struct reading *r, unsigned rights, const char *pattern)
{
	struct grant *g;

	if (r->grants == NULL &&
	    (r->grants = calloc(1, sizeof(*r->grants))) == NULL)
		return apierr_set(r->e, 503, E_STATUS, "out of memory");
	r->grants->refs = 1;
	if (r->grants->n == GRANTS_MAX)
		return bad(r, "more than %d [resources] in all", GRANTS_MAX);
	if (*pattern == '\0' || strlen(pattern) > GRANT_PATTERN_MAX)
		return bad(r,
		    "a resource must be a pattern of job ids of 1 to %d bytes",
		    GRANT_PATTERN_MAX);
	g = &r->grants->item[r->grants->n++];
	g->rights = rights;
	strlcpy(g->pattern, pattern, sizeof(g->pattern));
	return 0;
}

/* {"application":"anomd","privileges":[..],"resources":["web-*"]} */
static int
read_application(struct reading *r, struct json_object *o)
{
	/* What is not about one job cannot be granted for one. */
	const unsigned about_jobs = RIGHT_MONITOR_ML | RIGHT_MANAGE_ML;
	struct json_object *name, *list;
	unsigned rights = 0;

	if (!json_object_is_type(o, json_type_object))
		return bad(r, "[applications] must be a list of objects");
	json_object_object_foreach(o, key, unused)
	{
		(void)unused;
		if (strcmp(key, "application") != 0 &&
		    strcmp(key, "privileges") != 0 &&
		    strcmp(key, "resources") != 0)
			return bad(r,
			    "unknown field [%.100s] in "
			    "[applications]",
			    key);
	}
	if (!json_object_object_get_ex(o, "application", &name) ||
	    !json_object_is_type(name, json_type_string) ||
	    strcmp(json_object_get_string(name), APPLICATION) != 0)
		return bad(r,
		    "the only [application] known here is [" APPLICATION "]");
	if (!json_object_object_get_ex(o, "privileges", &list))
		return bad(r, "[applications] needs [privileges]");
	if (read_privileges(r, "privileges", list, &rights) == -1)
		return -1;
	if ((rights & ~about_jobs) != 0)
		return bad(r,
		    "[privileges] of an application may be "
		    "[manage_ml] and [monitor_ml] only");
	if (!json_object_object_get_ex(o, "resources", &list) ||
	    !json_object_is_type(list, json_type_array))
		return bad(r,
		    "[applications] needs [resources], patterns of "
		    "job ids");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *word = word_at(r, "resources", list, i);

		if (word == NULL || add_pattern(r, rights, word) == -1)
			return -1;
	}
	return 0;
}

static int
read_applications(struct reading *r, struct json_object *list)
{
	if (!json_object_is_type(list, json_type_array))
		return bad(r, "[applications] must be a list of objects");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (read_application(r, json_object_array_get_idx(list, i)) ==
		    -1)
			return -1;
	return 0;
}

/*
 * What would give something that is not here is taken and gives nothing; what
 * would take something away must be known.
 */
static bool
gives_nothing(const char *field)
{
	static const char *const names[] = { "index", "indices", "run_as",
		"metadata", "transient_metadata", "description",
		"remote_indices", "remote_cluster" };

	for (size_t i = 0; i < NELEM(names); i++)
		if (strcmp(names[i], field) == 0)
			return true;
	return false;
}

static int
read_descriptor(struct reading *r, struct json_object *o)
{
	if (!json_object_is_type(o, json_type_object))
		return bad(r, "it must be an object");
	json_object_object_foreach(o, key, value)
	{
		int rc = 0;

		if (strcmp(key, "cluster") == 0)
			rc = read_privileges(r, key, value, &r->rights);
		else if (strcmp(key, "applications") == 0)
			rc = read_applications(r, value);
		else if (!gives_nothing(key))
			rc = bad(r, "unknown field [%.100s]", key);
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
rights_read(struct json_object *descriptors, unsigned *rights,
    struct grants **grants, struct apierr *e)
{
	struct reading r = { .e = e };

	json_object_object_foreach(descriptors, key, value)
	{
		r.role = key;
		if (read_descriptor(&r, value) == 0)
			continue;
		grants_unref(r.grants);
		return -1;
	}
	*rights = r.rights;
	*grants = r.grants;
	return 0;
}
