/* Owns looking over databases: pages, the frames of a WAL, the order within. */
#include "common/compat.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/dbread.h"
#include "common/sqlvfs.h"
#include "common/sqlvfs_wal.h"
#include "common/verify.h"

#define PAGE_MOST 65536
#define PAGE_LEAST 512
#define AT_PAGE_SIZE 16 /* in a database: u16, where 1 stands for 65536 */
#define AT_CHANGES 24	/* u32, of the file */
#define AT_PAGES 28	/* u32; right if the next is as AT_CHANGES */
#define AT_VALID_FOR 92 /* u32 */
#define LOCK_PAGE_AT 0x40000000 /* SQLite locks its bytes, writes it never */
#define WAL_MAGIC 0x377f0682u

/*
 * A page that is being written while it is read is no damage: it is whole the
 * next time.
 */
#define READS_MAX 5

struct verify {
	const char *path;
	verify_report_cb *report;
	void *arg;
	int n;
	uint8_t *buf; /* a page */
	size_t page_size;
};

static void
found(struct verify *v, uint64_t offset, const char *what)
{
	v->n++;
	v->report(v->arg, v->path, offset, what);
}

/* The size of pages by the head; 0: it is not the head of a database. */
static size_t
page_size(const uint8_t *head)
{
	size_t size = (size_t)head[AT_PAGE_SIZE] << 8 | head[AT_PAGE_SIZE + 1];

	if (size == 1)
		size = PAGE_MOST;
	return size < PAGE_LEAST || (size & (size - 1)) != 0 ? 0 : size;
}

/* What is no file is not waited for. */
static int
open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	if (fd != -1) {
		close(fd);
		errno = EINVAL;
	}
	return -1;
}

struct wal_walk {
	int fd;
	size_t size; /* of a page */
	bool big;
	uint8_t salt[8];
	uint32_t sum[2];
	uint8_t *frame; /* owned */

	/* Pages of which it has a frame, in its order, then ascending. */
	uint32_t *page; /* owned */
	size_t npages, cap;
	size_t committed;    /* of them */
	uint32_t size_pages; /* of the database after the last commit */
};

static void
sum_read(uint32_t sum[2], const uint8_t *p)
{
	memcpy(sum, p, 8);
	sum[0] = be32toh(sum[0]);
	sum[1] = be32toh(sum[1]);
}

static bool
wal_begin(struct wal_walk *w)
{
	uint8_t h[WAL_HEAD_BYTES];
	uint32_t magic, size, s[2] = { 0, 0 };

	if (pread(w->fd, h, sizeof(h), 0) != sizeof(h))
		return false;
	memcpy(&magic, h, sizeof(magic));
	memcpy(&size, h + 8, sizeof(size));
	magic = be32toh(magic);
	w->size = be32toh(size);
	w->big = (magic & 1) != 0;
	memcpy(w->salt, h + 16, sizeof(w->salt));
	sum_read(w->sum, h + 24);
	wal_sum(s, h, 24, w->big);
	return (magic & ~1u) == WAL_MAGIC && s[0] == w->sum[0] &&
	    s[1] == w->sum[1] && w->size >= PAGE_LEAST &&
	    w->size <= PAGE_MOST && (w->size & (w->size - 1)) == 0;
}

enum frame { FRAME_NONE, FRAME_OTHER, FRAME_WRONG, FRAME_RIGHT };

/*
 * The frame at a place. Its sum goes on from w->sum, which becomes its own as
 * it is written there, right or wrong.
 */
static enum frame
wal_frame(struct wal_walk *w, off_t at, bool *commit)
{
	size_t len = WAL_FRAME_BYTES + w->size;
	uint32_t s[2] = { w->sum[0], w->sum[1] };
	static const uint8_t none[4];

	*commit = false;
	if (pread(w->fd, w->frame, len, at) != (ssize_t)len)
		return FRAME_NONE;
	sum_read(w->sum, w->frame + 16);
	if (memcmp(w->frame + 8, w->salt, sizeof(w->salt)) != 0)
		return FRAME_OTHER;
	wal_sum(s, w->frame, 8, w->big);
	wal_sum(s, w->frame + WAL_FRAME_BYTES, w->size, w->big);
	*commit = memcmp(w->frame + 4, none, sizeof(none)) != 0;
	return s[0] == w->sum[0] && s[1] == w->sum[1] ? FRAME_RIGHT
						      : FRAME_WRONG;
}

/* The frame at hand is right. Returns 0, or -1 with ENOMEM. */
static int
wal_note_page(struct wal_walk *w, bool commit)
{
	uint32_t word[2];

	if (w->npages == w->cap) {
		size_t cap = w->cap + w->cap / 2 + 64;
		uint32_t *page = reallocarray(w->page, cap, sizeof(*page));

		if (page == NULL)
			return -1;
		w->page = page;
		w->cap = cap;
	}
	memcpy(word, w->frame, sizeof(word));
	w->page[w->npages++] = be32toh(word[0]);
	if (commit) {
		w->committed = w->npages;
		w->size_pages = be32toh(word[1]);
	}
	return 0;
}

/*
 * The first frame that is wrong ends a WAL. In the last commit that is what a
 * death leaves, and a loss of power may leave any part of that commit, its end
 * among them. Where each commit is synced a right frame of a later one was
 * written when the one before was on the disk: then it was right once, and what
 * follows is lost. Where they are not (results.db) a loss of power looks like
 * that, too: what can be read is kept, and the journal has the rest.
 * Returns 1: so it is, *offset says from where on; 0, or -1 with ENOMEM.
 */
static int
wal_break(struct wal_walk *w, uint64_t *offset)
{
	off_t step = (off_t)(WAL_FRAME_BYTES + w->size), at = WAL_HEAD_BYTES;
	bool broken = false, ended = false, commit;
	enum frame f;

	for (; (f = wal_frame(w, at, &commit)) != FRAME_NONE; at += step) {
		if (f == FRAME_RIGHT && ended)
			return 1;
		if (f == FRAME_RIGHT && !broken &&
		    wal_note_page(w, commit) == -1)
			return -1;
		if (f != FRAME_RIGHT && !broken) {
			*offset = (uint64_t)at;
			broken = true;
		}
		ended = ended || (broken && commit);
	}
	return 0;
}

static void
wal_clear(struct wal_walk *w)
{
	free(w->frame);
	free(w->page);
	if (w->fd != -1)
		close(w->fd);
}

static int
wal_open(struct wal_walk *w, char *path, size_t size, const char *db_path)
{
	*w = (struct wal_walk){ .fd = -1 };
	if (snprintf(path, size, "%s-wal", db_path) >= (int)size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	w->fd = open_file(path);
	if (w->fd == -1)
		return errno == ENOENT ? 0 : -1;
	w->frame = malloc(WAL_FRAME_BYTES + PAGE_MOST);
	return w->frame == NULL ? -1 : 0;
}

/* Returns what is wrong and where, NULL for nothing; *rc -1 with errno. */
static const char *
wal_look(struct wal_walk *w, uint64_t *at, int *rc)
{
	struct stat st;

	*at = 0;
	*rc = 0;
	if (w->fd == -1)
		return NULL;
	*rc = fstat(w->fd, &st);
	if (*rc == -1 || st.st_size <= WAL_HEAD_BYTES)
		return NULL;
	if (!wal_begin(w))
		return "the head of the WAL does not match its checksum";
	*rc = wal_break(w, at);
	if (*rc != 1)
		return NULL;
	*rc = 0;
	return "a frame before later commits does not match its checksum";
}

/* w is cleared by the caller. Returns as verify_wal. */
static int
wal_walk(struct wal_walk *w, const char *db_path, verify_report_cb *report,
    void *arg)
{
	char path[PATH_MAX];
	const char *why;
	uint64_t at;
	int rc;

	if (wal_open(w, path, sizeof(path), db_path) == -1)
		return -1;
	why = wal_look(w, &at, &rc);
	if (why == NULL)
		return rc;
	report(arg, path, at, why);
	return 1;
}

int
verify_wal(const char *db_path, verify_report_cb *report, void *arg)
{
	struct wal_walk w;
	int rc = wal_walk(&w, db_path, report, arg), saved = errno;

	wal_clear(&w);
	errno = saved;
	return rc;
}

static int
page_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What is in the file in place of such a page does not matter. */
static bool
wal_has(const struct wal_walk *w, uint64_t page)
{
	uint32_t key = (uint32_t)page;

	return w->committed > 0 && page <= UINT32_MAX &&
	    bsearch(&key, w->page, w->committed, sizeof(key), page_compare) !=
	    NULL;
}

static bool
page_is_right(struct verify *v, int fd, size_t size, off_t at)
{
	for (int i = 0; i < READS_MAX; i++)
		if (pread(fd, v->buf, size, at) == (ssize_t)size &&
		    sqlvfs_page_is_right(
			v->buf, size, (uint32_t)(at / (off_t)size) + 1))
			return true;
	return false;
}

/*
 * Pages of the whole: by the last commit of the WAL, else by the head, which
 * says so if the last to write it knew of that field; 0: unknown.
 */
static uint64_t
count_pages(const struct wal_walk *w, const uint8_t *head)
{
	uint32_t n;

	if (w->committed > 0)
		return w->size_pages;
	if (memcmp(head + AT_CHANGES, head + AT_VALID_FOR, sizeof(n)) != 0)
		return 0;
	memcpy(&n, head + AT_PAGES, sizeof(n));
	return be32toh(n);
}

static void
find_missing(
    struct verify *v, const struct wal_walk *w, uint64_t from, uint64_t to)
{
	uint64_t size = v->page_size;

	for (uint64_t page = from; page <= to; page++)
		if (!wal_has(w, page) && (page - 1) * size != LOCK_PAGE_AT) {
			found(v, (page - 1) * size,
			    "the file ends before its last page");
			return;
		}
}

static int
verify_pages(struct verify *v, int fd, const struct wal_walk *w)
{
	uint64_t page = 1, npages;
	size_t size;
	off_t at = 0;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (pread(fd, v->buf, PAGE_LEAST, 0) != PAGE_LEAST ||
	    (size = page_size(v->buf)) == 0) {
		found(v, 0, "not the head of a database");
		return 0;
	}
	v->page_size = size;
	npages = count_pages(w, v->buf);
	for (; at + (off_t)size <= st.st_size; at += (off_t)size, page++)
		if (at != LOCK_PAGE_AT && !wal_has(w, page) &&
		    !page_is_right(v, fd, size, at))
			found(v, (uint64_t)at,
			    "a page does not match its checksum");
	if (at < st.st_size && !wal_has(w, page))
		found(v, (uint64_t)at, "half a page at the end");
	else
		find_missing(v, w, page, npages);
	return 0;
}

/* Returns 0, or -1: not to its end. */
static int
check_order(struct verify *v, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (sqlite3_busy_timeout(db, 2000) == SQLITE_OK &&
	    sqlite3_prepare_v2(
		db, "PRAGMA integrity_check(20)", -1, &st, NULL) == SQLITE_OK) {
		while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
			const char *text =
			    (const char *)sqlite3_column_text(st, 0);

			if (text != NULL && strcmp(text, "ok") != 0)
				found(v, 0, text);
		}
		rc = rc == SQLITE_DONE ? 0 : -1;
	}
	sqlite3_finalize(st);
	return rc;
}

static void
no_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	(void)arg;
	(void)path;
	(void)offset;
	(void)what;
}

/*
 * What checksums cannot see: pages that are whole and do not fit together.
 * Returns true when somebody began to write meanwhile, where nobody had.
 */
static bool
verify_order(struct verify *v, bool live)
{
	struct dbread r;
	sqlite3 *db = dbread_open(v->path, live, &r);

	if (db == NULL)
		found(v, 0, strerror(errno));
	else if (check_order(v, db) == -1)
		found(v, 0, sqlite3_errmsg(db));
	sqlite3_close(db);
	return dbread_is_disturbed(v->path, &r);
}

/* Returns the number of reports, or -1 with errno. */
static int
verify_file(struct verify *v)
{
	int fd = open_file(v->path), rc = -1, saved, n;
	struct wal_walk w;

	if (fd == -1)
		return -1;
	n = wal_walk(&w, v->path, v->report, v->arg);
	if (w.committed > 0)
		qsort(w.page, w.committed, sizeof(*w.page), page_compare);
	v->buf = n == -1 ? NULL : malloc(PAGE_MOST);
	if (v->buf != NULL)
		rc = verify_pages(v, fd, &w);
	saved = errno;
	free(v->buf);
	wal_clear(&w);
	close(fd);
	errno = saved;
	return rc == -1 ? -1 : n + v->n;
}

int
verify_checksums(const char *path, verify_report_cb *report, void *arg)
{
	struct verify v = { .path = path, .report = report, .arg = arg };

	return verify_file(&v);
}

int
verify_database(const char *path, verify_report_cb *report, void *arg)
{
	struct verify v = { .path = path, .report = report, .arg = arg };
	int n = verify_file(&v);
	bool live;

	/* A damaged page would be found again, at greater length. */
	if (n != 0)
		return n;
	/* Only what is found again is said: it may have been disturbed. */
	v.report = no_report;
	live = verify_order(&v, false);
	if (v.n == 0)
		return 0;
	v.report = report;
	v.n = 0;
	(void)verify_order(&v, live);
	return v.n;
}
