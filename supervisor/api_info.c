/* Owns GET _ml/info: defaults and limits (jobs-and-data 7.2). */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "common/jobconf.h"
#include "common/jsonmake.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/buildinfo.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/node.h"
#include "supervisor/server.h"

#define MIB (UINT64_C(1) << 20)

static void
add_size(struct json_object **o, const char *key, uint64_t bytes)
{
	char text[UNITS_SIZE_BYTES];

	units_print_size(text, bytes);
	jsonmake_string(o, key, text);
}

static void
add_mb(struct json_object **o, const char *key, uint64_t bytes)
{
	char text[UNITS_SIZE_BYTES];

	snprintf(text, sizeof(text), "%" PRIu64 "mb", bytes / MIB);
	jsonmake_string(o, key, text);
}

static uint64_t
smaller(uint64_t bytes, uint64_t most)
{
	return most > 0 && most < bytes ? most : bytes;
}

/* By the old path snapshots are kept for a day, so none is one of a day. */
static void
add_retention(struct json_object **o, bool old)
{
	jsonmake_int(o, "model_snapshot_retention_days",
	    old ? JOBCONF_RETENTION_DAYS_OLD : JOBCONF_RETENTION_DAYS);
	if (!old)
		jsonmake_int(o, "daily_model_snapshot_retention_after_days",
		    JOBCONF_DAILY_DAYS);
}

static struct json_object *
defaults_json(const struct conf *conf, bool old)
{
	struct json_object *o = json_object_new_object();
	struct json_object *detectors = json_object_new_object();
	struct json_object *feeds = json_object_new_object();

	jsonmake_add(
	    &detectors, "categorization_analyzer", jobconf_analyzer_json());
	add_size(&detectors, "model_memory_limit",
	    smaller(JOBCONF_MEMORY_MB * MIB, conf->max_model_memory_bytes));
	jsonmake_int(
	    &detectors, "categorization_examples_limit", JOBCONF_EXAMPLES);
	add_retention(&detectors, old);
	jsonmake_add(&o, "anomaly_detectors", detectors);
	jsonmake_int(&feeds, "scroll_size", 1000);
	jsonmake_add(&o, "datafeeds", feeds);
	return o;
}

static struct json_object *
native_json(void)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "version", PACKAGE_VERSION);
	jsonmake_string(&o, "build_hash", buildinfo_hash);
	return o;
}

static struct json_object *
limits_json(const struct server *srv)
{
	struct json_object *o = json_object_new_object();
	uint64_t most = srv->conf->max_model_memory_bytes;
	uint64_t all = node_ml_bytes(srv);
	uint64_t largest =
	    all > NODE_WORKER_BYTES ? all - NODE_WORKER_BYTES : 0;

	if (most > 0)
		add_size(&o, "max_model_memory_limit", most);
	add_mb(&o, "effective_max_model_memory_limit", smaller(largest, most));
	add_mb(&o, "total_ml_memory", all);
	jsonmake_uint(&o, "max_single_ml_node_processors", srv->processors);
	jsonmake_uint(&o, "total_ml_processors", srv->processors);
	return o;
}

void
api_ml_info(struct call *c)
{
	struct json_object *o = json_object_new_object();

	jsonmake_add(&o, "defaults", defaults_json(c->srv->conf, c->old_path));
	jsonmake_bool(&o, "upgrade_mode", c->srv->upgrade_mode);
	jsonmake_add(&o, "native_code", native_json());
	jsonmake_add(&o, "limits", limits_json(c->srv));
	call_reply(c, 200, o);
}
