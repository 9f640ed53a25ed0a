/* Owns the requests for snapshots. */
#include "common/compat.h"

#include <errno.h>
#include <string.h>

#include "common/snaphead.h"
#include "worker/persist.h"

void
persist_init(struct persist *p, struct peer *peer, struct snapper *snapper)
{
	memset(p, 0, sizeof(*p));
	p->peer = peer;
	p->snapper = snapper;
}

static int
tell(struct persist *p, uint32_t request)
{
	char id[SNAPHEAD_ID_BYTES];
	struct msg_snapshotted m = { .created_ms = TIME_UNSET };

	(void)snapper_id(p->snapper, id);
	if (id[0] != '\0')
		m.created_ms = snapper_created_ms(p->snapper);
	m.model_snapshot_id = span_of(id);
	return peer_send(p->peer, MSG_SNAPSHOTTED, request, &m);
}

int
persist_announce(struct persist *p)
{
	char id[SNAPHEAD_ID_BYTES];

	return snapper_id(p->snapper, id) ? tell(p, 0) : 0;
}

int
persist_ask(struct persist *p, uint32_t request)
{
	if (p->nasked == PERSIST_ASKED_MAX) {
		errno = EBADMSG;
		return -1;
	}
	p->asked[p->nasked++] = request;
	snapper_ask(p->snapper, true);
	return 0;
}

/* Answer the first n requests. Returns 0, or -1 with errno. */
static int
answer(struct persist *p, size_t n, bool written)
{
	struct apierr e;
	int rc = 0;

	apierr_set(&e, 500, E_EXCEPTION,
	    "the snapshot was not written; the log of the daemon says why");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = written ? tell(p, p->asked[i])
			     : peer_fail(p->peer, p->asked[i], &e);
	p->nasked -= n;
	memmove(p->asked, p->asked + n, p->nasked * sizeof(p->asked[0]));
	return rc;
}

/* The child that was at work has ended. */
static int
tell_outcome(struct persist *p, bool written)
{
	size_t n = p->nserved;

	p->nserved = 0;
	if (n > 0)
		return answer(p, n, written);
	return written ? tell(p, 0) : 0;
}

static int
begin_asked(struct persist *p)
{
	/* What there is says it all. */
	if (!snapper_has_news(p->snapper)) {
		snapper_ask(p->snapper, false);
		return answer(p, p->nasked, true);
	}
	/* Not ahead of what was said of the entries in it: awaiting.h. */
	if (peer_queued(p->peer) > 0)
		return 0;
	snapper_ask(p->snapper, true);
	if (snapper_begin(p->snapper) == -1)
		return answer(p, p->nasked, false);
	p->nserved = p->nasked;
	return 0;
}

int
persist_step(struct persist *p)
{
	bool was_running = snapper_is_running(p->snapper);
	int rc = snapper_step(p->snapper);

	if (snapper_is_running(p->snapper))
		return 0;
	if (was_running && tell_outcome(p, rc == 1) == -1)
		return -1;
	if (p->nasked > 0)
		return begin_asked(p);
	if (snapper_is_due(p->snapper) && peer_queued(p->peer) == 0)
		(void)!snapper_begin(p->snapper); /* tried again later */
	return 0;
}
