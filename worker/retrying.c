/* Owns what is told to uploads that repeat one. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/msg.h"
#include "worker/retrying.h"
#include "worker/salvage.h"

#define RETRY_AFTER_S 10 /* as long as when the journal has no room */

struct follower {
	STAILQ_ENTRY(follower) link;
	uint32_t request;
};

void
followers_init(struct followers *list)
{
	STAILQ_INIT(list);
}

void
followers_clear(struct followers *list)
{
	struct follower *f;

	while ((f = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		free(f);
	}
}

int
followers_add(struct followers *list, uint32_t request)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	f->request = request;
	STAILQ_INSERT_TAIL(list, f, link);
	return 0;
}

static int
answer_all(
    struct followers *list, struct peer *peer, const struct msg_repeated *m)
{
	struct follower *f;
	int rc = 0;

	STAILQ_FOREACH(f, list, link)
	if (rc == 0)
		rc = peer_send(peer, MSG_REPEATED, f->request, m);
	followers_clear(list);
	return rc;
}

/* m's spans point into wb. */
static int
make_answer(
    const struct entry_run *run, struct wbuf *wb, struct msg_repeated *m)
{
	int rc = run->failed
	    ? apierr_encode(&run->error, wb)
	    : schema_encode(&data_counts_schema,
		  intake_incremental(run->analysis->intake), wb);
	struct span body = { (const char *)wb->data, wb->len };

	if (run->failed)
		m->error = body;
	else
		m->counts = body;
	return rc;
}

int
followers_answer(
    struct followers *list, struct peer *peer, const struct entry_run *run)
{
	struct msg_repeated m = { 0 };
	struct wbuf wb;
	int rc;

	if (STAILQ_EMPTY(list))
		return 0;
	wbuf_init(&wb, 0);
	rc = make_answer(run, &wb, &m);
	if (rc == 0)
		rc = answer_all(list, peer, &m);
	wbuf_clear(&wb);
	return rc;
}

int
followers_fail(
    struct followers *list, struct peer *peer, const struct apierr *e)
{
	struct follower *f;
	int rc = 0;

	STAILQ_FOREACH(f, list, link)
	if (rc == 0)
		rc = peer_fail(peer, f->request, e);
	followers_clear(list);
	return rc;
}

int
retrying_refuse(struct peer *peer, uint32_t request)
{
	struct apierr e;

	apierr_set(&e, 422, E_ILLEGAL_ARGUMENT,
	    "the Idempotency-Key was used for an upload with another body or "
	    "other parameters; use a new key for each new upload");
	return peer_fail(peer, request, &e);
}

/*
 * Unknown is not new: what might have been counted is not counted again. If it
 * is the file that is damaged this worker ends, for the next one salvages it.
 */
static int
cannot_tell(struct peer *peer, uint32_t request)
{
	struct apierr e;

	apierr_set(&e, 503, E_EXCEPTION,
	    "the answers to earlier uploads cannot be read, so it is not known "
	    "whether this one is a repeat; nothing of it was kept");
	e.retry_after_s = RETRY_AFTER_S;
	if (peer_fail(peer, request, &e) == -1)
		return -1;
	if (!salvage_is_marked())
		return 0;
	errno = EIO;
	return -1;
}

int
retrying_answer(struct results *results, struct peer *peer, uint32_t request,
    const struct retry *retry, int64_t now_ms)
{
	struct msg_repeated m = { 0 };
	struct kept_answer a;
	int rc = results_find_answer(results, retry, now_ms, &a);

	if (rc == 0)
		return 0;
	if (rc == -1)
		rc = cannot_tell(peer, request);
	else if (!retry_has_digest_of(&a.retry, retry))
		rc = retrying_refuse(peer, request);
	else {
		if (a.failed)
			m.error = a.body;
		else
			m.counts = a.body;
		rc = peer_send(peer, MSG_REPEATED, request, &m);
	}
	return rc == -1 ? -1 : 1;
}
