/* Owns GET _ml/memory/_stats: what models may take, and do (7.5). */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdio.h>

#include "common/jsonmake.h"
#include "common/units.h"
#include "supervisor/api.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/node.h"
#include "supervisor/options.h"
#include "supervisor/server.h"

/* Of no use where nothing is asked elsewhere; checked all the same. */
struct memory_options {
	int64_t master_timeout_ms;
	int64_t timeout_ms;
};

#define AT(member) offsetof(struct memory_options, member)
static const struct option memory_options[] = {
	{ "master_timeout", OPTION_DURATION, AT(master_timeout_ms), 0 },
	{ "timeout", OPTION_DURATION, AT(timeout_ms), 0 },
};
#undef AT

static const struct option_table memory_table = {
	"cluster:monitor/xpack/ml/memory/stats/get", memory_options,
	NELEM(memory_options), false
};

/* "<name>_in_bytes", and for people "<name>" before it. */
static void
add_bytes(struct json_object **o, const char *name, uint64_t bytes, bool human)
{
	char key[64], text[UNITS_SIZE_BYTES];

	units_show_size(text, bytes);
	if (human)
		jsonmake_string(o, name, text);
	snprintf(key, sizeof(key), "%s_in_bytes", name);
	jsonmake_uint(o, key, bytes);
}

static void
count_jobs(struct jobs *jobs, uint64_t *workers, uint64_t *model_bytes)
{
	*workers = *model_bytes = 0;
	for (struct job *job = jobs_first(jobs, ""); job != NULL;
	     job = job_next(job)) {
		if (!job_is_assigned(job))
			continue;
		++*workers;
		*model_bytes += job->totals.size.model_bytes;
	}
}

static struct json_object *
mem_json(const struct server *srv, bool human)
{
	struct json_object *o = json_object_new_object();
	struct json_object *ml = json_object_new_object();
	uint64_t workers, model_bytes;

	count_jobs(srv->jobs, &workers, &model_bytes);
	add_bytes(&o, "total", srv->memory_bytes, human);
	add_bytes(&o, "adjusted_total", srv->memory_bytes, human);
	add_bytes(&ml, "max", node_ml_bytes(srv), human);
	add_bytes(
	    &ml, "native_code_overhead", workers * NODE_WORKER_BYTES, human);
	add_bytes(&ml, "anomaly_detectors", model_bytes, human);
	add_bytes(&ml, "data_frame_analytics", 0, human);
	add_bytes(&ml, "native_inference", 0, human);
	jsonmake_add(&o, "ml", ml);
	return o;
}

/* Clients want it to be there; there is no such machine. */
static struct json_object *
jvm_json(bool human)
{
	struct json_object *o = json_object_new_object();

	add_bytes(&o, "heap_max", 0, human);
	add_bytes(&o, "java_inference_max", 0, human);
	add_bytes(&o, "java_inference", 0, human);
	return o;
}

static struct json_object *
roles_json(void)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; node_role(i) != NULL; i++)
		jsonmake_append(&list, json_object_new_string(node_role(i)));
	return list;
}

static struct json_object *
memory_json(const struct server *srv, bool human)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "name", srv->node_name);
	jsonmake_string(&o, "ephemeral_id", srv->ephemeral_id);
	jsonmake_string(&o, "transport_address", srv->address);
	jsonmake_add(&o, "attributes", node_attributes(srv, true));
	jsonmake_add(&o, "roles", roles_json());
	jsonmake_add(&o, "mem", mem_json(srv, human));
	jsonmake_add(&o, "jvm", jvm_json(human));
	return o;
}

static void
reply_memory(struct call *c)
{
	bool meant = node_is_meant(c->srv, c->item);
	struct json_object *o = json_object_new_object();
	struct json_object *counts = json_object_new_object();
	struct json_object *nodes = json_object_new_object();

	jsonmake_int(&counts, "total", meant);
	jsonmake_int(&counts, "successful", meant);
	jsonmake_int(&counts, "failed", 0);
	jsonmake_add(&o, "_nodes", counts);
	jsonmake_string(&o, "cluster_name", c->srv->conf->cluster_name);
	if (meant)
		jsonmake_add(&nodes, c->srv->node_id,
		    memory_json(c->srv, c->style.human));
	jsonmake_add(&o, "nodes", nodes);
	call_reply(c, 200, o);
}

void
api_memory_stats(struct call *c)
{
	struct memory_options opts = { 0 };
	struct options os;
	struct apierr e;
	int rc = options_read(&os, &memory_table, c, &opts, &e);

	options_clear(&os);
	if (rc == -1)
		call_error(c, &e);
	else
		reply_memory(c);
}
