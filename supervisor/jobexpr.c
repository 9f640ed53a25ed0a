/* Owns the meaning of job id expressions. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/job.h"
#include "supervisor/jobexpr.h"

/* "*" stands for any run of characters; nothing else is special. */
static bool
wildcard_matches(const char *pattern, size_t plen, const char *text)
{
	const char *p = pattern, *end = pattern + plen;
	const char *star = NULL, *back = NULL;

	while (*text != '\0') {
		if (p < end && *p == '*') {
			star = ++p;
			back = text;
		} else if (p < end && *p == *text) {
			p++;
			text++;
		} else if (star != NULL) {
			p = star;
			text = ++back;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
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

static bool
job_matches(const struct job *job, const char *token, size_t len)
{
	const char *group;

	if (wildcard_matches(token, len, job->id))
		return true;
	for (size_t i = 0; (group = conf_group(job->conf, i)) != NULL; i++)
		if (wildcard_matches(token, len, group))
			return true;
	return false;
}

/* Mark what one token names. Returns whether it named anything. */
static bool
token_mark(
    struct job **all, bool *marked, size_t n, const char *token, size_t len)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (job_matches(all[i], token, len)) {
			marked[i] = true;
			any = true;
		}
	}
	return any;
}

static size_t
collect_all(struct jobs *jobs, struct job ***list)
{
	size_t n = 0, cap = 0;

	*list = NULL;
	for (struct job *job = jobs_first(jobs, ""); job != NULL;
	     job = job_next(job)) {
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

/* The next token, without blanks and commas around it. NULL: none is left. */
static const char *
next_token(const char **expr, size_t *len)
{
	const char *token = *expr + strspn(*expr, ", ");

	*len = strcspn(token, ",");
	*expr = token + *len;
	while (*len > 0 && token[*len - 1] == ' ')
		--*len;
	return *len == 0 ? NULL : token;
}

/* No token at all, or "_all" or "*" and nothing else. */
static bool
means_all(const char *expr)
{
	const char *token;
	size_t len;

	if (expr == NULL || (token = next_token(&expr, &len)) == NULL)
		return true;
	return ((len == 4 && strncmp(token, "_all", len) == 0) ||
		   (len == 1 && *token == '*')) &&
	    next_token(&expr, &len) == NULL;
}

static long
no_match(struct apierr *e, const char *tokens)
{
	return apierr_set(
	    e, 404, E_NOT_FOUND, "No known job with id '%s'", tokens);
}

/* Walk the tokens; those that must match and do not end up in missing. */
static void
expr_mark(const char *expr, bool allow_no_match, struct job **all, bool *marked,
    size_t n, char *missing, size_t missinglen)
{
	const char *token;
	size_t len;

	missing[0] = '\0';
	while ((token = next_token(&expr, &len)) != NULL) {
		bool wild = memchr(token, '*', len) != NULL;
		size_t used = strlen(missing);

		if (token_mark(all, marked, n, token, len) ||
		    (wild && allow_no_match))
			continue;
		snprintf(missing + used, missinglen - used, "%s%.*s",
		    used == 0 ? "" : ",", (int)len, token);
	}
}

long
jobexpr_expand(struct jobs *jobs, const char *expr, bool allow_no_match,
    struct job ***list, struct apierr *e)
{
	size_t n = collect_all(jobs, list), out = 0;
	char missing[512];
	bool *marked;

	if (n == SIZE_MAX)
		goto nomem;
	if (means_all(expr)) {
		if (n == 0 && !allow_no_match)
			return no_match(e, "*");
		return (long)n;
	}
	marked = calloc(n + 1, sizeof(*marked));
	if (marked == NULL)
		goto nomem;
	expr_mark(
	    expr, allow_no_match, *list, marked, n, missing, sizeof(missing));
	for (size_t i = 0; i < n; i++)
		if (marked[i])
			(*list)[out++] = (*list)[i];
	free(marked);
	if (missing[0] == '\0')
		return (long)out;
	free(*list);
	*list = NULL;
	return no_match(e, missing);
nomem:
	free(*list);
	*list = NULL;
	return apierr_set(e, 503, E_STATUS, "out of memory");
}

static int
clash(struct apierr *e, const char *name)
{
	return apierr_set(e, 400, E_EXISTS,
	    "job and group names must be unique but job [%s] and group [%s] "
	    "have the same name",
	    name, name);
}

int
jobexpr_check_names(
    struct jobs *jobs, const struct jobconf *conf, struct apierr *e)
{
	const char *group;

	for (size_t i = 0; (group = conf_group(conf, i)) != NULL; i++)
		if (jobs_find(jobs, group) != NULL)
			return clash(e, group);
	for (struct job *job = jobs_first(jobs, ""); job != NULL;
	     job = job_next(job))
		for (size_t i = 0; (group = conf_group(job->conf, i)) != NULL;
		     i++)
			if (strcmp(group, conf->job_id) == 0)
				return clash(e, group);
	return 0;
}
