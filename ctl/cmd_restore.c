/* Owns the command that makes a state directory of a backup. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/disk.h"
#include "ctl/backup.h"
#include "ctl/command.h"
#include "ctl/dbcopy.h"
#include "ctl/place.h"
#include "ctl/say.h"
#include "ctl/show.h"
#include "keeper/catalog_file.h"

#define STAGE DISK_RESTORE_STAGE
#define LOCK "lock"

struct restore {
	struct ctl *ctl;
	const char *dir, *state_dir; /* borrowed */
	char real[PATH_MAX];	     /* of state_dir, when it is there */
	int from;
	int to;	      /* the state directory; -1: none yet */
	int lock;     /* of it */
	int new_lock; /* of the one that takes its place; -1: none */
	bool replaces;
	struct manifest manifest;
	char why[PLACE_WHY_BYTES];
};

static int
fail(struct restore *r, const char *what)
{
	snprintf(r->why, sizeof(r->why), "%s: %s", what, strerror(errno));
	return -1;
}

/* ---- the backup ---- */

/* All of it, before anything is changed. */
static int
check_backup(struct restore *r)
{
	const struct manifest *m = &r->manifest;
	char why[256];
	size_t nbad = 0;

	r->from = place_open(r->dir, r->why, sizeof(r->why));
	if (r->from == -1)
		return -1;
	if (manifest_read(&r->manifest, r->from, why, sizeof(why)) == -1) {
		snprintf(r->why, sizeof(r->why),
		    "%s is no finished backup: %.250s", r->dir, why);
		return -1;
	}
	for (size_t i = 0; i < m->nfiles; i++)
		if (manifest_check(&m->file[i], r->from, why, sizeof(why)) ==
		    -1) {
			say_error("%s/%s: %s", r->dir, m->file[i].path, why);
			nbad++;
		}
	if (nbad == 0)
		return 0;
	snprintf(r->why, sizeof(r->why),
	    "%zu files of %s are damaged: nothing is changed; take another "
	    "backup",
	    nbad, r->dir);
	return -1;
}

/* ---- the state directory ---- */

/* A rename cannot move what another file system is mounted on. */
static int
check_movable(struct restore *r)
{
	struct stat at, above;

	if (fstat(r->to, &at) == -1 || fstatat(r->to, "..", &above, 0) == -1)
		return fail(r, r->state_dir);
	if (at.st_dev == above.st_dev)
		return 0;
	snprintf(r->why, sizeof(r->why),
	    "%.400s is not empty, and is a mount point, which cannot be moved "
	    "aside: move what is in it to another place",
	    r->state_dir);
	return -1;
}

static int
aside_path(struct restore *r, char path[PATH_MAX])
{
	time_t now = time(NULL);
	struct tm tm;
	size_t n = strlcpy(path, r->state_dir, PATH_MAX);

	if (n + 32 >= PATH_MAX || gmtime_r(&now, &tm) == NULL) {
		errno = ENAMETOOLONG;
		return fail(r, r->state_dir);
	}
	strftime(path + n, PATH_MAX - n, ".before-%Y%m%dT%H%M%SZ", &tm);
	return 0;
}

static int
sync_parent(struct restore *r)
{
	int fd = openat(r->to, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd == -1 ? -1 : fsync(fd);

	if (rc == -1)
		fail(r, r->state_dir);
	if (fd != -1)
		close(fd);
	return rc;
}

/* What is complete takes the place of what is there, by two renames. */
static int
change_places(struct restore *r, int stage)
{
	char path[PATH_MAX];

	r->new_lock = backup_lock(stage);
	if (r->new_lock == -1)
		return fail(r, LOCK);
	if (aside_path(r, path) == -1)
		return -1;
	if (rename(r->state_dir, path) == -1)
		return fail(r, "it cannot be moved aside");
	if (renameat(r->to, STAGE, AT_FDCWD, r->state_dir) == -1) {
		fail(r, r->state_dir);
		(void)rename(path, r->state_dir);
		return -1;
	}
	say_note("what was there is in %s now", path);
	return sync_parent(r);
}

/* The backup itself may be anybody's; what is in it is the daemon's. */
static int
own_like_backup(struct restore *r)
{
	int like = copy_open_dir(r->from, BACKUP_JOBS), rc;

	if (like == -1)
		return -1;
	rc = copy_owner(r->to, like);
	close(like);
	return rc;
}

static int
take_place(struct restore *r)
{
	static const char *const ours[] = { LOCK, STAGE, NULL };
	bool made = mkdir(r->state_dir, 0700) == 0;

	if (!made && errno != EEXIST)
		return fail(r, r->state_dir);
	/* It is the directory that is moved aside, not a link to it. */
	if (realpath(r->state_dir, r->real) == NULL)
		return fail(r, r->state_dir);
	r->state_dir = r->real;
	r->to = place_open(r->state_dir, r->why, sizeof(r->why));
	if (r->to == -1)
		return -1;
	if (made && own_like_backup(r) == -1)
		return fail(r, r->state_dir);
	r->lock = backup_lock(r->to);
	if (r->lock == -1 && errno == EWOULDBLOCK) {
		snprintf(r->why, sizeof(r->why),
		    "a daemon uses %s: stop it first", r->state_dir);
		return -1;
	}
	if (r->lock == -1)
		return fail(r, LOCK);
	if (place_is_empty(r->to, ours))
		return 0;
	r->replaces = args_has(r->ctl->args, "replace");
	if (r->replaces)
		return check_movable(r);
	snprintf(r->why, sizeof(r->why),
	    "%s is not empty; --replace moves aside what is there",
	    r->state_dir);
	return -1;
}

/* ---- copying ---- */

/* Directories of a path, each like that of the backup. Returns the last. */
static int
make_dirs(int from, int to, const char *path, const char **name)
{
	int in = dup(from), out = dup(to);
	char part[NAME_MAX + 1];
	size_t len;

	while (in != -1 && out != -1 && path[len = strcspn(path, "/")] == '/') {
		int next_in = -1, next_out = -1;

		if (len < sizeof(part)) {
			memcpy(part, path, len);
			part[len] = '\0';
			next_in = copy_open_dir(in, part);
			if (next_in != -1)
				next_out = copy_make_dir(out, part, next_in);
		} else {
			errno = ENAMETOOLONG;
		}
		close(in);
		close(out);
		in = next_in;
		out = next_out;
		path += len + 1;
	}
	if (in != -1)
		close(in);
	*name = path;
	return out;
}

static bool
is_database(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && strcmp(name + len - 3, ".db") == 0;
}

static int
restore_file(struct restore *r, int stage, const struct manifest_file *f)
{
	struct copy_sum sum;
	const char *name;
	int dir = make_dirs(r->from, stage, f->path, &name), rc = -1;

	if (dir == -1)
		return fail(r, f->path);
	if (copy_file(r->from, f->path, dir, name, &sum) == -1) {
		fail(r, f->path);
	} else if (sum.size != f->sum.size || sum.crc != f->sum.crc) {
		errno = EBADMSG;
		fail(r, f->path);
	} else if (is_database(name) && dbcopy_revive(dir, name) == -1) {
		fail(r, f->path);
	} else if (fsync(dir) == -1) {
		fail(r, f->path);
	} else {
		rc = 0;
	}
	close(dir);
	return rc;
}

/* Directories that have no file are part of a job, too. */
static int
restore_dirs(struct restore *r, int from, int to, int depth)
{
	char **names = NULL;
	int n = copy_names(from, &names), rc = 0;

	if (n == -1)
		return fail(r, r->dir);
	for (int i = 0; rc == 0 && i < n; i++) {
		int in = copy_open_dir(from, names[i]), out = -1;

		if (in == -1)
			continue; /* a file */
		out = copy_make_dir(to, names[i], in);
		if (out == -1)
			rc = fail(r, names[i]);
		else if (depth > 1)
			rc = restore_dirs(r, in, out, depth - 1);
		if (rc == 0 && fsync(out) == -1)
			rc = fail(r, names[i]);
		if (out != -1)
			close(out);
		close(in);
	}
	copy_free_names(names, n);
	return rc;
}

/* The catalogue last: without it there is no job. */
static int
publish(struct restore *r, int stage)
{
	static const char *const names[] = { BACKUP_JOBS, BACKUP_CATALOG "-wal",
		BACKUP_CATALOG "-shm", CATALOG_COPY, BACKUP_CATALOG };

	for (size_t i = 0; i < NELEM(names); i++)
		if (renameat(stage, names[i], r->to, names[i]) == -1)
			return fail(r, names[i]);
	if (unlinkat(r->to, STAGE, AT_REMOVEDIR) == -1)
		return fail(r, STAGE);
	if (fsync(r->to) == -1)
		return fail(r, r->state_dir);
	return 0;
}

/* The daemon's user must be able to take it. */
static int
own_lock(struct restore *r)
{
	int lock = r->replaces ? r->new_lock : r->lock;

	if (copy_owner(lock, r->to) == 0 && fchmod(lock, 0600) == -1)
		return fail(r, LOCK);
	return 0;
}

static int
fill_stage(struct restore *r, int stage)
{
	const struct manifest *m = &r->manifest;
	int rc = restore_dirs(r, r->from, stage, 3);
	struct copy_sum sum;

	for (size_t i = 0; rc == 0 && i < m->nfiles; i++)
		rc = restore_file(r, stage, &m->file[i]);
	/* As the daemon keeps it: it has the same changes. */
	if (rc == 0 &&
	    copy_file(r->from, BACKUP_CATALOG, stage, CATALOG_COPY, &sum) == -1)
		rc = fail(r, CATALOG_COPY);
	if (rc == 0 && fsync(stage) == -1)
		rc = fail(r, STAGE);
	return rc;
}

/* Until all of it is there, nothing else in the directory is touched. */
static int
restore_all(struct restore *r)
{
	int stage, rc;

	if (copy_remove_tree(r->to, STAGE) == -1)
		return fail(r, STAGE);
	stage = copy_make_dir(r->to, STAGE, r->to);
	if (stage == -1)
		return fail(r, STAGE);
	rc = fill_stage(r, stage);
	if (rc == -1 && copy_remove_tree(r->to, STAGE) == -1)
		say_error("restore: remove %s/" STAGE, r->state_dir);
	if (rc == 0)
		rc = r->replaces ? change_places(r, stage) : publish(r, stage);
	if (rc == 0)
		rc = own_lock(r);
	close(stage);
	return rc;
}

int
cmd_restore(struct ctl *ctl)
{
	const struct args *a = ctl->args;
	struct restore r = { .ctl = ctl,
		.dir = a->operand[0],
		.state_dir =
		    place_state_dir(a->noperands > 1 ? a->operand[1] : NULL),
		.from = -1,
		.to = -1,
		.lock = -1,
		.new_lock = -1 };
	int status = CTL_FAILED;

	if (check_backup(&r) == 0 && take_place(&r) == 0 &&
	    restore_all(&r) == 0) {
		for (size_t i = 0; i < r.manifest.nleft_out; i++)
			say_error(
			    "restore: job %s was left out of the backup: "
			    "it has no directory; delete it by force, or "
			    "bring its directory back from another backup",
			    r.manifest.left_out[i]);
		say_note("%s has %zu files of %s", r.state_dir,
		    r.manifest.nfiles, r.dir);
		status = r.manifest.nleft_out == 0 ? CTL_OK : CTL_FAILED;
	} else {
		show_failure(ctl, r.why);
	}
	manifest_clear(&r.manifest);
	if (r.new_lock != -1)
		close(r.new_lock);
	if (r.lock != -1)
		close(r.lock);
	if (r.to != -1)
		close(r.to);
	if (r.from != -1)
		close(r.from);
	return status;
}
