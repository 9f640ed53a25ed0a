/* Owns the requests that replay is to answer. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/apierr.h"
#include "common/log.h"
#include "worker/answer.h"
#include "worker/awaiting.h"

uint64_t
awaiting_token(uint32_t epoch, uint32_t request)
{
	return request == 0 ? 0 : (uint64_t)epoch << 32 | request;
}

int
awaiting_add(struct awaiting *aw, uint32_t request, uint64_t seq)
{
	struct awaited *list;

	errno = EBADMSG;
	if (request == 0 || aw->n >= AWAITING_MAX)
		return -1;
	for (unsigned i = 0; i < aw->n; i++)
		if (aw->list[i].request == request)
			return -1;
	list = reallocarray(aw->list, aw->n + 1, sizeof(*list));
	if (list == NULL)
		return -1;
	aw->list = list;
	aw->list[aw->n++] = (struct awaited){ request, seq };
	return 0;
}

void
awaiting_clear(struct awaiting *aw)
{
	free(aw->list);
	aw->list = NULL;
	aw->n = 0;
}

static struct awaited *
find(const struct awaiting *aw, uint64_t token)
{
	for (unsigned i = 0; i < aw->n && token != 0; i++)
		if (awaiting_token(aw->epoch, aw->list[i].request) == token)
			return &aw->list[i];
	return NULL;
}

int
awaiting_found(
    struct awaiting *aw, struct peer *peer, const struct journal_entry *e)
{
	struct awaited *found = find(aw, e->token);
	struct msg_kept m = { .seq = e->seq };

	if (found == NULL)
		return 0;
	found->seq = e->seq;
	return peer_send(peer, MSG_KEPT, found->request, &m);
}

int
awaiting_done(struct awaiting *aw, struct peer *peer, struct analysis *a,
    const struct entry_run *run)
{
	struct awaited *found = find(aw, run->entry.token);
	uint32_t request;

	if (found == NULL)
		return 0;
	request = found->request;
	*found = aw->list[--aw->n];
	return answer_entry(peer, request, a, run);
}

int
awaiting_fail(struct awaiting *aw, struct peer *peer, uint64_t token,
    const struct apierr *e)
{
	struct awaited *found = find(aw, token);
	uint32_t request;

	if (found == NULL)
		return 0;
	request = found->request;
	*found = aw->list[--aw->n];
	return peer_fail(peer, request, e);
}

int
awaiting_end(struct awaiting *aw, struct peer *peer)
{
	struct apierr e;
	int rc = 0;

	apierr_set(&e, 500, E_EXCEPTION,
	    "the request was carried out, but a crash has lost its answer");
	for (unsigned i = 0; i < aw->n && rc == 0; i++) {
		if (aw->list[i].seq == 0)
			continue;
		log_warnx(
		    "entry %" PRIu64 ": its answer is lost", aw->list[i].seq);
		rc = peer_fail(peer, aw->list[i].request, &e);
	}
	awaiting_clear(aw);
	return rc;
}
