/* Owns the form of the list of entries that were put aside. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/asidelist.h"
#include "common/crc32c.h"
#include "common/disk.h"
#include "common/filemap.h"

#define LIST_MAGIC "ANOMASID"
#define LIST_MAGIC_BYTES 8

SCHEMA_DEFINE(aside_record, ASIDE_RECORD_FIELDS);
SCHEMA_STRUCT(aside_record_1, ASIDE_BASE_FIELDS);
SCHEMA_DEFINE(aside_record_1, ASIDE_BASE_FIELDS);

void
asidelist_clear(struct asidelist *list)
{
	free(list->record);
	*list = (struct asidelist){ 0 };
}

int
asidelist_add(struct asidelist *list, const struct aside_record *rec)
{
	struct aside_record *grown;

	if (list->n == ASIDE_MAX) {
		list->n--;
		memmove(
		    &list->record[0], &list->record[1], list->n * sizeof(*rec));
	}
	grown = reallocarray(list->record, list->n + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	list->record = grown;
	list->record[list->n++] = *rec;
	return 0;
}

static int
record_decode(struct rbuf *rb, uint32_t format, struct aside_record *rec)
{
	struct aside_record_1 old;

	if (format == ASIDE_FORMAT)
		return schema_decode(&aside_record_schema, rb, rec, NULL);
	if (schema_decode(&aside_record_1_schema, rb, &old, NULL) == -1)
		return -1;
	*rec = (struct aside_record){ .seq = old.seq,
		.token = old.token,
		.type = old.type,
		.bytes = old.bytes,
		.receipt_ms = old.receipt_ms,
		.aside_ms = old.aside_ms,
		.signal = old.signal };
	return 0;
}

int
asidelist_decode(struct asidelist *list, const void *data, size_t len)
{
	struct aside_record rec;
	uint32_t format, n, sum;
	const uint8_t *magic;
	struct rbuf rb;

	rbuf_init(&rb, data, len);
	errno = EBADMSG;
	if (wire_get_bytes(&rb, &magic, LIST_MAGIC_BYTES) == -1 ||
	    memcmp(magic, LIST_MAGIC, LIST_MAGIC_BYTES) != 0 ||
	    wire_get_u32(&rb, &format) == -1 || format == 0 ||
	    format > ASIDE_FORMAT || wire_get_u32(&rb, &n) == -1 ||
	    n > ASIDE_MAX)
		return -1;
	while (n-- > 0)
		if (record_decode(&rb, format, &rec) == -1 ||
		    asidelist_add(list, &rec) == -1)
			return -1;
	errno = EBADMSG;
	if (wire_get_u32(&rb, &sum) == -1 || rb.left != 0 ||
	    sum != crc32c(0, data, len - sizeof(sum)))
		return -1;
	return 0;
}

int
asidelist_encode(const struct asidelist *list, struct wbuf *wb)
{
	if (wire_put_bytes(wb, LIST_MAGIC, LIST_MAGIC_BYTES) == -1 ||
	    wire_put_u32(wb, ASIDE_FORMAT) == -1 ||
	    wire_put_u32(wb, (uint32_t)list->n) == -1) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < list->n; i++)
		if (schema_encode(&aside_record_schema, &list->record[i], wb) ==
		    -1)
			return -1;
	if (wire_put_u32(wb, crc32c(0, wb->data, wb->len)) == 0)
		return 0;
	errno = ENOMEM;
	return -1;
}

int
asidelist_read(struct asidelist *list, const char *path)
{
	void *map;
	size_t len, at;
	int rc, saved;

	*list = (struct asidelist){ 0 };
	if (disk_map(path, &map, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = asidelist_decode(list, map, len);
	saved = rc == -1 && filemap_failed(map, &at) ? EIO : errno;
	filemap_close(map, len);
	if (rc == -1)
		asidelist_clear(list);
	errno = saved;
	return rc;
}

const char *
asidelist_path(char dst[ASIDE_PATH_BYTES], uint64_t seq)
{
	snprintf(
	    dst, ASIDE_PATH_BYTES, ASIDE_DIR "/" ASIDE_FILE "%" PRIu64, seq);
	return dst;
}

const char *
asidelist_reason(char dst[ASIDE_REASON_BYTES], uint64_t seq, unsigned signal)
{
	const char *name =
	    signal == SIGKILL ? "memory is out" : strsignal((int)signal);

	if (seq == 0)
		snprintf(dst, ASIDE_REASON_BYTES,
		    "the job's process died twice of this request (signal %u, "
		    "%s): nothing of it was kept",
		    signal, name);
	else
		snprintf(dst, ASIDE_REASON_BYTES,
		    "the job's process died twice of this request (signal %u, "
		    "%s): it does not count, and is kept as entry %" PRIu64
		    " of the job's quarantine",
		    signal, name, seq);
	return dst;
}
