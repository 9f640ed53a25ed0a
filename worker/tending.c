/* Owns what is done for a closed job. */
#include "common/compat.h"

#include "worker/forecasts.h"
#include "worker/session.h"
#include "worker/tending.h"

/* The results of a job that stays closed. */
static int
open_results(struct session *s)
{
	if (s->results == NULL)
		s->results = results_new();
	if (s->results != NULL && s->forecasts == NULL)
		s->forecasts = forecasts_new(s->results);
	return s->forecasts == NULL ? -1 : 0;
}

static int
work_chore(struct session *s, int64_t deadline_us)
{
	int rc;

	if (chore_is_of_forecasts(s->chore)) {
		if (open_results(s) == -1)
			return -1;
		if (!s->chore_begun)
			chore_use(s->chore, s->results, s->forecasts);
		s->chore_begun = true;
	}
	rc = chore_step(s->chore, s->peer, deadline_us, &s->progress);
	if (rc == 1)
		return 0;
	chore_free(s->chore);
	s->chore = NULL;
	s->asked = false;
	s->ended = true;
	return rc;
}

/*
 * The job stays closed: what is asked for is opened, and nothing else. It ends
 * when there is no more to do, for nobody will ask again.
 */
int
tending_work(struct session *s, int64_t deadline_us)
{
	struct msg_expired m;
	struct apierr e;
	int rc;

	if (!s->asked)
		return 0;
	if (s->chore != NULL)
		return work_chore(s, deadline_us);
	if (open_results(s) == -1)
		return -1;
	if (s->expiry == NULL) {
		s->expiry = expiry_new(s->results, &s->ask, s->job_id);
		if (s->expiry == NULL)
			return -1;
		expiry_use(s->expiry, s->forecasts);
	}
	rc = expiry_step(s->expiry, deadline_us, &s->progress, &m);
	if (rc == 1)
		return 0;
	if (rc == -1)
		expiry_error(&e, errno);
	expiry_free(s->expiry);
	s->expiry = NULL;
	s->asked = false;
	s->ended = rc == -1 || !m.more;
	if (forecasts_tell(s->forecasts, s->peer) == -1)
		return -1;
	return rc == -1 ? peer_fail(s->peer, s->ask_request, &e)
			: peer_send(s->peer, MSG_EXPIRED, s->ask_request, &m);
}
