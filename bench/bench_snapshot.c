/*
 * What a snapshot costs a job that goes on: the pause of the fork, and the
 * pages that are copied when the models are written to while the child has
 * them. For models of 100 MB and 1 GB; a line for each. Give a directory to
 * write to, else it is the current one.
 */
#include "common/compat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cputime.h"
#include "common/clock.h"
#include "common/snaphead.h"
#include "tests/engine_feed.h"
#include "worker/snapshot.h"

#define SPAN 300
#define SHARE 10 /* one series of so many gets a record in a bucket */
#define LIMIT_MB 16384
#define STEP 8 /* looks at the size: it takes a walk over all series */

static const struct feed_detector detectors[] = {
	{ .function = "mean", .field = "v", .partition = "host" },
	{ .function = NULL }
};

struct cost {
	double ms; /* of the processor: others may want it, too */
	double mb; /* of pages that were copied or new */
};

static void
put(struct feed *f, int host)
{
	static char name[32], value[16]; /* the feed borrows them */

	snprintf(name, sizeof(name), "host-%d", host);
	snprintf(value, sizeof(value), "%d.5", 100 + host * 7 % 13);
	feed_set(f, "host", name);
	feed_set(f, "v", value);
}

/* A record for each of every so many series, and what models make of them. */
static void
run_bucket(struct feed *f, int hosts, int every, int64_t time_s)
{
	for (int host = (int)(time_s / SPAN % every); host < hosts;
	     host += every) {
		put(f, host);
		if (feed_add(f, time_s) == -1)
			abort();
	}
	if (feed_advance(f, time_s + SPAN) == -1)
		abort();
}

static struct cost
measure(struct feed *f, int hosts, int64_t time_s)
{
	double page_mb = (double)sysconf(_SC_PAGESIZE) / 1e6;
	struct rusage before, after;
	double began = cpu_ms();
	struct cost c;

	if (getrusage(RUSAGE_SELF, &before) == -1)
		abort();
	run_bucket(f, hosts, SHARE, time_s);
	c.ms = cpu_ms() - began;
	if (getrusage(RUSAGE_SELF, &after) == -1)
		abort();
	c.mb = (double)(after.ru_minflt - before.ru_minflt) * page_mb;
	return c;
}

static void
child(const struct feed *f, const char *path, int ready)
{
	struct snapshot_head head = { .applied_seq = 1 };
	struct model_size size = { 0 };
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	struct snapshot_writer *w = snapshot_writer_file(fd, &head, &size);

	if (write(ready, "", 1) != 1 || w == NULL ||
	    engine_save(f->engine, w) == -1 || snapshot_finish(w) == -1 ||
	    fsync(fd) == -1)
		_exit(1);
	_exit(0);
}

static double
model_mb(const struct feed *f)
{
	struct model_size size = { 0 };

	engine_size(f->engine, &size);
	return (double)size.model_bytes / 1e6;
}

/*
 * Series until the models have this size, which they get when their first
 * bucket is over. Returns how many.
 */
static int
grow(struct feed *f, double mb, int64_t *time_s)
{
	int hosts = 0;

	while (model_mb(f) < mb) {
		for (int more = hosts / STEP + 1000; more > 0; more--) {
			put(f, hosts++);
			if (feed_add(f, *time_s) == -1)
				abort();
		}
		*time_s += SPAN;
		if (feed_advance(f, *time_s) == -1)
			abort();
	}
	return hosts;
}

static void
run(double mb, const char *path)
{
	struct cost alone, beside;
	int64_t began, ended;
	double fork_began, fork_ms;
	int hosts, status, fd[2];
	int64_t time_s = SPAN;
	struct stat st;
	struct feed f;
	pid_t pid;
	char byte;

	feed_init(&f, SPAN, detectors, NULL);
	f.conf.model_memory_limit_mb = LIMIT_MB;
	f.keep_nothing = true;
	feed_start(&f);
	hosts = grow(&f, mb, &time_s);
	for (int i = 0; i < SHARE; i++, time_s += SPAN)
		run_bucket(&f, hosts, SHARE, time_s);
	alone = measure(&f, hosts, time_s);
	if (pipe(fd) == -1)
		abort();
	fflush(stdout);
	began = clock_mono_us();
	fork_began = cpu_ms();
	pid = fork();
	if (pid == 0)
		child(&f, path, fd[1]);
	fork_ms = cpu_ms() - fork_began;
	if (pid == -1 || read(fd[0], &byte, 1) != 1)
		abort();
	beside = measure(&f, hosts, time_s + SPAN);
	if (waitpid(pid, &status, 0) != pid || status != 0 ||
	    stat(path, &st) == -1)
		abort();
	ended = clock_mono_us();
	printf("%5.0f MB, %7d series: fork %5.1f ms; a bucket of 1/%d of them "
	       "%6.0f ms alone (%4.0f MB of faults), %6.0f beside the child "
	       "(%4.0f MB); child %6.0f ms, file %5.1f MB\n",
	    model_mb(&f), hosts, fork_ms, SHARE, alone.ms, alone.mb, beside.ms,
	    beside.mb, (double)(ended - began) / 1e3, (double)st.st_size / 1e6);
	unlink(path);
	close(fd[0]);
	close(fd[1]);
	feed_clear(&f);
}

int
main(int argc, char **argv)
{
	char path[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(path, sizeof(path), "%s/bench_snapshot.tmp",
	    argc > 1 ? argv[1] : ".");
	run(100, path);
	run(1000, path);
	return 0;
}
