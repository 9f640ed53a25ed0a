/*
 * Fuzzes what one process believes of another: the header of a frame and the
 * payload of every message. What is accepted must encode to the same bytes.
 * Input: one frame.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/frame.h"
#include "common/msg.h"
#include "common/totals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
try_payload(const struct frame_header *h, const uint8_t *data)
{
	const struct msg_info *m = msg_find(h->type);
	struct wbuf wb;
	void *obj;

	if (m->schema == NULL)
		return;
	obj = calloc(1, m->schema->size);
	wbuf_init(&wb, 0);
	if (msg_decode(h->type, data, h->len, obj, NULL) == 0) {
		require(frame_put(&wb, h->type, h->request, obj) == 0);
		require(wb.len == FRAME_HEADER_BYTES + h->len);
		require(
		    memcmp(wb.data + FRAME_HEADER_BYTES, data, h->len) == 0);
	}
	wbuf_clear(&wb);
	free(obj);
}

static void
try_totals(const uint8_t *data, size_t size)
{
	struct job_totals jt;
	struct wbuf wb;
	struct rbuf rb;

	rbuf_init(&rb, data, size);
	if (job_totals_decode(&rb, &jt) == -1)
		return;
	wbuf_init(&wb, 0);
	require(job_totals_encode(&jt, &wb) == 0);
	require(wb.len == size - rb.left && memcmp(wb.data, data, wb.len) == 0);
	wbuf_clear(&wb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_header h;
	const char *why;
	bool taken = false;

	if (size < FRAME_HEADER_BYTES)
		return 0;
	for (unsigned from = FROM_SUP; from <= FROM_KPR; from <<= 1)
		for (unsigned state = IN_START; state <= IN_CLOSING;
		     state <<= 1) {
			if (frame_get_header(data, from, state, &h, &why) == -1)
				continue;
			taken = true;
			require(h.len <= msg_find(h.type)->max);
			require(h.len >= msg_find(h.type)->min);
		}
	data += FRAME_HEADER_BYTES;
	size -= FRAME_HEADER_BYTES;
	/* The last combination may have been refused: h is set all the same. */
	if (taken && h.len <= size)
		try_payload(&h, data);
	try_totals(data, size);
	return 0;
}
