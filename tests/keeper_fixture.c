/* Owns the keeper that tests talk to: a process, its directory, its answers. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "common/apierr.h"
#include "common/log.h"
#include "common/sqlvfs.h"
#include "keeper/catalog.h"
#include "tests/keeper_fixture.h"
#include "tests/killpoint.h"
#include "tests/tmpdir.h"

char keeper_state[TMPDIR_BYTES];
char keeper_program[4096];

void
keeper_setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	cr_assert_not_null(realpath("anomd-keeper", keeper_program));
	snprintf(keeper_state, sizeof(keeper_state), "/tmp/anomd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(keeper_state));
	cr_assert_eq(chdir(keeper_state), 0);
}

void
keeper_teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(keeper_state);
}

void
start(struct childproc *c)
{
	childproc_start(c, keeper_program, FROM_KPR, keeper_state);
}

void
stop(struct childproc *c)
{
	int status = childproc_end(c);

	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	cr_expect_eq(WEXITSTATUS(status), 0);
}

uint64_t
expect_done(struct childproc *c, uint32_t request)
{
	struct msg_keep_done done;

	cr_assert_eq(childproc_next(c), MSG_KEEP_DONE);
	cr_assert_eq(c->head.request, request);
	childproc_decode(c, &done);
	return done.incarnation;
}

void
expect_failed(
    struct childproc *c, int status, const char *type, const char *reason)
{
	struct msg_failed failed;
	struct apierr e;
	struct rbuf rb;

	cr_assert_eq(childproc_next(c), MSG_FAILED);
	childproc_decode(c, &failed);
	rbuf_init(&rb, failed.error.p, failed.error.len);
	cr_assert_eq(apierr_decode(&rb, &e), 0);
	cr_expect_eq(e.status, status);
	cr_expect_str_eq(e.link[0].type, type);
	cr_expect_str_eq(e.link[0].reason, reason);
}

void
send_create(struct childproc *c, const char *id)
{
	struct msg_keep_create m = {
		.job_id = span_of(id),
		.config = span_of("{\"a\":1}"),
		.create_time_ms = 1234,
	};

	childproc_send(c, MSG_KEEP_CREATE, 7, &m);
}

uint64_t
create(struct childproc *c, const char *id)
{
	uint64_t incarnation;

	send_create(c, id);
	incarnation = expect_done(c, 7);
	cr_assert_gt(incarnation, 0);
	return incarnation;
}

void
send_delete(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_delete m = { span_of(id), incarnation };

	childproc_send(c, MSG_KEEP_DELETE, 8, &m);
}

bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

const char *
job_path(const char *id, uint64_t incarnation, const char *below)
{
	static char path[256];

	snprintf(path, sizeof(path), "jobs/%s.%ju%s", id,
	    (uintmax_t)incarnation, below);
	return path;
}

void
wait_until_empty(const char *dir)
{
	const struct timespec step = { 0, 5000000 };

	for (int i = 0; i < 2000 && tmpdir_count(dir) != 0; i++)
		nanosleep(&step, NULL);
	cr_expect_eq(tmpdir_count(dir), 0, "%s", dir);
}

void
load_jobs(struct childproc *c, char *ids, size_t len, struct msg_keep_job *last)
{
	static char config[256];
	struct msg_keep_load m = { 0 };
	uint16_t type;

	ids[0] = '\0';
	childproc_send(c, MSG_KEEP_LOAD, 3, &m);
	while ((type = childproc_next(c)) == MSG_KEEP_JOB) {
		char id[80];

		childproc_decode(c, last);
		snprintf(id, sizeof(id), "%.*s ", (int)last->job_id.len,
		    last->job_id.p);
		strlcat(ids, id, len);
		/* The next frame takes the place of this one. */
		snprintf(config, sizeof(config), "%.*s", (int)last->config.len,
		    last->config.p);
		last->config = span_of(config);
		last->job_id = last->model_snapshot_id = last->totals =
		    span_of(NULL);
	}
	cr_assert_eq(type, MSG_KEEP_DONE);
}

void
expect_jobs(struct childproc *c, const char *want)
{
	struct msg_keep_job last;
	char ids[1024];

	load_jobs(c, ids, sizeof(ids), &last);
	cr_expect_str_eq(ids, want);
}

void
edit_catalog(const char *sql)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open_v2(CATALOG_FILE, &db, SQLITE_OPEN_READWRITE,
			 sqlvfs_name()),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s",
	    sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

void
spawn_doomed(struct childproc *c, unsigned n)
{
	char *argv[] = { keeper_program, NULL };

	if (childproc_fork(c, FROM_KPR)) {
		closefrom(4); /* our end: the tracer must not hold it */
		killpoint_exec(keeper_program, argv, n);
	}
}

bool
ask_doomed(struct childproc *c, uint16_t type, const void *m, uint16_t answer)
{
	struct wbuf wb;
	bool sent;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, type, 9, m), 0);
	sent = send(c->fd, wb.data, wb.len, MSG_NOSIGNAL) == (ssize_t)wb.len;
	wbuf_clear(&wb);
	return sent && childproc_next(c) == answer;
}
