/*
 * Owns the state of a model in a snapshot. One walk over its fields serves
 * writing and reading, so that they cannot differ.
 */
#include "common/compat.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/snaphead.h"
#include "common/wire.h"
#include "worker/model_int.h"

/* A model with all of its tables has less than this. */
#define STATE_MOST (64u * 1024)
/* 36 buckets of the longest span: times stay within the engine's. */
#define STEP_MOST_S (INT64_MAX / PERIOD_STEPS / 4)

#define MODEL_STATE_FIELDS(F, S) F(S, BYTES, model, 1, STATE_MOST)
SCHEMA_STRUCT(model_state, MODEL_STATE_FIELDS);
SCHEMA_DEFINE(model_state, MODEL_STATE_FIELDS);

/* What came with this format is what a new model has where it is missing. */
#define FORMAT_WIDTHS 5
/* Days that are like others, and the calendar, came with this format. */
#define FORMAT_DAYS 5
/* How far slow levels have crept. */
#define FORMAT_CREPT 6
/* A day lies within the engine's times. */
#define DAY_MOST 1e11

/* Of section SNAPSHOT_ENGINE_1. */
#define NORMAL_1_FIELDS(F, S)                                                  \
	F(S, F64, n, 0, INFINITY)                                              \
	F(S, F64, mean, -INFINITY, INFINITY)                                   \
	F(S, F64, squares, 0, INFINITY)
SCHEMA_STRUCT(normal_1, NORMAL_1_FIELDS);
SCHEMA_DEFINE(normal_1, NORMAL_1_FIELDS);

#define POISSON_1_FIELDS(F, S)                                                 \
	F(S, F64, events, 0, INFINITY)                                         \
	F(S, F64, buckets, 0, INFINITY)
SCHEMA_STRUCT(poisson_1, POISSON_1_FIELDS);
SCHEMA_DEFINE(poisson_1, POISSON_1_FIELDS);

#define MODEL_1_FIELDS(F, S)                                                   \
	F(S, F64, zeros, 0, INFINITY)                                          \
	F(S, F64, ln_normal, -INFINITY, 0)                                     \
	F(S, F64, ln_log, -INFINITY, 0)                                        \
	F(S, F64, ln_poisson, -INFINITY, 0)                                    \
	F(S, F64, outliers, 0, INFINITY)                                       \
	F(S, U32, run, 0, INFINITY)                                            \
	F(S, BOOL, negative, 0, 1)
SCHEMA_STRUCT(model_1, MODEL_1_FIELDS);
SCHEMA_DEFINE(model_1, MODEL_1_FIELDS);

/* What came with this format a new model has where it is missing. */
#define FORMAT_SIBLINGS 5

/* Writes with wb, reads with rb; bad after the first thing that is wrong. */
struct codec {
	struct wbuf *wb;
	struct rbuf *rb;
	bool bad;
	uint32_t format; /* of the snapshot; see what came with it below */
};

static void
walk_f64(struct codec *c, double *v, double least)
{
	if (c->wb != NULL) {
		c->bad |= wire_put_f64(c->wb, *v) == -1;
		return;
	}
	c->bad |= wire_get_f64(c->rb, v) == -1 || !isfinite(*v) || *v < least;
}

static void
walk_u32(struct codec *c, uint32_t *v, uint32_t most)
{
	if (c->wb != NULL) {
		c->bad |= wire_put_u32(c->wb, *v) == -1;
		return;
	}
	c->bad |= wire_get_u32(c->rb, v) == -1 || *v > most;
}

/* Four bytes, too. */
static void
walk_u8(struct codec *c, uint8_t *v, uint32_t most)
{
	uint32_t u = *v;

	walk_u32(c, &u, most);
	*v = (uint8_t)u;
}

static void
walk_u16(struct codec *c, uint16_t *v, uint32_t most)
{
	uint32_t u = *v;

	walk_u32(c, &u, most);
	*v = (uint16_t)u;
}

static void
walk_f32(struct codec *c, float *v, float least)
{
	uint32_t bits;

	memcpy(&bits, v, sizeof(bits));
	walk_u32(c, &bits, UINT32_MAX);
	memcpy(v, &bits, sizeof(bits));
	c->bad |= !isfinite(*v) || *v < least;
}

static void
walk_i64(struct codec *c, int64_t *v)
{
	if (c->wb != NULL) {
		c->bad |= wire_put_i64(c->wb, *v) == -1;
		return;
	}
	/* times of the engine are less than this (engine_int.h) */
	c->bad |= wire_get_i64(c->rb, v) == -1 || fabs((double)*v) > 1e16;
}

static void
walk_i16(struct codec *c, int16_t *v, uint32_t most)
{
	uint32_t u = (uint32_t)(*v + (int32_t)most);

	walk_u32(c, &u, 2 * most);
	*v = (int16_t)((int32_t)u - (int32_t)most);
}

static void
walk_bool(struct codec *c, bool *v)
{
	uint32_t u = *v;

	walk_u32(c, &u, 1);
	*v = u == 1;
}

static void
walk_tail(struct codec *c, struct tail *t)
{
	float *field[] = { &t->n, &t->excesses, &t->fitted, &t->sum,
		&t->squares, &t->row };

	for (size_t i = 0; i < NELEM(field); i++)
		walk_f32(c, field[i], 0);
	for (size_t i = 0; i < TAIL_BINS; i++)
		walk_f32(c, &t->bin[i], 0);
}

static void
walk_level(struct codec *c, struct level *l)
{
	for (size_t i = 0; i < LEVEL_SPEEDS; i++) {
		walk_f64(c, &l->at[i], -INFINITY);
		walk_f32(c, &l->ln_weight[i], -INFINITY);
	}
	walk_f64(c, &l->slope, -INFINITY);
	walk_f64(c, &l->n, 0);
	walk_u16(c, &l->apart, LEVEL_APART_MOST);
	walk_i16(c, &l->since, LEVEL_SINCE_MOST);
	if (c->format >= FORMAT_CREPT)
		walk_f32(c, &l->crept, -INFINITY);
}

static void
walk_support(struct codec *c, struct support *s)
{
	walk_u32(c, &s->n, SUPPORT_SIZE);
	walk_u32(c, &s->dice, UINT32_MAX);
	for (uint32_t i = 0; i < s->n && !c->bad; i++) {
		walk_f32(c, &s->value[i], -INFINITY);
		c->bad |= i > 0 && s->value[i] < s->value[i - 1];
	}
}

static void
walk_slots(struct codec *c, struct season *s)
{
	walk_i64(c, &s->shift_s);
	for (uint32_t i = 0; i < s->nslots && !c->bad; i++) {
		struct season_slot *slot = &s->slot[i];
		uint32_t counts =
		    (uint32_t)slot->seen << 8 | (uint8_t)slot->strange;
		uint32_t rough = slot->rough;

		walk_f32(c, &slot->value, -INFINITY);
		walk_u32(c, &counts, UINT16_MAX);
		walk_u32(c, &rough, UINT16_MAX);
		slot->rough = (uint16_t)rough;
		slot->seen = (uint8_t)(counts >> 8);
		slot->strange = (int8_t)(counts & 0xff);
	}
	c->bad |= s->shift_s <= -s->period_s || s->shift_s >= s->period_s;
}

/* Tables are made when they are read: params tells their sizes. */
static void
walk_seasons(struct codec *c, struct model *m, const struct model_params *p)
{
	for (enum model_base b = BASE_DAY; b < BASES && !c->bad; b++) {
		bool there = m->season[b] != NULL;
		int64_t period_s = there ? m->season[b]->period_s : 0;

		walk_bool(c, &there);
		if (!there || c->bad)
			continue;
		walk_i64(c, &period_s);
		if (p != NULL && period_s < p->span_s)
			c->bad = true;
		if (c->bad)
			return;
		if (m->season[b] == NULL)
			m->season[b] = model_new_season(b, p, period_s);
		if (m->season[b] == NULL) {
			c->bad = true;
			return;
		}
		walk_slots(c, m->season[b]);
	}
}

static void
walk_day(struct codec *c, int64_t *day)
{
	walk_i64(c, day);
	c->bad |= fabs((double)*day) > DAY_MOST;
}

/* It comes with the table of the week, and is new where it was not kept. */
static void
walk_likeday(struct codec *c, struct model *m)
{
	struct likeday *l;

	if (m->season[BASE_WEEK] == NULL)
		return;
	if (m->likeday == NULL)
		m->likeday = calloc(1, sizeof(*m->likeday));
	l = m->likeday;
	if (l == NULL) {
		c->bad = true;
		return;
	}
	if (c->format < FORMAT_DAYS)
		return;
	walk_day(c, &l->day);
	walk_u32(c, &l->buckets, UINT32_MAX);
	walk_u32(c, &l->as, LIKEDAY_DAYS - 1);
	for (size_t i = 0; i < NELEM(l->ln); i++)
		walk_f32(c, &l->ln[i], 0);
	walk_f32(c, &l->back, 0);
}

/* p: NULL where it is written. */
static void
walk_table(struct codec *c, struct season **s, const struct model_params *p)
{
	if (*s == NULL && p != NULL)
		*s = calendar_table(p->span_s);
	if (*s == NULL)
		c->bad = true;
	else
		walk_slots(c, *s);
}

/* Counted as they come, so that what is there is freed after a failure. */
static void
walk_features(
    struct codec *c, struct calendar *cal, const struct model_params *p)
{
	uint32_t n = cal->nfeatures;

	walk_u32(c, &n, CALENDAR_MOST);
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		struct calendar_feature *f = &cal->feature[i];
		uint32_t number = (uint32_t)f->number;

		cal->nfeatures = i + 1;
		walk_u32(c, &f->sort, CAL_SORTS - 1);
		walk_u32(c, &number, INT32_MAX);
		f->number = (int32_t)number;
		walk_u32(c, &f->failed, UINT32_MAX);
		if (!c->bad)
			walk_table(c, &f->table, p);
	}
}

static void
walk_days(struct codec *c, struct calendar *cal)
{
	walk_bool(c, &cal->begun);
	walk_day(c, &cal->day);
	walk_day(c, &cal->first_day);
	walk_u32(c, &cal->days, UINT32_MAX);
	walk_f64(c, &cal->buckets, 0);
	walk_f64(c, &cal->size, 0);
	walk_f64(c, &cal->plain, 0);
	walk_f64(c, &cal->level, -INFINITY);
	walk_u32(c, &cal->base, BASES - 1);
	walk_u32(c, &cal->run, UINT32_MAX);
	walk_f64(c, &cal->usual, 0);
	walk_f64(c, &cal->spread, 0);
	walk_u32(c, &cal->nodd, CALENDAR_ODD);
	for (uint32_t i = 0; i < cal->nodd && !c->bad; i++) {
		int64_t day = cal->odd[i];

		walk_day(c, &day);
		c->bad |= day < INT32_MIN || day > INT32_MAX;
		cal->odd[i] = (int32_t)day;
	}
}

static void
walk_calendar(struct codec *c, struct model *m, const struct model_params *p)
{
	bool there = m->calendar != NULL, today;

	if (c->format < FORMAT_DAYS)
		return;
	walk_bool(c, &there);
	if (!there || c->bad)
		return;
	if (p != NULL && p->span_s > 86400)
		c->bad = true;
	if (m->calendar == NULL && !c->bad)
		m->calendar = calendar_new();
	if (m->calendar == NULL) {
		c->bad = true;
		return;
	}
	walk_days(c, m->calendar);
	if (!c->bad)
		walk_features(c, m->calendar, p);
	today = m->calendar->today != NULL;
	walk_bool(c, &today);
	if (today && !c->bad)
		walk_table(c, &m->calendar->today, p);
}

static void
walk_steps(struct codec *c, struct period_probe *probe)
{
	walk_i64(c, &probe->start_s);
	walk_i64(c, &probe->step_s);
	walk_u32(c, &probe->nsteps, PERIOD_STEPS);
	c->bad |= probe->step_s <= 0 || probe->step_s > STEP_MOST_S ||
	    probe->nsteps < PERIOD_STEPS / 2;
	for (size_t i = 0; i < PERIOD_STEPS && !c->bad; i++) {
		uint32_t n = probe->n[i];

		walk_f32(c, &probe->mean[i], -INFINITY);
		walk_u32(c, &n, UINT8_MAX);
		probe->n[i] = (uint8_t)n;
	}
}

static void
walk_probe(struct codec *c, struct model *m)
{
	bool there = m->probe != NULL;

	walk_u32(c, &m->probes, UINT32_MAX);
	walk_bool(c, &there);
	if (!there || c->bad)
		return;
	if (m->probe == NULL)
		m->probe = calloc(1, sizeof(*m->probe));
	if (m->probe == NULL) {
		c->bad = true;
		return;
	}
	walk_steps(c, m->probe);
}

static void
walk_horizon(struct codec *c, struct horizon *h)
{
	uint32_t n = h->n, base = h->base;

	for (size_t i = 0; i < HORIZON_FORECASTS; i++) {
		walk_f32(c, &h->ahead[i], -FLT_MAX);
		walk_f32(c, &h->size[i], 0);
	}
	walk_u32(c, &n, UINT16_MAX);
	walk_u32(c, &base, BASES);
	h->n = (uint16_t)n;
	h->base = (uint8_t)base;
}

static void
walk_horizons(struct codec *c, struct model *m)
{
	bool there = m->horizons != NULL;

	walk_bool(c, &there);
	if (!there || c->bad)
		return;
	if (m->horizons == NULL)
		m->horizons = horizons_new();
	if (m->horizons == NULL) {
		c->bad = true;
		return;
	}
	walk_f32(c, &m->horizons->width, 1);
	walk_u32(c, &m->horizons->at, HORIZON_LONGEST - 1);
	for (size_t i = 0; i < HORIZONS && !c->bad; i++)
		walk_horizon(c, &m->horizons->of[i]);
}

static void
walk_numbers(struct codec *c, struct model *m)
{
	walk_f64(c, &m->n, 0);
	walk_i64(c, &m->first_s);
	walk_f64(c, &m->origin, -INFINITY);
	walk_f64(c, &m->last, -INFINITY);
	walk_f64(c, &m->lowest, -INFINITY);
	walk_f64(c, &m->highest, -INFINITY);
	walk_bool(c, &m->negative);
	walk_bool(c, &m->fractions);
	walk_f64(c, &m->least, 0);
	walk_f64(c, &m->mean, -INFINITY);
	walk_f64(c, &m->zeros, 0);
	walk_f64(c, &m->changes, 0);
	walk_f64(c, &m->moves, 0);
	walk_f64(c, &m->spread, 0);
	walk_u8(c, &m->power, POWERS - 1);
	for (size_t i = 0; i < POWERS; i++) {
		walk_f64(c, &m->error[i], 0);
		walk_f64(c, &m->worth[i], -INFINITY);
	}
	for (size_t i = 0; i < BASES; i++) {
		walk_level(c, &m->level[i]);
		walk_f64(c, &m->scale[i], 0);
		walk_u8(c, &m->beyond[i], BEYOND_MOST);
		walk_f64(c, &m->ln_base[i], -INFINITY);
	}
	walk_u8(c, &m->best, BASES - 1);
	walk_u8(c, &m->adopted, BASES - 1);
	for (size_t i = 0; i < NELEM(m->moved); i++) {
		walk_f64(c, &m->moved[i], -INFINITY);
		walk_i64(c, &m->moved_s[i]);
	}
	walk_f64(c, &m->run, -INFINITY);
	walk_f64(c, &m->run_scale, 0);
	walk_f64(c, &m->gap_scale, 0);
	walk_f64(c, &m->odd_peak, 0);
}

static void
walk(struct codec *c, struct model *m, const struct model_params *p)
{
	walk_numbers(c, m);
	walk_support(c, &m->support);
	for (size_t s = 0; s < SIDES; s++) {
		walk_f64(c, &m->far_peak[s], 0);
		walk_f64(c, &m->told[s], 0);
		walk_tail(c, &m->single[s]);
		walk_tail(c, &m->multi[s]);
		walk_tail(c, &m->far[s]);
	}
	walk_tail(c, &m->odd);
	for (size_t s = 0; s < SIDES && c->format >= FORMAT_WIDTHS; s++)
		walk_f32(c, &m->width[s], 0);
	if (c->format >= FORMAT_WIDTHS) {
		walk_f64(c, &m->reach, 0);
		walk_bool(c, &m->seasons_gone);
	}
	walk_seasons(c, m, p);
	if (!c->bad)
		walk_probe(c, m);
	if (!c->bad && c->format >= 5)
		walk_horizons(c, m);
	if (!c->bad)
		walk_likeday(c, m);
	if (!c->bad)
		walk_calendar(c, m, p);
	if (c->format >= FORMAT_SIBLINGS)
		walk_u8(c, &m->borrowed, UINT8_MAX);
}

int
model_save(const struct model *m, struct snapshot_writer *w)
{
	struct model copy = *m; /* nothing is changed by writing */
	struct model_state s;
	struct codec c = { NULL, NULL, false, SNAPHEAD_FORMAT };
	struct wbuf wb;
	int ret = -1;

	wbuf_init(&wb, STATE_MOST);
	c.wb = &wb;
	walk(&c, &copy, NULL);
	if (c.bad) {
		errno = ENOMEM;
		goto out;
	}
	s.model = (struct span){ (const char *)wb.data, wb.len };
	ret = snapshot_put(w, &model_state_schema, &s);
out:
	wbuf_clear(&wb);
	return ret;
}

int
model_load(
    struct model *m, const struct model_params *p, struct snapshot_reader *r)
{
	struct codec c = { NULL, NULL, false, snapshot_format(r) };
	struct model_state s;
	struct rbuf rb;

	if (snapshot_get(r, &model_state_schema, &s) == -1)
		return -1;
	rbuf_init(&rb, s.model.p, s.model.len);
	c.rb = &rb;
	errno = 0;
	walk(&c, m, p);
	if (!c.bad && rb.left == 0)
		return 0;
	if (errno != ENOMEM)
		errno = EBADMSG;
	return -1;
}

/* The new model has the level and the scatter of the old one. */
static void
begin_with(struct model *m, const struct normal_1 *old)
{
	struct level *l = &m->level[BASE_NONE];
	double sd = old->n > 1 ? sqrt(old->squares / (old->n - 1)) : 0;

	for (size_t i = 0; i < LEVEL_SPEEDS; i++)
		l->at[i] = old->mean;
	l->n = old->n;
	m->mean = m->last = old->mean;
	/* how far values went is not known: nearly all are within this */
	m->lowest = old->mean - 3 * sd;
	m->highest = old->mean + 3 * sd;
	m->scale[BASE_NONE] = m->error[POWER_LINEAR] = sd;
	if (m->negative || !(old->mean > 0))
		return;
	m->error[POWER_ROOT] = sd / (2 * sqrt(old->mean));
	m->error[POWER_LOG] = sd / old->mean;
}

int
model_load_1(struct model *m, int64_t last_s, struct snapshot_reader *r)
{
	struct normal_1 level, log_level;
	struct poisson_1 rate;
	struct model_1 s;

	if (snapshot_get(r, &normal_1_schema, &level) == -1 ||
	    snapshot_get(r, &normal_1_schema, &log_level) == -1 ||
	    snapshot_get(r, &poisson_1_schema, &rate) == -1 ||
	    snapshot_get(r, &model_1_schema, &s) == -1)
		return -1;
	if (!(level.n + s.zeros > 0))
		return 0;
	m->n = fmin(level.n + s.zeros, 1e6);
	m->first_s = last_s;
	m->negative = s.negative;
	m->zeros = s.zeros / (level.n + s.zeros);
	if (level.n > 0)
		begin_with(m, &level);
	return 0;
}
