/* Owns what the daemon says of itself as a node. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/jsonmake.h"
#include "common/wildcard.h"
#include "supervisor/node.h"
#include "supervisor/server.h"

#define TOKEN_MAX_BYTES 256 /* longer than any id, name or address */

static const char *const roles[] = { "master", "ml" };

void
node_measure(struct server *srv)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t cpus;

	srv->processors = processors > 0 ? (unsigned)processors : 1;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		srv->processors = (unsigned)CPU_COUNT(&cpus);
	if (pages > 0 && page > 0)
		srv->memory_bytes = (uint64_t)pages * (uint64_t)page;
}

const char *
node_role(size_t i)
{
	return i < NELEM(roles) ? roles[i] : NULL;
}

static void
add_number(struct json_object **o, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	jsonmake_string(o, key, text);
}

struct json_object *
node_attributes(const struct server *srv, bool ml_only)
{
	struct json_object *o = json_object_new_object();

	add_number(&o, "ml.machine_memory", srv->memory_bytes);
	add_number(&o, "ml.max_open_jobs", srv->max_open_jobs);
	add_number(&o, "ml.allocated_processors", srv->processors);
	if (!ml_only)
		jsonmake_string(&o, "xpack.installed", "true");
	return o;
}

struct json_object *
node_json(const struct server *srv)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "id", srv->node_id);
	jsonmake_string(&o, "name", srv->node_name);
	jsonmake_string(&o, "ephemeral_id", srv->ephemeral_id);
	jsonmake_string(&o, "transport_address", srv->address);
	jsonmake_add(&o, "attributes", node_attributes(srv, false));
	return o;
}

/* "<role>:true" or "<role>:false". Returns whether it says anything of us. */
static bool
role_says(const char *token, bool *meant)
{
	for (size_t i = 0; i < NELEM(roles); i++) {
		size_t len = strlen(roles[i]);

		if (strncmp(token, roles[i], len) != 0 || token[len] != ':')
			continue;
		*meant = strcmp(token + len + 1, "true") == 0;
		return *meant || strcmp(token + len + 1, "false") == 0;
	}
	return false;
}

static bool
name_says(const struct server *srv, const char *token)
{
	return strcmp(token, "_all") == 0 || strcmp(token, "_local") == 0 ||
	    strcmp(token, "_master") == 0 ||
	    wildcard_matches(token, srv->node_id) ||
	    wildcard_matches(token, srv->node_name) ||
	    wildcard_matches(token, srv->address);
}

bool
node_is_meant(const struct server *srv, const char *list)
{
	char token[TOKEN_MAX_BYTES];
	bool meant = false;

	if (list == NULL)
		return true;
	while (*list != '\0') {
		size_t len = strcspn(list, ",");

		if (len > 0 && len < sizeof(token)) {
			memcpy(token, list, len);
			token[len] = '\0';
			if (!role_says(token, &meant) && name_says(srv, token))
				meant = true;
		}
		list += len;
		list += *list == ',';
	}
	return meant;
}

uint64_t
node_ml_bytes(const struct server *srv)
{
	return srv->memory_bytes;
}
