/* Owns the blobs that hold the influencers of a row. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/resultrow.h"

#define NAME_LEN_MAX UINT16_MAX

static int
name_put(struct wbuf *wb, const char *name)
{
	size_t len = strlen(name);

	if (len > NAME_LEN_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (wire_put_u16(wb, (uint16_t)len) == -1 ||
	    wire_put_bytes(wb, name, len + 1) == -1) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* The name must be what C takes it for: its length up to the only NUL. */
static int
name_get(struct rbuf *rb, const char **name)
{
	const uint8_t *p;
	uint16_t len;

	if (wire_get_u16(rb, &len) == -1 ||
	    wire_get_bytes(rb, &p, (size_t)len + 1) == -1 || p[len] != '\0' ||
	    !wire_utf8_ok(p, len))
		return -1;
	*name = (const char *)p;
	return 0;
}

/* UTF-8 in which, other than in names, a NUL is a character like others. */
static bool
value_ok(const uint8_t *p, size_t len)
{
	while (len > 0) {
		const uint8_t *nul = memchr(p, '\0', len);
		size_t n = nul == NULL ? len : (size_t)(nul - p);

		if (!wire_utf8_ok(p, n))
			return false;
		n += nul != NULL;
		p += n;
		len -= n;
	}
	return true;
}

int
resultrow_put_bucket_influencers(struct wbuf *wb, const struct bucket_result *b)
{
	if (b->ninfluencers > NELEM(b->influencer)) {
		errno = EINVAL;
		return -1;
	}
	wire_put_u16(wb, (uint16_t)b->ninfluencers);
	for (size_t i = 0; i < b->ninfluencers; i++) {
		const struct bucket_influencer *in = &b->influencer[i];
		const double v[] = { in->initial_anomaly_score,
			in->anomaly_score, in->raw_anomaly_score,
			in->probability };

		if (name_put(wb, in->influencer_field_name) == -1)
			return -1;
		for (size_t k = 0; k < NELEM(v); k++) {
			if (!isfinite(v[k])) {
				errno = EINVAL;
				return -1;
			}
			wire_put_f64(wb, v[k]);
		}
	}
	if (wb->bad) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int
bucket_influencer_get(struct rbuf *rb, struct bucket_influencer *in)
{
	double *const v[] = { &in->initial_anomaly_score, &in->anomaly_score,
		&in->raw_anomaly_score, &in->probability };

	if (name_get(rb, &in->influencer_field_name) == -1)
		return -1;
	for (size_t k = 0; k < NELEM(v); k++)
		if (wire_get_f64(rb, v[k]) == -1 || !isfinite(*v[k]))
			return -1;
	return 0;
}

int
resultrow_get_bucket_influencers(
    const void *blob, size_t len, struct bucket_result *b)
{
	struct rbuf rb;
	uint16_t n;

	rbuf_init(&rb, blob, len);
	if (wire_get_u16(&rb, &n) == -1 || n > NELEM(b->influencer))
		goto bad;
	for (size_t i = 0; i < n; i++)
		if (bucket_influencer_get(&rb, &b->influencer[i]) == -1)
			goto bad;
	if (rb.left != 0)
		goto bad;
	b->ninfluencers = n;
	return 0;
bad:
	b->ninfluencers = 0;
	errno = EBADMSG;
	return -1;
}

static int
influencer_put(struct wbuf *wb, const struct record_influencer *in)
{
	if (in->nvalues > NELEM(in->value)) {
		errno = EINVAL;
		return -1;
	}
	if (name_put(wb, in->field_name) == -1)
		return -1;
	wire_put_u16(wb, (uint16_t)in->nvalues);
	for (size_t i = 0; i < in->nvalues; i++) {
		if (in->value[i].len > UINT32_MAX) {
			errno = EINVAL;
			return -1;
		}
		wire_put_u32(wb, (uint32_t)in->value[i].len);
		wire_put_bytes(wb, in->value[i].p, in->value[i].len);
	}
	return 0;
}

int
resultrow_put_influencers(struct wbuf *wb, const struct record_result *r)
{
	if (r->ninfluencers > NELEM(r->influencer)) {
		errno = EINVAL;
		return -1;
	}
	wire_put_u16(wb, (uint16_t)r->ninfluencers);
	for (size_t i = 0; i < r->ninfluencers; i++)
		if (influencer_put(wb, &r->influencer[i]) == -1)
			return -1;
	if (wb->bad) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int
influencer_get(struct rbuf *rb, struct record_influencer *in)
{
	uint16_t n;

	if (name_get(rb, &in->field_name) == -1 || wire_get_u16(rb, &n) == -1 ||
	    n > NELEM(in->value))
		return -1;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p;
		uint32_t len;

		if (wire_get_u32(rb, &len) == -1 ||
		    wire_get_bytes(rb, &p, len) == -1 || !value_ok(p, len))
			return -1;
		in->value[i] = (struct span){ (const char *)p, len };
	}
	in->nvalues = n;
	return 0;
}

int
resultrow_get_influencers(const void *blob, size_t len, struct record_result *r)
{
	struct rbuf rb;
	uint16_t n;

	rbuf_init(&rb, blob, len);
	if (wire_get_u16(&rb, &n) == -1 || n > NELEM(r->influencer))
		goto bad;
	for (size_t i = 0; i < n; i++)
		if (influencer_get(&rb, &r->influencer[i]) == -1)
			goto bad;
	if (rb.left != 0)
		goto bad;
	r->ninfluencers = n;
	return 0;
bad:
	r->ninfluencers = 0;
	errno = EBADMSG;
	return -1;
}
