/* Owns the requests about entries of a job's journal that were put aside. */
#include "common/compat.h"

#include "common/clock.h"
#include "supervisor/api.h"
#include "supervisor/ask.h"
#include "supervisor/call.h"
#include "supervisor/diskroom.h"
#include "supervisor/job.h"
#include "supervisor/server.h"

/* Its files are read by another process, so closed jobs answer as well. */
void
api_quarantine_get(struct call *c)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct msg_query m = { .kind = QUERY_QUARANTINE,
		.timestamp_ms = TIME_UNSET,
		.start_ms = TIME_UNSET,
		.end_ms = TIME_UNSET,
		.size = QUARANTINED_MAX };

	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	ask_query(c, job, &m);
}

static int
entry_number(const char *text, uint64_t *entry, struct apierr *e)
{
	const char *p = text;
	uint64_t n = 0;

	while (*p >= '0' && *p <= '9' && n <= (UINT64_MAX - 9) / 10)
		n = n * 10 + (uint64_t)(*p++ - '0');
	*entry = n;
	if (*p == '\0' && n > 0)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "[%.64s] is no entry of a quarantine: its number is wanted, as "
	    "[_quarantine] shows it",
	    text);
}

/* Only the job's own process changes its files. */
static int
check_open(const struct job *job, struct apierr *e)
{
	if (job_has_line(job))
		return 0;
	return apierr_set(e, 409, E_STATUS,
	    "job [%s] is not open: open it first, then post or drop entries "
	    "of its quarantine",
	    job->id);
}

void
quarantine_dropped(struct op *op)
{
	struct call *call = op_finish(op);

	if (call != NULL)
		call_reply_true(call, "acknowledged");
}

static void
client_gone(struct call *call, void *arg)
{
	struct op *op = arg;

	(void)call;
	op->call = NULL;
}

/* Into the line of the job, or an error for its client. */
static void
ask(struct call *c, enum op_kind kind)
{
	struct job *job = jobs_find(c->srv->jobs, c->job_id);
	struct apierr e;
	uint64_t entry;
	struct op *op;

	if (job == NULL) {
		call_no_such_job(c, c->job_id);
		return;
	}
	if (entry_number(c->item, &entry, &e) == -1 ||
	    check_open(job, &e) == -1 ||
	    (kind == OP_UPLOAD && diskroom_admit(c->srv, &e) == -1) ||
	    line_admit(job, c->old_path, &e) == -1) {
		call_error(c, &e);
		return;
	}
	op = op_new(job, c, kind);
	if (op == NULL)
		return;
	op->aside_entry = entry;
	op->receipt_ms = clock_wall_ms();
	op_enter_line(op);
	if (op_send(op) == -1) {
		call_fail(op_finish(op), 503, E_STATUS, "out of memory");
		return;
	}
	call_wait(c, client_gone, op);
}

void
api_quarantine_post(struct call *c)
{
	ask(c, OP_UPLOAD);
}

void
api_quarantine_drop(struct call *c)
{
	ask(c, OP_DROP);
}
