/* Owns the interval in which one of the people is expected. */
#include "common/compat.h"

#include <math.h>

#include "worker/crowd.h"

/* As of a series: what few have shown is next to nothing (bounds.c). */
#define INFORMED 8.0

/* Of each side: what is beyond, and where that is if normal. */
#define BEYOND ((1 - BOUNDS_MASS) / 2)
#define NORMAL_WIDTH 1.9599639845400542355

/*
 * As the width of a series' interval (bounds.c) it grows by a step for each
 * who is outside. All of a bucket are measured by the same one, so that of
 * many the steps are smaller, for else it would swing.
 */
#define STEP 0.05
#define YOUNG_STEP 1.0
#define YOUNG 10.0
#define STEPS_OF_BUCKET 2.0
#define INSIDE 0.95

void
crowd_widths_init(float width[SIDES])
{
	width[UP] = width[DOWN] = (float)NORMAL_WIDTH;
}

void
crowd_widths_learn(
    float width[SIDES], const struct crowd_view *v, const struct crowd_place *p)
{
	double step = STEP + YOUNG_STEP / (v->past + YOUNG);

	step = fmin(step, STEPS_OF_BUCKET / v->n);
	for (enum model_side s = UP; s < SIDES; s++) {
		double own = s == UP ? p->own : -p->own;
		bool outside = own > INSIDE * (double)v->width[s];
		double w = (double)width[s];

		w *= 1 + step * ((outside ? 1 : 0) - BEYOND);
		w = fmin(fmax(w, CROWD_WIDTH_LEAST), CROWD_WIDTH_MOST);
		width[s] = (float)w;
	}
}

bool
crowd_bounds(const struct crowd_view *v, const struct habit *h,
    const struct crowd_place *p, struct bounds *b)
{
	double usual = habit_usual(h), spread = fmax(1, (double)h->spread);
	double up = (double)v->width[UP], down = (double)v->width[DOWN];

	if (!v->known || v->past < INFORMED)
		return false;
	/* the lesser of two distances counts */
	if (usual > 0)
		up = fmax(up, usual + spread * up);
	else if (usual < 0)
		down = fmax(down, spread * down - usual);
	b->median = p->typical;
	b->upper = crowd_value(v, v->middle[p->at] + up * v->scale[p->at]);
	b->lower = crowd_value(v, v->middle[p->at] - down * v->scale[p->at]);
	if (!v->negative)
		b->lower = fmax(b->lower, 0);
	return true;
}
