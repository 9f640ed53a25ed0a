/* results.db as a query process sees it, which may write nothing. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sandbox.h"
#include "tests/someresults.h"

static char jobs[TMPDIR_BYTES];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	job_enter(jobs);
}

static void
teardown(void)
{
	job_leave(jobs);
}

TestSuite(resultsdb_reader, .init = setup, .fini = teardown);

/* A reader with no right to write, in the sandbox of the query process. */
static int
sandboxed_read(void)
{
	struct sandbox_path path = { jobs, false };
	sqlite3_stmt *st;
	sqlite3 *db;
	int n = 0;

	if (sandbox_enter(SANDBOX_QUERY, &path, 1) == -1)
		return 100;
	db = resultsdb_open_reader("results");
	if (db == NULL)
		return 101;
	if (sqlite3_prepare_v2(db, "SELECT * FROM bucket", -1, &st, NULL) !=
	    SQLITE_OK)
		return 102;
	while (sqlite3_step(st) == SQLITE_ROW)
		n++;
	if (sqlite3_finalize(st) != SQLITE_OK)
		return 103;
	if (sqlite3_exec(db, "DELETE FROM bucket", NULL, NULL, NULL) ==
	    SQLITE_OK)
		return 104;
	resultsdb_close(db);
	if (resultsdb_open_writer("results", false) != NULL &&
	    access("results/results.db", W_OK) == -1)
		return 105;
	return n;
}

static int
read_in_sandbox(void)
{
	pid_t pid = fork();
	int status;

	cr_assert_neq(pid, -1);
	if (pid == 0)
		_exit(sandboxed_read());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

Test(resultsdb_reader, a_sandboxed_reader_sees_a_closed_database)
{
	struct writer w;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	writer_commit(&w);
	writer_close(&w);
	cr_expect_eq(read_in_sandbox(), 1);
	cr_expect_eq(access("results/results.db-wal", F_OK), 0);
	cr_expect_eq(access("results/results.db-shm", F_OK), 0);
}

Test(resultsdb_reader, a_sandboxed_reader_sees_each_commit_of_a_writer)
{
	struct writer w;

	writer_open(&w);
	for (int i = 0; i < 3; i++) {
		write_bucket(&w, T0 + i * SPAN_MS, 1, false);
		cr_expect_eq(access("results/results.db", F_OK), 0);
		cr_expect_eq(read_in_sandbox(), i, "before commit %d", i);
		writer_commit(&w);
		cr_expect_eq(read_in_sandbox(), i + 1);
	}
	/* After a restart of the writer the marks of readers are new. */
	writer_close(&w);
	writer_open(&w);
	write_bucket(&w, T0 + 3 * SPAN_MS, 1, false);
	writer_commit(&w);
	cr_expect_eq(read_in_sandbox(), 4);
	writer_close(&w);
}

/* Past a checkpoint that the writer makes by itself, and the WAL's restart. */
Test(resultsdb_reader, a_sandboxed_reader_sees_a_recycled_wal)
{
	struct writer w;
	int n = 0;

	writer_open(&w);
	for (int commit = 0; commit < 40; commit++) {
		for (int i = 0; i < 5; i++)
			write_bucket(&w, T0 + n++ * SPAN_MS, 1, false);
		for (int i = 0; i < 1500; i++) {
			struct record_result r =
			    some_record(T0 + (n - 1) * SPAN_MS, i, 0.01);

			r.by_field_name = "b";
			r.by_field_value = text("a value of some length, "
						"so that pages fill up");
			writer_record(&w, &r);
		}
		writer_commit(&w);
	}
	cr_expect_eq(read_in_sandbox(), n);
	write_bucket(&w, T0 + n++ * SPAN_MS, 1, false);
	writer_commit(&w);
	cr_expect_eq(read_in_sandbox(), n);
	writer_close(&w);
}

/* Killed with one transaction committed and another one half written. */
Test(resultsdb_reader, a_sandboxed_reader_sees_what_a_killed_writer_committed)
{
	int status;
	pid_t pid = fork();

	cr_assert_neq(pid, -1);
	if (pid == 0) {
		struct writer w;

		writer_open(&w);
		write_bucket(&w, T0, 1, false);
		write_bucket(&w, T0 + SPAN_MS, 1, false);
		writer_commit(&w);
		for (int i = 2; i < 20000; i++)
			write_bucket(&w, T0 + i * SPAN_MS, 1, false);
		kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(read_in_sandbox(), 2);
	cr_expect_eq(read_in_sandbox(), 2, "and again");
}

/* As the sqlite3 program leaves it; a writer puts that right. */
Test(resultsdb_reader, a_sandboxed_reader_needs_the_wal)
{
	struct writer w;
	uint64_t seq;

	writer_open(&w);
	write_bucket(&w, T0, 1, false);
	writer_commit(&w);
	writer_close(&w);
	cr_assert_eq(unlink("results/results.db-wal"), 0);
	cr_assert_eq(unlink("results/results.db-shm"), 0);
	cr_expect_eq(read_in_sandbox(), 101);
	writer_open(&w);
	cr_assert_eq(results_applied_seq(w.results, &seq), 0);
	writer_close(&w);
	cr_expect_eq(read_in_sandbox(), 1);
}
