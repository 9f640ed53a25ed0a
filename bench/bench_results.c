/*
 * How fast records are written to results.db, and how long a page takes.
 *
 *	bench_results [records [batch]]
 *
 * Writes to a directory below TMPDIR, with commits of batch records, 50 records
 * a bucket; then asks for pages, each several times, and prints the median;
 * then for the same page again and again while another process writes.
 * Scores are skewed as in real results: most are small, a third is 0.
 */
#include "common/compat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "query/answer.h"
#include "worker/results.h"

#define RECORDS_PER_BUCKET 50
#define SPAN_S 300
#define FIRST_MS 1700000000000
#define ROUNDS 9

static uint64_t seed = 88172645463325252u;

static double
uniform(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) / 9007199254740992.0;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
record_fill(struct record_result *r, int64_t ms, char *host, size_t hostlen)
{
	double p = 0.035 * uniform(), u = uniform();

	snprintf(host, hostlen, "host-%04d", (int)(1000 * uniform()));
	r->timestamp_ms = ms;
	r->bucket_span_s = SPAN_S;
	r->detector_index = (int)(3 * uniform());
	r->probability = p;
	r->multi_bucket_impact = -5;
	r->record_score = r->initial_record_score =
	    u < 0.33 ? 0 : 100 * u * u * u * u;
	r->function = r->function_description = "mean";
	r->field_name = "responsetime";
	r->partition_field_name = "region";
	r->partition_field_value = (struct span){ "eu-west", 7 };
	r->by_field_name = "host";
	r->by_field_value = (struct span){ host, strlen(host) };
	r->nvalues = 1;
	r->typical[0] = 100 * uniform();
	r->actual[0] = 1000 * uniform();
	r->ninfluencers = 1;
	r->influencer[0].field_name = "host";
	r->influencer[0].nvalues = 1;
	r->influencer[0].value[0] = r->by_field_value;
}

static void
bucket_write(const struct result_sink *sink, int64_t ms)
{
	struct bucket_result b = {
		.timestamp_ms = ms,
		.bucket_span_s = SPAN_S,
		.anomaly_score = 100 * pow(uniform(), 8),
		.event_count = 1000,
		.ninfluencers = 1,
		.influencer[0] = { .influencer_field_name = "bucket_time",
		    .probability = 0.01 },
	};

	if (sink->bucket(sink->arg, &b) == -1)
		die("bucket");
}

/* From the bucket after first records on. */
static void
write_all(long first, long n, long batch)
{
	struct results *r = results_new();
	struct record_result rec = { 0 };
	struct result_sink sink;
	int64_t start = clock_mono_us(), last = start;
	uint64_t seq = 0;
	char host[16];

	if (r == NULL)
		die("results_new");
	results_sink(r, &sink);
	for (long i = 0; i < n; i++) {
		int64_t ms = FIRST_MS +
		    (first + i) / RECORDS_PER_BUCKET * SPAN_S * (int64_t)1000;

		record_fill(&rec, ms, host, sizeof(host));
		if (sink.record(sink.arg, &rec) == -1)
			die("record");
		if (i % RECORDS_PER_BUCKET == RECORDS_PER_BUCKET - 1)
			bucket_write(&sink, ms);
		if (i % batch == batch - 1 &&
		    results_commit(r, ++seq, false) == -1)
			die("commit");
		if (n >= 4 && (i + 1) % (n / 4) == 0) {
			int64_t now = clock_mono_us();

			printf("  to %9ld: %8.0f rows/s\n", i + 1,
			    (double)(n / 4) * 1e6 / (double)(now - last));
			last = now;
		}
	}
	if (results_commit(r, ++seq, true) == -1)
		die("commit");
	results_free(r);
	printf("written: %ld records, %.0f rows/s\n", n,
	    (double)n * 1e6 / (double)(clock_mono_us() - start));
}

static int
swallow(void *arg, const void *data, size_t len)
{
	(void)data;
	*(size_t *)arg += len;
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Returns the bytes of the answer. */
static size_t
page_ask(const char *name, const struct request *req, const char *dir)
{
	size_t bytes = 0;
	struct apierr e;
	struct out o;

	out_init(&o, OUT_HOLD_MAX, swallow, &bytes);
	if (answer_make(req, dir, NULL, NULL, &o, &e) == -1) {
		printf("%s: %s\n", name, e.link[0].reason);
		exit(1);
	}
	out_clear(&o);
	return bytes;
}

static void
page_time(const char *name, const struct request *req, const char *dir)
{
	int64_t us[ROUNDS];
	size_t bytes = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = clock_mono_us();

		bytes = page_ask(name, req, dir);
		us[i] = clock_mono_us() - start;
	}
	qsort(us, ROUNDS, sizeof(us[0]), by_value);
	printf("%-44s %8.2f ms (worst %.2f), %zu bytes\n", name,
	    (double)us[ROUNDS / 2] / 1e3, (double)us[ROUNDS - 1] / 1e3, bytes);
}

static struct request
request_of(enum query_kind kind, const char *sort, bool desc)
{
	struct request r = {
		.kind = kind,
		.timestamp_ms = TIME_UNSET,
		.start_ms = INT64_MIN,
		.end_ms = INT64_MAX,
		.score = -INFINITY,
		.desc = desc,
		.size = 100,
	};

	strlcpy(r.job_id, "bench", sizeof(r.job_id));
	strlcpy(r.directory, "bench.1", sizeof(r.directory));
	strlcpy(r.sort, sort, sizeof(r.sort));
	return r;
}

static void
read_all(const char *dir, long n)
{
	struct request r = request_of(QUERY_RECORDS, "record_score", true);
	int64_t span = n / RECORDS_PER_BUCKET * SPAN_S * 1000;

	page_time("records, default: score, descending", &r, dir);
	r.from = 9900;
	page_time("records, default, from 9900", &r, dir);
	r.from = 0;
	r.size = 10000;
	page_time("records, default, size 10000", &r, dir);
	r.size = 100;
	r.score = 75;
	page_time("records, score >= 75", &r, dir);
	r.start_ms = FIRST_MS + span / 3;
	r.end_ms = FIRST_MS + span / 2;
	page_time("records, score >= 75, a sixth of the time", &r, dir);
	r.score = -INFINITY;
	page_time("records, a sixth of the time", &r, dir);
	r.end_ms = r.start_ms + 3600 * 1000;
	page_time("records, one hour", &r, dir);
	r = request_of(QUERY_RECORDS, "probability", false);
	page_time("records, by probability", &r, dir);
	r = request_of(QUERY_RECORDS, "timestamp", true);
	page_time("records, by time, descending", &r, dir);
	r.score = 75;
	page_time("records, by time, score >= 75", &r, dir);
	r.score = 1;
	page_time("records, by time, score >= 1", &r, dir);
	r = request_of(QUERY_RECORDS, "record_score", false);
	page_time("records, by score, ascending (ties at 0)", &r, dir);
	r = request_of(QUERY_RECORDS, "actual", true);
	page_time("records, by actual (no index)", &r, dir);
	r = request_of(QUERY_BUCKETS, "timestamp", false);
	page_time("buckets, default: time", &r, dir);
	r.expand = true;
	page_time("buckets, expanded", &r, dir);
	r = request_of(QUERY_BUCKETS, "anomaly_score", true);
	page_time("buckets, by score, descending", &r, dir);
}

/* Not the median but the worst: nobody may wait for the writer. */
static void
read_while_writing(const char *dir, long n, long batch)
{
	struct request r = request_of(QUERY_RECORDS, "record_score", true);
	int64_t worst = 0, sum = 0;
	pid_t pid;
	int rounds = 0;

	fflush(stdout);
	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		write_all(n, n / 2, batch);
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		int64_t start = clock_mono_us(), us;

		page_ask("while writing", &r, dir);
		us = clock_mono_us() - start;
		worst = us > worst ? us : worst;
		sum += us;
		rounds++;
		usleep(5000);
	}
	printf("%-44s %8.2f ms mean (worst %.2f), %d times\n",
	    "records, default, while another writes",
	    (double)sum / rounds / 1e3, (double)worst / 1e3, rounds);
}

int
main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	long n = argc > 1 ? atol(argv[1]) : 1000000;
	long batch = argc > 2 ? atol(argv[2]) : 1000;
	char dir[256], command[300];

	snprintf(dir, sizeof(dir), "%s/bench-results-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(dir) == NULL || chdir(dir) == -1 ||
	    mkdir("bench.1", 0700) == -1 || chdir("bench.1") == -1 ||
	    mkdir("results", 0700) == -1)
		die(dir);
	write_all(0, n, batch);
	read_all(dir, n);
	read_while_writing(dir, n, batch);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) == 0 ? 0 : 1;
}
