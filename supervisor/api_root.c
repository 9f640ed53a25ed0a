/* Owns what the server says of itself: GET / and GET _ml/info. */
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

void
api_ml_info(struct call *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *defaults = json_object_new_object();
	struct json_object *detectors = json_object_new_object();
	struct json_object *feeds = json_object_new_object();
	struct json_object *native = json_object_new_object();

	jsonmake_string(&detectors, "model_memory_limit", "1gb");
	jsonmake_int(&detectors, "categorization_examples_limit", 4);
	jsonmake_int(&detectors, "model_snapshot_retention_days", 10);
	jsonmake_int(
	    &detectors, "daily_model_snapshot_retention_after_days", 1);
	jsonmake_add(&defaults, "anomaly_detectors", detectors);
	jsonmake_int(&feeds, "scroll_size", 1000);
	jsonmake_add(&defaults, "datafeeds", feeds);
	jsonmake_add(&o, "defaults", defaults);
	jsonmake_bool(&o, "upgrade_mode", c->srv->upgrade_mode);
	jsonmake_string(&native, "version", PACKAGE_VERSION);
	jsonmake_string(&native, "build_hash", "0000000000000000");
	jsonmake_add(&o, "native_code", native);
	jsonmake_add(&o, "limits", json_object_new_object());
	call_reply(c, 200, o);
}
