/* Owns what becomes of requests for forecasts. */
#include "common/compat.h"

#include <json-c/json.h>
#include <string.h>

#include "common/jsonmake.h"
#include "supervisor/call.h"
#include "supervisor/chan.h"
#include "supervisor/forecasting.h"
#include "supervisor/job.h"

/* 20 characters, which need no escape in a path: 103 bits. */
static void
make_id(char dst[OP_FORECAST_ID_BYTES])
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				  "qrstuvwxyz0123456789-_";

	for (size_t i = 0; i + 1 < OP_FORECAST_ID_BYTES; i++) {
		/* letters and digits alone at the ends, for people who copy */
		size_t n = i == 0 || i + 2 == OP_FORECAST_ID_BYTES ? 62 : 64;

		dst[i] = set[arc4random_uniform((uint32_t)n)];
	}
	dst[OP_FORECAST_ID_BYTES - 1] = '\0';
}

static void
forecast_gone(struct call *call, void *arg)
{
	struct op *op = arg;

	(void)call;
	op->call = NULL;
}

void
forecasting_ask(
    struct job *job, struct call *call, const struct msg_forecast *m)
{
	struct op *op = op_new(job, call, OP_FORECAST);

	if (op == NULL)
		return;
	make_id(op->forecast_id);
	op->forecast = *m;
	op->forecast.forecast_id = span_of(op->forecast_id);
	strlcpy(call->subject, op->forecast_id, sizeof(call->subject));
	op_enter_line(op);
	if (op_send(op) == -1) {
		call_fail(op_finish(op), 503, E_STATUS, "out of memory");
		return;
	}
	call_wait(call, forecast_gone, op);
}

int
forecasting_send(struct op *op)
{
	return chan_send(
	    op->job->chan, MSG_FORECAST, op->request, &op->forecast);
}

void
forecasting_done(struct op *op)
{
	char id[OP_FORECAST_ID_BYTES];
	struct json_object *o;
	struct call *call;

	strlcpy(id, op->forecast_id, sizeof(id));
	call = op_finish(op);
	if (call == NULL)
		return;
	o = json_object_new_object();
	jsonmake_bool(&o, "acknowledged", true);
	jsonmake_string(&o, "forecast_id", id);
	call_reply(call, 200, o);
}

int
forecasting_totals(struct job *job, const struct msg_forecasts *m)
{
	struct forecast_totals t;
	struct rbuf rb;

	rbuf_init(&rb, m->totals.p, m->totals.len);
	if (schema_decode(&forecast_totals_schema, &rb, &t, NULL) == -1 ||
	    rb.left != 0)
		return -1;
	job->forecasts = t;
	/* A closed one has no other occasion. */
	if (job->tends)
		job_store_snapshot(job);
	return 0;
}
