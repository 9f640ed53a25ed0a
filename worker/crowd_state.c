/* Owns the crowd and its habits in a snapshot. */
#include "common/compat.h"

#include <math.h>

#include "worker/crowd.h"

/* Wider than any of them grows, and within what a float holds. */
#define HABIT_FIELDS(F, S)                                                     \
	F(S, F64, n, 0, HABIT_BUCKETS)                                         \
	F(S, F64, mean, -HABIT_MOST, HABIT_MOST)                               \
	F(S, F64, spread, 0, 1e9)                                              \
	F(S, F64, row, 0, 1e9)                                                 \
	F(S, F64, run, -1e9, 1e9)                                              \
	F(S, F64, run_squares, 0, 1e9)
SCHEMA_STRUCT(habit_state, HABIT_FIELDS);
SCHEMA_DEFINE(habit_state, HABIT_FIELDS);

#define CROWD_FIELDS(F, S)                                                     \
	F(S, F64, n, 0, INFINITY)                                              \
	F(S, BOOL, negative, 0, 1)                                             \
	F(S, BOOL, fractions, 0, 1)                                            \
	F(S, F64, least, 0, INFINITY)                                          \
	F(S, U8, power, 0, POWERS - 1)
SCHEMA_STRUCT(crowd_state, CROWD_FIELDS);
SCHEMA_DEFINE(crowd_state, CROWD_FIELDS);

#define CROWD_POWER_FIELDS(F, S)                                               \
	F(S, F64, scale, 0, INFINITY)                                          \
	F(S, F64, worth, -INFINITY, INFINITY)
SCHEMA_STRUCT(crowd_power_state, CROWD_POWER_FIELDS);
SCHEMA_DEFINE(crowd_power_state, CROWD_POWER_FIELDS);

/* Of floats, so bounds are such: what was read can be written again. */
#define CROWD_WIDTH_FIELDS(F, S)                                               \
	F(S, F64, up, 0.015625, 128)                                           \
	F(S, F64, down, 0.015625, 128)
SCHEMA_STRUCT(crowd_width_state, CROWD_WIDTH_FIELDS);
SCHEMA_DEFINE(crowd_width_state, CROWD_WIDTH_FIELDS);

int
crowd_save_widths(const struct crowd *c, struct snapshot_writer *w)
{
	struct crowd_width_state s = { (double)c->width[UP],
		(double)c->width[DOWN] };

	return snapshot_put(w, &crowd_width_state_schema, &s);
}

int
crowd_load_widths(struct crowd *c, struct snapshot_reader *r)
{
	struct crowd_width_state s;

	if (snapshot_get(r, &crowd_width_state_schema, &s) == -1)
		return -1;
	c->width[UP] = (float)s.up;
	c->width[DOWN] = (float)s.down;
	return 0;
}

int
habit_save(const struct habit *h, struct snapshot_writer *w)
{
	struct habit_state s = { (double)h->n, (double)h->mean,
		(double)h->spread, (double)h->row, (double)h->run,
		(double)h->run_squares };

	return snapshot_put(w, &habit_state_schema, &s);
}

int
habit_load(struct habit *h, struct snapshot_reader *r)
{
	struct habit_state s;

	if (snapshot_get(r, &habit_state_schema, &s) == -1)
		return -1;
	*h = (struct habit){ (float)s.n, (float)s.mean, (float)s.spread,
		(float)s.row, (float)s.run, (float)s.run_squares };
	return 0;
}

int
crowd_save(const struct crowd *c, struct snapshot_writer *w)
{
	struct crowd_state s = { c->n, c->negative, c->fractions, c->least,
		(uint8_t)c->power };

	if (snapshot_put(w, &crowd_state_schema, &s) == -1)
		return -1;
	for (int p = 0; p < POWERS; p++) {
		struct crowd_power_state ps = { c->scale[p], c->worth[p] };

		if (snapshot_put(w, &crowd_power_state_schema, &ps) == -1)
			return -1;
	}
	for (int t = 0; t < SIDES; t++) {
		if (tail_save(&c->tail[t], w) == -1 ||
		    tail_save(&c->run[t], w) == -1)
			return -1;
	}
	return 0;
}

int
crowd_load(struct crowd *c, struct snapshot_reader *r)
{
	struct crowd_state s;

	if (snapshot_get(r, &crowd_state_schema, &s) == -1)
		return -1;
	c->n = s.n;
	c->negative = s.negative;
	c->fractions = s.fractions;
	c->least = s.least;
	c->power = (enum power)s.power;
	for (int p = 0; p < POWERS; p++) {
		struct crowd_power_state ps;

		if (snapshot_get(r, &crowd_power_state_schema, &ps) == -1)
			return -1;
		c->scale[p] = ps.scale;
		c->worth[p] = ps.worth;
	}
	for (int t = 0; t < SIDES; t++) {
		if (tail_load(&c->tail[t], r) == -1 ||
		    tail_load(&c->run[t], r) == -1)
			return -1;
	}
	return 0;
}
