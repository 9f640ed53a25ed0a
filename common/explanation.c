/* Owns the form in which an explanation is stored. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/explanation.h"

int
explanation_put(struct wbuf *wb, const struct explanation *x)
{
	const double v[] = { x->lower_confidence_bound, x->typical_value,
		x->upper_confidence_bound };

	if (((x->has & EXPLAINED_BOUNDS) != 0 &&
		!(isfinite(v[0]) && isfinite(v[1]) && isfinite(v[2]))) ||
	    ((x->has & EXPLAINED_RARITY) != 0 &&
		!isfinite(x->relative_rarity)) ||
	    ((x->has & EXPLAINED_LEADER) != 0 && x->leader.len > UINT32_MAX)) {
		errno = EINVAL;
		return -1;
	}
	wire_put_u8(wb, (uint8_t)x->has);
	if ((x->has & EXPLAINED_TYPE) != 0)
		wire_put_u8(wb, x->dip);
	if ((x->has & EXPLAINED_LENGTH) != 0)
		wire_put_u32(wb, x->anomaly_length);
	if ((x->has & EXPLAINED_SINGLE) != 0)
		wire_put_u32(wb, x->single_bucket_impact);
	if ((x->has & EXPLAINED_MULTI) != 0)
		wire_put_u32(wb, x->multi_bucket_impact);
	for (size_t i = 0; i < NELEM(v) && (x->has & EXPLAINED_BOUNDS) != 0;
	     i++)
		wire_put_f64(wb, v[i]);
	if ((x->has & EXPLAINED_RARITY) != 0)
		wire_put_f64(wb, x->relative_rarity);
	if ((x->has & EXPLAINED_LEADER) != 0) {
		wire_put_u32(wb, (uint32_t)x->leader.len);
		wire_put_bytes(wb, x->leader.p, x->leader.len);
	}
	if (!wb->bad)
		return 0;
	errno = ENOMEM;
	return -1;
}

static int
get_u32(struct rbuf *rb, bool is_there, uint32_t *v)
{
	return is_there ? wire_get_u32(rb, v) : 0;
}

static int
get_bounds(struct rbuf *rb, struct explanation *x)
{
	double *const v[] = { &x->lower_confidence_bound, &x->typical_value,
		&x->upper_confidence_bound };

	for (size_t i = 0; i < NELEM(v); i++)
		if (wire_get_f64(rb, v[i]) == -1 || !isfinite(*v[i]))
			return -1;
	return 0;
}

static int
get_rarity(struct rbuf *rb, struct explanation *x)
{
	if (wire_get_f64(rb, &x->relative_rarity) == -1)
		return -1;
	return isfinite(x->relative_rarity) && x->relative_rarity > 0 ? 0 : -1;
}

static int
get_leader(struct rbuf *rb, struct explanation *x)
{
	const uint8_t *p;
	uint32_t len;

	if (wire_get_u32(rb, &len) == -1 || wire_get_bytes(rb, &p, len) == -1)
		return -1;
	x->leader = (struct span){ (const char *)p, len };
	return 0;
}

int
explanation_get(const void *blob, size_t len, struct explanation *x)
{
	uint8_t has, dip = 0;
	struct rbuf rb;

	memset(x, 0, sizeof(*x));
	rbuf_init(&rb, blob, len);
	if (wire_get_u8(&rb, &has) == -1 ||
	    ((has & EXPLAINED_TYPE) != 0 &&
		(wire_get_u8(&rb, &dip) == -1 || dip > 1)) ||
	    get_u32(&rb, has & EXPLAINED_LENGTH, &x->anomaly_length) == -1 ||
	    get_u32(&rb, has & EXPLAINED_SINGLE, &x->single_bucket_impact) ==
		-1 ||
	    get_u32(&rb, has & EXPLAINED_MULTI, &x->multi_bucket_impact) ==
		-1 ||
	    ((has & EXPLAINED_BOUNDS) != 0 && get_bounds(&rb, x) == -1) ||
	    ((has & EXPLAINED_RARITY) != 0 && get_rarity(&rb, x) == -1) ||
	    ((has & EXPLAINED_LEADER) != 0 && get_leader(&rb, x) == -1) ||
	    rb.left != 0) {
		memset(x, 0, sizeof(*x));
		errno = EBADMSG;
		return -1;
	}
	x->has = has;
	x->dip = dip != 0;
	return 0;
}
