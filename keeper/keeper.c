/* Owns the keeper process: its start, and the requests it answers. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/serve.h"
#include "keeper/catalog.h"
#include "keeper/jobdirs.h"
#include "keeper/keeper.h"
#include "keeper/room.h"
#include "keeper/secrets.h"
#include "keeper/settings.h"

/*
 * The keeper of a supervisor that was killed ends when it notices; a new one
 * waits for that.
 */
#define LOCK_WAIT_MS 5000
#define LOCK_STEP_MS 20

struct keeper {
	int lock; /* the state directory, locked; -1 */
	struct catalog *catalog;
	struct jobdirs *dirs;
	struct room *room;
	struct secrets *secrets;
	struct serve *serve;
	uint32_t request; /* while KEEP_LOAD is answered */
};

/* Start */

static int
lock_take(int fd, const char *dir)
{
	const struct timespec step = { 0, LOCK_STEP_MS * 1000000 };

	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) == -1;
	     ms += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK) {
			log_warn("lock %s", dir);
			return -1;
		}
		if (ms >= LOCK_WAIT_MS) {
			log_warnx("%s is in use by another anomd", dir);
			return -1;
		}
		nanosleep(&step, NULL);
	}
	return 0;
}

static int
state_enter(struct keeper *k, const char *dir)
{
	bool made = mkdir(dir, 0700) == 0;

	if (!made && errno != EEXIST) {
		log_warn("state directory %s", dir);
		return -1;
	}
	k->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->lock == -1 || chdir(dir) == -1 || access(".", W_OK) == -1) {
		log_warn("state directory %s", dir);
		return -1;
	}
	/* Its parent may be closed to us, and is not ours to fail for. */
	if (made && disk_sync_dir("..") == -1)
		log_warn("state directory %s: its name may not last", dir);
	return lock_take(k->lock, dir);
}

/* What is half there must not be taken for a new directory without jobs. */
static int
check_restored(const char *dir)
{
	if (faccessat(AT_FDCWD, DISK_RESTORE_STAGE, F_OK,
		AT_SYMLINK_NOFOLLOW) == -1 ||
	    faccessat(AT_FDCWD, CATALOG_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	log_warnx("state directory %s: the restore of a backup was not "
		  "finished: do it again, with --replace",
	    dir);
	return -1;
}

/* A job without its directory: deleted half-way, or lost. */
static int
check_row(void *arg, const struct msg_keep_job *job, bool deleted)
{
	struct keeper *k = arg;
	char name[JOBDIR_NAME_BYTES];

	jobdirs_name(name, job->job_id.p, job->job_id.len, job->incarnation);
	if (!deleted && !jobdirs_has(k->dirs, name))
		log_warnx("job %.*s: its directory jobs/%s is missing",
		    (int)job->job_id.len, job->job_id.p, name);
	return 0;
}

struct deleted {
	size_t n;
	uint64_t *incarnation; /* owned */
	struct keeper *k;
};

static int
collect_deleted(void *arg, const struct msg_keep_job *job, bool deleted)
{
	struct deleted *d = arg;
	char name[JOBDIR_NAME_BYTES];
	uint64_t *list;

	if (!deleted)
		return 0;
	jobdirs_name(name, job->job_id.p, job->job_id.len, job->incarnation);
	/* One that stays must not keep all others from being served. */
	if (jobdirs_discard(d->k->dirs, name) == -1) {
		log_warn("jobs/%s stays until the next start", name);
		return 0;
	}
	list = reallocarray(d->incarnation, d->n + 1, sizeof(*list));
	if (list == NULL)
		return -1;
	d->incarnation = list;
	list[d->n++] = job->incarnation;
	return 0;
}

/* Go on with the deletions that a crash has cut off. */
static int
finish_deletions(struct keeper *k)
{
	struct deleted d = { .k = k };
	int rc = catalog_each(k->catalog, collect_deleted, &d);

	for (size_t i = 0; rc == 0 && i < d.n; i++)
		rc = catalog_remove(k->catalog, d.incarnation[i]);
	free(d.incarnation);
	return rc;
}

/* Numbers that directories have are not given again. */
static int
skip_number(void *arg, const char *name)
{
	struct keeper *k = arg;

	return catalog_skip_to(k->catalog, jobdirs_incarnation(name));
}

/*
 * A directory without a row was made by a creation that was cut off, and has
 * nothing in it. With data in it, it is the catalogue that has lost something:
 * nobody has asked to delete that job. What is no directory or not named like
 * a job's (lost+found) is none of ours.
 */
static int
check_directory(void *arg, const char *name)
{
	uint64_t incarnation = jobdirs_incarnation(name);
	struct keeper *k = arg;
	bool has;

	if (incarnation == 0 || !jobdirs_has(k->dirs, name)) {
		char text[NAME_MAX + 1];

		log_info("jobs/%s is not the directory of a job",
		    log_escape(text, sizeof(text), name, strlen(name)));
		return 0;
	}
	if (catalog_skip_to(k->catalog, incarnation) == -1 ||
	    catalog_has(k->catalog, incarnation, &has) == -1)
		return -1;
	if (has)
		return 0;
	if (jobdirs_remove_empty(k->dirs, name))
		log_info("jobs/%s was left by a creation: removed", name);
	else
		log_warnx("jobs/%s has data and belongs to no job in "
			  "catalog.db: it is left alone",
		    name);
	return 0;
}

static int
keeper_start(void *arg, const struct msg_hello *hello)
{
	struct sandbox_path path = { .writable = true };
	struct keeper *k = arg;
	char *dir;
	int rc = -1;

	log_init("anomd-keeper", (enum log_level)hello->log_level);
	dir = span_dup(hello->path);
	k->secrets = secrets_start(k->serve);
	if (dir == NULL || k->secrets == NULL || state_enter(k, dir) == -1 ||
	    check_restored(dir) == -1)
		goto out;
	umask(077);
	/* Before all else that needs some, for the disk may be full. */
	k->room =
	    room_open(k->lock, hello->min_free_bytes, hello->reserve_bytes);
	if (k->room == NULL)
		goto out;
	k->dirs = jobdirs_open();
	k->catalog = catalog_open();
	if (k->dirs == NULL || k->catalog == NULL)
		goto out;
	/* jobs/ and catalog.db themselves, before anything in them is kept. */
	if (fsync(k->lock) == -1) {
		log_warn("%s", dir);
		goto out;
	}
	path.path = dir;
	if (sandbox_enter(SANDBOX_KEEPER, &path, 1) == -1)
		goto out;
	if (secrets_open(k->secrets, catalog_db(k->catalog)) == -1 ||
	    jobdirs_each_trash(k->dirs, skip_number, k) == -1 ||
	    finish_deletions(k) == -1 ||
	    jobdirs_each(k->dirs, check_directory, k) == -1 ||
	    catalog_each(k->catalog, check_row, k) == -1) {
		log_warn("%s", dir);
		goto out;
	}
	rc = 0;
out:
	free(dir);
	return rc;
}

/* Requests */

static int
done(struct serve *s, uint32_t request, uint64_t incarnation)
{
	struct msg_keep_done m = { .incarnation = incarnation };

	return serve_send(s, MSG_KEEP_DONE, request, &m);
}

/* What failed, as the client is told it. */
static int
failed(struct serve *s, uint32_t request, const char *what, struct span job_id)
{
	int error = errno, idlen = (int)job_id.len;
	struct apierr e;

	if (error == EEXIST)
		apierr_set(&e, 400, E_EXISTS,
		    "The job cannot be created with the Id '%.*s'. "
		    "The Id is already used.",
		    idlen, job_id.p);
	else if (error == ENOENT)
		apierr_set(&e, 404, E_NOT_FOUND, "No known job with id '%.*s'",
		    idlen, job_id.p);
	else if (error == ENOSPC || error == EDQUOT)
		apierr_set(&e, 503, E_STATUS,
		    "job [%.*s] cannot be %s: no space left on the disk", idlen,
		    job_id.p, what);
	else
		apierr_set(&e, 500, E_EXCEPTION, "job [%.*s] cannot be %s: %s",
		    idlen, job_id.p, what,
		    error == EBADMSG ? "its row in the catalogue is damaged"
				     : strerror(error));
	if (e.status >= 500)
		log_warnx("job %.*s cannot be %s: %s", idlen, job_id.p, what,
		    strerror(error));
	return serve_fail(s, request, &e);
}

static int
load_one(void *arg, const struct msg_keep_job *job, bool deleted)
{
	struct keeper *k = arg;

	if (deleted)
		return 0;
	if (serve_send(k->serve, MSG_KEEP_JOB, k->request, job) == -1) {
		/* Not what a message can carry: this one job stays out. */
		log_warn("job %.*s is left out", (int)job->job_id.len,
		    job->job_id.p);
		return errno == ENOMEM ? -1 : 0;
	}
	return serve_throttle(k->serve);
}

static int
load_setting(void *arg, const struct msg_keep_setting *m)
{
	struct keeper *k = arg;

	return serve_send(k->serve, MSG_KEEP_SETTING, k->request, m);
}

static int
report_room(struct keeper *k)
{
	struct msg_disk m = { .free_bytes = room_free_bytes(k->room),
		.low = room_is_low(k->room) };

	return serve_send(k->serve, MSG_DISK, 0, &m);
}

static int
on_load(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	struct keeper *k = arg;

	(void)obj;
	k->request = request;
	/* Part of a list is worse than none: the supervisor starts anew. */
	if (report_room(k) == -1 ||
	    settings_each(catalog_database(k->catalog), load_setting, k) ==
		-1 ||
	    secrets_load(k->secrets, request) == -1 ||
	    catalog_each(k->catalog, load_one, k) == -1)
		return -1;
	return done(s, request, 0);
}

/* For a number that was reserved, which is given up if it fails. */
static int
directory_make(struct keeper *k, const char *name)
{
	if (jobdirs_create(k->dirs, name) == 0)
		return 0;
	/* There already: not a job's name that is taken. */
	if (errno == EEXIST)
		errno = EIO;
	catalog_cancel(k->catalog);
	return -1;
}

/* Returns -1 with errno as it was. */
static int
directory_unmake(struct keeper *k, const char *name)
{
	int saved = errno;

	if (jobdirs_discard(k->dirs, name) == -1)
		log_warn("jobs/%s is left over until the next start", name);
	errno = saved;
	return -1;
}

static int
create(struct keeper *k, const struct msg_keep_create *m, uint64_t *incarnation)
{
	char name[JOBDIR_NAME_BYTES];

	if (room_is_short(k->room)) {
		errno = ENOSPC;
		return -1;
	}
	if (catalog_reserve(k->catalog, m->job_id, incarnation) == -1)
		return -1;
	jobdirs_name(name, m->job_id.p, m->job_id.len, *incarnation);
	if (directory_make(k, name) == -1)
		return -1;
	if (catalog_add(k->catalog, m, *incarnation) == -1)
		return directory_unmake(k, name);
	return 0;
}

static int
on_create(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_create *m = obj;
	uint64_t incarnation;

	if (create(arg, m, &incarnation) == -1)
		return failed(s, request, "created", m->job_id);
	return done(s, request, incarnation);
}

static int
on_state(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_state *m = obj;
	struct keeper *k = arg;

	room_need(k->room);
	if (catalog_set_state(k->catalog, m) == -1)
		return failed(s, request, "updated", m->job_id);
	return done(s, request, 0);
}

static int
on_update(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_update *m = obj;
	struct keeper *k = arg;

	room_need(k->room);
	if (catalog_set_config(k->catalog, m) == -1)
		return failed(s, request, "updated", m->job_id);
	return done(s, request, 0);
}

/*
 * What is left of an incarnation whose row is marked. From the mark on it is
 * gone, whatever happens: the next start moves the directory and drops the
 * row. So a failure here is for the log alone.
 */
static void
clear_away(struct keeper *k, struct span job_id, uint64_t incarnation)
{
	char name[JOBDIR_NAME_BYTES];

	jobdirs_name(name, job_id.p, job_id.len, incarnation);
	if (jobdirs_discard(k->dirs, name) == -1)
		log_warn("jobs/%s stays until the next start", name);
	else if (catalog_remove(k->catalog, incarnation) == -1)
		log_warn("the row of jobs/%s stays until the next start", name);
}

static int
on_delete(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_delete *m = obj;
	struct keeper *k = arg;

	room_need(k->room);
	if (catalog_mark_deleted(k->catalog, m->job_id, m->incarnation) == -1)
		return failed(s, request, "deleted", m->job_id);
	clear_away(k, m->job_id, m->incarnation);
	return done(s, request, 0);
}

/*
 * One commit makes the new directory the job's and gives up the old one. Death
 * before it leaves an empty directory without a row, behind it a marked row;
 * the next start takes away either.
 */
static int
reset(struct keeper *k, const struct msg_keep_reset *m, uint64_t *next)
{
	char name[JOBDIR_NAME_BYTES];

	if (catalog_reset_reserve(
		k->catalog, m->job_id, m->incarnation, next) == -1)
		return errno == EALREADY ? 0 : -1;
	jobdirs_name(name, m->job_id.p, m->job_id.len, *next);
	if (directory_make(k, name) == -1)
		return -1;
	if (catalog_reset(k->catalog, m->job_id, m->incarnation, *next) == -1)
		return directory_unmake(k, name);
	clear_away(k, m->job_id, m->incarnation);
	return 0;
}

static int
on_reset(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_reset *m = obj;
	struct keeper *k = arg;
	uint64_t next;

	room_need(k->room);
	if (reset(k, m, &next) == -1)
		return failed(s, request, "reset", m->job_id);
	return done(s, request, next);
}

static int
on_setting(struct serve *s, void *arg, uint32_t request, const void *obj)
{
	const struct msg_keep_setting *m = obj;
	struct keeper *k = arg;
	struct apierr e;

	room_need(k->room);
	if (settings_put(catalog_database(k->catalog), m) == 0)
		return done(s, request, 0);
	apierr_set(&e, errno == ENOSPC || errno == EDQUOT ? 503 : 500,
	    errno == ENOSPC || errno == EDQUOT ? E_STATUS : E_EXCEPTION,
	    "the setting [%.*s] cannot be stored: %s", (int)m->name.len,
	    m->name.p, strerror(errno));
	return serve_fail(s, request, &e);
}

static bool
keeper_idle(void *arg)
{
	struct keeper *k = arg;

	secrets_idle(k->secrets);
	/* Unsent, it is out of memory: the next change tells as well. */
	if (room_look(k->room) && report_room(k) == -1)
		log_warn("the room on the disk is not reported");
	if (!room_is_low(k->room))
		catalog_idle(k->catalog);
	return jobdirs_purge(k->dirs);
}

struct secrets *
keeper_secrets(void *arg)
{
	struct keeper *k = arg;

	return k->secrets;
}

static const struct serve_entry entries[] = {
	{ MSG_KEEP_LOAD, on_load },
	{ MSG_KEEP_CREATE, on_create },
	{ MSG_KEEP_STATE, on_state },
	{ MSG_KEEP_DELETE, on_delete },
	{ MSG_KEEP_UPDATE, on_update },
	{ MSG_KEEP_RESET, on_reset },
	{ MSG_KEEP_SETTING, on_setting },
	{ MSG_KEEP_USER_PUT, secrets_on_user_put },
	{ MSG_KEEP_USER_DELETE, secrets_on_user_delete },
	{ MSG_KEEP_KEY_PUT, secrets_on_key_put },
	{ MSG_KEEP_HASH, secrets_on_hash },
	{ MSG_KEEP_VERIFY, secrets_on_verify },
};

static const struct serve_role role = {
	.from = FROM_KPR,
	.first = MSG_KEEP_LOAD,
	.last = MSG_KEEP_VERIFIED,
	.nentries = NELEM(entries),
	.entries = entries,
	.start = keeper_start,
	.idle = keeper_idle,
	.look_ms = ROOM_LOOK_MS,
};

int
keeper_main(int fd)
{
	struct keeper k = { .lock = -1 };
	struct serve *s = serve_new(fd, &role, &k);
	int rc;

	if (s == NULL) {
		log_warn("cannot serve");
		return 1;
	}
	k.serve = s;
	rc = serve_run(s);
	secrets_free(k.secrets);
	serve_free(s);
	catalog_close(k.catalog);
	jobdirs_close(k.dirs);
	room_free(k.room);
	if (k.lock != -1)
		close(k.lock);
	return rc == -1 ? 1 : 0;
}
