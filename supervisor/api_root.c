/* Owns what the server says of itself: GET /. */
#include "common/compat.h"

#include <json-c/json.h>
#include <string.h>

#include "common/jsonmake.h"
#include "supervisor/api.h"
#include "supervisor/buildinfo.h"
#include "supervisor/call.h"
#include "supervisor/conf.h"
#include "supervisor/server.h"

/*
 * What a server of each major version has in "version" beyond its number; a
 * field that it does not have yet is NULL.
 */
static const struct {
	int major;
	const char *flavor, *type, *lucene, *wire, *index;
} versions[] = {
	{ 9, "default", "tar", "10.2.0", "8.19.0", "8.0.0" },
	{ 8, "default", "tar", "9.12.0", "7.17.0", "7.0.0" },
	{ 7, "default", "tar", "8.11.1", "6.8.0", "6.0.0-beta1" },
	{ 6, "default", "tar", "7.7.3", "5.6.0", "5.0.0" },
	{ 0, NULL, NULL, "6.6.1", NULL, NULL },
};

static void
add_known(struct json_object **o, const char *key, const char *value)
{
	if (value != NULL)
		jsonmake_string(o, key, value);
}

static struct json_object *
version_answer(const struct conf *conf)
{
	struct json_object *v = json_object_new_object();
	size_t i = 0;

	while (!conf_reports(conf, versions[i].major, 0))
		i++;
	jsonmake_string(&v, "number", conf->reported_version);
	add_known(&v, "build_flavor", versions[i].flavor);
	add_known(&v, "build_type", versions[i].type);
	jsonmake_string(&v, "build_hash", buildinfo_hash);
	jsonmake_string(&v, "build_date", buildinfo_date);
	jsonmake_bool(&v, "build_snapshot", false);
	jsonmake_string(&v, "lucene_version", versions[i].lucene);
	add_known(&v, "minimum_wire_compatibility_version", versions[i].wire);
	add_known(&v, "minimum_index_compatibility_version", versions[i].index);
	return v;
}

/* Clients look at number, build_flavor and tagline (jobs-and-data 1.5). */
void
api_root(struct call *c)
{
	const struct conf *conf = c->srv->conf;
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "name", c->srv->node_name);
	jsonmake_string(&o, "cluster_name", conf->cluster_name);
	jsonmake_string(&o, "cluster_uuid", c->srv->cluster_uuid);
	jsonmake_add(&o, "version", version_answer(conf));
	jsonmake_string(&o, "tagline", "You Know, for Search");
	call_reply(c, 200, o);
}
