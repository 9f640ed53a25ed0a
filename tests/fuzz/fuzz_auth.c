/*
 * Fuzzes what a stranger says of itself, and what a key's owner says that it
 * may: the header Authorization, role descriptors, patterns of job ids.
 * Input: lines of header, pattern, job id; then JSON.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/msg.h"
#include "common/wire.h"
#include "supervisor/authlimit.h"
#include "supervisor/credentials.h"
#include "supervisor/rights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
try_header(const char *value)
{
	struct credentials c;
	char place[AUTHLIMIT_PLACE_MAX];

	credentials_read(&c, value);
	require(memchr(c.name, '\0', sizeof(c.name)) != NULL);
	require(memchr(c.secret, '\0', sizeof(c.secret)) != NULL);
	require(wire_utf8_ok(c.name, strlen(c.name)));
	require(wire_utf8_ok(c.secret, strlen(c.secret)));
	if (c.kind == CREDENTIALS_NONE || c.kind == CREDENTIALS_BAD)
		require(c.name[0] == '\0' && c.secret[0] == '\0');
	else
		require(
		    c.impossible || (c.name[0] != '\0' && c.secret[0] != '\0'));
	credentials_wipe(&c);
	authlimit_place(place, value, -1);
	require(memchr(place, '\0', sizeof(place)) != NULL);
}

static void
try_roles(const char *text, const char *job_id)
{
	struct json_object *o = json_tokener_parse(text);
	struct grants *g = NULL;
	struct apierr e;
	unsigned rights;

	if (json_object_is_type(o, json_type_object) &&
	    rights_read(o, &rights, &g, &e) == 0) {
		require((rights & ~RIGHTS_ALL) == 0);
		require(
		    (grants_on(g, job_id) &
			~(unsigned)(RIGHT_MONITOR_ML | RIGHT_MANAGE_ML)) == 0);
		require(g == NULL || g->n <= GRANTS_MAX);
		grants_unref(g);
	}
	json_object_put(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *line[3];
	struct grants g = { .refs = 1, .n = 1 };

	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < NELEM(line); i++) {
		line[i] = strsep(&rest, "\n");
		if (line[i] == NULL)
			line[i] = text + size;
	}
	try_header(line[0]);
	g.item[0].rights = RIGHT_MONITOR_ML;
	strlcpy(g.item[0].pattern, line[1], sizeof(g.item[0].pattern));
	if (strcmp(g.item[0].pattern, line[2]) == 0 && line[2][0] != '\0' &&
	    strlen(line[2]) <= MSG_ID_MAX)
		require(grants_on(&g, line[2]) == RIGHT_MONITOR_ML);
	(void)grants_on(&g, line[2]);
	try_roles(rest == NULL ? "" : rest, line[2]);
	free(text);
	return 0;
}
