/* Owns the measuring of gaps; see gaps.h. */
#include "common/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench/gaps.h"
#include "common/peer.h"
#include "worker/results.h"

int __real_peer_poll(struct peer *, int wait_ms, bool reading);
int __wrap_peer_poll(struct peer *, int wait_ms, bool reading);
int __real_peer_drain(struct peer *);
int __wrap_peer_drain(struct peer *);
int __real_fsync(int);
int __wrap_fsync(int);
int __real_fdatasync(int);
int __wrap_fdatasync(int);
int __real_results_commit(struct results *, uint64_t seq, bool durable);
int __wrap_results_commit(struct results *, uint64_t seq, bool durable);
struct sqlite3 *__real_resultsdb_open_writer(const char *, bool create);
struct sqlite3 *__wrap_resultsdb_open_writer(const char *, bool create);

static struct gaps *gaps;

/* Since the last look; the first one has none before it. */
static struct {
	int64_t at_us, at_cpu_us;
	int64_t sync_us, commit_us; /* spent so far */
	int64_t excused_cpu_us;
	bool looked;
} since;

static int64_t
now_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct gaps *
gaps_new(void)
{
	gaps = mmap(NULL, sizeof(*gaps), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gaps == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return gaps;
}

static void
raise_to(int64_t *most, int64_t v)
{
	if (v > *most)
		*most = v;
}

static void
end_gap(void)
{
	int64_t gap, cpu;

	if (!since.looked)
		return;
	gap = now_us(CLOCK_MONOTONIC) - since.at_us - since.sync_us -
	    since.commit_us;
	cpu = now_us(CLOCK_PROCESS_CPUTIME_ID) - since.at_cpu_us -
	    since.excused_cpu_us;
	gaps->looks++;
	gaps->above += gap > GAPS_LIMIT_US ? 1 : 0;
	raise_to(&gaps->longest_us, gap);
	raise_to(&gaps->longest_cpu_us, cpu);
	raise_to(&gaps->sync_us, since.sync_us);
	raise_to(&gaps->commit_us, since.commit_us);
	gaps->total_sync_us += since.sync_us;
	gaps->total_commit_us += since.commit_us;
}

int
__wrap_peer_poll(struct peer *peer, int wait_ms, bool reading)
{
	int rc;

	end_gap();
	rc = __real_peer_poll(peer, wait_ms, reading);
	since.looked = true;
	since.sync_us = since.commit_us = since.excused_cpu_us = 0;
	since.at_us = now_us(CLOCK_MONOTONIC);
	since.at_cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
	return rc;
}

/* The last thing of a worker, which makes the end of the last gap. */
int
__wrap_peer_drain(struct peer *peer)
{
	end_gap();
	since.looked = false;
	return __real_peer_drain(peer);
}

static void
excuse(int64_t start_us, int64_t start_cpu_us, int64_t *spent_us)
{
	*spent_us += now_us(CLOCK_MONOTONIC) - start_us;
	since.excused_cpu_us += now_us(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_us;
}

int
__wrap_fsync(int fd)
{
	int64_t us = now_us(CLOCK_MONOTONIC);
	int64_t cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
	int rc = __real_fsync(fd);

	excuse(us, cpu_us, &since.sync_us);
	return rc;
}

int
__wrap_fdatasync(int fd)
{
	int64_t us = now_us(CLOCK_MONOTONIC);
	int64_t cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
	int rc = __real_fdatasync(fd);

	excuse(us, cpu_us, &since.sync_us);
	return rc;
}

int
__wrap_results_commit(struct results *r, uint64_t seq, bool durable)
{
	int64_t us = now_us(CLOCK_MONOTONIC);
	int64_t cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
	int rc = __real_results_commit(r, seq, durable);

	excuse(us, cpu_us, &since.commit_us);
	return rc;
}

struct sqlite3 *
__wrap_resultsdb_open_writer(const char *dir, bool create)
{
	int64_t us = now_us(CLOCK_MONOTONIC);
	int64_t cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
	struct sqlite3 *db = __real_resultsdb_open_writer(dir, create);

	excuse(us, cpu_us, &since.commit_us);
	return db;
}
