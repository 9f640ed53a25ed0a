/*
 * Uploads that repeat one: which of them are known, who waits for the answer
 * of another, and what they are told. None of them is journaled or counted.
 */
#ifndef WORKER_RETRYING_H
#define WORKER_RETRYING_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/peer.h"
#include "worker/answers.h"
#include "worker/entry.h"
#include "worker/results.h"

/* Requests that wait for the answer to another one's upload. */
struct follower;
STAILQ_HEAD(followers, follower);

void followers_init(struct followers *);
void followers_clear(struct followers *); /* without an answer */
/* 0, or -1 with ENOMEM. */
int followers_add(struct followers *, uint32_t request) MUST_CHECK;
/*
 * Tell all what has become of the upload, and forget them: with the run that
 * processed it, or with the error that kept it from the journal (which is no
 * answer to be repeated later). 0, or -1 with errno.
 */
int followers_answer(
    struct followers *, struct peer *, const struct entry_run *) MUST_CHECK;
int followers_fail(
    struct followers *, struct peer *, const struct apierr *) MUST_CHECK;

/*
 * Answer a request from what is kept. Returns 1: it is answered; 0: nothing is
 * known of its key, it is new; -1 with errno.
 */
int retrying_answer(struct results *, struct peer *, uint32_t request,
    const struct retry *, int64_t now_ms) MUST_CHECK;

/* Refuse a request: its key stands for another upload. As peer_fail. */
int retrying_refuse(struct peer *, uint32_t request) MUST_CHECK;

#endif
