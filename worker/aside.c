/* Owns the entries that were put aside: their files, and the list of them. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/disk.h"
#include "common/log.h"
#include "worker/aside.h"
#include "worker/quarantine.h"

#define LIST_MAGIC "ANOMASID"
#define LIST_MAGIC_BYTES 8
#define LIST_NEW ASIDE_LIST ".new"
#define QUARANTINE_DIR "quarantine"
#define FILE_NEW QUARANTINE_DIR "/new"
#define CHUNK_BYTES (1024 * 1024)

SCHEMA_DEFINE(aside_record, ASIDE_RECORD_FIELDS);

static const char *
entry_path(char dst[ASIDE_PATH_BYTES], uint64_t seq)
{
	snprintf(dst, ASIDE_PATH_BYTES, QUARANTINE_DIR "/entry-%" PRIu64, seq);
	return dst;
}

/* ---- the list ---- */

static int
list_add(struct aside *a, const struct aside_record *rec)
{
	struct aside_record *grown;

	if (a->n == ASIDE_MAX) {
		a->n--;
		memmove(&a->record[0], &a->record[1], a->n * sizeof(*rec));
	}
	grown = reallocarray(a->record, a->n + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	a->record = grown;
	a->record[a->n++] = *rec;
	return 0;
}

/* Returns 0, or -1 with EBADMSG, ENOMEM. */
static int
list_decode(struct aside *a, const void *data, size_t len)
{
	struct aside_record rec;
	uint32_t format, n, sum;
	const uint8_t *magic;
	struct rbuf rb;

	rbuf_init(&rb, data, len);
	errno = EBADMSG;
	if (wire_get_bytes(&rb, &magic, LIST_MAGIC_BYTES) == -1 ||
	    memcmp(magic, LIST_MAGIC, LIST_MAGIC_BYTES) != 0 ||
	    wire_get_u32(&rb, &format) == -1 || format != ASIDE_FORMAT ||
	    wire_get_u32(&rb, &n) == -1 || n > ASIDE_MAX)
		return -1;
	while (n-- > 0) {
		if (schema_decode(&aside_record_schema, &rb, &rec, NULL) == -1)
			return -1;
		if (list_add(a, &rec) == -1)
			return -1;
	}
	errno = EBADMSG;
	if (wire_get_u32(&rb, &sum) == -1 || rb.left != 0 ||
	    sum != crc32c(0, data, len - sizeof(sum)))
		return -1;
	return 0;
}

static int
list_encode(const struct aside *a, struct wbuf *wb)
{
	if (wire_put_bytes(wb, LIST_MAGIC, LIST_MAGIC_BYTES) == -1 ||
	    wire_put_u32(wb, ASIDE_FORMAT) == -1 ||
	    wire_put_u32(wb, (uint32_t)a->n) == -1) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < a->n; i++)
		if (schema_encode(&aside_record_schema, &a->record[i], wb) ==
		    -1)
			return -1;
	if (wire_put_u32(wb, crc32c(0, wb->data, wb->len)) == 0)
		return 0;
	errno = ENOMEM;
	return -1;
}

int
aside_load(struct aside *a)
{
	void *map;
	size_t len;
	int rc, saved;

	*a = (struct aside){ .fd = -1 };
	if (disk_map(ASIDE_LIST, &map, &len) == -1) {
		if (errno == ENOENT)
			return 0;
		log_warn(ASIDE_LIST);
		return -1;
	}
	rc = list_decode(a, map, len);
	saved = errno;
	if (map != NULL)
		munmap(map, len);
	if (rc == -1)
		aside_clear(a);
	if (rc == -1 && saved == EBADMSG) {
		quarantine_move(ASIDE_LIST, ASIDE_LIST, 0,
		    "damaged at byte 0: what it names may be tried again");
		return 0;
	}
	errno = saved;
	return rc;
}

int
aside_verify(const char *path, verify_report_cb *report, void *arg)
{
	struct aside a = { .fd = -1 };
	void *map;
	size_t len;
	int rc, saved;

	if (disk_map(path, &map, &len) == -1)
		return -1;
	rc = list_decode(&a, map, len);
	saved = errno;
	if (map != NULL)
		munmap(map, len);
	free(a.record);
	errno = saved;
	if (rc == 0)
		return 0;
	if (errno != EBADMSG)
		return -1;
	report(arg, path, 0, "it does not match its checksum");
	return 1;
}

/* Returns 0, or -1 with errno. */
static int
write_file(const char *path, const struct wbuf *wb)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	int rc, saved;

	if (fd == -1)
		return -1;
	rc = disk_write_at(fd, wb->data, wb->len, 0);
	if (rc == 0)
		rc = fdatasync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static int
list_save(const struct aside *a)
{
	struct wbuf wb;
	int rc = -1, saved;

	wbuf_init(&wb, 0);
	if (list_encode(a, &wb) == 0 && write_file(LIST_NEW, &wb) == 0 &&
	    rename(LIST_NEW, ASIDE_LIST) == 0)
		rc = disk_sync_dir(".");
	saved = errno;
	wbuf_clear(&wb);
	errno = saved;
	return rc;
}

void
aside_clear(struct aside *a)
{
	if (a->fd != -1) {
		close(a->fd);
		(void)unlink(FILE_NEW);
	}
	free(a->record);
	*a = (struct aside){ .fd = -1 };
}

const struct aside_record *
aside_find(const struct aside *a, const struct journal_entry *e)
{
	const struct aside_record *rec;

	for (size_t i = 0; i < a->n; i++) {
		rec = &a->record[i];
		if (rec->seq == e->seq && rec->token == e->token &&
		    rec->receipt_ms == e->receipt_ms)
			return rec;
	}
	return NULL;
}

bool
aside_has_file(const struct aside_record *rec)
{
	char path[ASIDE_PATH_BYTES];

	return access(entry_path(path, rec->seq), F_OK) == 0;
}

/* ---- the file of an entry ---- */

static int
file_fail(struct aside *a, const char *what)
{
	int saved = errno;

	log_warn("%s", what);
	if (a->fd != -1) {
		close(a->fd);
		(void)unlink(FILE_NEW);
	}
	a->fd = -1;
	errno = saved;
	return -1;
}

int
aside_begin(struct aside *a, const struct journal_entry *e, const char *data)
{
	struct wbuf head;
	int rc = -1, saved;

	a->entry = *e;
	a->data = data;
	a->written = 0;
	a->fd = open(FILE_NEW, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (a->fd == -1)
		return file_fail(a, FILE_NEW);
	wbuf_init(&head, 0);
	if (journal_put_head(&head, e->seq) == 0 &&
	    journal_put_header(&head, e) == 0)
		rc = disk_write_at(a->fd, head.data, head.len, 0);
	saved = errno;
	wbuf_clear(&head);
	errno = saved;
	return rc == -1 ? file_fail(a, FILE_NEW) : 0;
}

static int
file_finish(struct aside *a)
{
	char path[ASIDE_PATH_BYTES];

	if (fdatasync(a->fd) == -1 ||
	    rename(FILE_NEW, entry_path(path, a->entry.seq)) == -1 ||
	    disk_sync_dir(QUARANTINE_DIR) == -1)
		return file_fail(a, FILE_NEW);
	close(a->fd);
	a->fd = -1;
	return 0;
}

/* The file is there: from now on replay passes over the entry. */
static int
list_it(struct aside *a, unsigned signal)
{
	struct aside_record rec = { .seq = a->entry.seq,
		.token = a->entry.token,
		.type = a->entry.type,
		.bytes = a->entry.data_len,
		.receipt_ms = a->entry.receipt_ms,
		.aside_ms = clock_wall_ms(),
		.signal = (uint8_t)signal };

	if (list_add(a, &rec) == 0 && list_save(a) == 0)
		return 0;
	log_warn(ASIDE_LIST);
	return -1;
}

int
aside_step(struct aside *a, unsigned signal, int64_t deadline_us)
{
	uint64_t n;

	while (a->written < a->entry.data_len) {
		n = a->entry.data_len - a->written;
		if (n > CHUNK_BYTES)
			n = CHUNK_BYTES;
		if (disk_write_at(a->fd, a->data + a->written, (size_t)n,
			JOURNAL_DATA_OFFSET + a->written) == -1)
			return file_fail(a, FILE_NEW);
		a->written += n;
		if (clock_mono_us() >= deadline_us)
			return 1;
	}
	if (file_finish(a) == -1)
		return -1;
	return list_it(a, signal);
}

const char *
aside_reason(char dst[ASIDE_REASON_BYTES], uint64_t seq, unsigned signal)
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
