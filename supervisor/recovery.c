/* Owns when a worker that died is followed by another one. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/log.h"
#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

/*
 * A worker that has lived so long did not die of how it started, so its
 * successor is started at once again.
 */
#define GOOD_LIFE_US (INT64_C(5) * 60 * 1000000)

/*
 * Deaths in a row without a step: without an answer to anything that waits, or
 * before READY when nothing does. So many are no accident. With the pauses
 * between them they take about four minutes.
 */
#define BARREN_MAX 10

/*
 * The same without coming to an end that is asked of it: to be closed, to rest,
 * or to have removed old results. Answers on the way there are no step towards
 * it: each worker may give some, and die at the same place.
 */
#define STUCK_MAX 10

/* 0, 1, 2, 4 ... seconds before the start that follows this many. */
static int64_t
pause_us(const struct job *job)
{
	int64_t most_us =
	    (int64_t)job->srv->conf->max_restart_delay_s * 1000000;
	unsigned n = job->recovery.streak;
	int64_t us;

	if (n == 0)
		return 0;
	us = n > 16 ? INT64_MAX : INT64_C(1000000) << (n - 1);
	return us < most_us ? us : most_us;
}

/* Signals of what a program itself has done. */
static const int own_hand[] = { SIGSEGV, SIGABRT, SIGBUS, SIGSYS, SIGILL,
	SIGFPE };

void
recovery_died(struct job *job, int status, bool memory_kill)
{
	job->recovery.crash = memory_kill ? SIGKILL : 0;
	for (size_t i = 0; WIFSIGNALED(status) && i < NELEM(own_hand); i++)
		if (WTERMSIG(status) == own_hand[i])
			job->recovery.crash = (unsigned)own_hand[i];
}

/* An end is asked of it, as STUCK_MAX has it. */
static bool
has_end(const struct job *job)
{
	const struct op *op;

	if (job->close_asked || job->resumes == JOB_CLOSING ||
	    job->srv->upgrade_mode)
		return true;
	TAILQ_FOREACH (op, &job->line, entry)
		if (op->kind == OP_EXPIRE && op->sent)
			return true;
	return false;
}

static void
count_death(struct job *job)
{
	struct recovery *r = &job->recovery;

	if (!has_end(job))
		r->stuck = 0;
	/* What a full disk kills is not hopeless: it goes on with room. */
	if (job->srv->disk_low)
		return;
	r->barren++;
	if (has_end(job))
		r->stuck++;
}

void
recovery_begin(struct job *job)
{
	struct recovery *r = &job->recovery;
	int64_t now_us = clock_mono_us(), pause;

	if (r->ready_us != 0 && now_us - r->ready_us >= GOOD_LIFE_US)
		r->streak = 0;
	r->ready_us = 0;
	r->replays = false;
	count_death(job);
	log_escape(r->death, sizeof(r->death), job->death, strlen(job->death));
	r->death_ms = clock_wall_ms();
	pause = pause_us(job);
	log_warnx("job %s: %s; another one is started in %d s", job->id,
	    r->death, (int)(pause / 1000000));
	r->streak++;
	r->waits = true;
	r->at_us = now_us + pause;
	recovery_tick(job, now_us);
}

void
recovery_tick(struct job *job, int64_t now_us)
{
	struct recovery *r = &job->recovery;

	if (!r->waits || now_us < r->at_us || job->srv->stopping)
		return;
	r->waits = false;
	r->restarts++;
	job_process_start(job);
}

void
recovery_ready(struct job *job)
{
	job->recovery.ready_us = clock_mono_us();
	job->recovery.replays = false;
	if (job->recovery.damage_told)
		recovery_forget_damage(job);
	if (job->nline == 0 && !job->close_asked)
		job->recovery.barren = 0;
}

void
recovery_step(struct job *job)
{
	job->recovery.barren = 0;
}

bool
recovery_is_hopeless(const struct job *job)
{
	return job->recovery.barren >= BARREN_MAX ||
	    job->recovery.stuck >= STUCK_MAX;
}

void
recovery_cancel(struct job *job)
{
	job->recovery.waits = false;
	job->recovery.streak = 0;
	job->recovery.barren = 0;
	job->recovery.stuck = 0;
	job->recovery.replays = false;
}

/* A query that was asked before may still have read the old file. */
void
recovery_damaged(struct job *job, int64_t asked_us)
{
	struct recovery *r = &job->recovery;

	if (r->damaged || asked_us <= r->mended_us)
		return;
	r->damaged = true;
	log_warnx("job %s: a query has found its results damaged: close and "
		  "open it, and rows that can be read are kept",
	    job->id);
}

bool
recovery_tell_damage(struct job *job)
{
	job->recovery.damage_told = job->recovery.damaged;
	return job->recovery.damaged;
}

void
recovery_forget_damage(struct job *job)
{
	job->recovery.damaged = false;
	job->recovery.damage_told = false;
	job->recovery.mended_us = clock_mono_us();
}

void
recovery_salvaged(struct job *job, const struct msg_salvaged *m)
{
	recovery_forget_damage(job);
	job->recovery.salvaged = *m;
	job->recovery.salvaged_ms = clock_wall_ms();
	log_warnx("job %s: its results were damaged and salvaged: %" PRIu64
		  " rows kept, %" PRIu64 " dropped%s",
	    job->id, m->kept, m->dropped,
	    m->cut ? ", and some pages were lost" : "");
}

static struct json_object *
salvaged_json(const struct recovery *r)
{
	struct json_object *o = json_object_new_object();

	jsonmake_int(&o, "time", r->salvaged_ms);
	jsonmake_int(&o, "rows_kept", (int64_t)r->salvaged.kept);
	jsonmake_int(&o, "rows_dropped", (int64_t)r->salvaged.dropped);
	jsonmake_bool(&o, "pages_lost", r->salvaged.cut);
	return o;
}

static struct json_object *
progress_json(const struct msg_progress *p)
{
	struct json_object *o = json_object_new_object();

	jsonmake_int(&o, "entries", (int64_t)p->entries);
	jsonmake_int(&o, "done_bytes", (int64_t)p->done_bytes);
	jsonmake_int(&o, "all_bytes", (int64_t)p->all_bytes);
	return o;
}

struct json_object *
recovery_json(const struct job *job)
{
	const struct recovery *r = &job->recovery;
	struct json_object *o;

	if (r->death[0] == '\0' && !r->replays && r->salvaged_ms == 0 &&
	    !r->damaged)
		return NULL;
	o = json_object_new_object();
	jsonmake_bool(&o, "recovering", job->state == JOB_RECOVERING);
	jsonmake_int(&o, "restarts", r->restarts);
	if (r->death[0] != '\0') {
		jsonmake_string(&o, "last_death", r->death);
		jsonmake_int(&o, "last_death_time", r->death_ms);
	}
	if (r->replays)
		jsonmake_add(&o, "replay", progress_json(&r->progress));
	if (r->damaged)
		jsonmake_bool(&o, "results_damaged", true);
	if (r->salvaged_ms != 0)
		jsonmake_add(&o, "salvaged_results", salvaged_json(r));
	return o;
}
