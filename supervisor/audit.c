/* Owns the lines of the log that tell who changed what. */
#include "common/compat.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/audit.h"
#include "supervisor/call.h"
#include "supervisor/route.h"

#define SHOWN_BYTES 260 /* of one value, escaped */

/* Posted, and yet nothing that was kept is another one behind it. */
static const char *const harmless[] = {
	"cluster:admin/xpack/ml/job/flush",
	"cluster:admin/xpack/ml/job/validate",
	"cluster:admin/xpack/ml/job/validate/detector",
	"cluster:admin/xpack/ml/job/estimate_model_memory",
};

static bool
is_change(const struct call *c)
{
	enum http_method method = http_req_method(c->req);

	if (c->route == NULL || method == HTTP_GET || method == HTTP_HEAD ||
	    c->route->privilege == PRIV_MONITOR ||
	    c->route->privilege == PRIV_MONITOR_ML ||
	    c->route->body == ROUTE_DATA)
		return false;
	for (size_t i = 0; i < NELEM(harmless); i++)
		if (strcmp(c->route->action, harmless[i]) == 0)
			return false;
	return true;
}

/* " name=value"; nothing for a value that is not there. */
static void
put(char *line, size_t size, const char *name, const char *value)
{
	char shown[SHOWN_BYTES];
	size_t len = strlen(line);

	if (value == NULL || *value == '\0')
		return;
	/* A blank would make two of one value. */
	log_escape(shown, sizeof(shown), value, strlen(value));
	for (char *p = shown; *p != '\0'; p++)
		if (*p == ' ')
			*p = '_';
	snprintf(line + len, size - len, " %s=%s", name, shown);
}

void
audit_from(char *dst, size_t size, const struct http_req *req)
{
	int uid = http_req_peer_uid(req);

	if (uid >= 0)
		snprintf(dst, size, "unix(uid:%d)", uid);
	else
		strlcpy(dst, http_req_peer(req), size);
}

void
audit_call(const struct call *c, int status)
{
	const struct principal *who = &c->who;
	char line[1536] = "", from[128], number[16] = "gone";

	if (!is_change(c))
		return;
	audit_from(from, sizeof(from), c->req);
	if (status > 0)
		snprintf(number, sizeof(number), "%d", status);
	put(line, sizeof(line), "user", who->user[0] == '\0' ? "-" : who->user);
	put(line, sizeof(line), "key", who->key_id);
	put(line, sizeof(line), "action", c->route->action);
	put(line, sizeof(line), "job", c->job_id);
	put(line, sizeof(line), "item", c->item);
	put(line, sizeof(line), "object", c->subject);
	put(line, sizeof(line), "from", from);
	put(line, sizeof(line), "status", number);
	log_info("audit:%s", line);
}
