/*
 * Fuzzes what a stranger's request line and media types reach before any
 * handler: routes, percent-encoding, query parameters, Accept, Content-Type.
 * Input: lines of method letter + path, query, Accept, Content-Type.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/http.h"
#include "supervisor/media.h"
#include "supervisor/params.h"
#include "supervisor/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
try_route(const char *path, unsigned method)
{
	struct route_match m;
	const char *end = path + strlen(path);

	route_find(path, method, &m);
	require(m.route == NULL || (m.route->methods & method) != 0);
	require(m.route == NULL || m.allowed != 0);
	require(m.job_id == NULL ||
	    (m.job_id >= path && m.job_id + m.job_id_len <= end));
	require(
	    m.item == NULL || (m.item >= path && m.item + m.item_len <= end));
	if (m.job_id != NULL) {
		char *id = strndup(m.job_id, m.job_id_len);
		long len = params_decode(id, false);

		require(len <= (long)m.job_id_len);
		require(len == -1 || strlen(id) == (size_t)len);
		free(id);
	}
}

static void
try_params(const char *query)
{
	struct params p;
	struct apierr e;

	if (params_parse(&p, query, &e) == 0 &&
	    params_check(&p, "force,timeout,anomaly_score", "/x", &e) == -1)
		require(e.status == 400);
	require(p.n <= PARAMS_MAX);
	params_clear(&p);
}

static void
try_media(const char *accept, const char *type, bool old)
{
	struct media_wish wish;
	struct apierr e;
	char media[96];

	if (media_accept(accept, &wish, &e) == -1) {
		require(e.status == 400 || e.status == 406);
		return;
	}
	require(wish.version == 0 || (wish.version >= 7 && wish.version <= 9));
	media_answer(&wish, old, media, sizeof(media));
	require(strncmp(media, "application/", 12) == 0);
	if (media_agree(MEDIA_DATA, type, accept, &wish, &e) == -1)
		require(e.status == 400);
	if (media_check_body(MEDIA_DATA, type, old, &e) == -1)
		require(e.status == 406);
	else
		require(media_check_source(MEDIA_DATA, type, &e) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned methods[] = { HTTP_GET, HTTP_HEAD, HTTP_POST,
		HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };
	char *text = malloc(size + 1), *rest = text, *line[4];

	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < NELEM(line); i++) {
		line[i] = strsep(&rest, "\n");
		if (line[i] == NULL)
			line[i] = text + size;
	}
	if (line[0][0] != '\0')
		try_route(
		    line[0] + 1, methods[(uint8_t)line[0][0] % NELEM(methods)]);
	try_params(line[1]);
	try_media(line[2], line[3], size % 2 == 0);
	free(text);
	return 0;
}
