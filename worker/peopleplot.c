/* Owns the choice of people who are written to the model plot. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/engine_int.h"
#include "worker/peopleplot.h"

#define ROWS_PER_STEP 64

void
peopleplot_clear(struct peopleplot *p)
{
	free(p->row);
	memset(p, 0, sizeof(*p));
}

int
peopleplot_begin(struct peopleplot *p)
{
	if (p->row == NULL)
		p->row = calloc(PEOPLEPLOT_MOST, sizeof(*p->row));
	return p->row == NULL ? -1 : 0;
}

/* Of two that are as probable the later one goes. */
static bool
goes_before(const struct peopleplot_row *a, const struct peopleplot_row *b)
{
	if (a->ln_p != b->ln_p)
		return a->ln_p > b->ln_p;
	return a->order > b->order;
}

static void
swap(struct peopleplot_row *a, struct peopleplot_row *b)
{
	struct peopleplot_row c = *a;

	*a = *b;
	*b = c;
}

/* The heap is one again once its last row has come in. */
static void
sift_up(struct peopleplot_row *row, uint32_t i)
{
	for (; i > 0 && goes_before(&row[i], &row[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(&row[i], &row[(i - 1) / 2]);
}

/* The same once its first row is another one. */
static void
sift_down(struct peopleplot_row *row, uint32_t n)
{
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && goes_before(&row[child + 1], &row[child]))
			child++;
		if (!goes_before(&row[child], &row[i]))
			return;
		swap(&row[i], &row[child]);
		i = child;
	}
}

void
peopleplot_add(struct peopleplot *p, const struct plot_point *at, double ln_p)
{
	struct peopleplot_row r = { *at, ln_p, p->nseen++ };

	if (p->n < PEOPLEPLOT_MOST) {
		p->row[p->n] = r;
		sift_up(p->row, p->n++);
	} else if (!goes_before(&r, &p->row[0])) {
		p->row[0] = r;
		sift_down(p->row, p->n);
	}
}

static int
by_order(const void *a, const void *b)
{
	const struct peopleplot_row *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

int
peopleplot_note(struct engine *e)
{
	struct peopleplot *p = &e->judge.people.plot;
	uint32_t stop = p->nnoted + ROWS_PER_STEP;

	if (p->nnoted == p->n)
		return 0;
	if (!p->sorted)
		qsort(p->row, p->n, sizeof(*p->row), by_order);
	p->sorted = true;
	for (; p->nnoted < p->n && p->nnoted < stop; p->nnoted++) {
		if (plot_add(&e->judge.plot, &p->row[p->nnoted].point) == -1)
			return -1;
	}
	return 1;
}
