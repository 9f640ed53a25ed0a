/* Owns the entries that were put aside: their files, and the list of them. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/disk.h"
#include "common/log.h"
#include "worker/aside.h"
#include "worker/quarantine.h"

#define LIST_NEW ASIDE_LIST ".new"
#define FILE_NEW ASIDE_DIR "/new"
#define CHUNK_BYTES (1024 * 1024)

/* ---- the list ---- */

void
aside_init(struct aside *a)
{
	*a = (struct aside){ .fd = -1 };
}

int
aside_load(struct aside *a)
{
	aside_init(a);
	if (asidelist_read(&a->list, ASIDE_LIST) == 0)
		return 0;
	if (errno == EBADMSG) {
		quarantine_move(ASIDE_LIST, ASIDE_LIST, 0,
		    "damaged at byte 0: what it names may be tried again");
		return 0;
	}
	log_warn(ASIDE_LIST);
	return -1;
}

int
aside_verify(const char *path, verify_report_cb *report, void *arg)
{
	struct asidelist list;

	if (asidelist_read(&list, path) == 0) {
		asidelist_clear(&list);
		return 0;
	}
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
	if (asidelist_encode(&a->list, &wb) == 0 &&
	    write_file(LIST_NEW, &wb) == 0 && rename(LIST_NEW, ASIDE_LIST) == 0)
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
	asidelist_clear(&a->list);
	aside_init(a);
}

const struct aside_record *
aside_find(const struct aside *a, const struct journal_entry *e)
{
	const struct aside_record *rec;

	for (size_t i = 0; i < a->list.n; i++) {
		rec = &a->list.record[i];
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

	return access(asidelist_path(path, rec->seq), F_OK) == 0;
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
	    rename(FILE_NEW, asidelist_path(path, a->entry.seq)) == -1 ||
	    disk_sync_dir(ASIDE_DIR) == -1)
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

	if (asidelist_add(&a->list, &rec) == 0 && list_save(a) == 0)
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

/* ---- out of the quarantine again ---- */

struct aside_record *
aside_find_kept(struct aside *a, uint64_t seq)
{
	struct aside_record *rec;

	for (size_t i = a->list.n; i-- > 0;) {
		rec = &a->list.record[i];
		if (rec->seq == seq)
			return aside_has_file(rec) ? rec : NULL;
	}
	return NULL;
}

int
aside_post(struct aside *a, struct aside_record *rec, uint64_t token)
{
	uint64_t before = rec->again;

	rec->again = token;
	if (list_save(a) == 0)
		return 0;
	rec->again = before;
	log_warn(ASIDE_LIST);
	return -1;
}

const struct aside_record *
aside_find_posted(const struct aside *a, uint64_t token)
{
	const struct aside_record *rec;

	for (size_t i = 0; token != 0 && i < a->list.n; i++) {
		rec = &a->list.record[i];
		if (rec->again == token && aside_has_file(rec))
			return rec;
	}
	return NULL;
}

int
aside_remove(const struct aside_record *rec)
{
	char path[ASIDE_PATH_BYTES];

	if ((unlink(asidelist_path(path, rec->seq)) == 0 || errno == ENOENT) &&
	    disk_sync_dir(ASIDE_DIR) == 0)
		return 0;
	log_warn("%s", path);
	return -1;
}
