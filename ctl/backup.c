/* Owns the order in which a state directory is copied. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/asidelist.h"
#include "common/clock.h"
#include "common/resultsdb.h"
#include "common/units.h"
#include "ctl/backup.h"
#include "ctl/dbcopy.h"
#include "ctl/joblist.h"

#define TRIES_MAX 20 /* of a job, and of the catalogue */
#define PATH_BYTES 256
#define NUMBER_DIGITS 20 /* that names of segments and snapshots begin with */
#define JOURNAL "journal"
#define SNAPSHOTS "snapshots"
#define UNFINISHED "new" /* what a worker calls a file that is being made */

/* What became of a job. */
enum outcome {
	JOB_COPIED,
	JOB_GONE,    /* deleted meanwhile */
	JOB_CHANGED, /* a file went away: once more */
	JOB_DAMAGED,
	JOB_FAILED, /* so has the backup */
};

struct jobcopy {
	struct backup *b;
	const char *name; /* borrowed: "<job_id>.<incarnation>" */
	int from, to;
};

static int
fail(struct backup *b, const char *what)
{
	int saved = errno;

	snprintf(b->why, sizeof(b->why), "%s: %s", what, strerror(saved));
	errno = saved;
	return -1;
}

int
backup_lock(int dirfd)
{
	int fd = openat(
	    dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int saved;

	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* ---- the files of a job ---- */

static bool
is_unchanged(const struct manifest_file *f, const struct stat *st)
{
	return f->inode == (uint64_t)st->st_ino &&
	    f->sum.size == (uint64_t)st->st_size &&
	    f->changed_ns ==
	    (int64_t)st->st_mtim.tv_sec * UNITS_NS_PER_S + st->st_mtim.tv_nsec;
}

/* One file, unless the copy is as the file is now. dir "": the job's own. */
static int
copy_one(struct jobcopy *c, const char *dir, int from, int to, const char *name)
{
	char path[PATH_BYTES];
	struct manifest_file *f;
	struct copy_sum sum;
	struct stat st;

	snprintf(path, sizeof(path), BACKUP_JOBS "/%s/%s%s%s", c->name, dir,
	    dir[0] == '\0' ? "" : "/", name);
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (!S_ISREG(st.st_mode))
		return 0;
	f = manifest_find(&c->b->manifest, path);
	if (f != NULL && is_unchanged(f, &st))
		return 0;
	if (copy_file(from, name, to, name, &sum) == -1)
		return -1;
	f = manifest_put(&c->b->manifest, path, &sum);
	if (f == NULL)
		return -1;
	/* As it was before: what was added since makes another copy. */
	f->inode = (uint64_t)st.st_ino;
	f->changed_ns =
	    (int64_t)st.st_mtim.tv_sec * UNITS_NS_PER_S + st.st_mtim.tv_nsec;
	return 0;
}

/* The numbers that the names of a directory begin with; 0, 0: none. */
struct range {
	uint64_t first, last;
};

static void
widen(struct range *r, const char *name)
{
	uint64_t v = strtoull(name, NULL, 10);

	if (strspn(name, "0123456789") != NUMBER_DIGITS)
		return;
	if (r->first == 0 || v < r->first)
		r->first = v;
	if (v > r->last)
		r->last = v;
}

/* Another form of a file, such as the compressed one, takes its place. */
static int
drop_other_forms(
    struct jobcopy *c, const char *dir, int to, char **names, int n)
{
	char **copies = NULL, path[PATH_BYTES];
	int ncopies = copy_names(to, &copies), rc = 0;

	if (ncopies == -1)
		return -1;
	for (int i = 0; rc == 0 && i < ncopies; i++) {
		bool is_there = false, has_other = false;

		for (int j = 0; j < n; j++) {
			is_there |= strcmp(names[j], copies[i]) == 0;
			has_other |=
			    strncmp(names[j], copies[i], NUMBER_DIGITS) == 0;
		}
		if (is_there || !has_other)
			continue;
		snprintf(path, sizeof(path), BACKUP_JOBS "/%s/%s/%s", c->name,
		    dir, copies[i]);
		manifest_drop(&c->b->manifest, path);
		rc = unlinkat(to, copies[i], 0);
	}
	copy_free_names(copies, ncopies);
	return rc;
}

/* A directory of the job, as its list of files is now. */
static int
copy_dir(struct jobcopy *c, const char *dir, struct range *range)
{
	int from = copy_open_dir(c->from, dir), to = -1, n = -1, rc = -1;
	char **names = NULL;

	*range = (struct range){ 0 };
	if (from == -1)
		return -1;
	to = copy_make_dir(c->to, dir, from);
	if (to != -1)
		n = copy_names(from, &names);
	if (n == -1)
		goto out;
	rc = 0;
	for (int i = 0; rc == 0 && i < n; i++) {
		widen(range, names[i]);
		if (strncmp(names[i], UNFINISHED, strlen(UNFINISHED)) != 0)
			rc = copy_one(c, dir, from, to, names[i]);
	}
	if (rc == 0 && strcmp(dir, JOURNAL) == 0)
		rc = drop_other_forms(c, dir, to, names, n);
	if (rc == 0)
		rc = fsync(to);
out:
	copy_free_names(names, n == -1 ? 0 : n);
	if (to != -1)
		close(to);
	close(from);
	return rc;
}

static int
make_empty_dir(struct jobcopy *c, const char *dir)
{
	int from = copy_open_dir(c->from, dir), to;

	if (from == -1)
		return -1;
	to = copy_make_dir(c->to, dir, from);
	close(from);
	return to == -1 ? -1 : close(to);
}

/* A job that has never had a result has no database. */
static int
copy_results(struct jobcopy *c)
{
	int from = copy_open_dir(c->from, BACKUP_RESULTS), to = -1, rc = -1;
	char path[PATH_BYTES];
	struct copy_sum sum;

	if (from == -1)
		return -1;
	to = copy_make_dir(c->to, BACKUP_RESULTS, from);
	if (to == -1)
		goto out;
	if (faccessat(from, RESULTSDB_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == -1) {
		rc = errno == ENOENT ? 0 : -1;
		goto out;
	}
	if (dbcopy(from, to, RESULTSDB_FILE, &sum) == -1)
		goto out;
	snprintf(path, sizeof(path),
	    BACKUP_JOBS "/%s/" BACKUP_RESULTS "/" RESULTSDB_FILE, c->name);
	if (manifest_put(&c->b->manifest, path, &sum) != NULL)
		rc = fsync(to);
out:
	if (to != -1)
		close(to);
	close(from);
	return rc;
}

/*
 * Does the second list of segments go on where the first one ended? Else some
 * came and went in between, and are in no copy.
 */
static bool
is_gapless(const struct range *before, const struct range *after)
{
	if (before->last == 0 && after->last == 0)
		return true;
	return after->first != 0 && after->first <= before->last;
}

/* The numbers that a directory of the job has now. */
static int
look_again(struct jobcopy *c, const char *dir, struct range *range)
{
	int fd = copy_open_dir(c->from, dir), n;
	char **names = NULL;

	*range = (struct range){ 0 };
	if (fd == -1)
		return -1;
	n = copy_names(fd, &names);
	close(fd);
	for (int i = 0; i < n; i++)
		widen(range, names[i]);
	copy_free_names(names, n == -1 ? 0 : n);
	return n == -1 ? -1 : 0;
}

/*
 * Does the copied journal go on where the newest copied snapshot ends? Newer
 * ones that came in between have let the worker remove what lies between the
 * two. A job that has lost it and has no newer one is copied as it is.
 */
static int
is_superseded(struct jobcopy *c, const struct range *snapshots,
    const struct range *journal, bool *superseded)
{
	struct range now = { 0 };

	if (journal->first > snapshots->last + 1 &&
	    look_again(c, SNAPSHOTS, &now) == -1)
		return -1;
	*superseded = now.last > snapshots->last;
	return 0;
}

/* The list of what was put aside, if there is one. */
static int
copy_aside(struct jobcopy *c)
{
	int rc = copy_one(c, "", c->from, c->to, ASIDE_LIST);

	return rc == -1 && errno == ENOENT ? 0 : rc;
}

/*
 * The entries in quarantine before the journal and their list behind it: one
 * that is posted again meanwhile is there, and the list tells that it was.
 */
static enum outcome
copy_contents(struct jobcopy *c)
{
	struct range snapshots, ignored, before, after;
	bool superseded;

	if (copy_dir(c, "quarantine", &ignored) == -1 ||
	    copy_dir(c, SNAPSHOTS, &snapshots) == -1 ||
	    copy_dir(c, JOURNAL, &before) == -1 ||
	    is_superseded(c, &snapshots, &before, &superseded) == -1 ||
	    copy_results(c) == -1 || copy_dir(c, JOURNAL, &after) == -1 ||
	    copy_aside(c) == -1 || make_empty_dir(c, "spool") == -1 ||
	    fsync(c->to) == -1) {
		if (errno == ENOENT)
			return JOB_CHANGED;
		fail(c->b, c->name);
		return errno == EBADMSG || errno == EIO ? JOB_DAMAGED
							: JOB_FAILED;
	}
	return !superseded && is_gapless(&before, &after) ? JOB_COPIED
							  : JOB_CHANGED;
}

static enum outcome
try_job(struct backup *b, int from, int to, const char *name)
{
	struct jobcopy c = { b, name, -1, -1 };
	enum outcome outcome = JOB_FAILED;

	manifest_rewind(&b->manifest);
	c.from = copy_open_dir(from, name);
	if (c.from == -1 && errno == ENOENT)
		return JOB_GONE;
	if (c.from != -1 && copy_remove_tree(to, name) == 0)
		c.to = copy_make_dir(to, name, c.from);
	if (c.to == -1)
		fail(b, name);
	else
		outcome = copy_contents(&c);
	if (c.to != -1)
		close(c.to);
	if (c.from != -1)
		close(c.from);
	return outcome;
}

static enum outcome
copy_job(struct backup *b, int from, int to, const char *name)
{
	enum outcome outcome = JOB_CHANGED;

	b->manifest.settled = b->manifest.nfiles;
	for (int i = 0; outcome == JOB_CHANGED && i < TRIES_MAX; i++)
		outcome = try_job(b, from, to, name);
	if (outcome == JOB_COPIED)
		return outcome;
	if (outcome == JOB_CHANGED) {
		snprintf(b->why, sizeof(b->why),
		    "a part of its directory is missing, or its files change "
		    "faster than they can be copied");
		outcome = JOB_DAMAGED;
	}
	manifest_rewind(&b->manifest);
	if (copy_remove_tree(to, name) == -1) {
		fail(b, name);
		outcome = JOB_FAILED;
	}
	return outcome;
}

/* ---- jobs, and the catalogue that names them ---- */

/* The directories that the copied catalogue speaks of. */
static int
list_jobs(struct backup *b, struct joblist *l)
{
	sqlite3 *db = dbcopy_open(b->to, BACKUP_CATALOG);
	int rc = db == NULL ? -1 : joblist_read(l, db), saved = errno;

	sqlite3_close(db);
	errno = saved;
	return rc == 0 ? 0 : fail(b, BACKUP_CATALOG);
}

static int
copy_catalog(struct backup *b, struct joblist *jobs)
{
	struct copy_sum sum;

	joblist_clear(jobs);
	if (dbcopy(b->from, b->to, BACKUP_CATALOG, &sum) == -1)
		return fail(b, BACKUP_CATALOG);
	b->manifest.settled = 0;
	if (manifest_put(&b->manifest, BACKUP_CATALOG, &sum) == NULL)
		return fail(b, BACKUP_CATALOG);
	return list_jobs(b, jobs);
}

/* What was copied, and is in the catalogue no more. */
static int
drop_deleted(struct backup *b, int to, const struct joblist *jobs,
    struct joblist *copied)
{
	int kept = 0;

	for (int i = 0; i < copied->n; i++) {
		char path[PATH_BYTES], *name = copied->name[i];

		if (joblist_has(jobs, name)) {
			copied->name[kept++] = name;
			continue;
		}
		snprintf(path, sizeof(path), BACKUP_JOBS "/%s/", name);
		manifest_drop(&b->manifest, path);
		if (copy_remove_tree(to, name) == -1)
			return fail(b, name);
		free(name);
		copied->name[i] = NULL;
	}
	copied->n = kept;
	return 0;
}

static int
leave_out(struct backup *b, const char *name)
{
	if (manifest_leave_out(&b->manifest, name) == -1)
		return fail(b, name);
	b->failed(b->progress_arg, name, b->why);
	return 0;
}

/*
 * Those that are missing. Returns 0; 1: one is gone; -1: failed. One that is
 * gone the last time, too, has lost its directory.
 */
static int
copy_jobs(struct backup *b, int from, int to, const struct joblist *jobs,
    struct joblist *copied, bool last)
{
	int rc = 0;

	for (int i = 0; i < jobs->n; i++) {
		const char *name = jobs->name[i];
		enum outcome outcome;

		if (joblist_has(copied, name))
			continue;
		b->progress(
		    b->progress_arg, name, (size_t)copied->n, (size_t)jobs->n);
		outcome = copy_job(b, from, to, name);
		if (outcome == JOB_FAILED)
			return -1;
		if (outcome == JOB_GONE && !last) {
			rc = 1;
			continue;
		}
		if (outcome == JOB_GONE) {
			strlcpy(
			    b->why, "its directory is missing", sizeof(b->why));
			outcome = JOB_DAMAGED;
		}
		if (joblist_add(copied, name) == -1)
			return fail(b, name);
		if (outcome == JOB_DAMAGED && leave_out(b, name) == -1)
			return -1;
	}
	return rc;
}

static int
copy_all(struct backup *b, int from, int to)
{
	struct joblist jobs = { 0 }, copied = { 0 };
	int rc = 1;

	for (int i = 0; rc == 1 && i < TRIES_MAX; i++) {
		rc = copy_catalog(b, &jobs);
		if (rc == 0)
			rc = drop_deleted(b, to, &jobs, &copied);
		if (rc == 0)
			rc = copy_jobs(
			    b, from, to, &jobs, &copied, i == TRIES_MAX - 1);
	}
	joblist_clear(&copied);
	joblist_clear(&jobs);
	return rc == 0 ? 0 : -1;
}

int
backup_run(struct backup *b)
{
	int from = copy_open_dir(b->from, BACKUP_JOBS), to = -1, rc = -1;

	strlcpy(
	    b->manifest.version, PACKAGE_VERSION, sizeof(b->manifest.version));
	b->manifest.created_ms = clock_wall_ms();
	if (from != -1)
		to = copy_make_dir(b->to, BACKUP_JOBS, from);
	if (to == -1)
		fail(b, BACKUP_JOBS);
	else
		rc = copy_all(b, from, to);
	if (rc == 0 && (fsync(to) == -1 || fsync(b->to) == -1))
		rc = fail(b, BACKUP_JOBS);
	if (to != -1)
		close(to);
	if (from != -1)
		close(from);
	return rc;
}
