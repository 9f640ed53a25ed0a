/*
 * What a worker is in the midst of: its job, from HELLO to the end. The loop
 * drives it.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/peer.h"
#include "worker/analysis.h"
#include "worker/aside.h"
#include "worker/awaiting.h"
#include "worker/backlog.h"
#include "worker/beat.h"
#include "worker/chore.h"
#include "worker/expiry.h"
#include "worker/journal.h"
#include "worker/mark.h"
#include "worker/mend.h"
#include "worker/persist.h"
#include "worker/restore.h"
#include "worker/snapper.h"
#include "worker/uploads.h"

enum session_stage {
	SESSION_GREETING,  /* HELLO is to come */
	SESSION_LOCKING,   /* a predecessor may still hold the directory */
	SESSION_SANDBOXED, /* the configuration is to come */
	SESSION_MENDING,   /* a child brings results.db in order */
	SESSION_RESTORING,
	SESSION_OPEN,
	SESSION_TENDING /* started for one task of a closed job, and no more */
};

struct session {
	struct peer *peer; /* owned, like all pointers here */
	unsigned state;	   /* IN_* */
	enum session_stage stage;
	bool ended;
	bool refused;	   /* the supervisor was told why, and will log it */
	bool trimmed;	   /* memory was given back since the last work */
	int64_t active_us; /* when there was work last, monotonic */
	int64_t packed_us; /* when a segment was last compressed a bit */
	uint64_t progress; /* units of work done */

	char *job_id;
	char *path;
	enum sync_policy policy;
	uint64_t journal_quota; /* bytes */
	uint32_t interim_interval_s;
	int lockfd;
	int64_t lock_deadline_us;
	char *config; /* text, until the job is open */
	size_t config_len;

	struct mend *mend;
	bool mended;	      /* once is enough, or it does not help */
	bool results_damaged; /* says HELLO, and it is not marked yet */

	unsigned crash; /* signal that its predecessor died of; 0: none */
	struct mark *mark;
	struct awaiting awaiting;
	struct uploads uploads;
	struct analysis *analysis;
	struct restore *restore;
	struct journal *journal;
	struct snapper *snapper;
	struct persist persist; /* from then on */
	struct backlog *backlog;
	struct beat beat;
	struct aside aside; /* entries that are put aside */

	bool tends; /* EXPIRE or CHORE came in place of the configuration */
	bool asked; /* one is to be answered */
	struct msg_expire ask;
	uint32_t ask_request;
	struct results *results;     /* of one that tends */
	struct forecasts *forecasts; /* the same */
	struct expiry *expiry; /* of the one that is asked for, once begun */
	struct chore *chore;   /* in place of that */
	bool chore_begun;
};

/* fd: the channel, owned. NULL with errno. */
struct session *session_new(int fd);
void session_free(struct session *);

/* Each returns 0, or -1 with errno; EBADMSG: not now. */
int session_hello(struct session *, const struct msg_hello *) MUST_CHECK;
int session_config(
    struct session *, const uint8_t *text, size_t len) MUST_CHECK;
/* The configuration has been changed since. */
int session_update(
    struct session *, const uint8_t *text, size_t len) MUST_CHECK;

/* Before the configuration: replay is to answer this request. */
int session_await(
    struct session *, uint32_t request, const struct msg_await *) MUST_CHECK;

int session_expire(
    struct session *, uint32_t request, const struct msg_expire *) MUST_CHECK;
int session_chore(
    struct session *, uint32_t request, const struct msg_chore *) MUST_CHECK;

/*
 * There is work that can go on without a frame or a timer; so it should make
 * progress, says the watchdog.
 */
bool session_is_runnable(const struct session *);
/* Another frame can be taken: what is pending is below its bounds. */
bool session_has_room(const struct session *);
/* Milliseconds until session_work should be called again, or -1. */
int session_timer_ms(struct session *);

/* Do what is due. Returns 0, or -1 with errno (logged). */
int session_work(struct session *, int64_t deadline_us) MUST_CHECK;

#endif
