/* Owns the warnings of deprecation: when each is due, and its text. */
#include "common/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/buildinfo.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/route.h"
#include "supervisor/server.h"
#include "supervisor/warnings.h"

#define BASE "{ml}"

static void warn(struct call *, const char *, ...) PRINTF_LIKE(2, 3);

static void
warn(struct call *c, const char *fmt, ...)
{
	char text[512], header[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(header, sizeof(header), "299 Elasticsearch-%s-%s \"%s\"",
	    c->srv->conf->reported_version, buildinfo_hash, text);
	if (http_reply_header(c->req, "Warning", header) == -1)
		log_debug("http: no Warning");
}

/* The route below its base, with the names that the API has for variables. */
static void
warn_old_path(struct call *c)
{
	const char *method = http_req_method_name(c->req);
	const char *below = c->route->path + sizeof(BASE) - 1;
	const char *item = strstr(below, "/buckets/{item}");
	int len = item == NULL ? (int)strlen(below)
			       : (int)(item - below + 9 /* "/buckets/" */);
	const char *name = item == NULL ? "" : "{timestamp}";

	warn(c,
	    "[%s /_xpack/ml%.*s%s] is deprecated! Use [%s /_ml%.*s%s] "
	    "instead.",
	    method, len, below, name, method, len, below, name);
}

void
warnings_add_allow_no_jobs(struct call *c)
{
	if (c->srv->conf->deprecation_warnings &&
	    conf_reports(c->srv->conf, 7, 10))
		warn(c,
		    "Deprecated field [allow_no_jobs] used, expected "
		    "[allow_no_match] instead");
}

void
warnings_add(struct call *c)
{
	const struct conf *conf = c->srv->conf;

	if (!conf->deprecation_warnings)
		return;
	if (c->old_path && conf_reports(conf, 7, 0))
		warn_old_path(c);
	if (strcmp(c->route->name, "ml.post_data") == 0 &&
	    conf_reports(conf, 7, 11))
		warn(c,
		    "Posting data directly to anomaly detection jobs is "
		    "deprecated, in a future major version it will be "
		    "compulsory to use a datafeed");
	if (strcmp(c->route->name, "ml.flush_job") == 0 &&
	    conf_reports(conf, 9, 1))
		warn(c,
		    "Forcing any buffered data to be processed is deprecated, "
		    "in a future major version it will be compulsory to use a "
		    "datafeed");
	if (params_get(&c->params, "allow_no_jobs") != NULL)
		warnings_add_allow_no_jobs(c);
}
