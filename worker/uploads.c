/* Owns the table of arriving uploads. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/loop.h"
#include "worker/uploads.h"

#define RETRY_AFTER_S 1

void
uploads_init(struct uploads *u, struct peer *peer)
{
	*u = (struct uploads){ .peer = peer };
	TAILQ_INIT(&u->list);
}

static struct arrival *
find(struct uploads *u, uint32_t request)
{
	struct arrival *a;

	TAILQ_FOREACH (a, &u->list, link)
		if (a->request == request)
			return a;
	return NULL;
}

/* The numbers start again behind the last one. */
static bool
is_late(const struct uploads *u, uint32_t request)
{
	return u->begun != 0 && u->begun - request <= INT32_MAX;
}

static void
take_out(struct uploads *u, struct arrival *a)
{
	TAILQ_REMOVE(&u->list, a, link);
	u->n--;
	if (a->windowed)
		u->nwindowed--;
}

void
uploads_drop(struct uploads *u, uint32_t request)
{
	struct arrival *a = find(u, request);

	if (a == NULL)
		return;
	take_out(u, a);
	arrival_free(a);
}

void
uploads_clear(struct uploads *u)
{
	struct arrival *a;

	while ((a = TAILQ_FIRST(&u->list)) != NULL) {
		take_out(u, a);
		arrival_free(a);
	}
}

void
uploads_free(struct uploads *u)
{
	uploads_clear(u);
}

static int
fail(struct uploads *u, struct arrival *a, const struct apierr *e)
{
	uint32_t request = a->request;

	take_out(u, a);
	arrival_free(a);
	return peer_fail(u->peer, request, e);
}

static int
refuse(struct uploads *u, uint32_t request)
{
	struct apierr e;

	apierr_set(&e, 429, E_REJECTED,
	    "too many uploads to this job are arriving at once");
	e.retry_after_s = RETRY_AFTER_S;
	return peer_fail(u->peer, request, &e);
}

int
uploads_begin(struct uploads *u, uint32_t request,
    const struct msg_upload_begin *m, unsigned sealed_windows, bool has_room)
{
	bool windowed = m->encoding == ENCODING_ZSTD;
	struct arrival *a;
	struct apierr e;

	if (request == 0 || find(u, request) != NULL) {
		errno = EBADMSG;
		return -1;
	}
	if (!is_late(u, request))
		u->begun = request;
	if (!has_room) {
		arrival_over_quota(&e);
		return peer_fail(u->peer, request, &e);
	}
	if (u->n >= LOOP_ARRIVALS_MAX ||
	    (windowed && u->nwindowed + sealed_windows >= LOOP_WINDOWS_MAX))
		return refuse(u, request);
	a = arrival_new(request, m, u->max_bytes, u->flush);
	if (a == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&u->list, a, link);
	u->n++;
	if (a->windowed)
		u->nwindowed++;
	return 0;
}

int
uploads_data(
    struct uploads *u, uint32_t request, const uint8_t *data, size_t len)
{
	struct arrival *a = find(u, request);
	struct apierr e;

	if (a == NULL) {
		errno = EBADMSG;
		return is_late(u, request) ? 0 : -1;
	}
	if (arrival_data(a, data, len, &e) == -1)
		return fail(u, a, &e);
	return 0;
}

int
uploads_seal(struct uploads *u, uint32_t request,
    const struct msg_upload_seal *m, struct arrival **out)
{
	struct arrival *a = find(u, request);

	*out = NULL;
	if (a == NULL && is_late(u, request))
		return 0;
	if (a == NULL || arrival_seal(a, m) == -1) {
		errno = EBADMSG;
		return -1;
	}
	take_out(u, a);
	*out = a;
	return 0;
}

bool
uploads_is_busy(const struct uploads *u)
{
	const struct arrival *a;

	TAILQ_FOREACH (a, &u->list, link)
		if (arrival_is_busy(a))
			return true;
	return false;
}

size_t
uploads_pending(const struct uploads *u)
{
	const struct arrival *a;
	size_t n = 0;

	TAILQ_FOREACH (a, &u->list, link)
		n += arrival_pending(a);
	return n;
}

/* Who had a turn goes to the end: one bomb does not starve the others. */
int
uploads_decode(struct uploads *u, int64_t deadline_us, uint64_t *progress)
{
	for (unsigned i = u->n; i > 0; i--) {
		struct arrival *a = TAILQ_FIRST(&u->list);
		struct apierr e;
		int rc;

		TAILQ_REMOVE(&u->list, a, link);
		TAILQ_INSERT_TAIL(&u->list, a, link);
		rc = arrival_decode(a, deadline_us, progress, &e);
		if (rc == -1 && fail(u, a, &e) == -1)
			return -1;
		if (clock_mono_us() >= deadline_us)
			break;
	}
	return 0;
}
