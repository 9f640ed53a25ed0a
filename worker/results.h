/*
 * The writer of a job's results.db. Opened with the first result; results of
 * an entry and the entry's number become visible together.
 */
#ifndef WORKER_RESULTS_H
#define WORKER_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/results.h"
#include "worker/answers.h"

struct results;
struct sqlite3;

/*
 * Results of the job whose directory is the current one. Nothing is opened
 * yet. NULL with ENOMEM.
 */
struct results *results_new(void);
/* Closes without a commit of what is under way. */
void results_free(struct results *);

/*
 * Number of the last entry whose results are in the file; 0 for none.
 * Returns 0; or -1 with errno (logged), EBADMSG: the file is damaged, which
 * salvage_mark has noted; else EIO.
 */
int results_applied_seq(struct results *, uint64_t *seq) MUST_CHECK;

/*
 * The sink for an engine. While muted is set (replay of entries at or below
 * applied_seq) everything is taken and nothing is written; interim results
 * that were to be dropped then are dropped with the next results.
 */
void results_sink(struct results *, struct result_sink *);
void results_mute(struct results *, bool muted);

/*
 * What an upload is answered, with the next commit; see answers.h. 0, or -1
 * with errno: what is under way is spoilt.
 */
int results_put_answer(struct results *, const struct kept_answer *) MUST_CHECK;
/* Returns as answers_find; without a file there is none. */
int results_find_answer(struct results *, const struct retry *, int64_t now_ms,
    struct kept_answer *) MUST_CHECK;
/*
 * Entries first to last do not count after all: who repeats one of them must
 * not hear that it does. Between two entries; 0, or -1 with errno (logged).
 */
int results_forget_answers(
    struct results *, uint64_t first, uint64_t last) MUST_CHECK;

/*
 * Commit what came since the last commit, and seq with it. With nothing to
 * write the file stays unopened, and seq is kept for the next commit.
 * durable: as synchronous=FULL, before a snapshot; with what an earlier
 * process committed, once results_applied_seq has asked for it. 0, or -1 with
 * EIO, ENOSPC (logged); what was under way is then gone and may be produced
 * again.
 */
int results_commit(struct results *, uint64_t seq, bool durable) MUST_CHECK;

/*
 * Of interim results only, which a fault of the sink or of a commit has spoilt:
 * forget what is under way. What was there before stands.
 */
void results_give_up(struct results *);

/*
 * An entry has ended. As results_commit, but that answers alone wait for the
 * entries behind it, for a transaction costs several times what they do:
 * nobody but this writer looks at them, and replay makes them again from the
 * journal. results_settle commits them; to be called between two entries,
 * when no more are at hand. Both return as results_commit.
 */
int results_end_entry(struct results *, uint64_t seq) MUST_CHECK;
int results_settle(struct results *) MUST_CHECK;

/*
 * The database itself, between two commits, for one who removes rows from it
 * and finishes his own transactions. NULL with errno (ENOENT: no results yet;
 * EBUSY: something is under way). results_return gives it back: undoes what was
 * spoilt, and leaves the file opened or not as it was.
 */
struct sqlite3 *results_borrow(struct results *);
/*
 * Its number of a set of names, in the transaction of who has borrowed it. 0,
 * or -1 with errno.
 */
int results_detector(
    struct results *, const struct record_result *, int64_t *id) MUST_CHECK;
/*
 * The database within the transaction of the entry under way, for rows that are
 * to be seen when it is. NULL with errno: what is under way is spoilt.
 */
struct sqlite3 *results_join(struct results *);
void results_return(struct results *, bool spoilt);
/*
 * Open the file, which stays so, for somebody who borrows it again and again.
 * 0, or -1 with errno (ENOENT: no results yet).
 */
int results_open(struct results *) MUST_CHECK;

#endif
