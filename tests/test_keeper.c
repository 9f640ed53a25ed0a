/* The keeper: the real process on a state directory of its own. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "common/apierr.h"
#include "common/log.h"
#include "common/sqlvfs.h"
#include "keeper/catalog.h"
#include "keeper/jobdirs.h"
#include "tests/childproc.h"
#include "tests/killpoint.h"
#include "tests/tmpdir.h"

static char state[TMPDIR_BYTES];
static char program[4096];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	cr_assert_not_null(realpath("anomd-keeper", program));
	snprintf(state, sizeof(state), "/tmp/anomd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(state));
	cr_assert_eq(chdir(state), 0);
}

static void
teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(state);
}

TestSuite(keeper, .init = setup, .fini = teardown);

static void
start(struct childproc *c)
{
	childproc_start(c, program, FROM_KPR, state);
}

static void
stop(struct childproc *c)
{
	int status = childproc_end(c);

	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	cr_expect_eq(WEXITSTATUS(status), 0);
}

static uint64_t
expect_done(struct childproc *c, uint32_t request)
{
	struct msg_keep_done done;

	cr_assert_eq(childproc_next(c), MSG_KEEP_DONE);
	cr_assert_eq(c->head.request, request);
	childproc_decode(c, &done);
	return done.incarnation;
}

static void
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

static void
send_create(struct childproc *c, const char *id)
{
	struct msg_keep_create m = {
		.job_id = span_of(id),
		.config = span_of("{\"a\":1}"),
		.create_time_ms = 1234,
	};

	childproc_send(c, MSG_KEEP_CREATE, 7, &m);
}

static uint64_t
create(struct childproc *c, const char *id)
{
	uint64_t incarnation;

	send_create(c, id);
	incarnation = expect_done(c, 7);
	cr_assert_gt(incarnation, 0);
	return incarnation;
}

static void
send_delete(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_delete m = { span_of(id), incarnation };

	childproc_send(c, MSG_KEEP_DELETE, 8, &m);
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static const char *
job_path(const char *id, uint64_t incarnation, const char *below)
{
	static char path[256];

	snprintf(path, sizeof(path), "jobs/%s.%ju%s", id,
	    (uintmax_t)incarnation, below);
	return path;
}

/* The keeper works in the background: wait for what it must come to. */
static void
wait_until_empty(const char *dir)
{
	const struct timespec step = { 0, 5000000 };

	for (int i = 0; i < 2000 && tmpdir_count(dir) != 0; i++)
		nanosleep(&step, NULL);
	cr_expect_eq(tmpdir_count(dir), 0, "%s", dir);
}

/*
 * Read the jobs; the ids in their order, each with a blank behind. Of the
 * spans in last only the configuration is kept, until the next call.
 */
static void
load(struct childproc *c, char *ids, size_t len, struct msg_keep_job *last)
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

static void
expect_jobs(struct childproc *c, const char *want)
{
	struct msg_keep_job last;
	char ids[1024];

	load(c, ids, sizeof(ids), &last);
	cr_expect_str_eq(ids, want);
}

Test(keeper, a_new_state_directory_is_filled)
{
	struct childproc c;
	struct stat st;

	start(&c);
	cr_expect(exists("catalog.db"));
	cr_assert_eq(stat("jobs", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat("trash", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	expect_jobs(&c, "");
	stop(&c);
}

Test(keeper, a_created_job_has_a_directory_and_a_row)
{
	static const char *const parts[] = { "/spool", "/journal", "/snapshots",
		"/quarantine", "/results" };
	struct msg_keep_job job;
	struct childproc c;
	uint64_t inc;
	char ids[64];
	struct stat st;

	start(&c);
	inc = create(&c, "farequote");
	for (size_t i = 0; i < NELEM(parts); i++) {
		cr_assert_eq(stat(job_path("farequote", inc, parts[i]), &st), 0,
		    "%s", parts[i]);
		cr_expect_eq(st.st_mode & 07777, 0700);
	}
	childproc_kill(&c); /* what was answered is on disk */
	start(&c);
	{
		struct msg_keep_load m = { 0 };

		childproc_send(&c, MSG_KEEP_LOAD, 3, &m);
		cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
		childproc_decode(&c, &job);
		cr_expect(span_eq(job.job_id, "farequote"));
		cr_expect(span_eq(job.config, "{\"a\":1}"));
		cr_expect_eq(job.incarnation, inc);
		cr_expect_eq(job.create_time_ms, 1234);
		cr_expect_eq(job.finished_time_ms, TIME_UNSET);
		cr_expect_eq(job.model_snapshot_id.len, 0);
		cr_expect_eq(job.totals.len, 0);
		cr_expect_not(job.wanted_open);
		expect_done(&c, 3);
	}
	load(&c, ids, sizeof(ids), &job);
	cr_expect_str_eq(ids, "farequote ");
	stop(&c);
}

Test(keeper, an_id_is_used_once)
{
	struct childproc c;

	start(&c);
	create(&c, "a");
	send_create(&c, "a");
	expect_failed(&c, 400, E_EXISTS,
	    "The job cannot be created with the Id 'a'. The Id is already "
	    "used.");
	cr_expect_eq(tmpdir_count("jobs"), 1);
	create(&c, "b");
	expect_jobs(&c, "a b ");
	stop(&c);
}

Test(keeper, state_is_kept)
{
	struct msg_keep_state m = {
		.job_id = span_of("a"),
		.finished_time_ms = 99,
		.model_snapshot_id = span_of("1700000000"),
		.wanted_open = true,
		.totals = { "\0\1\2", 3 },
	};
	struct msg_keep_load all = { 0 };
	struct msg_keep_job job;
	struct childproc c;

	start(&c);
	m.incarnation = create(&c, "a");
	childproc_send(&c, MSG_KEEP_STATE, 4, &m);
	cr_expect_eq(expect_done(&c, 4), 0);
	childproc_kill(&c);
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect_eq(job.finished_time_ms, 99);
	cr_expect(span_eq(job.model_snapshot_id, "1700000000"));
	cr_expect(job.wanted_open);
	cr_assert_eq(job.totals.len, 3);
	cr_expect_eq(memcmp(job.totals.p, "\0\1\2", 3), 0);
	expect_done(&c, 3);
	m.incarnation++;
	childproc_send(&c, MSG_KEEP_STATE, 5, &m);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	stop(&c);
}

static void
send_update(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_update m = { span_of(id), incarnation,
		span_of("{\"a\":2}") };

	childproc_send(c, MSG_KEEP_UPDATE, 6, &m);
}

Test(keeper, an_update_replaces_the_configuration_and_nothing_else)
{
	struct msg_keep_state was = {
		.job_id = span_of("a"),
		.finished_time_ms = 99,
		.model_snapshot_id = span_of("s"),
		.totals = { "\0\1\2", 3 },
	};
	struct msg_keep_load all = { 0 };
	struct msg_keep_job job;
	struct childproc c;

	start(&c);
	create(&c, "b");
	was.incarnation = create(&c, "a");
	childproc_send(&c, MSG_KEEP_STATE, 4, &was);
	expect_done(&c, 4);
	send_update(&c, "a", was.incarnation);
	cr_expect_eq(expect_done(&c, 6), 0);
	childproc_kill(&c); /* what was answered is on disk */
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect(span_eq(job.job_id, "a"));
	cr_expect(span_eq(job.config, "{\"a\":2}"));
	cr_expect_eq(job.create_time_ms, 1234);
	cr_expect_eq(job.finished_time_ms, 99);
	cr_expect(span_eq(job.model_snapshot_id, "s"));
	cr_expect_eq(job.totals.len, 3);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect(span_eq(job.config, "{\"a\":1}"), "the other job");
	expect_done(&c, 3);
	stop(&c);
}

Test(keeper, only_the_job_that_is_meant_is_updated)
{
	struct childproc c;
	uint64_t inc;

	start(&c);
	inc = create(&c, "a");
	send_update(&c, "a", inc + 1);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	send_update(&c, "b", inc);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'b'");
	send_delete(&c, "a", inc);
	expect_done(&c, 8);
	send_update(&c, "a", inc);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	stop(&c);
}

Test(keeper, a_deleted_job_leaves_nothing)
{
	struct childproc c;
	uint64_t first, second;
	char path[512];

	start(&c);
	first = create(&c, "a");
	/* Files, and a link that must be removed and not followed. */
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "%s/f%d",
		    job_path("a", first, "/spool"), i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	close(open("outside", O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(mkdir("outdir", 0700), 0);
	close(open("outdir/kept", O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(
	    symlink("../../../outside", job_path("a", first, "/spool/l")), 0);
	cr_assert_eq(
	    symlink("../../../outdir", job_path("a", first, "/spool/d")), 0);
	send_delete(&c, "a", first);
	expect_done(&c, 8);
	cr_expect_not(exists(job_path("a", first, "")));
	expect_jobs(&c, "");
	second = create(&c, "a");
	cr_expect_gt(second, first);
	wait_until_empty("trash");
	cr_expect(exists("outside"));
	cr_expect(exists("outdir/kept"));
	cr_expect(exists(job_path("a", second, "")));
	send_delete(&c, "a", first);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	send_delete(&c, "b", second);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'b'");
	expect_jobs(&c, "a ");
	stop(&c);
}

static void
edit_catalog(const char *sql)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open_v2("catalog.db", &db, SQLITE_OPEN_READWRITE,
			 sqlvfs_name()),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s",
	    sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

/* Marked, and killed before the directory was moved. */
Test(keeper, a_deletion_that_was_cut_off_is_finished)
{
	struct msg_keep_delete m = { span_of("a"), 0 };
	struct catalog *cat;
	struct childproc c;

	start(&c);
	m.incarnation = create(&c, "a");
	create(&c, "b");
	stop(&c);
	cat = catalog_open();
	cr_assert_not_null(cat);
	cr_assert_eq(catalog_mark_deleted(cat, m.job_id, m.incarnation), 0);
	catalog_close(cat);
	start(&c);
	expect_jobs(&c, "b ");
	cr_expect_not(exists(job_path("a", m.incarnation, "")));
	wait_until_empty("trash");
	create(&c, "a");
	stop(&c);
}

/* Directory made, and killed before the row was written. */
Test(keeper, an_empty_directory_without_a_row_is_removed)
{
	struct childproc c;
	uint64_t first;

	start(&c);
	first = create(&c, "a");
	stop(&c);
	cr_assert_eq(mkdir(job_path("b", first + 1, ""), 0700), 0);
	cr_assert_eq(mkdir("jobs/lost+found", 0700), 0);
	cr_assert_eq(mkdir("trash/c.77", 0700), 0);
	cr_assert_eq(mkdir("trash/c.77/spool", 0700), 0);
	start(&c);
	wait_until_empty("trash");
	cr_expect_not(exists(job_path("b", first + 1, "")));
	cr_expect(exists("jobs/lost+found"));
	cr_expect(exists(job_path("a", first, "")));
	/* A number that a directory has had is never given again. */
	cr_expect_eq(create(&c, "b"), 78);
	stop(&c);
}

/* The catalogue has lost it: nobody has asked to delete the data. */
Test(keeper, data_without_a_row_is_left_alone)
{
	char kept[512];
	struct childproc c;
	uint64_t inc;

	start(&c);
	stop(&c);
	cr_assert_eq(rename("catalog.db", "older"), 0);
	start(&c);
	inc = create(&c, "a");
	strlcpy(kept, job_path("a", inc, "/journal/1"), sizeof(kept));
	close(open(kept, O_CREAT | O_WRONLY, 0600));
	stop(&c);
	tmpdir_remove("catalog.db");
	cr_assert_eq(rename("older", "catalog.db"), 0);
	start(&c);
	expect_jobs(&c, "");
	cr_expect(exists(kept));
	cr_expect(exists(job_path("a", inc, "/spool")));
	cr_expect_eq(create(&c, "a"), inc + 1);
	stop(&c);
}

Test(keeper, a_link_in_place_of_a_directory_is_removed_itself)
{
	struct childproc c;
	uint64_t inc;

	start(&c);
	inc = create(&c, "a");
	stop(&c);
	tmpdir_purge(job_path("a", inc, ""));
	cr_assert_eq(mkdir("outdir", 0700), 0);
	close(open("outdir/kept", O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(symlink("../outdir", job_path("a", inc, "")), 0);
	cr_assert_eq(symlink("../outdir", "jobs/b.9"), 0);
	start(&c);
	send_delete(&c, "a", inc);
	expect_done(&c, 8);
	expect_jobs(&c, "");
	cr_expect_not(exists(job_path("a", inc, "")));
	cr_expect(exists("outdir/kept"));
	stop(&c);
}

Test(keeper, a_job_without_its_directory_stays_listed)
{
	struct childproc c;
	uint64_t inc;

	start(&c);
	inc = create(&c, "a");
	stop(&c);
	tmpdir_purge(job_path("a", inc, ""));
	start(&c);
	expect_jobs(&c, "a ");
	send_delete(&c, "a", inc);
	expect_done(&c, 8);
	expect_jobs(&c, "");
	stop(&c);
}

Test(keeper, a_damaged_row_is_left_out)
{
	struct childproc c;

	start(&c);
	create(&c, "a");
	create(&c, "b");
	create(&c, "c");
	stop(&c);
	edit_catalog("UPDATE job SET config = '{\"a\":2}' WHERE job_id = 'b'");
	start(&c);
	expect_jobs(&c, "a c ");
	send_create(&c, "b");
	expect_failed(&c, 400, E_EXISTS,
	    "The job cannot be created with the Id 'b'. The Id is already "
	    "used.");
	stop(&c);
}

Test(keeper, requests_in_a_row_are_answered_in_order)
{
	struct msg_keep_load m = { 0 };
	struct msg_ping ping = { 5 };
	struct childproc c;

	start(&c);
	send_create(&c, "a");
	send_create(&c, "b");
	childproc_send(&c, MSG_KEEP_LOAD, 3, &m);
	childproc_send(&c, MSG_PING, 0, &ping);
	send_create(&c, "c");
	expect_done(&c, 7);
	expect_done(&c, 7);
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	expect_done(&c, 3);
	cr_expect_eq(childproc_next(&c), MSG_PONG);
	expect_done(&c, 7);
	stop(&c);
}

Test(keeper, a_kill_at_any_moment_loses_nothing_that_was_answered)
{
	char want[256] = "";

	for (int round = 0; round < 8; round++) {
		struct childproc c;
		char id[8];

		start(&c);
		expect_jobs(&c, want);
		snprintf(id, sizeof(id), "j%d", round);
		create(&c, id);
		strlcat(want, id, sizeof(want));
		strlcat(want, " ", sizeof(want));
		send_create(&c, "unanswered");
		send_delete(&c, "unanswered", (uint64_t)round * 2 + 2);
		childproc_kill(&c);
		/* The one that was not answered may be there; take it away. */
		start(&c);
		send_delete(&c, "unanswered", (uint64_t)round * 2 + 2);
		childproc_next(&c);
		cr_expect_eq(tmpdir_count("jobs"), round + 1);
		stop(&c);
	}
}

Test(keeper, two_keepers_do_not_share_a_directory)
{
	struct childproc a, b;

	start(&a);
	childproc_spawn(&b, program, FROM_KPR);
	childproc_hello(&b, state);
	cr_expect_eq(childproc_next(&b), 0);
	cr_expect_neq(childproc_end(&b), 0);
	expect_jobs(&a, "");
	stop(&a);
}

/* A supervisor that was killed: its keeper ends while the next one waits. */
Test(keeper, a_new_keeper_waits_for_the_old_one_to_end)
{
	struct childproc a, b;

	start(&a);
	childproc_spawn(&b, program, FROM_KPR);
	childproc_hello(&b, state);
	stop(&a);
	cr_expect_eq(childproc_next(&b), MSG_READY);
	b.state = IN_OPEN;
	expect_jobs(&b, "");
	stop(&b);
}

Test(keeper, a_state_directory_that_cannot_be_made_is_refused)
{
	struct childproc c;
	char path[64];

	snprintf(path, sizeof(path), "%s/not/there", state);
	childproc_spawn(&c, program, FROM_KPR);
	childproc_hello(&c, path);
	cr_expect_eq(childproc_next(&c), 0);
	cr_expect_neq(childproc_end(&c), 0);
}

Test(keeper, names_of_directories_hold_their_number)
{
	char name[JOBDIR_NAME_BYTES];

	jobdirs_name(name, "a.b", 3, 42);
	cr_expect_str_eq(name, "a.b.42");
	cr_expect_eq(jobdirs_incarnation(name), 42);
	cr_expect_eq(jobdirs_incarnation("a.b"), 0);
	cr_expect_eq(jobdirs_incarnation("a.0"), 0);
	cr_expect_eq(jobdirs_incarnation("a.01"), 0);
	cr_expect_eq(jobdirs_incarnation("a.1x"), 0);
	cr_expect_eq(jobdirs_incarnation(".1"), 0);
	cr_expect_eq(jobdirs_incarnation("a.99999999999999999999"), 0);
}

/* ---- reset ---- */

static void
send_reset(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_reset m = { span_of(id), incarnation };

	childproc_send(c, MSG_KEEP_RESET, 6, &m);
}

Test(keeper, a_reset_job_keeps_its_configuration_and_nothing_else)
{
	struct msg_keep_state state_msg = {
		.job_id = span_of("a"),
		.finished_time_ms = 99,
		.model_snapshot_id = span_of("1700000000"),
		.wanted_open = true,
		.totals = { "\0\1\2", 3 },
	};
	struct msg_keep_load all = { 0 };
	struct msg_keep_job job;
	struct childproc c;
	uint64_t first, next;
	char old[256];

	start(&c);
	first = state_msg.incarnation = create(&c, "a");
	childproc_send(&c, MSG_KEEP_STATE, 4, &state_msg);
	expect_done(&c, 4);
	strlcpy(old, job_path("a", first, "/results/results.db"), sizeof(old));
	close(open(old, O_CREAT | O_WRONLY, 0600));
	send_reset(&c, "a", first);
	next = expect_done(&c, 6);
	cr_expect_gt(next, first);
	childproc_kill(&c);
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_next(&c), MSG_KEEP_JOB);
	childproc_decode(&c, &job);
	cr_expect_eq(job.incarnation, next);
	cr_expect(span_eq(job.config, "{\"a\":1}"));
	cr_expect_eq(job.create_time_ms, 1234);
	cr_expect_eq(job.finished_time_ms, TIME_UNSET);
	cr_expect_eq(job.model_snapshot_id.len, 0);
	cr_expect_not(job.wanted_open);
	cr_expect_eq(job.totals.len, 0);
	expect_done(&c, 3);
	cr_expect_not(exists(old));
	cr_expect(exists(job_path("a", next, "/results")));
	cr_expect_eq(tmpdir_count("jobs"), 1);
	wait_until_empty("trash");
	stop(&c);
}

/* Its answer was lost, and the supervisor asks again. */
Test(keeper, a_reset_that_was_done_is_not_done_twice)
{
	struct childproc c;
	uint64_t first, next;

	start(&c);
	first = create(&c, "a");
	send_reset(&c, "a", first);
	next = expect_done(&c, 6);
	send_reset(&c, "a", first);
	cr_expect_eq(expect_done(&c, 6), next);
	cr_expect(exists(job_path("a", next, "/journal")));
	send_reset(&c, "a", next + 1);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'a'");
	send_reset(&c, "b", next);
	expect_failed(&c, 404, E_NOT_FOUND, "No known job with id 'b'");
	expect_jobs(&c, "a ");
	stop(&c);
}

Test(keeper, a_damaged_row_is_not_reset)
{
	struct childproc c;
	uint64_t first;

	start(&c);
	first = create(&c, "a");
	stop(&c);
	edit_catalog("UPDATE job SET config = '{}' WHERE job_id = 'a'");
	start(&c);
	send_reset(&c, "a", first);
	expect_failed(&c, 500, E_EXCEPTION,
	    "job [a] cannot be reset: its row in the catalogue is damaged");
	cr_expect_eq(tmpdir_count("jobs"), 1);
	stop(&c);
}

/* ---- settings ---- */

static void
send_setting(struct childproc *c, const char *name, const char *value)
{
	struct msg_keep_setting m = { span_of(name), span_of(value) };

	childproc_send(c, MSG_KEEP_SETTING, 5, &m);
	cr_expect_eq(expect_done(c, 5), 0);
}

static void
expect_setting(struct childproc *c, const char *name, const char *value)
{
	struct msg_keep_setting m;

	cr_assert_eq(childproc_next(c), MSG_KEEP_SETTING);
	childproc_decode(c, &m);
	cr_expect(span_eq(m.name, name));
	cr_expect(span_eq(m.value, value));
}

Test(keeper, room_on_the_disk_is_told_before_all_else)
{
	struct msg_keep_load all = { 0 };
	struct msg_disk disk;
	struct childproc c;

	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	cr_assert_eq(childproc_any(&c), MSG_DISK);
	childproc_decode(&c, &disk);
	cr_expect_eq(c.head.request, 0);
	cr_expect_gt(disk.free_bytes, 0);
	cr_expect(!disk.low, "nothing was asked to stay free");
	cr_expect_eq(childproc_next(&c), MSG_KEEP_DONE);
	stop(&c);
}

Test(keeper, settings_are_told_before_the_jobs)
{
	struct msg_keep_load all = { 0 };
	struct childproc c;

	start(&c);
	create(&c, "a");
	send_setting(&c, "z", "");
	send_setting(&c, "mode", "false");
	send_setting(&c, "mode", "true");
	childproc_kill(&c);
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	expect_setting(&c, "mode", "true");
	expect_setting(&c, "z", "");
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	expect_done(&c, 3);
	stop(&c);
	edit_catalog("UPDATE setting SET value = 'x' WHERE name = 'mode'");
	start(&c);
	childproc_send(&c, MSG_KEEP_LOAD, 3, &all);
	expect_setting(&c, "z", "");
	cr_expect_eq(childproc_next(&c), MSG_KEEP_JOB);
	expect_done(&c, 3);
	stop(&c);
}

/* ---- deaths ---- */

/* As childproc_spawn, but killed before its call n. */
static void
spawn_doomed(struct childproc *c, unsigned n)
{
	char *argv[] = { program, NULL };
	int sv[2];

	memset(c, 0, sizeof(*c));
	c->from = FROM_KPR;
	c->state = IN_START;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	c->pid = fork();
	cr_assert_neq(c->pid, -1);
	if (c->pid == 0) {
		if (dup2(sv[1], 3) != 3)
			_exit(127);
		closefrom(4); /* our end: the tracer must not hold it */
		killpoint_exec(program, argv, n);
	}
	close(sv[1]);
	c->fd = sv[0];
}

/* What a doomed keeper has answered. */
struct answered {
	uint64_t first;	  /* incarnation of the job "a"; 0: none */
	bool updated;	  /* its configuration */
	uint64_t renewed; /* the one after its reset */
	bool deleted;	  /* that one */
	uint64_t second;  /* of "b" */
	bool whole;	  /* it came to its end */
};

/* A message may go to a keeper that is dead already. */
static bool
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

static uint64_t
create_doomed(struct childproc *c, const char *id)
{
	struct msg_keep_create m = { span_of(id), span_of("{}"), 1 };
	struct msg_keep_done done;

	if (!ask_doomed(c, MSG_KEEP_CREATE, &m, MSG_KEEP_DONE))
		return 0;
	childproc_decode(c, &done);
	return done.incarnation;
}

static uint64_t
reset_doomed(struct childproc *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_reset m = { span_of(id), incarnation };
	struct msg_keep_done done;

	if (!ask_doomed(c, MSG_KEEP_RESET, &m, MSG_KEEP_DONE))
		return 0;
	childproc_decode(c, &done);
	return done.incarnation;
}

/*
 * Start, create "a", update, reset and delete it, create "b": as far as it
 * comes.
 */
static struct answered
live_until(unsigned n)
{
	struct msg_hello hello = { .version = MSG_VERSION,
		.path = span_of(state) };
	struct answered a = { .first = 0 };
	struct msg_keep_update update;
	struct msg_keep_delete drop;
	struct childproc c;
	int status;

	spawn_doomed(&c, n);
	if (ask_doomed(&c, MSG_HELLO, &hello, MSG_READY)) {
		c.state = IN_OPEN;
		a.first = create_doomed(&c, "a");
	}
	if (a.first > 0) {
		update = (struct msg_keep_update){ span_of("a"), a.first,
			span_of("[2]") };
		a.updated =
		    ask_doomed(&c, MSG_KEEP_UPDATE, &update, MSG_KEEP_DONE);
	}
	if (a.updated)
		a.renewed = reset_doomed(&c, "a", a.first);
	if (a.renewed > 0) {
		drop = (struct msg_keep_delete){ span_of("a"), a.renewed };
		a.deleted =
		    ask_doomed(&c, MSG_KEEP_DELETE, &drop, MSG_KEEP_DONE);
	}
	if (a.deleted)
		a.second = create_doomed(&c, "b");
	status = childproc_end(&c);
	cr_assert(WIFEXITED(status));
	a.whole = WEXITSTATUS(status) == 0;
	cr_assert(a.whole || WEXITSTATUS(status) == KILLPOINT_HIT, "status %d",
	    WEXITSTATUS(status));
	return a;
}

/*
 * What was answered holds; what was not is done whole or not at all, and jobs
 * and directories are the same again.
 */
static void
expect_consistent(const struct answered *a, unsigned n)
{
	struct msg_keep_job last;
	struct childproc c;
	uint64_t next;
	char ids[64];
	bool ok;

	start(&c);
	load(&c, ids, sizeof(ids), &last);
	if (a->second > 0)
		ok = strcmp(ids, "b ") == 0;
	else if (a->deleted)
		ok = strcmp(ids, "") == 0 || strcmp(ids, "b ") == 0;
	else if (a->first > 0 && a->renewed == 0)
		ok = strcmp(ids, "a ") == 0; /* the old one or the new one */
	else /* created, or deleted, but not told */
		ok = strcmp(ids, "") == 0 || strcmp(ids, "a ") == 0;
	cr_expect(ok, "call %u: jobs \"%s\"", n, ids);
	cr_expect_eq(
	    tmpdir_count("jobs"), ids[0] == '\0' ? 0 : 1, "call %u", n);
	if (ids[0] == 'a')
		cr_expect(span_eq(last.config, "[2]") ||
			(!a->updated && span_eq(last.config, "{}")),
		    "call %u: half an update", n);
	if (ids[0] != '\0')
		cr_expect(exists(job_path(
		    ids[0] == 'a' ? "a" : "b", last.incarnation, "/results")));
	if (ids[0] == 'a' && a->renewed > 0)
		cr_expect_eq(last.incarnation, a->renewed, "call %u", n);
	next = create(&c, "c");
	cr_expect_gt(next, a->first);
	cr_expect_gt(next, a->renewed);
	cr_expect_gt(next, a->second);
	wait_until_empty("trash");
	stop(&c);
}

/*
 * What makes each window safe: a number that was reserved and not used is
 * that of a directory at most, which goes to the trash; the row is there with
 * its directory or not at all; a deletion is finished from its mark on. A reset
 * is that of a new number whose row comes with the mark of the old one.
 */
Test(keeper, deaths_before_any_call_leave_all_or_nothing, .timeout = 600)
{
	struct answered a = { .whole = false };
	unsigned n = 0;

	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	while (!a.whole) {
		static const char *const left[] = { "jobs", "trash" };

		for (size_t i = 0; i < NELEM(left); i++)
			tmpdir_purge(left[i]);
		tmpdir_remove("catalog.db");
		a = live_until(++n);
		expect_consistent(&a, n);
	}
	cr_expect_gt(n, 50, "%u calls", n);
}
