/*
 * Rows of the model plot of people: one for each feature of a member that is
 * in the bucket. There may be a hundred thousand of them, so of one bucket only
 * the PEOPLEPLOT_MOST least probable ones are kept, and written in the order in
 * which members were judged once all were.
 */
#ifndef WORKER_PEOPLEPLOT_H
#define WORKER_PEOPLEPLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/plot.h"

struct engine;

/* Rows of a bucket. */
#define PEOPLEPLOT_MOST 1000

struct peopleplot_row {
	struct plot_point point;
	double ln_p;
	uint32_t order;
};

/* To be embedded; zeroed is empty. */
struct peopleplot {
	struct peopleplot_row *row; /* owned; the most probable one first */
	uint32_t n;
	uint32_t nseen;
	uint32_t nnoted; /* in the plot already; then they are in order */
	bool sorted;
};

/* Before the first row of a bucket: room for all. 0, or -1 with ENOMEM. */
int peopleplot_begin(struct peopleplot *) MUST_CHECK;

/* One more, of which ln_p was said; dropped if it is too probable. */
void peopleplot_add(
    struct peopleplot *, const struct plot_point *, double ln_p);

/*
 * All are there: hand some of them to the plot, which is to be written before
 * the next call. 1: there were some; 0: none is left; -1 with ENOMEM.
 */
int peopleplot_note(struct engine *) MUST_CHECK;

/* Forget, and free. */
void peopleplot_clear(struct peopleplot *);

#endif
