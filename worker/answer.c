/* Owns the making of a worker's frames. */
#include "common/compat.h"

#include "common/clock.h"
#include "common/msg.h"
#include "worker/answer.h"
#include "worker/entry.h"
#include "worker/forecasts.h"

static struct span
span_of_wbuf(const struct wbuf *wb)
{
	return (struct span){ (const char *)wb->data, wb->len };
}

int
answer_counts(struct peer *peer, uint32_t request, const struct analysis *a)
{
	struct msg_counts m;
	struct wbuf wb;
	int rc = -1;

	wbuf_init(&wb, 0);
	if (schema_encode(
		&data_counts_schema, intake_incremental(a->intake), &wb) == 0) {
		m.counts = span_of_wbuf(&wb);
		rc = peer_send(peer, MSG_COUNTS, request, &m);
	}
	wbuf_clear(&wb);
	return rc;
}

int
answer_flushed(struct peer *peer, uint32_t request, const struct analysis *a)
{
	struct msg_flushed m = { .last_finalized_bucket_end_ms =
				     engine_last_finalized_ms(a->engine) };

	return peer_send(peer, MSG_FLUSHED, request, &m);
}

int
answer_totals(struct peer *peer, const struct analysis *a)
{
	struct job_totals jt;
	struct msg_totals m;
	struct wbuf wb;
	int rc = -1;

	wbuf_init(&wb, 0);
	analysis_totals(a, &jt);
	if (job_totals_encode(&jt, &wb) == 0) {
		m.totals = span_of_wbuf(&wb);
		rc = peer_send(peer, MSG_TOTALS, 0, &m);
	}
	wbuf_clear(&wb);
	return rc;
}

static int
answer_forecasted(
    struct peer *peer, uint32_t request, const struct entry_run *run)
{
	struct msg_forecasted m;
	struct msg_forecast asked;

	if (msg_decode(MSG_FORECAST, run->data, (size_t)run->entry.data_len,
		&asked, NULL) == -1)
		return -1;
	m.forecast_id = asked.forecast_id;
	return peer_send(peer, MSG_FORECASTED, request, &m);
}

int
answer_entry(struct peer *peer, uint32_t request, struct analysis *a,
    const struct entry_run *run)
{
	a->log_time_ms = clock_wall_ms();
	if (answer_totals(peer, a) == -1)
		return -1;
	/* Whoever is answered may ask how many there are. */
	if (run->entry.type == JOURNAL_FORECAST &&
	    forecasts_tell(a->forecasts, peer) == -1)
		return -1;
	if (run->failed)
		return peer_fail(peer, request, &run->error);
	if (run->entry.type == JOURNAL_FLUSH)
		return answer_flushed(peer, request, a);
	if (run->entry.type == JOURNAL_FORECAST)
		return answer_forecasted(peer, request, run);
	return answer_counts(peer, request, a);
}
