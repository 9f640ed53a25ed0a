/* Owns the looking over of the catalogue. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sqlx.h"
#include "common/verify.h"
#include "ctl/backup.h"
#include "ctl/copy.h"
#include "ctl/dbcopy.h"
#include "ctl/inspect.h"
#include "ctl/place.h"
#include "ctl/verify_catalog.h"
#include "keeper/catalog_file.h"
#include "keeper/jobdirs.h"

#define COUNTED 4 /* version of a catalogue that counts its changes */

struct check {
	struct faults *f;
	int dirfd;
	bool main_there, copy_there;
	bool main_good, copy_good;
};

static bool
is_there(const struct check *c, const char *file)
{
	return faccessat(c->dirfd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Returns true when it is whole. */
static bool
look(struct check *c, const char *file, const char *means)
{
	int rc;

	c->f->means = means;
	rc = inspect_file(
	    verify_database, c->dirfd, file, file, faults_report, c->f);
	faults_looked(c->f, file, rc);
	return rc == 0;
}

/* ---- the catalogue and its copy ---- */

/*
 * Number of the last change; -1: it is not known, or of a version that did not
 * count.
 */
static int64_t
change_number(const struct check *c, const char *file)
{
	sqlite3 *db = dbcopy_open(c->dirfd, file);
	int64_t version, number;

	if (db == NULL ||
	    sqlx_number(db, "SELECT version FROM meta", &version) == -1 ||
	    version < COUNTED ||
	    sqlx_number(db, "SELECT number FROM change", &number) == -1)
		number = -1;
	sqlite3_close(db);
	return number;
}

static void
compare(struct check *c)
{
	int64_t copy = change_number(c, CATALOG_COPY);
	int64_t newest = change_number(c, BACKUP_CATALOG);
	char what[120];

	/* Each change comes to the copy last. */
	if (newest != -1 && copy > newest) {
		snprintf(what, sizeof(what),
		    "changes %" PRId64 " to %" PRId64 " are missing",
		    newest + 1, copy);
		c->f->means = "nothing is lost: the next start of anomd takes "
			      "them from " CATALOG_COPY;
		faults_add(c->f, BACKUP_CATALOG, what);
		return;
	}
	for (int i = 0; i < FAULTS_LOOKS_MAX && copy != -1 && copy < newest;
	     i++) {
		faults_pause();
		newest = change_number(c, BACKUP_CATALOG);
		copy = change_number(c, CATALOG_COPY);
	}
	if (copy == -1 || copy >= newest)
		return;
	snprintf(what, sizeof(what),
	    "it has the changes up to %" PRId64 ", " BACKUP_CATALOG
	    " up to %" PRId64,
	    copy, newest);
	c->f->means = "nothing is lost: the next start of anomd makes it anew";
	faults_add(c->f, CATALOG_COPY, what);
}

/* A backup has none, nor had earlier versions. */
static void
check_copy(struct check *c)
{
	static const char harmless[] =
	    "nothing is lost while " BACKUP_CATALOG
	    " is whole: the next start of anomd makes it anew";

	if (c->copy_there)
		c->copy_good = look(c, CATALOG_COPY, harmless);
	else if (!c->f->is_backup && c->main_good &&
	    change_number(c, BACKUP_CATALOG) != -1)
		faults_missing(c->f, CATALOG_COPY, harmless);
}

static void
check_main(struct check *c)
{
	const char *means = c->copy_good
	    ? "nothing is lost: the next start of anomd makes it from the "
	      "copy, " CATALOG_COPY
	    : "there is no whole copy of it, so that jobs, users and keys are "
	      "lost and anomd does not start: restore a backup";

	if (c->main_there)
		c->main_good = look(c, BACKUP_CATALOG, means);
	else
		faults_missing(c->f, BACKUP_CATALOG, means);
}

/* ---- the jobs ---- */

static int
read_jobs(const struct check *c, struct joblist *l)
{
	sqlite3 *db =
	    dbcopy_open(c->dirfd, c->main_good ? BACKUP_CATALOG : CATALOG_COPY);
	int rc = db == NULL ? -1 : joblist_read(l, db);

	sqlite3_close(db);
	return rc;
}

static bool
has_directory(int jobs, const char *name)
{
	struct stat st;

	return fstatat(jobs, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT;
}

/* It may have been deleted since the list was read. */
static bool
is_deleted(const struct check *c, const char *name)
{
	struct joblist now = { 0 };
	bool deleted = read_jobs(c, &now) == 0 && !joblist_has(&now, name);

	joblist_clear(&now);
	return deleted;
}

static void
check_jobs(struct check *c, int jobs, const struct joblist *left_out)
{
	struct joblist l = { 0 };
	char path[256];

	if (read_jobs(c, &l) == -1)
		faults_looked(c->f, BACKUP_CATALOG, -1);
	for (int i = 0; i < l.n; i++) {
		if (has_directory(jobs, l.name[i]) ||
		    joblist_has(left_out, l.name[i]) ||
		    is_deleted(c, l.name[i]))
			continue;
		snprintf(path, sizeof(path), BACKUP_JOBS "/%.200s", l.name[i]);
		c->f->means = "all of this job is lost: restore a backup, or "
			      "delete the job";
		faults_add(c->f, path, "the directory of a job is missing");
	}
	joblist_clear(&l);
}

/* ---- directories of no job ---- */

/* 1: a row is of this name, be it one that is being deleted; 0; or -1. */
static int
is_known(const struct check *c, const char *name)
{
	sqlite3 *db =
	    dbcopy_open(c->dirfd, c->main_good ? BACKUP_CATALOG : CATALOG_COPY);
	sqlite3_stmt *st = db == NULL ? NULL
				      : sqlx_prepare(db,
					    "SELECT 1 FROM job WHERE"
					    " job_id || '.' || incarnation"
					    " = ?1");
	int rc = -1, step;

	if (st != NULL &&
	    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC) == SQLITE_OK) {
		step = sqlite3_step(st);
		if (step == SQLITE_ROW || step == SQLITE_DONE)
			rc = step == SQLITE_ROW;
		else
			sqlx_fail(db, "read jobs");
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return rc;
}

/* That of a creation that was cut off has empty parts, or none. */
static bool
has_data(int jobs, const char *name)
{
	int dir = copy_open_dir(jobs, name), nparts = -1;
	char **parts = NULL;
	bool found = false;

	if (dir != -1)
		nparts = copy_names(dir, &parts);
	for (int i = 0; i < nparts && !found; i++) {
		static const char *const none[] = { NULL };
		int part = copy_open_dir(dir, parts[i]);

		found =
		    part == -1 ? errno != ENOENT : !place_is_empty(part, none);
		if (part != -1)
			close(part);
	}
	copy_free_names(parts, nparts == -1 ? 0 : nparts);
	if (dir != -1)
		close(dir);
	return found;
}

/* A job that is being made or deleted has its row and its data soon, or not. */
static void
check_directory(struct check *c, int jobs, const char *name)
{
	int known = jobdirs_incarnation(name) == 0;
	char path[256];

	for (int i = 0; i < FAULTS_LOOKS_MAX && known == 0; i++) {
		if (i > 0)
			faults_pause();
		if (!has_data(jobs, name))
			return;
		known = is_known(c, name);
	}
	if (known == -1)
		faults_looked(c->f, BACKUP_CATALOG, -1);
	if (known != 0)
		return;
	snprintf(path, sizeof(path), BACKUP_JOBS "/%.200s", name);
	c->f->means = "the catalogue has lost it, or it is left over: restore "
		      "a backup, or move it elsewhere if nobody misses the job";
	faults_add(
	    c->f, path, "it has data, and no job of the catalogue is this one");
}

static void
check_directories(struct check *c, int jobs)
{
	char **names = NULL;
	int n = copy_names(jobs, &names);

	if (n == -1)
		faults_looked(c->f, BACKUP_JOBS, -1);
	for (int i = 0; i < n; i++)
		check_directory(c, jobs, names[i]);
	copy_free_names(names, n == -1 ? 0 : n);
}

void
verify_catalog(struct faults *f, int dirfd, const struct joblist *left_out)
{
	struct check c = { .f = f, .dirfd = dirfd };
	int jobs = copy_open_dir(dirfd, BACKUP_JOBS);

	c.main_there = is_there(&c, BACKUP_CATALOG);
	c.copy_there = is_there(&c, CATALOG_COPY);
	if (c.copy_there)
		check_copy(&c);
	check_main(&c);
	if (!c.copy_there)
		check_copy(&c);
	if (c.main_good && c.copy_good)
		compare(&c);
	if (jobs != -1 && (c.main_good || c.copy_good)) {
		check_jobs(&c, jobs, left_out);
		check_directories(&c, jobs);
	}
	if (jobs != -1)
		close(jobs);
	f->means = NULL;
}
