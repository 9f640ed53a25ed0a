/*
 * The worker, but for three inputs of which it dies: a record, an interval of
 * interim results, and an upload that names an interval to be reset; and for
 * three places where it does, when a file in the job's directory says so. So a
 * test can have the real program crash at a known place. With the file
 * "no-memory-at-start" it has none there, and others make it slow where it
 * salvages results, and at every record; "bad-sector" is in badsector.h.
 */
#include "common/compat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/resultrow.h"
#include "worker/arrival.h"
#include "worker/closing.h"
#include "worker/engine.h"
#include "worker/expiry.h"
#include "worker/restore.h"

#define DEADLY_S 1403999999 /* seconds since the epoch, of all three */

/* The linker's option --wrap gives these names. */
int __real_engine_add(struct engine *, int64_t, const struct record *);
int __wrap_engine_add(struct engine *, int64_t, const struct record *);
int __real_engine_interim(struct engine *, int64_t, int64_t);
int __wrap_engine_interim(struct engine *, int64_t, int64_t);
int __real_arrival_decode(
    struct arrival *, int64_t, uint64_t *, struct apierr *);
int __wrap_arrival_decode(
    struct arrival *, int64_t, uint64_t *, struct apierr *);
int __real_closing_write(struct analysis *, struct snapper *, char *);
int __wrap_closing_write(struct analysis *, struct snapper *, char *);
int __real_expiry_step(
    struct expiry *, int64_t, uint64_t *, struct msg_expired *);
int __wrap_expiry_step(
    struct expiry *, int64_t, uint64_t *, struct msg_expired *);
struct restore *__real_restore_new(struct analysis *, const char *,
    enum sync_policy, struct peer *, struct awaiting *);
struct restore *__wrap_restore_new(struct analysis *, const char *,
    enum sync_policy, struct peer *, struct awaiting *);

int __real_resultrow_read_bucket(struct sqlite3_stmt *, struct bucket_result *);
int __wrap_resultrow_read_bucket(struct sqlite3_stmt *, struct bucket_result *);

static void
pause_if_told(const char *file, long ns)
{
	struct timespec pause = { 0, ns };

	if (access(file, F_OK) == 0)
		nanosleep(&pause, NULL);
}

/* A page of buckets is about 40 of them: a fifth of a second. */
int
__wrap_resultrow_read_bucket(struct sqlite3_stmt *st, struct bucket_result *b)
{
	pause_if_told("slow-salvage", 5000000);
	return __real_resultrow_read_bucket(st, b);
}

/* "abort-at-<place>", or "kill-at-<place>", which is no crash of its own. */
static void
die_if_told(const char *abort_file, const char *kill_file)
{
	if (access(abort_file, F_OK) == 0)
		abort();
	if (access(kill_file, F_OK) == 0)
		raise(SIGKILL);
}

int
__wrap_closing_write(struct analysis *a, struct snapper *s, char *id)
{
	die_if_told("abort-at-close", "kill-at-close");
	return __real_closing_write(a, s, id);
}

int
__wrap_expiry_step(struct expiry *e, int64_t deadline_us, uint64_t *progress,
    struct msg_expired *m)
{
	die_if_told("abort-at-expire", "kill-at-expire");
	return __real_expiry_step(e, deadline_us, progress, m);
}

struct restore *
__wrap_restore_new(struct analysis *a, const char *job_id,
    enum sync_policy policy, struct peer *peer, struct awaiting *aw)
{
	die_if_told("abort-at-start", "kill-at-start");
	if (access("no-memory-at-start", F_OK) == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __real_restore_new(a, job_id, policy, peer, aw);
}

int
__wrap_engine_add(struct engine *e, int64_t time_s, const struct record *rec)
{
	if (time_s == DEADLY_S)
		abort();
	pause_if_told("slow-records", 50000000);
	return __real_engine_add(e, time_s, rec);
}

int
__wrap_engine_interim(struct engine *e, int64_t start_s, int64_t end_s)
{
	if (start_s == DEADLY_S)
		abort();
	die_if_told("abort-at-interim", "kill-at-interim");
	return __real_engine_interim(e, start_s, end_s);
}

int
__wrap_arrival_decode(struct arrival *a, int64_t deadline_us,
    uint64_t *progress, struct apierr *e)
{
	if (a->reset_start_s == DEADLY_S)
		abort();
	return __real_arrival_decode(a, deadline_us, progress, e);
}
