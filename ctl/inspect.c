/* Owns looking over single files below a directory that is open. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "ctl/dbcopy.h"
#include "ctl/inspect.h"
#include "worker/journal.h"
#include "worker/segpack.h"

#define PACKED_SUFFIX ".zst"

struct view {
	void *map; /* NULL: empty */
	size_t len;
};

static int
view_fd(struct view *v, int fd)
{
	struct stat st;

	*v = (struct view){ 0 };
	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (filemap_open(fd, (size_t)st.st_size, &v->map) == -1)
		return -1;
	v->len = (size_t)st.st_size;
	return 0;
}

static int
view_open(struct view *v, int dirfd, const char *name)
{
	int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int rc, saved;

	if (fd == -1)
		return -1;
	rc = view_fd(v, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static void
view_close(struct view *v)
{
	filemap_close(v->map, v->len);
}

/* ---- segments ---- */

/*
 * Into a file without a name: an upload may be larger than memory. Returns 1:
 * *out has all of it; 0: it is damaged, *u says where, and *out has what comes
 * before; -1 with errno.
 */
static int
unpack(struct segunpack *u, struct view *out)
{
	FILE *f = tmpfile();
	uint8_t *block = malloc(SEGPACK_BLOCK_BYTES);
	uint64_t at = 0;
	size_t n;
	int rc = -1, more = 1;

	if (f == NULL || block == NULL)
		goto out;
	while ((more = segunpack_next(u, block, &n)) == 1) {
		if (disk_write_at(fileno(f), block, n, at) == -1)
			goto out;
		at += n;
	}
	rc = more == 0 ? 1 : 0;
	if (view_fd(out, fileno(f)) == -1)
		rc = -1;
out:
	free(block);
	if (f != NULL)
		fclose(f);
	return rc;
}

/*
 * The number that each entry must have is known, also of the one that cannot be
 * read. Returns what is wrong, NULL for nothing; the cursor stands where.
 */
static const char *
walk(struct journal_cursor *c, const struct view *v, uint64_t next_seq,
    struct inspected *in)
{
	struct journal_entry e;
	const char *data;
	int rc;

	if (journal_cursor_init(c, v->map, v->len) == -1)
		return c->why;
	in->next_seq = c->next_seq;
	while ((rc = journal_cursor_next(c, &e, &data)) == 1) {
		rc = journal_cursor_check(c, &e, data, SIZE_MAX);
		if (rc == -1)
			break;
		in->next_seq = e.seq + 1;
	}
	if (next_seq == 0)
		return rc == 0 || c->is_short ? NULL : c->why;
	if (in->next_seq >= next_seq)
		return NULL;
	return rc == 0 ? "entries are missing before the next segment" : c->why;
}

static bool
is_packed(const char *name)
{
	size_t len = strlen(name), n = strlen(PACKED_SUFFIX);

	return len > n && strcmp(name + len - n, PACKED_SUFFIX) == 0;
}

static void
damaged(struct inspected *in, uint64_t at, const char *why)
{
	in->damaged = true;
	in->at = at;
	strlcpy(in->what, why, sizeof(in->what));
}

static int
inspect_packed(const struct view *v, uint64_t next_seq, struct inspected *in)
{
	struct journal_cursor c = { 0 };
	struct segunpack u;
	struct view whole = { 0 };
	const char *why;
	int rc;

	segunpack_init(&u, v->map, v->len);
	rc = unpack(&u, &whole);
	if (rc == -1)
		return -1;
	why = walk(&c, &whole, next_seq, in);
	if (rc == 0) {
		damaged(in, u.at, u.why);
	} else if (why != NULL) {
		damaged(in, 0, "");
		snprintf(in->what, sizeof(in->what),
		    "byte %zu of what it unpacks to: %s", c.at, why);
	}
	view_close(&whole);
	return 0;
}

int
inspect_segment(
    int dirfd, const char *name, uint64_t next_seq, struct inspected *in)
{
	struct journal_cursor c = { 0 };
	struct view v;
	const char *why;
	size_t page;
	int rc = 0;

	*in = (struct inspected){ 0 };
	if (view_open(&v, dirfd, name) == -1)
		return -1;
	if (is_packed(name)) {
		rc = inspect_packed(&v, next_seq, in);
	} else {
		why = walk(&c, &v, next_seq, in);
		if (why != NULL)
			damaged(in, c.at, why);
	}
	/* What cannot be read now may be whole. */
	if (rc == 0 && in->damaged && filemap_failed(v.map, &page)) {
		in->damaged = false;
		errno = EIO;
		rc = -1;
	}
	view_close(&v);
	return rc;
}

/* ---- all others ---- */

/* A report with another path. */
struct renamed {
	const char *path;
	verify_report_cb *report;
	void *arg;
};

static void
renamed_cb(void *arg, const char *path, uint64_t offset, const char *what)
{
	struct renamed *r = arg;
	size_t len = strlen(path);
	char wal[PATH_MAX];

	if (len > 4 && strcmp(path + len - 4, "-wal") == 0) {
		snprintf(wal, sizeof(wal), "%s-wal", r->path);
		r->report(r->arg, wal, offset, what);
	} else {
		r->report(r->arg, r->path, offset, what);
	}
}

int
inspect_file(inspect_look *look, int dirfd, const char *name, const char *path,
    verify_report_cb *report, void *arg)
{
	struct renamed r = { path, report, arg };
	char real[PATH_MAX];
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    dbcopy_path(real, dirfd, name) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return look(real, renamed_cb, &r);
}
