/*
 * Bringing results.db in order in a child: how it shows that it gets on, what
 * becomes of one that fails, and that no death on the way loses a row. The
 * child is held, slowed or killed where it reads a bucket or changes a file.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/resultrow.h"
#include "common/resultsdb.h"
#include "tests/damage.h"
#include "tests/someresults.h"
#include "worker/mend.h"
#include "worker/salvage.h"

#define DB "results/" RESULTSDB_FILE
#define PAGE 4096
#define BUCKETS 2000
#define AT_A_TIME 200 /* buckets: more than a page of them */

static enum { FREELY, IN_STEPS, DIE_HALF, FAIL_FULL } mode;
static unsigned kill_at; /* the call that changes a file; 0: none */
static unsigned ncalls;
static pid_t test_pid;
static volatile struct shared {
	unsigned granted; /* rows that the child may read */
	unsigned read;
} * shared;
static char jobs[TMPDIR_BYTES];

int __real_resultrow_read_bucket(struct sqlite3_stmt *, struct bucket_result *);
int __wrap_resultrow_read_bucket(struct sqlite3_stmt *, struct bucket_result *);

int
__wrap_resultrow_read_bucket(struct sqlite3_stmt *st, struct bucket_result *b)
{
	if (getpid() == test_pid)
		return __real_resultrow_read_bucket(st, b);
	shared->read++;
	if (mode == DIE_HALF && shared->read == BUCKETS / 2)
		raise(SIGKILL);
	if (mode == FAIL_FULL && shared->read == BUCKETS / 2) {
		errno = ENOSPC;
		return -1;
	}
	while (mode == IN_STEPS && shared->read >= shared->granted)
		sched_yield();
	return __real_resultrow_read_bucket(st, b);
}

/* The calls that change what others see; SQLite makes these as well. */
static void
count_call(void)
{
	if (getpid() != test_pid && ++ncalls == kill_at)
		raise(SIGKILL);
}

int
rename(const char *from, const char *to)
{
	count_call();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlink(const char *path)
{
	count_call();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int
fdatasync(int fd)
{
	(void)fd;
	count_call();
	return 0;
}

int
fsync(int fd)
{
	(void)fd;
	count_call();
	return 0;
}

ssize_t
pwrite64(int fd, const void *p, size_t len, off64_t at)
{
	count_call();
	return syscall(SYS_pwrite64, fd, p, len, at);
}

static void
setup(void)
{
	log_init("test", LOG_LEVEL_INFO);
	job_enter(jobs);
	cr_assert_eq(mkdir("quarantine", 0700), 0);
	test_pid = getpid();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(shared != MAP_FAILED);
	logged_begin();
}

static void
teardown(void)
{
	job_leave(jobs);
}

TestSuite(mend, .init = setup, .fini = teardown, .timeout = 240);

static void
make_results(int buckets)
{
	struct writer w;

	writer_open(&w);
	for (int i = 0; i < buckets; i++) {
		struct bucket_result b = some_bucket(T0 + i * SPAN_MS, i);
		struct record_result r = some_record(T0 + i * SPAN_MS, i, 0.1);

		writer_record(&w, &r);
		writer_bucket(&w, &b);
	}
	writer_commit(&w);
	writer_close(&w);
}

/* The last byte of a page is its checksum alone: all rows can be read. */
static void
damage_all(void)
{
	struct image m = image_read(DB);

	for (size_t at = PAGE - 1; at < m.len; at += PAGE)
		m.p[at] ^= 0x10;
	image_write(DB, m.p, m.len);
	image_free(&m);
}

/* Of a database that is in order; -1: it is not. */
static int64_t
count_rows(void)
{
	sqlite3 *db = resultsdb_open_reader("results");
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (db == NULL)
		return -1;
	if (sqlite3_prepare_v2(db,
		"SELECT (SELECT count(*) FROM bucket NOT INDEXED) +"
		" (SELECT count(*) FROM record NOT INDEXED)",
		-1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	resultsdb_close(db);
	return n;
}

static struct mend *
begin(void)
{
	struct mend *m;

	shared->read = 0;
	ncalls = 0;
	m = mend_begin(open("lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	cr_assert_not_null(m);
	return m;
}

/* To its end. Returns as mend_step. */
static int
mend(void)
{
	struct mend *m = begin();
	uint64_t progress = 0;
	int rc;

	while ((rc = mend_step(m, &progress)) == 1)
		sched_yield();
	mend_free(m);
	return rc;
}

Test(mend, a_job_without_results_has_nothing_to_be_mended)
{
	cr_expect_not(mend_is_due());
	make_results(1);
	cr_expect_not(mend_is_due());
	salvage_mark();
	cr_expect(mend_is_due());
}

/*
 * However long it takes: with each page that it reads there is progress, and
 * none while it hangs.
 */
Test(mend, a_salvage_shows_that_it_gets_on)
{
	uint64_t progress = 0, before;
	struct mend *m;

	make_results(BUCKETS);
	damage_all();
	mode = IN_STEPS;
	m = begin();
	for (unsigned n = AT_A_TIME; n < BUCKETS; n += AT_A_TIME) {
		before = progress;
		shared->granted = n;
		while (shared->read < n)
			sched_yield();
		cr_assert_eq(mend_step(m, &progress), 1);
		cr_assert_gt(progress, before, "after row %u", n);
	}
	before = progress;
	for (int i = 0; i < 10; i++)
		cr_assert_eq(mend_step(m, &progress), 1);
	cr_expect_eq(progress, before);
	shared->granted = BUCKETS + 1;
	while (mend_step(m, &progress) == 1)
		sched_yield();
	mend_free(m);
	cr_expect_eq(count_rows(), 2 * BUCKETS);
	cr_expect_not(salvage_is_marked());
}

Test(mend, what_ends_the_child_is_said_and_the_next_one_does_it)
{
	const char *log;

	make_results(BUCKETS);
	damage_all();
	mode = DIE_HALF;
	cr_expect_eq(mend(), -1);
	cr_expect_eq(errno, EINTR);
	log = logged();
	cr_expect_not_null(
	    strstr(log, "results.db: its process was ended by signal 9"), "%s",
	    log);
	mode = FAIL_FULL;
	cr_expect_eq(mend(), -1);
	cr_expect_eq(errno, ENOSPC);
	log = logged();
	cr_expect_not_null(
	    strstr(log, "results.db: No space left on device"), "%s", log);
	cr_expect(mend_is_due());
	mode = FREELY;
	cr_expect_eq(mend(), 0);
	cr_expect_not(mend_is_due());
	cr_expect_eq(count_rows(), 2 * BUCKETS);
}

/* With n from 1 on until nothing is left to be killed in. */
Test(mend, a_death_before_any_change_of_a_file_loses_no_row)
{
	unsigned deaths = 0;

	for (unsigned n = 1;; n++) {
		int rc;

		tmpdir_purge("results");
		cr_assert_eq(mkdir("results", 0700), 0);
		make_results(4);
		damage_all();
		kill_at = n;
		rc = mend();
		if (rc == -1) {
			cr_assert_eq(errno, EINTR);
			deaths++;
		}
		kill_at = 0;
		cr_assert_eq(mend(), 0, "killed at call %u", n);
		cr_assert_eq(count_rows(), 8, "killed at call %u", n);
		cr_assert_not(mend_is_due(), "killed at call %u", n);
		logged();
		if (rc == 0)
			break;
	}
	cr_expect_gt(deaths, 20);
}

/* As a worker leaves it that was killed while readers were there. */
Test(mend, a_large_wal_is_folded_in)
{
	sqlite3 *reader;
	struct image wal, db;
	struct writer w;

	make_results(4);
	reader = resultsdb_open_reader("results");
	cr_assert_not_null(reader);
	cr_assert_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM bucket",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	writer_open(&w);
	for (int i = 4; i < 100000; i++) {
		struct bucket_result b = some_bucket(T0 + i * SPAN_MS, i);

		writer_bucket(&w, &b);
	}
	writer_commit(&w);
	db = image_read(DB);
	wal = image_read(DB "-wal");
	resultsdb_close(reader);
	writer_close(&w);
	image_write(DB, db.p, db.len);
	image_write(DB "-wal", wal.p, wal.len);
	cr_assert(mend_is_due());
	cr_expect_eq(mend(), 0);
	cr_expect_not(mend_is_due());
	cr_expect_eq(count_rows(), 100004);
	image_free(&db);
	image_free(&wal);
}
