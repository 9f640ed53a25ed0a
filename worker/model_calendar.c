/* Owns the days that are not like their weekday. */
#include "common/compat.h"

#include <math.h>

#include "worker/model_int.h"

#define DAY_S 86400
/* Until then tables of the week find their shape. */
#define CALENDAR_FROM_S (21 * DAY_S)

/*
 * Of a day that another one stands in for, whichever of the two is nearer: the
 * way back to what is usual is not odd.
 */
bool
model_week_at(const struct model *m, struct outlook *o)
{
	const struct season *week = m->season[BASE_WEEK];
	double *base = &o->base[BASE_WEEK], level, other;
	double y = o->y - o->on_top;
	uint32_t like;
	bool has;

	o->week_s = o->time_s;
	if (week == NULL)
		return false;
	has = season_at(week, o->time_s, base);
	like = m->likeday == NULL ? 0 : likeday_at(m->likeday, o->time_s);
	if (like == 0 ||
	    !season_at(week, o->time_s - (int64_t)like * DAY_S, &other))
		return has;
	level = level_slow(&m->level[BASE_WEEK]);
	if (has && fabs(y - *base - level) <= fabs(y - other - level))
		return true;
	*base = other;
	o->week_s -= (int64_t)like * DAY_S;
	return true;
}

double
model_without_top(const struct outlook *o)
{
	double plain = o->forecast - o->on_top;

	if (o->on_top > 0)
		return fmax(o->y - o->on_top, fmin(o->y, plain));
	return fmin(o->y - o->on_top, fmax(o->y, plain));
}

static double
scale_over(const struct model *m, const struct outlook *o, uint32_t b)
{
	return fmax(m->scale[b], model_least_scale(m, o->kind, o->forecast));
}

/* Less what is usual by the base of the day. */
static double
rest_of(const struct model *m, const struct outlook *o)
{
	return o->y - (o->base[m->calendar->base] - o->on_top);
}

/* false: nothing can be said of this bucket. */
static bool
begin_day(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	if (m->calendar == NULL || !o->known)
		return false;
	calendar_begin(m->calendar, o->time_s, p->span_s, o->best,
	    level_slow(&m->level[o->best]));
	return o->has[m->calendar->base];
}

int
model_grow_calendar(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	if (m->calendar == NULL && p->span_s <= DAY_S &&
	    o->time_s - m->first_s >= CALENDAR_FROM_S) {
		m->calendar = calendar_new();
		if (m->calendar == NULL)
			return -1;
	}
	if (begin_day(m, p, o) &&
	    calendar_wants_day(m->calendar, rest_of(m, o),
		scale_over(m, o, m->calendar->base)))
		return calendar_keep_day(m->calendar, o->time_s, p->span_s);
	return 0;
}

static void
learn_likeday(struct model *m, const struct outlook *o)
{
	if (m->likeday != NULL && m->best == BASE_WEEK &&
	    m->level[BASE_WEEK].n > 0)
		likeday_learn(m->likeday, m->season[BASE_WEEK], o->time_s,
		    o->y - o->on_top - level_slow(&m->level[BASE_WEEK]),
		    scale_over(m, o, BASE_WEEK));
}

void
model_learn_day(
    struct model *m, const struct model_params *p, const struct outlook *o)
{
	if (!o->known)
		return;
	learn_likeday(m, o);
	if (begin_day(m, p, o))
		calendar_learn(m->calendar, o->time_s, rest_of(m, o),
		    scale_over(m, o, m->calendar->base));
}
