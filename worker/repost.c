/* Owns the way of an entry out of the quarantine. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "common/log.h"
#include "worker/awaiting.h"
#include "worker/repost.h"
#include "worker/session.h"

struct repost {
	void *map;
	size_t maplen;
	struct journal_entry entry;
	const char *data; /* in map */
	uint64_t at;	  /* copied so far */
};

/* ---- the file ---- */

struct repost *
repost_open(uint64_t seq)
{
	struct repost *r = calloc(1, sizeof(*r));
	struct journal_cursor c;
	char path[ASIDE_PATH_BYTES];
	size_t at;
	int saved;

	if (r == NULL ||
	    disk_map(asidelist_path(path, seq), &r->map, &r->maplen) == -1) {
		free(r);
		return NULL;
	}
	if (journal_cursor_init(&c, r->map, r->maplen) == 0 &&
	    journal_cursor_next(&c, &r->entry, &r->data) == 1)
		return r;
	saved = errno == EPROTONOSUPPORT ? errno : EBADMSG;
	if (filemap_failed(r->map, &at))
		saved = EIO;
	repost_free(r);
	errno = saved;
	return NULL;
}

void
repost_free(struct repost *r)
{
	if (r == NULL)
		return;
	filemap_close(r->map, r->maplen);
	free(r);
}

const struct journal_entry *
repost_entry(const struct repost *r)
{
	return &r->entry;
}

bool
repost_is_over(const struct repost *r)
{
	return r->at == r->entry.data_len;
}

int
repost_copy(struct repost *r, struct spool *s, size_t len)
{
	uint64_t left = r->entry.data_len - r->at;

	if (len > left)
		len = (size_t)left;
	if (spool_write(s, r->data + r->at, len) == -1)
		return -1;
	r->at += len;
	return 0;
}

bool
repost_is_right(const struct repost *r, const struct spool *s)
{
	return spool_bytes(s) == r->entry.data_len &&
	    spool_crc(s) == r->entry.data_crc;
}

/* ---- requests ---- */

static int
fail_absent(struct session *s, uint32_t request, uint64_t seq)
{
	struct apierr e;

	apierr_set(&e, 404, E_NOT_FOUND,
	    "there is no entry [%" PRIu64 "] in the quarantine of job [%s]",
	    seq, s->job_id);
	return peer_fail(s->peer, request, &e);
}

static int
fail_posting(struct session *s, uint32_t request, uint64_t seq)
{
	struct apierr e;

	apierr_set(&e, 409, E_STATUS,
	    "entry [%" PRIu64 "] of the quarantine of job [%s] is being "
	    "posted again just now",
	    seq, s->job_id);
	return peer_fail(s->peer, request, &e);
}

static int
fail_open(struct session *s, uint32_t request, uint64_t seq)
{
	const char *why = errno == EBADMSG
	    ? "its file is damaged, and can only be dropped"
	    : strerror(errno);
	struct apierr e;

	apierr_set(&e, 500, E_EXCEPTION,
	    "entry [%" PRIu64 "] of the quarantine of job [%s] cannot be "
	    "posted again: %s",
	    seq, s->job_id, why);
	return peer_fail(s->peer, request, &e);
}

static int
fail_type(struct session *s, uint32_t request, uint64_t seq)
{
	struct apierr e;

	apierr_set(&e, 400, E_ILLEGAL_ARGUMENT,
	    "entry [%" PRIu64 "] of the quarantine of job [%s] is no upload: "
	    "send its request again instead, and drop the entry",
	    seq, s->job_id);
	return peer_fail(s->peer, request, &e);
}

/* As if it came from a client, under the key that it had then. */
static struct arrival *
arrival_of(struct session *s, uint32_t request, struct repost *r)
{
	const struct journal_entry *e = repost_entry(r);
	struct msg_upload_begin m = { .encoding = ENCODING_IDENTITY,
		.reset_start_s = e->reset_start_s,
		.reset_end_s = e->reset_end_s };
	struct arrival *a = arrival_new(request, &m, 0, s->uploads.flush);

	if (a == NULL)
		return NULL;
	a->repost = r;
	a->sealed = true;
	a->retry =
	    (struct retry){ e->key_hi, e->key_lo, e->digest_hi, e->digest_lo };
	return a;
}

static int
post(struct session *s, uint32_t request, struct aside_record *rec,
    const struct msg_quarantine_post *m)
{
	uint64_t token = awaiting_token(s->awaiting.epoch, request);
	struct repost *r = repost_open(rec->seq);
	struct arrival *a;

	if (r == NULL)
		return fail_open(s, request, rec->seq);
	if (repost_entry(r)->seq != rec->seq) {
		repost_free(r);
		errno = EBADMSG;
		return fail_open(s, request, rec->seq);
	}
	if (aside_post(&s->aside, rec, token) == -1) {
		struct apierr e;

		repost_free(r);
		arrival_not_kept(&e, errno);
		return peer_fail(s->peer, request, &e);
	}
	a = arrival_of(s, request, r);
	if (a == NULL) {
		repost_free(r);
		return -1;
	}
	if (backlog_add_upload(s->backlog, a, m->receipt_ms) == 0)
		return 0;
	arrival_free(a);
	return -1;
}

int
repost_post(
    struct session *s, uint32_t request, const struct msg_quarantine_post *m)
{
	struct aside_record *rec = aside_find_kept(&s->aside, m->entry);

	if (rec == NULL)
		return fail_absent(s, request, m->entry);
	if (rec->type != JOURNAL_UPLOAD)
		return fail_type(s, request, m->entry);
	if (backlog_has_token(s->backlog, rec->again))
		return fail_posting(s, request, m->entry);
	return post(s, request, rec, m);
}

int
repost_drop(
    struct session *s, uint32_t request, const struct msg_quarantine_drop *m)
{
	struct msg_quarantine_gone gone = { .entry = m->entry };
	struct aside_record *rec = aside_find_kept(&s->aside, m->entry);
	struct apierr e;

	if (rec == NULL)
		return fail_absent(s, request, m->entry);
	if (backlog_has_token(s->backlog, rec->again))
		return fail_posting(s, request, m->entry);
	if (aside_remove(rec) == -1) {
		apierr_set(&e, 500, E_EXCEPTION,
		    "entry [%" PRIu64 "] of the quarantine of job [%s] cannot "
		    "be removed: %s",
		    m->entry, s->job_id, strerror(errno));
		return peer_fail(s->peer, request, &e);
	}
	log_info("entry %" PRIu64 " is dropped from the quarantine", m->entry);
	return peer_send(s->peer, MSG_QUARANTINE_GONE, request, &gone);
}

/* ---- its end ---- */

int
repost_kept(
    struct aside *a, struct peer *peer, struct journal *j, uint64_t token)
{
	const struct aside_record *rec = aside_find_posted(a, token);
	struct msg_quarantine_gone m;

	if (rec == NULL)
		return 0;
	/* Whatever the policy: the file, which goes, was safe. */
	if ((j != NULL && journal_sync(j) == -1) || aside_remove(rec) == -1)
		return -1;
	log_info(
	    "entry %" PRIu64 " of the quarantine is posted again", rec->seq);
	m.entry = rec->seq;
	return peer_send(peer, MSG_QUARANTINE_GONE, 0, &m);
}
