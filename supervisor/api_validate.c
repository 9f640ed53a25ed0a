/* Owns _validate: the checks of a configuration that nobody stores. */
#include "common/compat.h"

#include "supervisor/api.h"
#include "supervisor/call.h"

typedef int validate_function(const char *text, size_t len,
    const struct jobconf_rules *, struct apierr *e);

static void
validate(struct call *c, validate_function *check)
{
	struct jobconf_rules rules = api_rules(c);
	struct apierr e;

	if (check(c->body, c->body_len, &rules, &e) == -1)
		call_error(c, &e);
	else
		call_reply_true(c, "acknowledged");
}

void
api_validate(struct call *c)
{
	validate(c, jobconf_validate);
}

void
api_validate_detector(struct call *c)
{
	validate(c, jobconf_validate_detector);
}
