/*
 * What comes after the death of a worker: another one, at once or after a
 * pause that grows with each death, until it is clear that none would do
 * better.
 */
#ifndef SUPERVISOR_RECOVERY_H
#define SUPERVISOR_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"

struct job;
struct json_object;

struct recovery {
	bool waits;	   /* for at_us; a process is started then */
	int64_t at_us;	   /* monotonic */
	int64_t ready_us;  /* when the last worker was ready, monotonic */
	unsigned restarts; /* in this life of the daemon */
	unsigned streak;   /* of those, since it last lived well */
	unsigned barren;   /* deaths in a row without a step */
	unsigned stuck;	   /* in a row before the end that it was to reach */
	unsigned crash;	   /* signal that it died of by its own hand */
	char death[200];   /* the last one */
	int64_t death_ms;  /* wall clock */
	bool replays;	   /* progress is known of the present worker */
	struct msg_progress progress;
	struct msg_salvaged salvaged; /* the last time */
	int64_t salvaged_ms;	      /* wall clock; 0: never */
	bool damaged;		      /* its results, as a query has found */
	bool damage_told;	      /* to the present worker */
	int64_t mended_us; /* when they were last put in order, monotonic */
};

/*
 * Its process has ended with this status, or the kernel has killed it for want
 * of memory; the next one is told of a crash.
 */
void recovery_died(struct job *, int status, bool memory_kill);
/* The worker has died: plan its successor. */
void recovery_begin(struct job *);
/* Start it when its time has come. */
void recovery_tick(struct job *, int64_t now_us);
/* It is ready. */
void recovery_ready(struct job *);
/* It has salvaged damaged results. */
void recovery_salvaged(struct job *, const struct msg_salvaged *);
/*
 * A query that was asked at asked_us has found its results damaged: the next
 * worker is to be told.
 */
void recovery_damaged(struct job *, int64_t asked_us);
/* What HELLO says of that to a worker that begins. */
bool recovery_tell_damage(struct job *);
/* Its results are others now: it has been reset. */
void recovery_forget_damage(struct job *);
/* It has answered something that waited, or put an entry aside that killed. */
void recovery_step(struct job *);
/* Another one would not come further either. */
bool recovery_is_hopeless(const struct job *);
/* No successor is wanted any more. */
void recovery_cancel(struct job *);
/* Of _stats: {"restarts":2,"last_death":...}; NULL: nothing has happened. */
struct json_object *recovery_json(const struct job *);

#endif
