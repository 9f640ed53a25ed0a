/* Owns the command that looks over a state directory or a backup. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/backup.h"
#include "ctl/command.h"
#include "ctl/faults.h"
#include "ctl/place.h"
#include "ctl/say.h"
#include "ctl/show.h"
#include "ctl/verify_catalog.h"
#include "ctl/verify_job.h"
#include "keeper/catalog_file.h"
#include "keeper/jobdirs.h"

enum {
	VERIFY_DAMAGED = 1,
	VERIFY_FAILED = 2,
};

static void
verify_jobs(struct faults *f, int dirfd)
{
	int jobs = copy_open_dir(dirfd, BACKUP_JOBS), n = -1;
	char **names = NULL;

	if (jobs != -1)
		n = copy_names(jobs, &names);
	if (n == -1) {
		/* Without it there is no state at all. */
		f->nunread++;
		say_error(
		    "verify: %s/" BACKUP_JOBS ": %s", f->dir, strerror(errno));
	}
	for (int i = 0; i < n; i++)
		/* A lost+found is not ours. */
		if (jobdirs_incarnation(names[i]) != 0)
			verify_job(f, jobs, names[i]);
	copy_free_names(names, n == -1 ? 0 : n);
	if (jobs != -1)
		close(jobs);
}

static void
check_files(struct faults *f, const struct manifest *m, int dirfd)
{
	char why[256];

	for (size_t i = 0; i < m->nfiles; i++) {
		if (manifest_check(&m->file[i], dirfd, why, sizeof(why)) == 0)
			continue;
		if (errno == EBADMSG || errno == ENOENT)
			faults_report(f, m->file[i].path, 0, why);
		else
			faults_looked(f, m->file[i].path, -1);
	}
}

/*
 * Are the files those that were copied? Returns 0, with the jobs that are not
 * in it added to left_out; or -1: it cannot be told.
 */
static int
verify_manifest(struct faults *f, int dirfd, struct joblist *left_out)
{
	struct manifest m = { 0 };
	char why[256];
	int rc = 0;

	f->means = "restore refuses this backup: take another one";
	if (manifest_read(&m, dirfd, why, sizeof(why)) == 0) {
		check_files(f, &m, dirfd);
	} else if (errno == EBADMSG) {
		faults_report(f, MANIFEST_FILE, 0, why);
	} else {
		say_error("verify: %s: %s", f->dir, why);
		rc = -1;
	}
	for (size_t i = 0; rc == 0 && i < m.nleft_out; i++) {
		say_error("verify: job %s was left out of this backup",
		    m.left_out[i]);
		rc = joblist_add(left_out, m.left_out[i]);
	}
	f->means = NULL;
	manifest_clear(&m);
	return rc;
}

/* Without a manifest: it has the catalogue, and no copy, as a backup has. */
static bool
looks_like_backup(const struct faults *f, int dirfd)
{
	return !f->is_backup &&
	    faccessat(dirfd, BACKUP_CATALOG, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    faccessat(dirfd, CATALOG_COPY, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT;
}

static int
verify_dir(struct faults *f, int dirfd)
{
	struct joblist left_out = { 0 };
	int rc = 0;

	f->is_backup =
	    faccessat(dirfd, MANIFEST_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (f->is_backup)
		rc = verify_manifest(f, dirfd, &left_out);
	if (rc == 0) {
		verify_catalog(f, dirfd, &left_out);
		verify_jobs(f, dirfd);
	}
	joblist_clear(&left_out);
	if (rc == -1 || f->nunread > 0)
		return VERIFY_FAILED;
	if (f->nfaults > 0) {
		if (looks_like_backup(f, dirfd))
			say_note("%s: if this is a backup, it lacks "
				 "its " MANIFEST_FILE ": restore refuses it",
			    f->dir);
		return VERIFY_DAMAGED;
	}
	say_note("%s: %zu files are whole", f->dir, f->nfiles);
	return CTL_OK;
}

int
cmd_verify(struct ctl *ctl)
{
	const struct args *a = ctl->args;
	struct faults f = { .dir = place_state_dir(
				a->noperands > 0 ? a->operand[0] : NULL) };
	char why[PLACE_WHY_BYTES];
	int dirfd = place_open_any(f.dir, why, sizeof(why)), status;

	if (dirfd == -1) {
		show_failure(ctl, why);
		return VERIFY_FAILED;
	}
	status = verify_dir(&f, dirfd);
	close(dirfd);
	return status;
}
