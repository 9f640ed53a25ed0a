/*
 * Fuzzes the blobs in rows of results.db, and the printing of what they hold.
 * Input: one byte that chooses the kind of blob, then the blob. What decodes
 * must encode to the same bytes again.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/resultrow.h"
#include "query/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct print_context context = { "job", true };

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
require_same(const struct wbuf *wb, const uint8_t *data, size_t size)
{
	require(wb->len == size && memcmp(wb->data, data, size) == 0);
}

static void
require_json(struct wbuf *wb)
{
	struct json_object *o;

	require(!wb->bad && wire_put_u8(wb, 0) == 0);
	o = json_tokener_parse((const char *)wb->data);
	require(o != NULL);
	json_object_put(o);
}

static void
try_record(const uint8_t *data, size_t size, struct wbuf *wb)
{
	struct record_result r = { .function = "mean" };
	struct jsonw w = { .out = wb };

	if (resultrow_get_influencers(data, size, &r) == -1)
		return;
	require(resultrow_put_influencers(wb, &r) == 0);
	require_same(wb, data, size);
	wbuf_reset(wb);
	print_record(&w, &context, &r);
	require_json(wb);
}

static void
try_bucket(const uint8_t *data, size_t size, struct wbuf *wb)
{
	struct bucket_result b = { .timestamp_ms = 0 };
	struct jsonw w = { .out = wb };

	if (resultrow_get_bucket_influencers(data, size, &b) == -1)
		return;
	require(resultrow_put_bucket_influencers(wb, &b) == 0);
	require_same(wb, data, size);
	wbuf_reset(wb);
	print_bucket_head(&w, &context, &b);
	print_bucket_tail(&w, &context, &b);
	require_json(wb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wbuf wb;

	if (size == 0)
		return 0;
	wbuf_init(&wb, 0);
	if (data[0] & 1)
		try_record(data + 1, size - 1, &wb);
	else
		try_bucket(data + 1, size - 1, &wb);
	wbuf_clear(&wb);
	return 0;
}
