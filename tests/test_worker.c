/*
 * The real worker, driven over its channel as the supervisor does: what it
 * counts, what it keeps over closes and deaths, and when it gives up.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <zlib.h>

#include "common/crc32c.h"
#include "common/frame.h"
#include "common/jobconf.h"
#include "common/msg.h"
#include "common/totals.h"
#include "tests/tmpdir.h"

#define JOB_ID "job-1"
#define ANSWER_TIMEOUT_MS 30000
#define BASE_TIME 1455000000 /* of the records; a multiple of the span */
#define SPAN 3600

static const char job[] =
    "{\"analysis_config\":{\"bucket_span\":\"1h\",\"detectors\":[{"
    "\"function\":\"mean\",\"field_name\":\"value\"}]},"
    "\"data_description\":{\"time_field\":\"time\",\"time_format\":\"epoch\"}}";

static char dir[TMPDIR_BYTES];
static char program[PATH_MAX];

/* The supervisor's end of a worker. */
struct worker {
	pid_t pid;
	int fd;
	struct job_totals totals; /* last ones that came */
	struct wbuf payload;	  /* of the frame that came last */
};

static void
setup(void)
{
	cr_assert_not_null(realpath("anomd-worker", program));
	tmpdir_enter(dir);
}

static void
teardown(void)
{
	tmpdir_purge(dir);
}

TestSuite(worker, .init = setup, .fini = teardown, .timeout = 120);

/* ---- the channel ---- */

static void
send_bytes(struct worker *w, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(w->fd, p, len, MSG_NOSIGNAL);

		if (n == -1) /* it has ended: the test will see how */
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void
send_msg(struct worker *w, uint16_t type, uint32_t request, const void *obj)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, type, request, obj), 0);
	send_bytes(w, wb.data, wb.len);
	wbuf_clear(&wb);
}

static void
send_raw(struct worker *w, uint16_t type, uint32_t request, const void *data,
    size_t len)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put_raw(&wb, type, request, data, len), 0);
	send_bytes(w, wb.data, wb.len);
	wbuf_clear(&wb);
}

/* Returns false at the end of the stream. */
static bool
recv_bytes(struct worker *w, void *data, size_t len)
{
	char *p = data;

	while (len > 0) {
		struct pollfd pfd = { .fd = w->fd, .events = POLLIN };
		ssize_t n;

		cr_assert_eq(poll(&pfd, 1, ANSWER_TIMEOUT_MS), 1,
		    "the worker does not answer");
		n = recv(w->fd, p, len, 0);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next frame that is not TOTALS; false at the end of the stream. */
static bool
recv_frame(struct worker *w, struct frame_header *h)
{
	do {
		uint8_t head[FRAME_HEADER_BYTES];
		const char *why = "";

		if (!recv_bytes(w, head, sizeof(head)))
			return false;
		cr_assert_eq(frame_get_header(head, FROM_WRK, IN_ANY, h, &why),
		    0, "%s", why);
		wbuf_reset(&w->payload);
		cr_assert_not_null(wbuf_reserve(&w->payload, h->len + 1));
		cr_assert(recv_bytes(w, w->payload.data, h->len));
		w->payload.len = h->len;
		if (h->type == MSG_TOTALS) {
			struct msg_totals m;
			struct rbuf rb;

			cr_assert_eq(msg_decode(h->type, w->payload.data,
					 h->len, &m, NULL),
			    0);
			rbuf_init(&rb, m.totals.p, m.totals.len);
			cr_assert_eq(job_totals_decode(&rb, &w->totals), 0);
		}
	} while (h->type == MSG_TOTALS);
	return true;
}

/* The next frame must be this one. */
static void
expect_msg(struct worker *w, uint16_t type, uint32_t request, void *obj)
{
	struct frame_header h;

	cr_assert(recv_frame(w, &h), "the worker has ended");
	cr_assert_eq(h.type, type, "%s in place of %s", msg_name(h.type),
	    msg_name(type));
	cr_assert_eq(h.request, request);
	cr_assert_eq(msg_decode(type, w->payload.data, h.len, obj, NULL), 0);
}

/* ---- its life ---- */

static void
child_run(int fd, rlim_t file_bytes)
{
	struct rlimit rl = { file_bytes, file_bytes };

	if (fd != 3)
		dup2(fd, 3);
	else
		fcntl(fd, F_SETFD, 0);
	closefrom(4);
	setrlimit(RLIMIT_FSIZE, &rl);
	execl(program, program, JOB_ID, (char *)NULL);
	_exit(127);
}

static struct worker *
worker_spawn_limited(rlim_t file_bytes)
{
	struct worker *w = calloc(1, sizeof(*w));
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	w->pid = fork();
	cr_assert_neq(w->pid, -1);
	if (w->pid == 0)
		child_run(fd[1], file_bytes);
	close(fd[1]);
	w->fd = fd[0];
	wbuf_init(&w->payload, 0);
	return w;
}

static struct worker *
worker_spawn(void)
{
	return worker_spawn_limited(RLIM_INFINITY);
}

/* HELLO and the configuration; max_bytes of a decoded body, 0: any. */
static void
worker_greet(struct worker *w, uint64_t max_bytes)
{
	struct jobconf *conf;
	struct apierr e;
	struct msg_hello hello = { .version = MSG_VERSION,
		.log_level = 0,
		.path = span_of(dir),
		.job_id = span_of(JOB_ID),
		.max_expanded_bytes = max_bytes,
		.sync_policy = SYNC_ALWAYS };
	char *text;

	conf = jobconf_parse(JOB_ID, job, strlen(job), false, &e);
	cr_assert_not_null(conf);
	text = jobconf_print(conf);
	send_msg(w, MSG_HELLO, 0, &hello);
	send_raw(w, MSG_JOB_CONFIG, 0, text, strlen(text));
	free(text);
	jobconf_free(conf);
}

/* READY, and the totals right behind it. */
static void
worker_ready(struct worker *w)
{
	struct msg_ping ping = { .token = 1 };
	struct msg_ready ready;
	struct msg_pong pong;

	expect_msg(w, MSG_READY, 0, &ready);
	cr_expect_eq(ready.version, MSG_VERSION);
	send_msg(w, MSG_PING, 0, &ping);
	expect_msg(w, MSG_PONG, 0, &pong);
}

static struct worker *
worker_open(void)
{
	struct worker *w = worker_spawn();

	worker_greet(w, 0);
	worker_ready(w);
	return w;
}

/* Wait for its end. Returns its wait status. */
static int
worker_end(struct worker *w)
{
	struct frame_header h;
	int status;

	while (recv_frame(w, &h))
		;
	cr_assert_eq(waitpid(w->pid, &status, 0), w->pid);
	close(w->fd);
	wbuf_clear(&w->payload);
	free(w);
	return status;
}

static void
expect_exit(struct worker *w, int code)
{
	int status = worker_end(w);

	cr_assert(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	cr_expect_eq(
	    WEXITSTATUS(status), code, "exit status %d", WEXITSTATUS(status));
}

static void
worker_kill(struct worker *w)
{
	kill(w->pid, SIGKILL);
	cr_expect(WIFSIGNALED(worker_end(w)));
}

/* Close in order, and see the id of the snapshot. */
static void
worker_close(struct worker *w, bool has_snapshot)
{
	struct msg_close close = { .keep = true };
	struct msg_closed closed;

	send_msg(w, MSG_CLOSE, 0, &close);
	expect_msg(w, MSG_CLOSED, 0, &closed);
	cr_expect_eq(closed.model_snapshot_id.len > 0, has_snapshot);
	expect_exit(w, 0);
}

/* ---- uploads ---- */

/* n records, one a minute, from minute first on. The caller frees. */
static char *
records(int first, int n, size_t *len)
{
	size_t cap = (size_t)n * 64 + 1;
	char *text = malloc(cap);
	size_t at = 0;

	for (int i = first; i < first + n; i++)
		at += (size_t)snprintf(text + at, cap - at,
		    "{\"time\":%d,\"value\":%d.5}\n", BASE_TIME + 60 * i,
		    i % 100);
	*len = at;
	return text;
}

static void
upload_begin(struct worker *w, uint32_t request, enum upload_encoding encoding)
{
	struct msg_upload_begin m = { .encoding = (uint8_t)encoding,
		.reset_start_s = TIME_UNSET,
		.reset_end_s = TIME_UNSET };

	send_msg(w, MSG_UPLOAD_BEGIN, request, &m);
}

static void
upload_data(struct worker *w, uint32_t request, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		size_t n = len < MSG_DATA_MAX ? len : MSG_DATA_MAX;

		send_raw(w, MSG_UPLOAD_DATA, request, p, n);
		p += n;
		len -= n;
	}
}

static void
upload_seal(struct worker *w, uint32_t request, const void *data, size_t len)
{
	struct msg_upload_seal m = { .wire_bytes = len,
		.wire_crc = crc32c(0, data, len),
		.receipt_ms = 1700000000000 };

	send_msg(w, MSG_UPLOAD_SEAL, request, &m);
}

static void
upload(struct worker *w, uint32_t request, enum upload_encoding encoding,
    const void *data, size_t len)
{
	upload_begin(w, request, encoding);
	upload_data(w, request, data, len);
	upload_seal(w, request, data, len);
}

static struct data_counts
expect_counts(struct worker *w, uint32_t request)
{
	struct data_counts counts;
	struct msg_counts m;
	struct rbuf rb;

	expect_msg(w, MSG_COUNTS, request, &m);
	rbuf_init(&rb, m.counts.p, m.counts.len);
	cr_assert_eq(schema_decode(&data_counts_schema, &rb, &counts, NULL), 0);
	return counts;
}

static void
expect_failed(struct worker *w, uint32_t request, int status)
{
	struct msg_failed m;
	struct apierr e;
	struct rbuf rb;

	expect_msg(w, MSG_FAILED, request, &m);
	rbuf_init(&rb, m.error.p, m.error.len);
	cr_assert_eq(apierr_decode(&rb, &e), 0);
	cr_expect_eq(e.status, status, "%s", e.link[0].reason);
}

/* Post n records from minute first on and see them counted. */
static void
post(struct worker *w, uint32_t request, int first, int n)
{
	size_t len;
	char *text = records(first, n, &len);
	struct data_counts c;

	upload(w, request, ENCODING_IDENTITY, text, len);
	c = expect_counts(w, request);
	cr_assert_eq(c.processed_record_count, (uint64_t)n);
	cr_expect_eq(c.input_bytes, len);
	free(text);
}

static void
flush(struct worker *w, uint32_t request, int64_t advance_time_s)
{
	struct msg_flush m = { .calc_interim = true,
		.start_s = TIME_UNSET,
		.end_s = TIME_UNSET,
		.advance_time_s = advance_time_s,
		.skip_time_s = TIME_UNSET,
		.receipt_ms = 1700000000000 };

	send_msg(w, MSG_FLUSH, request, &m);
}

/* ---- tests ---- */

Test(worker, opens_and_closes_an_empty_job)
{
	struct worker *w = worker_open();

	cr_expect_eq(w->totals.counts.processed_record_count, 0);
	worker_close(w, false);
	worker_close(worker_open(), false);
}

Test(worker, counts_what_is_sealed)
{
	struct worker *w = worker_open();
	struct msg_upload_drop drop = { 0 };

	post(w, 1, 0, 100);
	upload_begin(w, 2, ENCODING_IDENTITY);
	upload_data(w, 2, "{\"time\":1455100000}", 19);
	send_msg(w, MSG_UPLOAD_DROP, 2, &drop);
	post(w, 3, 100, 50);
	cr_expect_eq(w->totals.counts.processed_record_count, 150);
	cr_expect_eq(w->totals.counts.last_data_time, 1700000000000);
	worker_close(w, true);
}

Test(worker, empty_upload_is_no_error)
{
	struct worker *w = worker_open();

	upload(w, 1, ENCODING_IDENTITY, "", 0);
	cr_expect_eq(expect_counts(w, 1).processed_record_count, 0);
	upload(w, 2, ENCODING_GZIP, "", 0);
	cr_expect_eq(expect_counts(w, 2).processed_record_count, 0);
	worker_close(w, true);
}

Test(worker, uploads_arrive_side_by_side_and_count_in_the_order_of_seals)
{
	struct worker *w = worker_open();
	size_t alen, blen;
	char *a = records(0, 100, &alen), *b = records(10, 70, &blen);

	upload_begin(w, 1, ENCODING_IDENTITY);
	upload_begin(w, 2, ENCODING_IDENTITY);
	upload_data(w, 1, a, 1000);
	upload_data(w, 2, b, 777);
	upload_data(w, 1, a + 1000, alen - 1000);
	upload_data(w, 2, b + 777, blen - 777);
	upload_seal(w, 2, b, blen);
	upload_seal(w, 1, a, alen);
	cr_expect_eq(expect_counts(w, 2).processed_record_count, 70);
	/* Minutes 0 to 9 are of the hour in which the other one ended. */
	cr_expect_eq(expect_counts(w, 1).input_bytes, alen);
	cr_expect_eq(data_counts_input_records(&w->totals.counts), 170);
	worker_close(w, true);
	free(a);
	free(b);
}

static void *
gzipped(const void *data, size_t len, size_t *gzlen)
{
	uint8_t *out = malloc(len + 1000);
	z_stream z = { 0 };

	cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)(len + 1000);
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	*gzlen = len + 1000 - z.avail_out;
	deflateEnd(&z);
	return out;
}

Test(worker, undoes_gzip)
{
	struct worker *w = worker_open();
	size_t len, gzlen;
	char *text = records(0, 5000, &len);
	void *gz = gzipped(text, len, &gzlen);
	struct data_counts c;

	upload(w, 1, ENCODING_GZIP, gz, gzlen);
	c = expect_counts(w, 1);
	cr_expect_eq(c.processed_record_count, 5000);
	cr_expect_eq(c.input_bytes, len);
	worker_close(w, true);
	free(text);
	free(gz);
}

Test(worker, broken_encodings_count_nothing_and_harm_nobody)
{
	struct worker *w = worker_open();
	size_t len, gzlen;
	char *text = records(0, 100, &len);
	void *gz = gzipped(text, len, &gzlen);

	upload(w, 1, ENCODING_GZIP, text, len);
	expect_failed(w, 1, 400);
	upload(w, 2, ENCODING_GZIP, gz, gzlen - 1);
	expect_failed(w, 2, 400);
	upload(w, 3, ENCODING_ZSTD, gz, gzlen);
	expect_failed(w, 3, 400);
	post(w, 4, 0, 10);
	cr_expect_eq(w->totals.counts.processed_record_count, 10);
	worker_close(w, true);
	free(text);
	free(gz);
}

Test(worker, bomb_is_stopped_at_the_limit_while_others_go_on)
{
	struct worker *w = worker_spawn();
	size_t len = 64 * 1024 * 1024, gzlen;
	void *zeros = calloc(1, len);
	void *gz = gzipped(zeros, len, &gzlen);

	worker_greet(w, 1024 * 1024);
	worker_ready(w);
	upload(w, 1, ENCODING_GZIP, gz, gzlen);
	expect_failed(w, 1, 413);
	post(w, 2, 0, 10);
	cr_expect_eq(tmpdir_count("spool"), 0);
	worker_close(w, true);
	free(zeros);
	free(gz);
}

Test(worker, large_upload_goes_by_the_spool_into_the_journal)
{
	struct worker *w = worker_open();

	post(w, 1, 0, 100);
	post(w, 2, 100, 50000);
	cr_expect_eq(tmpdir_count("spool"), 0);
	cr_expect_eq(tmpdir_count("journal"), 2);
	post(w, 3, 50100, 1);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 50101);
	worker_close(w, true);
}

Test(worker, state_is_kept_over_a_close)
{
	struct worker *w = worker_open();
	struct data_counts before;

	post(w, 1, 0, 1000);
	before = w->totals.counts;
	worker_close(w, true);
	cr_expect_eq(tmpdir_count("snapshots"), 1);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 1000);
	cr_expect_eq(w->totals.counts.latest_record_timestamp,
	    before.latest_record_timestamp);
	post(w, 1, 1000, 10);
	cr_expect_eq(w->totals.counts.processed_record_count, 1010);
	worker_close(w, true);
	worker_close(worker_open(), true);
	cr_expect_eq(tmpdir_count("snapshots"), 2);
}

/* The entries that a bad snapshot held are in the journal still. */
Test(worker, damaged_snapshot_is_no_loss)
{
	char cmd[128];
	struct worker *w = worker_open();

	post(w, 1, 0, 1000);
	worker_close(w, true);
	w = worker_open();
	post(w, 1, 1000, 500);
	worker_close(w, true);
	snprintf(cmd, sizeof(cmd),
	    "truncate -s -1 $(ls %s/snapshots/* | tail -1)", dir);
	cr_assert_eq(system(cmd), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 1500);
	cr_expect_eq(tmpdir_count("quarantine"), 1);
	worker_close(w, true);
}

Test(worker, answered_counts_survive_a_kill)
{
	struct worker *w = worker_open();
	struct data_counts before;

	for (uint32_t i = 0; i < 20; i++)
		post(w, i + 1, (int)i * 100, 100);
	before = w->totals.counts;
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(memcmp(&w->totals.counts, &before, sizeof(before)), 0);
	post(w, 1, 2000, 100);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 2100);
	worker_close(w, true);
}

/* All that results.db shows, but for wall time. The caller frees. */
static char *
results_dump(void)
{
	static const char sql[] =
	    "SELECT group_concat(row, char(10)) FROM ("
	    "SELECT printf('%lld %.17g %.17g %d', timestamp, anomaly_score,"
	    " initial_anomaly_score, event_count) AS row FROM bucket"
	    " UNION ALL SELECT printf('%lld %.17g %.17g %.17g', timestamp,"
	    " probability, record_score, actual) FROM record ORDER BY 1)";
	sqlite3_stmt *st;
	sqlite3 *db;
	char *dump;

	cr_assert_eq(sqlite3_open_v2("results/results.db", &db,
			 SQLITE_OPEN_READWRITE, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	dump = strdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(db);
	return dump;
}

/* Twenty uploads, every one of them the worker's last if it is to die. */
static char *
results_of_a_life(bool deaths, struct data_counts *counts)
{
	struct worker *w = worker_open();
	char *dump;

	for (uint32_t i = 1; i <= 20; i++) {
		post(w, i, (int)i * 600, 600);
		if (!deaths)
			continue;
		worker_kill(w);
		w = worker_open();
	}
	*counts = w->totals.counts;
	worker_close(w, true);
	dump = results_dump();
	for (size_t i = 0; i < NELEM(tmpdir_parts); i++) {
		tmpdir_purge(tmpdir_parts[i]);
		mkdir(tmpdir_parts[i], 0700);
	}
	return dump;
}

/* Exactly once, and to the last bit: replay repeats models, not results. */
Test(worker, results_are_the_same_with_and_without_deaths)
{
	struct data_counts counts, again;
	char *whole = results_of_a_life(false, &counts);
	char *pieces = results_of_a_life(true, &again);

	cr_expect_gt(strlen(whole), 1000);
	cr_expect_str_eq(pieces, whole);
	cr_expect_eq(memcmp(&again, &counts, sizeof(counts)), 0);
	free(whole);
	free(pieces);
}

/* Killed at any moment, a sealed upload counts whole or not at all. */
Test(worker, kill_in_the_midst_of_an_upload_leaves_all_or_nothing)
{
	size_t len;
	char *text = records(0, 100000, &len);

	for (int i = 0; i < 8; i++) {
		struct worker *w = worker_open();
		uint64_t had = w->totals.counts.processed_record_count;

		cr_expect_eq(
		    data_counts_input_records(&w->totals.counts) % 100000, 0,
		    "%llu", (unsigned long long)had);
		upload(w, 1, ENCODING_IDENTITY, text, len);
		usleep((useconds_t)i * 5000);
		worker_kill(w);
	}
	free(text);
}

Test(worker, flush_waits_its_turn_and_is_replayed)
{
	struct worker *w = worker_open();
	struct msg_flushed m;
	size_t len;
	char *text = records(0, 20000, &len);
	int64_t advance = BASE_TIME + 60 * 20000 + 10 * SPAN;

	upload(w, 1, ENCODING_IDENTITY, text, len);
	flush(w, 2, advance);
	expect_counts(w, 1);
	expect_msg(w, MSG_FLUSHED, 2, &m);
	cr_expect_eq(
	    m.last_finalized_bucket_end_ms, advance / SPAN * SPAN * 1000);
	worker_kill(w);
	w = worker_open();
	flush(w, 3, TIME_UNSET);
	expect_msg(w, MSG_FLUSHED, 3, &m);
	cr_expect_eq(
	    m.last_finalized_bucket_end_ms, advance / SPAN * SPAN * 1000);
	worker_close(w, true);
	free(text);
}

Test(worker, ping_is_answered_in_the_midst_of_work)
{
	struct worker *w = worker_open();
	struct msg_ping ping = { .token = 99 };
	struct msg_pong pong;
	size_t len;
	char *text = records(0, 400000, &len);

	upload(w, 1, ENCODING_IDENTITY, text, len);
	send_msg(w, MSG_PING, 0, &ping);
	expect_msg(w, MSG_PONG, 0, &pong);
	cr_expect_eq(pong.token, 99);
	cr_expect(pong.busy);
	expect_counts(w, 1);
	ping.token = 100;
	send_msg(w, MSG_PING, 0, &ping);
	cr_expect_gt(pong.progress, 0);
	expect_msg(w, MSG_PONG, 0, &pong);
	cr_expect_not(pong.busy);
	worker_close(w, true);
	free(text);
}

Test(worker, close_finishes_what_is_sealed_and_drops_the_rest)
{
	struct worker *w = worker_open();
	size_t len;
	char *text = records(0, 50000, &len);
	struct msg_close close = { .keep = true };
	struct msg_closed closed;

	upload_begin(w, 1, ENCODING_IDENTITY);
	upload_data(w, 1, text, len / 2);
	upload(w, 2, ENCODING_IDENTITY, text, len);
	send_msg(w, MSG_CLOSE, 0, &close);
	cr_expect_eq(expect_counts(w, 2).processed_record_count, 50000);
	expect_msg(w, MSG_CLOSED, 0, &closed);
	expect_exit(w, 0);
	cr_expect_eq(tmpdir_count("spool"), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 50000);
	worker_close(w, true);
	free(text);
}

Test(worker, forced_close_writes_no_state_and_loses_none)
{
	struct worker *w = worker_open();
	struct msg_close close = { .keep = false };

	post(w, 1, 0, 100);
	send_msg(w, MSG_CLOSE, 0, &close);
	expect_exit(w, 0);
	cr_expect_eq(tmpdir_count("snapshots"), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 100);
	worker_close(w, true);
}

Test(worker, ends_when_the_supervisor_is_gone)
{
	struct worker *w = worker_open();

	cr_assert_eq(shutdown(w->fd, SHUT_WR), 0);
	expect_exit(w, 0);
}

Test(worker, garbage_ends_it)
{
	static const uint8_t garbage[64] = { 0xff, 0xfe };
	struct worker *w = worker_open();

	send_bytes(w, garbage, sizeof(garbage));
	expect_exit(w, 1);
}

Test(worker, upload_that_is_not_what_was_sealed_ends_it)
{
	struct worker *w = worker_open();

	upload_begin(w, 1, ENCODING_IDENTITY);
	upload_data(w, 1, "{\"time\":1}", 10);
	upload_seal(w, 1, "{\"time\":2}", 10);
	expect_exit(w, 1);
}

Test(worker, data_of_no_upload_ends_it)
{
	struct worker *w = worker_open();

	upload_data(w, 7, "x", 1);
	expect_exit(w, 1);
}

Test(worker, message_before_its_time_ends_it)
{
	struct worker *w = worker_spawn();

	upload_begin(w, 1, ENCODING_IDENTITY);
	expect_exit(w, 1);
}

Test(worker, signals_to_the_group_do_not_end_it)
{
	struct worker *w = worker_open();

	kill(w->pid, SIGTERM);
	kill(w->pid, SIGINT);
	post(w, 1, 0, 10);
	worker_close(w, true);
}

/* A window of 8 MB each: not for any number of clients at once. */
Test(worker, too_many_uploads_at_once_are_put_off)
{
	struct worker *w = worker_open();
	uint32_t n;

	for (n = 1; n <= 64; n++)
		upload_begin(w, n, ENCODING_ZSTD);
	upload_begin(w, n, ENCODING_ZSTD);
	expect_failed(w, n, 429);
	upload_data(w, n, "late", 4);
	for (n++; n <= 513; n++)
		upload_begin(w, n, ENCODING_GZIP);
	upload_begin(w, n, ENCODING_IDENTITY);
	expect_failed(w, n, 429);
	worker_close(w, false);
}

/* The supervisor may have sent on before it read that they are put off. */
Test(worker, late_data_of_any_number_of_refused_uploads_is_no_fault)
{
	struct worker *w = worker_open();
	const uint32_t most = 512, last = 2000;

	for (uint32_t n = 1; n <= last; n++)
		upload_begin(w, n, ENCODING_IDENTITY);
	for (uint32_t n = most + 1; n <= last; n++)
		expect_failed(w, n, 429);
	upload_data(w, most + 1, "late", 4);
	upload_data(w, last, "late", 4);
	worker_close(w, false);
}

/* Files cannot grow past a limit, as on a full disk. */
Test(worker, full_disk_fails_the_upload_alone)
{
	struct worker *w = worker_spawn_limited(128 * 1024);
	size_t len;
	char *text = records(0, 50000, &len);

	worker_greet(w, 0);
	worker_ready(w);
	upload(w, 1, ENCODING_IDENTITY, text, len);
	expect_failed(w, 1, 503);
	upload(w, 2, ENCODING_IDENTITY, text, 200 * 1024);
	expect_failed(w, 2, 503);
	post(w, 3, 0, 10);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 10);
	worker_close(w, true);
	free(text);
}

Test(worker, successor_waits_for_its_predecessor)
{
	struct worker *first = worker_open(), *second = worker_spawn();

	worker_greet(second, 0);
	post(first, 1, 0, 100);
	worker_close(first, true);
	worker_ready(second);
	cr_expect_eq(second->totals.counts.processed_record_count, 100);
	worker_close(second, true);
}

Test(worker, malformed_upload_fails_and_keeps_what_came_before)
{
	static const char text[] = "{\"time\":1455000000,\"value\":1}\n"
				   "{\"time\":1455000060,";
	struct worker *w = worker_open();

	upload(w, 1, ENCODING_IDENTITY, text, strlen(text));
	expect_failed(w, 1, 400);
	cr_expect_eq(w->totals.counts.processed_record_count, 1);
	post(w, 2, 2, 10);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 11);
	worker_close(w, true);
}
