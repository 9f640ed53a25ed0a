/* Owns when and how a snapshot is taken. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "worker/forecasts.h"
#include "worker/forked.h"
#include "worker/snapdir.h"
#include "worker/snapper.h"

/*
 * So much of the journal is done again in a few seconds after a death, at
 * about 100 MB/s; a snapshot costs a second or two of another processor.
 */
#define JOURNAL_BYTES ((uint64_t)512 * 1024 * 1024)
/*
 * Each large upload is a segment, and each opening and closing begins one,
 * however little there is in it. A start opens them all one after the other:
 * it is their bytes that take time, and this is for the directory alone.
 */
#define JOURNAL_SEGMENTS 4096

#define INTERVAL_S (3 * 3600) /* results-and-models 12.1 */
#define STAGGER_S 3600	      /* jobs should not all do it at once */
#define RETRY_US (60 * (int64_t)1000000)
#define CHILD_LOOK_MS 20
/* A child that takes longer hangs: a gigabyte of models takes seconds. */
#define CHILD_LIMIT_S 600

struct snapper {
	struct analysis *analysis; /* borrowed, like the next two */
	struct journal *journal;
	const char *job_id;
	int lockfd;
	int64_t interval_us;
	int64_t next_us;       /* when the next one is due by time, monotonic */
	int64_t not_before_us; /* after a failure */
	uint64_t bytes_at;     /* of the journal, at the last one */
	uint64_t quota;	       /* bytes of the journal; 0: no limit */

	pid_t child;		   /* 0: none */
	int64_t look_us;	   /* at it, next */
	struct snapshot_head head; /* of what it writes */
	char description[SNAPHEAD_DESCRIPTION_MAX + 1];
	struct model_size size;
	uint64_t child_bytes_at;
	bool asked;   /* one is wanted now */
	bool pressed; /* something waits for room in the journal */
	bool known;   /* id is */
	char id[SNAPHEAD_ID_BYTES]; /* of the newest, or what was reverted to */
};

/* The same for a job at every start, and not for all jobs. */
static int64_t
interval_us(const struct analysis *a, const char *job_id)
{
	int64_t s = a->conf->background_persist_s;

	if (s == 0)
		s = INTERVAL_S + crc32c(0, job_id, strlen(job_id)) % STAGGER_S;
	return s * 1000000;
}

/* Before snapshot_ms is raised: it is of what was loaded. */
static void
find_id(struct snapper *s)
{
	const struct analysis *a = s->analysis;

	if (a->snapshot_seq == 0)
		return;
	s->known = true;
	if (snapdir_is_listed(a->snapshot_seq)) {
		snaphead_id(s->id, a->snapshot_ms);
	} else if (snapdir_base_id(a->snapshot_seq, s->id) == -1) {
		log_warn("id of what the job was reverted to");
		s->known = false;
	}
}

struct snapper *
snapper_new(
    struct analysis *a, struct journal *j, const char *job_id, int lockfd)
{
	struct snapper *s = calloc(1, sizeof(*s));
	int64_t newest_ms;

	if (s == NULL)
		return NULL;
	s->analysis = a;
	s->journal = j;
	s->job_id = job_id;
	s->lockfd = lockfd;
	s->interval_us = interval_us(a, job_id);
	s->next_us = clock_mono_us() + s->interval_us;
	find_id(s);
	/* After a revert the state is of one that is older than the newest. */
	newest_ms = snapdir_newest_ms();
	if (newest_ms > a->snapshot_ms)
		a->snapshot_ms = newest_ms;
	return s;
}

void
snapper_free(struct snapper *s)
{
	free(s);
}

bool
snapper_has_news(const struct snapper *s)
{
	return s->analysis->data_seq > s->analysis->snapshot_seq;
}

bool
snapper_is_running(const struct snapper *s)
{
	return s->child != 0;
}

/* Bytes of the journal that no snapshot has. */
static uint64_t
unsaved_bytes(const struct snapper *s)
{
	return journal_bytes(s->journal) - s->bytes_at;
}

void
snapper_set_quota(struct snapper *s, uint64_t bytes)
{
	s->quota = bytes;
}

bool
snapper_has_room(struct snapper *s, uint64_t len)
{
	uint64_t half = s->quota / 2, unsaved = unsaved_bytes(s);

	if (s->quota == 0 || (unsaved <= half && len <= half - unsaved))
		return true;
	s->pressed = true;
	return false;
}

static bool
is_due_by_size(const struct snapper *s)
{
	uint64_t most = JOURNAL_BYTES;

	if (s->pressed)
		return true;
	if (s->quota != 0 && s->quota / 4 < most)
		most = s->quota / 4;
	return unsaved_bytes(s) >= most ||
	    journal_segments(s->journal) >= JOURNAL_SEGMENTS;
}

/*
 * With one behind the entry of a forecast a death would lose that, for the
 * models of then could not be had again. Rather that than no data taken in.
 */
static bool
is_held(const struct snapper *s)
{
	return forecasts_are_made(s->analysis->forecasts) && !s->pressed;
}

bool
snapper_is_due(const struct snapper *s)
{
	int64_t now_us;

	if (s->child != 0 || !snapper_has_news(s) || is_held(s))
		return false;
	if (s->asked)
		return true;
	now_us = clock_mono_us();
	if (now_us < s->not_before_us)
		return false;
	return now_us >= s->next_us || is_due_by_size(s);
}

bool
snapper_id(const struct snapper *s, char dst[SNAPHEAD_ID_BYTES])
{
	strlcpy(dst, s->id, SNAPHEAD_ID_BYTES);
	return s->known;
}

void
snapper_ask(struct snapper *s, bool wanted)
{
	s->asked = wanted;
}

bool
snapper_is_asked(const struct snapper *s)
{
	return s->asked;
}

bool
snapper_wants_gap(const struct snapper *s)
{
	if (s->child != 0)
		return clock_mono_us() >= s->look_us;
	return snapper_is_due(s);
}

int64_t
snapper_created_ms(const struct snapper *s)
{
	return s->analysis->snapshot_ms;
}

int
snapper_timer_ms(const struct snapper *s)
{
	int64_t at_us, left_us;

	if (s->child != 0)
		return CHILD_LOOK_MS;
	if (!snapper_has_news(s))
		return -1;
	if (is_held(s))
		return CHILD_LOOK_MS;
	if (s->asked)
		return 0;
	at_us = is_due_by_size(s) ? 0 : s->next_us;
	if (at_us < s->not_before_us)
		at_us = s->not_before_us;
	left_us = at_us - clock_mono_us();
	if (left_us <= 0)
		return 0;
	return left_us / 1000 < INT_MAX ? (int)(left_us / 1000) + 1 : INT_MAX;
}

/* Ids are seconds; two snapshots within one second must not share theirs. */
static int64_t
new_created_ms(const struct analysis *a)
{
	int64_t now = clock_wall_ms(), before = a->snapshot_ms;

	if (before != TIME_UNSET && now / 1000 <= before / 1000)
		now = (before / 1000 + 1) * 1000;
	return now;
}

static void
describe(struct snapper *s, const char *what)
{
	const struct analysis *a = s->analysis;
	int64_t end_ms = engine_last_finalized_ms(a->engine);
	struct job_totals jt;
	char when[32] = "";
	struct tm tm;
	time_t t;

	analysis_totals(a, &jt);
	s->size = jt.size;
	s->head.applied_seq = a->applied_seq;
	s->head.created_ms = new_created_ms(a);
	s->head.job_id = span_of(s->job_id);
	s->head.min_version = span_of(SNAPHEAD_MIN_VERSION);
	s->head.doc_count = 1;
	s->head.latest_record_ms = jt.counts.latest_record_timestamp;
	s->head.latest_result_ms = end_ms == TIME_UNSET
	    ? TIME_UNSET
	    : end_ms - a->conf->bucket_span_s * 1000;
	t = (time_t)(s->head.created_ms / 1000);
	if (gmtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(
	    s->description, sizeof(s->description), "%s at %s", what, when);
	s->head.description = span_of(s->description);
}

static int
save(void *arg, struct snapshot_writer *w)
{
	return analysis_save(arg, w);
}

/* It costs no more than a line in the log: the journal has it all still. */
static void
give_up(struct snapper *s)
{
	snapdir_give_up();
	s->asked = false;
	s->not_before_us = clock_mono_us() + RETRY_US;
}

/* In the child. It logs nothing and uses nothing of SQLite. */
static _Noreturn void
child_run(struct snapper *s, pid_t parent, int fd)
{
	const int keep[] = { fd < s->lockfd ? fd : s->lockfd,
		fd < s->lockfd ? s->lockfd : fd };

	forked_enter(parent, keep, NELEM(keep), CHILD_LIMIT_S);
	forked_exit(snapdir_fill(fd, &s->head, &s->size, save, s->analysis));
}

int
snapper_begin(struct snapper *s)
{
	pid_t parent = getpid(), pid;
	int fd = snapdir_begin();

	if (fd == -1) {
		log_warn("snapshot");
		give_up(s);
		return -1;
	}
	describe(s,
	    s->asked ? "State persisted on request"
		     : "Periodic background persist");
	s->child_bytes_at = journal_bytes(s->journal);
	pid = fork();
	if (pid == 0)
		child_run(s, parent, fd);
	close(fd);
	if (pid == -1) {
		log_warn("snapshot");
		give_up(s);
		return -1;
	}
	s->child = pid;
	s->asked = false;
	s->look_us = clock_mono_us() + CHILD_LOOK_MS * 1000;
	return 0;
}

/* The file is whole. Returns as snapper_step. */
static int
finish(struct snapper *s)
{
	struct analysis *a = s->analysis;
	uint64_t before = a->snapshot_seq;

	/* Nothing is under way in them, so that a failure loses nothing. */
	if (results_commit(a->results, a->applied_seq, true) == -1 ||
	    snapdir_finish(s->head.applied_seq, SNAPFILE_SNAP) == -1) {
		give_up(s);
		return 0;
	}
	s->pressed = false;
	s->not_before_us = 0;
	a->snapshot_seq = s->head.applied_seq;
	a->snapshot_ms = s->head.created_ms;
	snaphead_id(s->id, a->snapshot_ms);
	s->known = true;
	s->next_us = clock_mono_us() + s->interval_us;
	s->bytes_at = s->child_bytes_at;
	log_debug("snapshot %" PRIu64 " is written", a->snapshot_seq);
	if (before != 0) {
		snapdir_bound(before);
		journal_trim(s->journal, before);
	}
	return 1;
}

int
snapper_step(struct snapper *s)
{
	int rc;

	if (s->child == 0)
		return 0;
	s->look_us = clock_mono_us() + CHILD_LOOK_MS * 1000;
	rc = forked_look(s->child, "snapshot");
	if (rc == 1)
		return 0;
	s->child = 0;
	if (rc == 0)
		return finish(s);
	give_up(s);
	return 0;
}

int
snapper_close(struct snapper *s)
{
	int fd, rc;

	if (!snapper_has_news(s))
		return 0;
	fd = snapdir_begin();
	describe(s, "State persisted due to job close");
	s->child_bytes_at = journal_bytes(s->journal);
	rc = fd == -1 ? -1
		      : snapdir_fill(fd, &s->head, &s->size, save, s->analysis);
	if (rc == -1) {
		log_warn("snapshot");
		give_up(s);
	}
	if (fd != -1)
		close(fd);
	return rc == -1 ? 0 : finish(s);
}
