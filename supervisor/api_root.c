/* Owns what the server says of itself: GET /. */
#include "common/compat.h"

#include <json-c/json.h>

#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/server.h"

/* Clients look at number, build_flavor and tagline (jobs-and-data 1.5). */
void
api_root(struct call *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *v = json_object_new_object();

	jsonmake_string(&v, "number", c->srv->conf->reported_version);
	jsonmake_string(&v, "build_flavor", "default");
	jsonmake_string(&v, "build_type", "deb");
	jsonmake_string(
	    &v, "build_hash", "0000000000000000000000000000000000000000");
	jsonmake_string(&v, "build_date", "2026-01-01T00:00:00.000Z");
	jsonmake_bool(&v, "build_snapshot", false);
	jsonmake_string(&v, "lucene_version", "9.12.0");
	jsonmake_string(&v, "minimum_wire_compatibility_version", "7.17.0");
	jsonmake_string(&v, "minimum_index_compatibility_version", "7.0.0");
	jsonmake_string(&o, "name", c->srv->node_name);
	jsonmake_string(&o, "cluster_name", "anomd");
	jsonmake_string(&o, "cluster_uuid", c->srv->cluster_uuid);
	jsonmake_add(&o, "version", v);
	jsonmake_string(&o, "tagline", "You Know, for Search");
	call_reply(c, 200, o);
}
