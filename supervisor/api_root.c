/* Owns what the server says of itself: GET / and GET _ml/info. */
#include "common/compat.h"

#include <json-c/json.h>
#include <string.h>

#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/server.h"

static void
add(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void
add_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

/* Clients look at number, build_flavor and tagline (jobs-and-data 1.5). */
void
api_root(struct call *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *v = json_object_new_object();

	add(v, "number", c->srv->conf->reported_version);
	add(v, "build_flavor", "default");
	add(v, "build_type", "deb");
	add(v, "build_hash", "0000000000000000000000000000000000000000");
	add(v, "build_date", "2026-01-01T00:00:00.000Z");
	json_object_object_add(
	    v, "build_snapshot", json_object_new_boolean(false));
	add(v, "lucene_version", "9.12.0");
	add(v, "minimum_wire_compatibility_version", "7.17.0");
	add(v, "minimum_index_compatibility_version", "7.0.0");
	add(o, "name", c->srv->node_name);
	add(o, "cluster_name", "anomd");
	add(o, "cluster_uuid", c->srv->cluster_uuid);
	json_object_object_add(o, "version", v);
	add(o, "tagline", "You Know, for Search");
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

	add(detectors, "model_memory_limit", "1gb");
	add_int(detectors, "categorization_examples_limit", 4);
	add_int(detectors, "model_snapshot_retention_days", 10);
	add_int(detectors, "daily_model_snapshot_retention_after_days", 1);
	json_object_object_add(defaults, "anomaly_detectors", detectors);
	add_int(feeds, "scroll_size", 1000);
	json_object_object_add(defaults, "datafeeds", feeds);
	json_object_object_add(o, "defaults", defaults);
	json_object_object_add(
	    o, "upgrade_mode", json_object_new_boolean(false));
	add(native, "version", PACKAGE_VERSION);
	add(native, "build_hash", "0000000000000000");
	json_object_object_add(o, "native_code", native);
	json_object_object_add(o, "limits", json_object_new_object());
	call_reply(c, 200, o);
}
