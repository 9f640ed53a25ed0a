/*
 * The longest time that a worker goes without looking at its channel: it may
 * never exceed 10 ms, whatever the data (syncs and commits of results apart).
 *
 *	bench_slices [-m megabytes] [name ...]
 *
 * Runs the worker's loop in a child, with directories below /tmp, and posts
 * one body after the other to it as the supervisor would. Prints for each step
 * the longest gap by the wall and by the processor's clock: what is only in
 * the first is other processes' doing.
 */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "bench/gaps.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "common/frame.h"
#include "common/jobconf.h"
#include "common/log.h"
#include "common/msg.h"
#include "tests/tmpdir.h"
#include "worker/loop.h"

#define JOB_ID "bench"
#define START_S 1455000000
#define REPLAY_BODIES 10

static size_t body_bytes = (size_t)100 << 20;
static struct gaps *gaps;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- bodies ---- */

struct body {
	char *p;
	size_t len;
	enum upload_encoding encoding;
};

static void
body_alloc(struct body *b)
{
	b->p = malloc(body_bytes + 4096);
	b->len = 0;
	b->encoding = ENCODING_IDENTITY;
	if (b->p == NULL)
		die("malloc");
}

/* Records of 123 bytes of nseries series, per_s of them in a second. */
static void
body_records(struct body *b, unsigned nseries, unsigned per_s)
{
	static const char pad[] =
	    "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"
	    "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";

	body_alloc(b);
	for (unsigned i = 0; b->len < body_bytes; i++) {
		char *line = b->p + b->len;
		int n = snprintf(line, 124,
		    "{\"time\":%u,\"host\":\"h%06u\",\"value\":%u.%04u,"
		    "\"sourcetype\":\"farequote\",\"message\":\"",
		    START_S + i / per_s, i % nseries, 100 + i * 7 % 900,
		    i % 10000);

		n += snprintf(line + n, 128, "%.*s\"}\n", 121 - n, pad);
		b->len += (size_t)n;
	}
}

static void
make_plain(struct body *b)
{
	body_records(b, 1, 10);
}

static void
make_many(struct body *b)
{
	body_records(b, 100000, 1000);
}

static void
make_gap(struct body *b)
{
	body_alloc(b);
	b->len = (size_t)sprintf(b->p,
	    "{\"time\":%d,\"host\":\"a\",\"value\":1}\n"
	    "{\"time\":%" PRId64 ",\"host\":\"a\",\"value\":1}\n",
	    START_S, (int64_t)START_S + (int64_t)200000 * 60);
}

/* Begin, then piece after piece, then end. */
static void
body_repeat(
    struct body *b, const char *begin, const char *piece, const char *end)
{
	size_t n = strlen(piece);

	body_alloc(b);
	b->len = (size_t)sprintf(b->p, "%s", begin);
	for (; b->len + n < body_bytes; b->len += n)
		memcpy(b->p + b->len, piece, n);
	b->len += (size_t)sprintf(b->p + b->len, "%s", end);
}

static void
body_gzip(struct body *b)
{
	uLong most = compressBound((uLong)b->len) + 1024;
	char *out = malloc(most);
	z_stream z = { 0 };

	if (out == NULL ||
	    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) !=
		Z_OK)
		die("deflate");
	z.next_in = (Bytef *)b->p;
	z.avail_in = (uInt)b->len;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)most;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		die("deflate");
	free(b->p);
	b->p = out;
	b->len = z.total_out;
	b->encoding = ENCODING_GZIP;
	deflateEnd(&z);
}

static void
make_gzip_bomb(struct body *b)
{
	body_repeat(b, "", " ", "");
	body_gzip(b);
}

static void
make_gzip_records(struct body *b)
{
	make_plain(b);
	body_gzip(b);
}

static void
make_zstd_bomb(struct body *b)
{
	struct body raw;
	size_t most;

	body_repeat(&raw, "", " ", "");
	most = ZSTD_compressBound(raw.len);
	b->p = malloc(most);
	if (b->p == NULL)
		die("malloc");
	b->len = ZSTD_compress(b->p, most, raw.p, raw.len, 3);
	b->encoding = ENCODING_ZSTD;
	free(raw.p);
}

static const struct {
	const char *name;
	const char *begin, *piece, *end;
} repeated[] = {
	{ "blanks", "", " ", "" },
	{ "scalars", "", "1 ", "" },
	{ "digits", "", "1", "" },
	{ "word", "", "a", "" },
	{ "brackets", "", "[]", "" },
	{ "objects", "", "{}", "" },
	{ "unclosed", "", "[", "" },
	{ "string", "{\"time\":1,\"other\":\"", "abcdefg", "\"}" },
	{ "utf8", "{\"time\":1,\"other\":\"", "\xc3\xa9", "\"}" },
	{ "no-string", "{\"time\":1,\"other\":\"\x01", "abcdefg", "\"}" },
	{ "name", "{\"time\":1455000000,\"", "abcdefg", "\":1}" },
	{ "value", "{\"time\":1455000000,\"value\":\"", "1", "\"}" },
	{ "value-blank", "{\"time\":1455000000,\"value\":\"", " ", "\"}" },
	{ "time", "{\"time\":\"", "1", "\",\"value\":1}" },
	{ "host", "{\"time\":1455000000,\"value\":1,\"host\":\"", "abcdefg",
	    "\"}" },
	{ "host-escaped", "{\"time\":1455000000,\"value\":1,\"host\":\"",
	    "\\u00e9", "\"}" },
	{ "host-array", "{\"time\":1455000000,\"value\":1,\"host\":[1", ",1",
	    "]}" },
	{ "array", "{\"time\":1455000000,\"value\":1,\"other\":[1", ",1",
	    "]}" },
	{ "members", "{\"time\":1455000000,\"value\":1", ",\"a\":1", "}" },
	{ "nested", "{\"time\":1455000000,\"value\":1", ",\"a\":{}", "}" },
	{ "skipped", "{\"time\":1455000000,,", "\"a\":1,", "}" },
};

static const struct {
	const char *name;
	void (*make)(struct body *);
} made[] = {
	{ "records", make_plain },
	{ "100,000-series", make_many },
	{ "empty-buckets", make_gap },
	{ "gzip-bomb", make_gzip_bomb },
	{ "gzip-records", make_gzip_records },
	{ "zstd-bomb", make_zstd_bomb },
};

static const struct {
	const char *name;
	const char *begin, *piece, *end;
} delimited[] = {
	{ "csv-lines", "time,value,host\n", "\n", "" },
	{ "csv-records", "time,value,host\n",
	    "1455000000,1234.5,abcdefghijklmnopqrstuvwxyz\n", "" },
	{ "csv-header", "time,value,host", ",", "\n" },
	{ "csv-columns", "time,value,host\n1455000000,1,a", ",", "\n" },
	{ "csv-plain", "time,value,host\n1455000000,1,", "abcdefg", "\n" },
	{ "csv-quoted", "time,value,host\n1455000000,1,\"", "abc\"\"", "\"\n" },
	{ "csv-no-utf8", "time,value,host\n1455000000,1,", "\xff", "\n" },
};

/* ---- the supervisor's side ---- */

struct worker {
	pid_t pid;
	int fd;
	uint32_t request; /* the last one */
};

static void
send_frame(struct worker *w, struct wbuf *wb)
{
	for (size_t at = 0; at < wb->len;) {
		ssize_t n =
		    send(w->fd, wb->data + at, wb->len - at, MSG_NOSIGNAL);

		if (n == -1)
			die("send");
		at += (size_t)n;
	}
	wbuf_clear(wb);
}

static void
send_msg(struct worker *w, uint16_t type, const void *obj)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	if (frame_put(&wb, type, w->request, obj) == -1)
		die(msg_name(type));
	send_frame(w, &wb);
}

static void
send_raw(struct worker *w, uint16_t type, const void *data, size_t len)
{
	struct wbuf wb;

	wbuf_init(&wb, 0);
	if (frame_put_raw(&wb, type, w->request, data, len) == -1)
		die(msg_name(type));
	send_frame(w, &wb);
}

static void
recv_all(struct worker *w, void *data, size_t len)
{
	if (recv(w->fd, data, len, MSG_WAITALL) != (ssize_t)len)
		die("the worker has ended");
}

/* The next frame that is not TOTALS. */
static uint16_t
wait_answer(struct worker *w)
{
	uint8_t head[FRAME_HEADER_BYTES], payload[65536];
	struct frame_header h;

	do {
		recv_all(w, head, sizeof(head));
		if (frame_get_header(head, FROM_WRK, IN_ANY, &h, NULL) == -1 ||
		    h.len > sizeof(payload))
			die("frame");
		recv_all(w, payload, h.len);
	} while (h.type == MSG_TOTALS || h.type == MSG_FORECASTS);
	return h.type;
}

static void
worker_start(struct worker *w, const char *dir, const char *config)
{
	struct msg_hello hello = { .version = MSG_VERSION,
		.path = span_of(dir),
		.job_id = span_of(JOB_ID),
		.max_expanded_bytes = (uint64_t)1 << 30,
		.sync_policy = SYNC_ALWAYS };
	struct apierr e;
	struct jobconf *conf =
	    jobconf_parse(JOB_ID, config, strlen(config), NULL, &e);
	char *text;
	int fd[2];

	if (conf == NULL) {
		fprintf(stderr, "%s\n", e.link[0].reason);
		exit(1);
	}
	text = jobconf_print(conf);
	if (text == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		die("socketpair");
	fflush(stdout);
	w->pid = fork();
	if (w->pid == 0) {
		close(fd[0]);
		_exit(loop_run(fd[1]));
	}
	close(fd[1]);
	w->fd = fd[0];
	w->request = 0;
	send_msg(w, MSG_HELLO, &hello);
	send_raw(w, MSG_JOB_CONFIG, text, strlen(text));
	free(text);
	jobconf_free(conf);
	if (wait_answer(w) != MSG_READY)
		die("READY");
}

static uint16_t
worker_post(struct worker *w, const struct body *b)
{
	struct msg_upload_begin begin = { .encoding = (uint8_t)b->encoding,
		.reset_start_s = TIME_UNSET,
		.reset_end_s = TIME_UNSET };
	struct msg_upload_seal seal = { .wire_bytes = b->len,
		.wire_crc = crc32c(0, b->p, b->len),
		.receipt_ms = 1700000000000 };

	w->request++;
	send_msg(w, MSG_UPLOAD_BEGIN, &begin);
	for (size_t at = 0, n; at < b->len; at += n) {
		n = b->len - at < MSG_DATA_MAX ? b->len - at : MSG_DATA_MAX;
		send_raw(w, MSG_UPLOAD_DATA, b->p + at, n);
	}
	send_msg(w, MSG_UPLOAD_SEAL, &seal);
	return wait_answer(w);
}

static uint16_t
worker_flush(struct worker *w)
{
	struct msg_flush m = { .calc_interim = true,
		.start_s = TIME_UNSET,
		.end_s = TIME_UNSET,
		.advance_time_s = TIME_UNSET,
		.skip_time_s = TIME_UNSET,
		.receipt_ms = 1700000000000 };

	w->request++;
	send_msg(w, MSG_FLUSH, &m);
	return wait_answer(w);
}

static void
worker_reap(struct worker *w)
{
	close(w->fd);
	if (waitpid(w->pid, NULL, 0) == -1)
		die("waitpid");
}

static uint16_t
worker_close(struct worker *w)
{
	struct msg_close m = { .keep = true };
	uint16_t answer;

	w->request = 0;
	send_msg(w, MSG_CLOSE, &m);
	answer = wait_answer(w);
	worker_reap(w);
	return answer;
}

static void
worker_kill(struct worker *w)
{
	kill(w->pid, SIGKILL);
	worker_reap(w);
}

/* ---- measuring ---- */

static int64_t started_us;

static void
measure_begin(void)
{
	memset(gaps, 0, sizeof(*gaps));
	started_us = clock_mono_us();
}

static double
ms(int64_t us)
{
	return (double)us / 1000;
}

static void
measure_end(const char *name, const char *step, uint16_t answer)
{
	int64_t us = clock_mono_us() - started_us;

	printf("%-15s %-7s %-8s %8.0f %9" PRIu64 " %8.1f %8.1f %6" PRIu64
	       " %8.1f %8.1f %8.0f %8.0f\n",
	    name, step, msg_name(answer), ms(us), gaps->looks,
	    ms(gaps->longest_us), ms(gaps->longest_cpu_us), gaps->above,
	    ms(gaps->sync_us), ms(gaps->commit_us), ms(gaps->total_sync_us),
	    ms(gaps->total_commit_us));
	fflush(stdout);
}

static void
print_head(void)
{
	printf("%-15s %-7s %-8s %8s %9s %8s %8s %6s %8s %8s %8s %8s\n", "body",
	    "step", "answer", "ms", "looks", "gap ms", "cpu ms", ">10ms",
	    "sync ms", "commit", "syncs", "commits");
}

static const char config_json[] =
    "{\"analysis_config\":{\"bucket_span\":\"1m\",\"detectors\":[{"
    "\"function\":\"mean\",\"field_name\":\"value\","
    "\"partition_field_name\":\"host\"}]},"
    "\"data_description\":{\"time_field\":\"time\","
    "\"time_format\":\"epoch\"}}";
static const char config_delimited[] =
    "{\"analysis_config\":{\"bucket_span\":\"1m\",\"detectors\":[{"
    "\"function\":\"mean\",\"field_name\":\"value\","
    "\"partition_field_name\":\"host\"}]},"
    "\"data_description\":{\"format\":\"delimited\","
    "\"field_delimiter\":\",\","
    "\"time_field\":\"time\",\"time_format\":\"epoch\"}}";

/* Post the body, ask for interim results, close, open, close again. */
static void
run(const char *name, const char *config, struct body *b)
{
	char dir[TMPDIR_BYTES];
	struct worker w;
	uint16_t answer;

	tmpdir_enter(dir);
	worker_start(&w, dir, config);
	measure_begin();
	answer = worker_post(&w, b);
	measure_end(name, "post", answer);
	measure_begin();
	answer = worker_flush(&w);
	measure_end(name, "interim", answer);
	measure_begin();
	answer = worker_close(&w);
	measure_end(name, "close", answer);
	measure_begin();
	worker_start(&w, dir, config);
	measure_end(name, "open", MSG_READY);
	worker_close(&w);
	free(b->p);
	tmpdir_purge(dir);
}

static void
run_replay(const char *name)
{
	char dir[TMPDIR_BYTES];
	struct worker w;
	struct body b;

	tmpdir_enter(dir);
	worker_start(&w, dir, config_json);
	for (unsigned i = 0; i < REPLAY_BODIES; i++) {
		body_records(&b, 1000, 1000);
		worker_post(&w, &b);
		free(b.p);
	}
	worker_kill(&w);
	measure_begin();
	worker_start(&w, dir, config_json);
	measure_end(name, "open", MSG_READY);
	worker_close(&w);
	tmpdir_purge(dir);
}

static char **wanted;

static bool
is_wanted(const char *name)
{
	if (*wanted == NULL)
		return true;
	for (char **p = wanted; *p != NULL; p++)
		if (strcmp(*p, name) == 0)
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	struct body b;
	int c;

	while ((c = getopt(argc, argv, "m:")) != -1) {
		if (c != 'm' || atoi(optarg) < 1)
			return 2;
		body_bytes = (size_t)atoi(optarg) << 20;
	}
	wanted = argv + optind;
	log_init("bench_slices", LOG_LEVEL_WARN);
	gaps = gaps_new();
	print_head();
	for (size_t i = 0; i < NELEM(made); i++) {
		if (!is_wanted(made[i].name))
			continue;
		made[i].make(&b);
		run(made[i].name, config_json, &b);
	}
	for (size_t i = 0; i < NELEM(repeated); i++) {
		if (!is_wanted(repeated[i].name))
			continue;
		body_repeat(
		    &b, repeated[i].begin, repeated[i].piece, repeated[i].end);
		run(repeated[i].name, config_json, &b);
	}
	for (size_t i = 0; i < NELEM(delimited); i++) {
		if (!is_wanted(delimited[i].name))
			continue;
		body_repeat(&b, delimited[i].begin, delimited[i].piece,
		    delimited[i].end);
		run(delimited[i].name, config_delimited, &b);
	}
	if (is_wanted("replay"))
		run_replay("replay");
	return 0;
}
