/* Owns the command that looks over a state directory or a backup. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/resultsdb.h"
#include "common/snapfile.h"
#include "ctl/backup.h"
#include "ctl/command.h"
#include "ctl/inspect.h"
#include "ctl/place.h"
#include "ctl/say.h"
#include "ctl/show.h"

enum {
	VERIFY_DAMAGED = 1,
	VERIFY_FAILED = 2,
};

#define PATH_BYTES 256
#define NUMBER_DIGITS 20 /* that names of segments and snapshots begin with */

struct verify {
	const char *dir; /* borrowed */
	bool is_backup;
	size_t nfiles, ndamaged, nunread;
};

static void
report_cb(void *arg, const char *path, uint64_t offset, const char *what)
{
	struct verify *v = arg;

	v->ndamaged++;
	say_text(stdout, v->dir);
	putchar('/');
	say_text(stdout, path);
	printf(": byte %" PRIu64 ": ", offset);
	say_text(stdout, what);
	putchar('\n');
}

/* A file that went away while a daemon is at work was not needed any more. */
static void
judge(struct verify *v, const char *path, int rc)
{
	if (rc == -1 && errno == ENOENT && !v->is_backup)
		return;
	v->nfiles++;
	if (rc != -1)
		return;
	v->nunread++;
	say_error("verify: %s/%s: %s", v->dir, path, strerror(errno));
}

/* The number that a name begins with, 0 when it does not. */
static uint64_t
number_of(const char *name)
{
	return strspn(name, "0123456789") == NUMBER_DIGITS
	    ? strtoull(name, NULL, 10)
	    : 0;
}

/* That of the next segment: another form of the same one has the same. */
static uint64_t
next_number(char **names, int n, int i)
{
	uint64_t seq = number_of(names[i]);

	while (++i < n)
		if (number_of(names[i]) > seq)
			return number_of(names[i]);
	return 0;
}

/* ---- a job ---- */

/* One directory of a job; they have no other directories in them. */
/* A state of the job that can be loaded. */
static bool
is_state(const char *name)
{
	return snapfile_number(name, SNAPFILE_SNAP) != 0 ||
	    snapfile_number(name, SNAPFILE_BASE) != 0 ||
	    snapfile_number(name, SNAPFILE_PREV) != 0;
}

static void
verify_numbered(struct verify *v, int job, const char *name, const char *dir)
{
	char path[PATH_BYTES], **names = NULL;
	int fd = copy_open_dir(job, dir), n = -1, rc;

	if (fd != -1)
		n = copy_names(fd, &names);
	if (n == -1) {
		snprintf(
		    path, sizeof(path), BACKUP_JOBS "/%.100s/%s", name, dir);
		judge(v, path, -1);
	}
	for (int i = 0; i < n; i++) {
		if (number_of(names[i]) == 0)
			continue;
		snprintf(path, sizeof(path), BACKUP_JOBS "/%.100s/%s/%.100s",
		    name, dir, names[i]);
		if (strcmp(dir, "journal") == 0)
			rc = inspect_segment(fd, names[i], path,
			    next_number(names, n, i), report_cb, v);
		else if (is_state(names[i]))
			rc = inspect_snapshot(fd, names[i], path, report_cb, v);
		else
			continue;
		judge(v, path, rc);
	}
	copy_free_names(names, n == -1 ? 0 : n);
	if (fd != -1)
		close(fd);
}

static void
verify_results(struct verify *v, int job, const char *name)
{
	char path[PATH_BYTES];
	int fd = copy_open_dir(job, BACKUP_RESULTS);

	snprintf(path, sizeof(path),
	    BACKUP_JOBS "/%.100s/" BACKUP_RESULTS "/" RESULTSDB_FILE, name);
	if (fd == -1) {
		judge(v, path, -1);
		return;
	}
	/* A job that has had no result yet has none. */
	if (faccessat(fd, RESULTSDB_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		judge(v, path,
		    inspect_database(fd, RESULTSDB_FILE, path, report_cb, v));
	else if (errno != ENOENT)
		judge(v, path, -1);
	close(fd);
}

static void
verify_jobs(struct verify *v, int dirfd)
{
	int jobs = copy_open_dir(dirfd, BACKUP_JOBS), n = -1;
	char **names = NULL;

	if (jobs != -1)
		n = copy_names(jobs, &names);
	if (n == -1) {
		/* Without it there is no state at all. */
		v->nunread++;
		say_error(
		    "verify: %s/" BACKUP_JOBS ": %s", v->dir, strerror(errno));
	}
	for (int i = 0; i < n; i++) {
		int job = copy_open_dir(jobs, names[i]);

		if (job == -1) {
			if (errno != ENOENT && errno != ENOTDIR)
				judge(v, names[i], -1);
			continue;
		}
		verify_numbered(v, job, names[i], "snapshots");
		verify_numbered(v, job, names[i], "journal");
		verify_results(v, job, names[i]);
		close(job);
	}
	copy_free_names(names, n == -1 ? 0 : n);
	if (jobs != -1)
		close(jobs);
}

/* ---- the whole ---- */

/* Are the files those that were copied? Returns 0, or -1: it cannot be told. */
static int
verify_manifest(struct verify *v, int dirfd)
{
	struct manifest m = { 0 };
	char why[256];

	if (manifest_read(&m, dirfd, why, sizeof(why)) == -1) {
		bool damaged = errno == EBADMSG;

		manifest_clear(&m);
		if (damaged) {
			report_cb(v, MANIFEST_FILE, 0, why);
			return 0;
		}
		say_error("verify: %s: %s", v->dir, why);
		return -1;
	}
	for (size_t i = 0; i < m.nfiles; i++) {
		if (manifest_check(&m.file[i], dirfd, why, sizeof(why)) == 0)
			continue;
		if (errno == EBADMSG || errno == ENOENT)
			report_cb(v, m.file[i].path, 0, why);
		else
			judge(v, m.file[i].path, -1);
	}
	for (size_t i = 0; i < m.nleft_out; i++)
		say_error("verify: job %s was left out of this backup",
		    m.left_out[i]);
	manifest_clear(&m);
	return 0;
}

static int
verify_dir(struct verify *v, int dirfd)
{
	v->is_backup =
	    faccessat(dirfd, MANIFEST_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (v->is_backup && verify_manifest(v, dirfd) == -1)
		return VERIFY_FAILED;
	judge(v, BACKUP_CATALOG,
	    inspect_database(
		dirfd, BACKUP_CATALOG, BACKUP_CATALOG, report_cb, v));
	verify_jobs(v, dirfd);
	if (v->nunread > 0)
		return VERIFY_FAILED;
	if (v->ndamaged > 0)
		return VERIFY_DAMAGED;
	say_note("%s: %zu files are whole", v->dir, v->nfiles);
	return CTL_OK;
}

int
cmd_verify(struct ctl *ctl)
{
	const struct args *a = ctl->args;
	struct verify v = { .dir = place_state_dir(
				a->noperands > 0 ? a->operand[0] : NULL) };
	char why[PLACE_WHY_BYTES];
	int dirfd = place_open_state(v.dir, why, sizeof(why)), status;

	if (dirfd == -1) {
		show_failure(ctl, why);
		return VERIFY_FAILED;
	}
	status = verify_dir(&v, dirfd);
	close(dirfd);
	return status;
}
