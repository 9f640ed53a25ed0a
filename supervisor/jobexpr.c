/* Owns the meaning of job id expressions. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/wildcard.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"

/*
 * Wildcards are tried on every name: with as many as fit into a request line
 * the loop would stand still for everybody.
 */
#define WILDCARDS_MAX 64
#define TOKEN_MAX_BYTES 256 /* longer than any id or group */

/* What expressions know a job by: its id, and each of its groups. */
struct name {
	const char *text; /* borrowed from the job */
	size_t job;	  /* index in the list of all */
};

struct names {
	struct name *item; /* owned; sorted by text */
	size_t n, cap;
	bool *marked; /* owned; by job */
};

static int
names_add(struct names *ns, const char *text, size_t job)
{
	if (ns->n == ns->cap) {
		size_t cap = ns->cap == 0 ? 64 : ns->cap * 2;
		struct name *item = reallocarray(ns->item, cap, sizeof(*item));

		if (item == NULL)
			return -1;
		ns->item = item;
		ns->cap = cap;
	}
	ns->item[ns->n++] = (struct name){ text, job };
	return 0;
}

/* The i-th group of a configuration; NULL behind the last. */
static const char *
conf_group(const struct jobconf *conf, size_t i)
{
	struct json_object *groups;

	if (!json_object_object_get_ex(conf->json, "groups", &groups))
		return NULL;
	return json_object_get_string(json_object_array_get_idx(groups, i));
}

static int
names_add_groups(struct names *ns, const struct job *job, size_t at)
{
	const char *group;

	for (size_t i = 0; (group = conf_group(job->conf, i)) != NULL; i++)
		if (names_add(ns, group, at) == -1)
			return -1;
	return 0;
}

static int
name_compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static void
names_clear(struct names *ns)
{
	free(ns->item);
	free(ns->marked);
}

/* 0, or -1: out of memory. To be cleared in both cases. */
static int
names_init(struct names *ns, struct job *const *all, size_t n)
{
	memset(ns, 0, sizeof(*ns));
	ns->marked = calloc(n + 1, sizeof(*ns->marked));
	if (ns->marked == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (names_add(ns, all[i]->id, i) == -1 ||
		    names_add_groups(ns, all[i], i) == -1)
			return -1;
	if (ns->n > 0)
		qsort(ns->item, ns->n, sizeof(*ns->item), name_compare);
	return 0;
}

/* The first name that is not less than text. */
static size_t
names_find(const struct names *ns, const char *text)
{
	size_t lo = 0, hi = ns->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(ns->item[mid].text, text) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Mark the jobs that a token names. Returns whether it named any. */
static bool
mark_literal(struct names *ns, const char *token)
{
	bool any = false;

	for (size_t i = names_find(ns, token);
	     i < ns->n && strcmp(ns->item[i].text, token) == 0; i++)
		ns->marked[ns->item[i].job] = any = true;
	return any;
}

static bool
mark_wildcard(struct names *ns, const char *pattern)
{
	bool any = false;

	for (size_t i = 0; i < ns->n; i++)
		if (wildcard_matches(pattern, ns->item[i].text))
			ns->marked[ns->item[i].job] = any = true;
	return any;
}

static bool
is_being_deleted(const struct job *job)
{
	const char *blocked = job_blocked(job);

	return blocked != NULL && strcmp(blocked, "delete") == 0;
}

/* Those that the caller may see; lasting: but for those being deleted. */
static size_t
collect_all(
    struct jobs *jobs, const struct call *c, bool lasting, struct job ***list)
{
	size_t n = 0, cap = 0;

	*list = NULL;
	for (struct job *job = jobs_first(jobs, ""); job != NULL;
	     job = job_next(job)) {
		if ((c != NULL && !call_may(c, job->id)) ||
		    (lasting && is_being_deleted(job)))
			continue;
		if (n == cap) {
			struct job **grown;

			cap = cap == 0 ? 64 : cap * 2;
			grown = reallocarray(*list, cap, sizeof(*grown));
			if (grown == NULL)
				return SIZE_MAX;
			*list = grown;
		}
		(*list)[n++] = job;
	}
	return n;
}

static long
no_match(struct apierr *e, const char *tokens)
{
	return apierr_set(
	    e, 404, E_NOT_FOUND, "No known job with id '%s'", tokens);
}

/* The next token of the list, without blanks around it; "" at the end. */
static void
token_next(const char **expr, char token[TOKEN_MAX_BYTES])
{
	const char *p = *expr + strspn(*expr, ", ");
	size_t len = strcspn(p, ",");

	*expr = p + len;
	while (len > 0 && p[len - 1] == ' ')
		len--;
	if (len >= TOKEN_MAX_BYTES)
		len = TOKEN_MAX_BYTES - 1;
	memcpy(token, p, len);
	token[len] = '\0';
}

/* No token at all, or "_all" or "*" and nothing else. */
static bool
means_all(const char *expr)
{
	char token[TOKEN_MAX_BYTES];

	if (expr == NULL)
		return true;
	token_next(&expr, token);
	if (token[0] == '\0')
		return true;
	if (strcmp(token, "_all") != 0 && strcmp(token, "*") != 0)
		return false;
	token_next(&expr, token);
	return token[0] == '\0';
}

/*
 * Mark what the tokens name. Those that name nothing, and must, end up in
 * missing. 0, or -1 with *e set: too many wildcards, or one is forbidden.
 */
static int
expr_mark(struct names *ns, const struct call *c, const char *expr,
    bool allow_no_match, char *missing, size_t missinglen, struct apierr *e)
{
	char token[TOKEN_MAX_BYTES];
	unsigned wildcards = 0;

	missing[0] = '\0';
	for (;;) {
		bool wild, any;

		token_next(&expr, token);
		if (token[0] == '\0')
			return 0;
		wild = strchr(token, '*') != NULL;
		if (wild && ++wildcards > WILDCARDS_MAX)
			return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
			    "more than %d wildcards in one list of jobs",
			    WILDCARDS_MAX);
		any = wild ? mark_wildcard(ns, token) : mark_literal(ns, token);
		if (any || (wild && allow_no_match))
			continue;
		if (!wild && c != NULL && !call_may(c, token))
			return call_forbidden(c, e);
		if (missing[0] != '\0')
			strlcat(missing, ",", missinglen);
		strlcat(missing, token, missinglen);
	}
}

/* Keep the marked ones of n. Returns how many they are. */
static long
list_reduce(struct job **list, size_t n, const struct names *ns)
{
	long out = 0;

	for (size_t i = 0; i < n; i++)
		if (ns->marked[i])
			list[out++] = list[i];
	return out;
}

static long
choose(const struct call *c, const char *expr, bool allow_no_match,
    struct job **list, size_t n, struct apierr *e)
{
	char missing[512];
	struct names ns;
	long rc;

	if (names_init(&ns, list, n) == -1)
		rc = apierr_set(e, 503, E_STATUS, "out of memory");
	else if (expr_mark(&ns, c, expr, allow_no_match, missing,
		     sizeof(missing), e) == -1)
		rc = -1;
	else if (missing[0] != '\0')
		rc = no_match(e, missing);
	else
		rc = list_reduce(list, n, &ns);
	names_clear(&ns);
	return rc;
}

/* Of the n jobs in *list those that are meant. */
static long
list_choose(const struct call *c, const char *expr, bool allow_no_match,
    struct job ***list, size_t n, struct apierr *e)
{
	long rc;

	if (n == SIZE_MAX)
		rc = apierr_set(e, 503, E_STATUS, "out of memory");
	else if (!means_all(expr))
		rc = choose(c, expr, allow_no_match, *list, n, e);
	else if (n == 0 && !allow_no_match)
		rc = no_match(e, "*");
	else
		rc = (long)n;
	if (rc == -1) {
		free(*list);
		*list = NULL;
	}
	return rc;
}

long
jobexpr_expand(struct jobs *jobs, const struct call *c, const char *expr,
    bool allow_no_match, struct job ***list, struct apierr *e)
{
	size_t n = collect_all(jobs, c, false, list);

	return list_choose(c, expr, allow_no_match, list, n, e);
}

long
jobexpr_expand_lasting(struct jobs *jobs, const struct call *c,
    const char *expr, bool allow_no_match, struct job ***list, struct apierr *e)
{
	size_t n = collect_all(jobs, c, true, list);

	return list_choose(c, expr, allow_no_match, list, n, e);
}

static int
clash(struct apierr *e, const char *name)
{
	return apierr_set(e, 400, E_EXISTS,
	    "job and group names must be unique but job [%s] and group [%s] "
	    "have the same name",
	    name, name);
}

/* Is this one of the groups of a configuration (NULL: has none)? */
static bool
has_group(const struct jobconf *conf, const char *name)
{
	const char *group;

	for (size_t i = 0;
	     conf != NULL && (group = conf_group(conf, i)) != NULL; i++)
		if (strcmp(group, name) == 0)
			return true;
	return false;
}

int
jobexpr_check_names(
    struct jobs *jobs, const struct jobconf *conf, struct apierr *e)
{
	const char *group;
	struct job *job;

	/* What is being stored counts: it may be there in a moment. */
	for (size_t i = 0; (group = conf_group(conf, i)) != NULL; i++)
		if (jobs_find_any(jobs, group) != NULL)
			return clash(e, group);
	RB_FOREACH (job, job_tree, &jobs->tree)
		if (strcmp(job->id, conf->job_id) != 0 &&
		    (has_group(job->conf, conf->job_id) ||
			has_group(job->next_conf, conf->job_id)))
			return clash(e, conf->job_id);
	return 0;
}
