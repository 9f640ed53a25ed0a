/* Owns DELETE _delete_expired_data. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/jobexpr.h"
#include "supervisor/options.h"
#include "supervisor/retention.h"
#include "supervisor/server.h"

#define TIMEOUT_MS (INT64_C(8) * 3600 * 1000) /* as the API says */

struct expired_options {
	double requests_per_second;
	int64_t timeout_ms;
};

#define AT(member) offsetof(struct expired_options, member)
static const struct option expired_options[] = {
	{ "requests_per_second", OPTION_DOUBLE, AT(requests_per_second), 0 },
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
};
#undef AT

static const struct option_table expired_table = {
	"delete_expired_data_request", expired_options, NELEM(expired_options),
	false
};

static int
expired_check(struct expired_options *o, struct apierr *e)
{
	if (o->requests_per_second == -1.0)
		o->requests_per_second = 0.0; /* no limit */
	else if (o->requests_per_second <= 0.0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[requests_per_second] must be greater than 0, or -1 for "
		    "no limit");
	return 0;
}

static bool
means_every_job(const char *expr)
{
	return expr == NULL || strcmp(expr, "_all") == 0 ||
	    strcmp(expr, "*") == 0;
}

void
api_delete_expired_data(struct call *c)
{
	struct expired_options opts = { .requests_per_second = -1.0,
		.timeout_ms = TIMEOUT_MS };
	struct job **list = NULL;
	struct options os;
	struct apierr e;
	long n = 0;
	int rc = options_read(&os, &expired_table, c, &opts, &e);

	options_clear(&os);
	if (rc == 0)
		rc = expired_check(&opts, &e);
	if (rc == 0)
		n = jobexpr_expand(c->srv->jobs, c, c->job_id,
		    means_every_job(c->job_id), &list, &e);
	if (rc == -1 || n == -1)
		call_error(c, &e);
	else
		retention_ask(c->srv->retention, c, list, (size_t)n,
		    opts.timeout_ms, opts.requests_per_second);
	free(list);
}
