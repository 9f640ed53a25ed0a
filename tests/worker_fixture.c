/* Owns the supervisor's part in the tests of workers. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/jobconf.h"
#include "common/log.h"
#include "common/resultsdb.h"
#include "tests/killpoint.h"
#include "tests/worker_fixture.h"

#define ANSWER_TIMEOUT_MS 30000

static const char job[] =
    "{\"analysis_config\":{\"bucket_span\":\"1h\",\"detectors\":[{"
    "\"function\":\"mean\",\"field_name\":\"value\"}]},"
    "\"data_description\":{\"time_field\":\"time\",\"time_format\":\"epoch\"}}";

char worker_dir[TMPDIR_BYTES];
uint8_t worker_log_level = LOG_LEVEL_ERROR;
static char program[PATH_MAX];

void
worker_begin(void)
{
	cr_assert_not_null(realpath("anomd-worker", program));
	tmpdir_enter(worker_dir);
}

void
worker_finish(void)
{
	tmpdir_purge(worker_dir);
}

void
worker_forget(void)
{
	for (size_t i = 0; i < NELEM(tmpdir_parts); i++) {
		tmpdir_purge(tmpdir_parts[i]);
		cr_assert_eq(mkdir(tmpdir_parts[i], 0700), 0);
	}
}

/* ---- the channel ---- */

void
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

void
send_msg(struct worker *w, uint16_t type, uint32_t request, const void *obj)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	cr_assert_eq(frame_put(&wb, type, request, obj), 0);
	send_bytes(w, wb.data, wb.len);
	wbuf_clear(&wb);
}

void
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

/* What is said besides answers is taken down: TOTALS, KEPT. */
static bool
is_aside(struct worker *w, const struct frame_header *h)
{
	struct msg_kept m;

	if (h->type == MSG_KEPT) {
		cr_assert_eq(
		    msg_decode(h->type, w->payload.data, h->len, &m, NULL), 0);
		if (h->request < NELEM(w->kept))
			w->kept[h->request] = m.seq;
	}
	return h->type == MSG_TOTALS || h->type == MSG_FORECASTS ||
	    h->type == MSG_KEPT || h->type == MSG_PROGRESS ||
	    (h->type == MSG_SNAPSHOTTED && h->request == 0);
}

/* The next frame that is an answer; false at the end of the stream. */
bool
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
	} while (is_aside(w, h));
	return true;
}

/* The next frame must be this one. */
void
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

/* What is to become of a worker. */
struct fate {
	rlim_t file_bytes; /* 0: any */
	unsigned kill_at;  /* killpoint.h, as the next ones; 0: nowhere */
	unsigned fail_at;
	int error;
};

static void
child_run(int fd, const struct fate *f)
{
	char id[] = JOB_ID, *argv[] = { program, id, NULL };
	struct rlimit rl = { f->file_bytes, f->file_bytes };

	if (f->file_bytes == 0)
		rl.rlim_cur = rl.rlim_max = RLIM_INFINITY;

	if (fd != 3)
		dup2(fd, 3);
	else
		fcntl(fd, F_SETFD, 0);
	closefrom(4);
	setrlimit(RLIMIT_FSIZE, &rl);
	if (f->kill_at > 0)
		killpoint_exec(program, argv, f->kill_at);
	if (f->fail_at > 0)
		failpoint_exec(program, argv, f->fail_at, f->error);
	execv(program, argv);
	_exit(127);
}

static struct worker *
spawn(struct fate f)
{
	struct worker *w = calloc(1, sizeof(*w));
	int fd[2];

	cr_assert_not_null(w);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	w->pid = fork();
	cr_assert_neq(w->pid, -1);
	if (w->pid == 0)
		child_run(fd[1], &f);
	close(fd[1]);
	w->fd = fd[0];
	wbuf_init(&w->payload, 0);
	return w;
}

struct worker *
worker_spawn(void)
{
	return spawn((struct fate){ .kill_at = 0 });
}

struct worker *
worker_spawn_limited(rlim_t file_bytes)
{
	return spawn((struct fate){ .file_bytes = file_bytes });
}

struct worker *
worker_spawn_doomed(unsigned kill_at)
{
	return spawn((struct fate){ .kill_at = kill_at });
}

struct worker *
worker_spawn_failing(unsigned fail_at, int error)
{
	return spawn((struct fate){ .fail_at = fail_at, .error = error });
}

static void
say_hello(struct worker *w, uint64_t max_bytes, uint32_t interval_s)
{
	struct msg_hello hello = { .version = MSG_VERSION,
		.log_level = worker_log_level,
		.path = span_of(worker_dir),
		.job_id = span_of(JOB_ID),
		.max_expanded_bytes = max_bytes,
		.sync_policy = SYNC_ALWAYS,
		.interim_interval_s = interval_s };

	send_msg(w, MSG_HELLO, 0, &hello);
}

void
worker_hello(struct worker *w, uint64_t max_bytes)
{
	say_hello(w, max_bytes, 0);
}

void
worker_hello_beating(struct worker *w, uint32_t interval_s)
{
	say_hello(w, 0, interval_s);
}

char *
worker_config_text(void)
{
	struct jobconf *conf;
	struct apierr e;
	char *text;

	conf = jobconf_parse(JOB_ID, job, strlen(job), NULL, &e);
	cr_assert_not_null(conf);
	text = jobconf_print(conf);
	jobconf_free(conf);
	return text;
}

void
worker_config(struct worker *w)
{
	char *text = worker_config_text();

	send_raw(w, MSG_JOB_CONFIG, 0, text, strlen(text));
	free(text);
}

void
worker_greet(struct worker *w, uint64_t max_bytes)
{
	worker_hello(w, max_bytes);
	worker_config(w);
}

/* READY, and the totals right behind it. */
void
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

struct worker *
worker_open(void)
{
	struct worker *w = worker_spawn();

	worker_greet(w, 0);
	worker_ready(w);
	return w;
}

/* Wait for its end. Returns its wait status. */
int
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

void
expect_exit(struct worker *w, int code)
{
	int status = worker_end(w);

	cr_assert(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	cr_expect_eq(
	    WEXITSTATUS(status), code, "exit status %d", WEXITSTATUS(status));
}

void
worker_kill(struct worker *w)
{
	kill(w->pid, SIGKILL);
	cr_expect(WIFSIGNALED(worker_end(w)));
}

bool
worker_close_any(struct worker *w)
{
	struct msg_close close = { .keep = true };
	struct msg_closed closed;
	bool has_snapshot;

	send_msg(w, MSG_CLOSE, 0, &close);
	expect_msg(w, MSG_CLOSED, 0, &closed);
	has_snapshot = closed.model_snapshot_id.len > 0;
	expect_exit(w, 0);
	return has_snapshot;
}

void
worker_close(struct worker *w, bool has_snapshot)
{
	cr_expect_eq(worker_close_any(w), has_snapshot);
}

/* ---- uploads ---- */

/* n records, one a minute, from minute first on. The caller frees. */
char *
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

void
upload_begin(struct worker *w, uint32_t request, enum upload_encoding encoding)
{
	struct msg_upload_begin m = { .encoding = (uint8_t)encoding,
		.reset_start_s = TIME_UNSET,
		.reset_end_s = TIME_UNSET };

	send_msg(w, MSG_UPLOAD_BEGIN, request, &m);
}

void
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

void
upload_seal(struct worker *w, uint32_t request, const void *data, size_t len)
{
	struct msg_upload_seal m = { .wire_bytes = len,
		.wire_crc = crc32c(0, data, len),
		.receipt_ms = 1700000000000 };

	send_msg(w, MSG_UPLOAD_SEAL, request, &m);
}

void
upload(struct worker *w, uint32_t request, enum upload_encoding encoding,
    const void *data, size_t len)
{
	upload_begin(w, request, encoding);
	upload_data(w, request, data, len);
	upload_seal(w, request, data, len);
}

struct data_counts
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

void
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
void
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

void
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

/* All that results.db shows, but for wall time. The caller frees. */
char *
results_dump(void)
{
	static const char sql[] =
	    "SELECT group_concat(row, char(10)) FROM ("
	    "SELECT printf('%lld %.17g %.17g %d', timestamp, anomaly_score,"
	    " initial_anomaly_score, event_count) AS row FROM bucket"
	    " UNION ALL SELECT printf('%lld %.17g %.17g %.17g', timestamp,"
	    " probability, record_score, actual) FROM record"
	    " UNION ALL SELECT printf('%lld %.17g %.17g %s %s', timestamp,"
	    " probability, influencer_score, influencer_field_name,"
	    " influencer_field_value) FROM influence ORDER BY 1)";
	/* Not with SQLite's own means: it would fold a WAL in by itself. */
	sqlite3 *db = resultsdb_open_reader("results");
	const unsigned char *text;
	sqlite3_stmt *st;
	char *dump;

	cr_assert_not_null(db);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	text = sqlite3_column_text(st, 0);
	dump = strdup(text == NULL ? "" : (const char *)text);
	sqlite3_finalize(st);
	resultsdb_close(db);
	return dump;
}
