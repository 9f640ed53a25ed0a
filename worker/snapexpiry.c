/* Owns the choice of snapshots that are too old. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/snapdir.h"
#include "worker/snapexpiry.h"

#define DAY_MS INT64_C(86400000)

/* The start of what is younger than this; nothing is older than INT64_MIN. */
static int64_t
days_before(int64_t ms, uint32_t days)
{
	int64_t span = (int64_t)days * DAY_MS;

	return ms < INT64_MIN + span ? INT64_MIN : ms - span;
}

void
snapexpiry_choose(const struct snaplist *list, uint32_t days, uint32_t daily,
    const char *active, bool *goes)
{
	int64_t newest, from, thinned, keep_at;

	if (list->n == 0)
		return;
	newest = list->item[list->n - 1].created_ms;
	from = days_before(newest, days);
	thinned = days_before(newest, daily);
	keep_at = from;
	for (size_t i = 0; i < list->n; i++) {
		const struct snapinfo *s = &list->item[i];

		goes[i] = false;
		if (s->retain || strcmp(s->id, active) == 0)
			continue;
		if (s->created_ms < from) {
			goes[i] = true;
		} else if (s->created_ms < thinned) {
			int64_t into = s->created_ms - keep_at;

			goes[i] = into < 0;
			if (into >= 0)
				keep_at += (into / DAY_MS + 1) * DAY_MS;
		}
	}
}

int
snapexpiry_begin(
    struct snapexpiry *x, const struct msg_expire *want, const char *job_id)
{
	char active[SNAPHEAD_ID_BYTES];

	memset(x, 0, sizeof(*x));
	if (snapdir_reverted_id(active) == -1 ||
	    snaplist_read(&x->list, NULL, job_id) == -1)
		return -1;
	x->goes = calloc(x->list.n + 1, sizeof(*x->goes));
	if (x->goes == NULL)
		return -1;
	snapexpiry_choose(
	    &x->list, want->snapshot_days, want->daily_days, active, x->goes);
	return 0;
}

void
snapexpiry_clear(struct snapexpiry *x)
{
	snaplist_clear(&x->list);
	free(x->goes);
	memset(x, 0, sizeof(*x));
}

int
snapexpiry_step(struct snapexpiry *x)
{
	while (x->next < x->list.n) {
		const struct snapinfo *s = &x->list.item[x->next++];

		if (!x->goes[x->next - 1])
			continue;
		if (snapdir_remove(s->seq) == -1) {
			if (errno == ENOENT)
				continue;
			log_warn("snapshot %s", s->id);
			return -1;
		}
		log_info("snapshot %s goes: it is too old", s->id);
		return 1;
	}
	return 0;
}
