/* Owns the tables of periods. */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>

#include "worker/narrow.h"
#include "worker/season.h"

/* The mean of a slot forgets over so many cycles. */
#define CYCLES 8
/* Further off than this is foreign to a slot. */
#define FOREIGN_SCALES 4.0

#define ROUGH_UNIT 256.0
#define ROUGH_PRIOR 4.0
/* One error makes a slot no rougher than this one does. */
#define ROUGH_CLIP 10.0
/* sqrt(pi / 2): from the mean size of normal errors to their deviation. */
#define SIZE_TO_SCALE 1.2533141373155003

static int64_t
slot_length(int64_t period_s, int64_t span_s, uint32_t most)
{
	int64_t slot = (period_s + most - 1) / most;

	return (slot + span_s - 1) / span_s * span_s;
}

struct season *
season_new(int64_t period_s, int64_t span_s, uint32_t most)
{
	int64_t slot_s = slot_length(period_s, span_s, most);
	uint32_t n = (uint32_t)((period_s + slot_s - 1) / slot_s);
	struct season *s = calloc(1, sizeof(*s) + n * sizeof(s->slot[0]));

	if (s == NULL)
		return NULL;
	s->period_s = period_s;
	s->span_s = span_s;
	s->slot_s = slot_s;
	s->nslots = n;
	return s;
}

size_t
season_bytes(const struct season *s)
{
	return s == NULL ? 0 : sizeof(*s) + s->nslots * sizeof(s->slot[0]);
}

static int64_t
phase_of(const struct season *s, int64_t time_s)
{
	int64_t phase = (time_s + s->shift_s) % s->period_s;

	return phase < 0 ? phase + s->period_s : phase;
}

void
season_shift(struct season *s, int64_t shift_s)
{
	s->shift_s = (s->shift_s + shift_s) % s->period_s;
}

bool
season_at(const struct season *s, int64_t time_s, double *value)
{
	int64_t phase = phase_of(s, time_s);
	uint32_t i = (uint32_t)(phase / s->slot_s), j = i;
	double at;

	*value = (double)s->slot[i].value;
	if (s->slot_s == s->span_s)
		return s->slot[i].seen > 0;
	/* from the centre of the slot, in slots */
	at = ((double)(phase % s->slot_s) + 0.5 * (double)s->span_s) /
		(double)s->slot_s -
	    0.5;
	if (at > 0)
		j = i + 1 < s->nslots ? i + 1 : 0;
	else if (at < 0)
		j = i > 0 ? i - 1 : s->nslots - 1;
	if (s->slot[j].seen > 0)
		*value +=
		    fabs(at) * (double)(s->slot[j].value - s->slot[i].value);
	return s->slot[i].seen > 0;
}

/* How much of a value that is off by so much the slot may learn. */
static double
admit(struct season_slot *at, double off, double most, int needed)
{
	int sign = off > 0 ? 1 : -1;

	if (fabs(off) <= most) {
		at->strange = 0;
		return off;
	}
	if (at->seen < 2) /* nothing to be foreign to */
		return off;
	at->strange =
	    (int8_t)(at->strange * sign > 0 ? at->strange + sign : sign);
	if (at->strange * sign < needed)
		return sign * most;
	at->seen = 0;
	at->strange = 0;
	return off;
}

double
season_roughness(const struct season *s, int64_t time_s)
{
	const struct season_slot *at =
	    &s->slot[phase_of(s, time_s) / s->slot_s];

	return fmax(1, at->rough / ROUGH_UNIT);
}

/* It begins at 1, as if that were the mean of so many errors. */
static void
learn_roughness(struct season_slot *at, double off, double scale)
{
	double rough = at->rough == 0 ? 1 : at->rough / ROUGH_UNIT, size;

	if (!(scale > 0))
		return;
	size = fmin(SIZE_TO_SCALE * fabs(off) / scale, ROUGH_CLIP);
	rough += (size - rough) / (at->seen + ROUGH_PRIOR + 1);
	at->rough = (uint16_t)(rough * ROUGH_UNIT);
}

void
season_learn(struct season *s, int64_t time_s, double value, double scale)
{
	struct season_slot *at = &s->slot[phase_of(s, time_s) / s->slot_s];
	int64_t each = s->slot_s / s->span_s; /* values a cycle */
	int most = (int)(each < UINT8_MAX / CYCLES ? each * CYCLES : UINT8_MAX);
	int needed = (int)(each < INT8_MAX / 2 ? 2 * each : INT8_MAX);
	double usual, off;

	if (at->seen == 0) {
		at->value = narrow(value);
		at->seen = 1;
		return;
	}
	(void)season_at(s, time_s, &usual);
	learn_roughness(at, value - usual, scale);
	off = admit(at, value - usual, FOREIGN_SCALES * scale, needed);
	if (at->seen < most)
		at->seen++;
	at->value = narrow((double)at->value + off / at->seen);
}

void
season_map(
    struct season *s, double (*to)(double v, const void *arg), const void *arg)
{
	for (uint32_t i = 0; i < s->nslots; i++) {
		if (s->slot[i].seen > 0)
			s->slot[i].value =
			    narrow(to((double)s->slot[i].value, arg));
	}
}

double
season_mean(const struct season *s)
{
	double sum = 0, n = 0;

	for (uint32_t i = 0; i < s->nslots; i++) {
		if (s->slot[i].seen > 0) {
			sum += (double)s->slot[i].value;
			n++;
		}
	}
	return n > 0 ? sum / n : 0;
}
