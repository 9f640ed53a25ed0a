/* What a worker answers: frames made from its objects. */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include "common/compat.h"
#include "common/peer.h"
#include "worker/analysis.h"

/* Each queues one frame and returns 0, or -1 with errno. */
int answer_counts(
    struct peer *, uint32_t request, const struct analysis *) MUST_CHECK;
int answer_flushed(
    struct peer *, uint32_t request, const struct analysis *) MUST_CHECK;
/* What an entry that is processed has come to: totals, then its answer. */
struct entry_run;
int answer_entry(struct peer *, uint32_t request, struct analysis *,
    const struct entry_run *) MUST_CHECK;
/* Sent before an answer, so that who has the answer sees its totals. */
int answer_totals(struct peer *, const struct analysis *) MUST_CHECK;

#endif
