/* Owns the opening, the failing and the ending of an answer. */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sqlvfs.h"
#include "query/fault.h"
#include "query/reading.h"

int
reading_fail(struct reading *r)
{
	if (r->patience.given_up)
		return -1;
	if (errno == EBADMSG)
		r->damaged = true;
	return fault_set(r->err, r->req->job_id, r->req->directory);
}

int
reading_fail_row(struct reading *r, const char *table, int64_t id)
{
	if (errno != EBADMSG)
		return reading_fail(r);
	r->damaged = true;
	return fault_set_row(
	    r->err, r->req->job_id, r->req->directory, table, id);
}

int
reading_begin(struct reading *r, const struct request *req,
    const char *jobs_dir, answer_tick *tick, void *arg, struct out *o,
    struct apierr *e)
{
	char dir[PATH_MAX];

	e->status = 0;
	r->req = req;
	r->out = o;
	r->err = e;
	sqlvfs_forget_damage(); /* of an earlier answer, of another job */
	patience_init(&r->patience, tick, arg, o);
	style_init(&r->style, req, o);
	wbuf_init(&r->scratch, 0);
	if (snprintf(dir, sizeof(dir), "%s/%s/results", jobs_dir,
		req->directory) >= (int)sizeof(dir))
		return apierr_set(
		    e, 500, E_EXCEPTION, "the path of the job is too long");
	r->db = resultsdb_open_reader(dir);
	if (r->db == NULL)
		return errno == ENOENT ? 0 : reading_fail(r);
	patience_watch(&r->patience, r->db);
	return 0;
}

int
reading_write(struct reading *r, int (*text)(void *arg), void *arg)
{
	if (text(arg) == -1)
		return -1;
	if (!out_must_repeat(r->out))
		return 0;
	out_again(r->out);
	if (text(arg) == 0)
		return 0;
	/* Parts of it have gone out: no error can take their place. */
	r->err->status = 0;
	log_warnx("job %s: an answer broke off", r->req->job_id);
	return -1;
}

int
reading_end(struct reading *r, int rc)
{
	detectorlist_clear(&r->detectors);
	/* The writer's WAL is free again before a slow client is waited for. */
	resultsdb_close(r->db);
	style_clear(&r->style);
	wbuf_clear(&r->scratch);
	if (rc == 0 && out_finish(r->out) == -1)
		rc = -1;
	if (rc == -1)
		errno = r->damaged ? EBADMSG : EIO;
	return rc;
}
