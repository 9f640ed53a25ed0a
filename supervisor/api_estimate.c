/* Owns POST _estimate_model_memory. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "common/jobconf_estimate.h"
#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/call.h"

void
api_estimate_model_memory(struct call *c)
{
	struct json_object *o;
	struct apierr e;
	char text[32];
	uint64_t mb;

	if (c->body == NULL) {
		call_fail(c, 400, E_PARSE, "request body is required");
		return;
	}
	if (jobconf_estimate(c->body, c->body_len, &mb, &e) == -1) {
		call_error(c, &e);
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64 "mb", mb);
	o = json_object_new_object();
	jsonmake_string(&o, "model_memory_estimate", text);
	call_reply(c, 200, o);
}
