/*
 * The model plot: what each series was expected to be in a bucket, as a row of
 * its own beside the records. Rows are noted while a slice of series is judged
 * and written when it is over: what has been learnt is not learnt again when
 * the sink fails and the step is tried once more.
 */
#ifndef WORKER_PLOT_H
#define WORKER_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/bounds.h"

struct engine;
struct feature;
struct model;
struct outlook;

/* One feature of a series in the bucket at hand. */
struct plot_point {
	uint32_t series;
	const struct feature *feature;
	struct bounds expected;
	bool has_actual;
	double actual;
};

/* Zeroed it is empty. */
struct plot {
	struct plot_point *point; /* owned */
	size_t npoints;
	size_t written; /* of these, from the first on */
	size_t cap;
};

void plot_clear(struct plot *);

/* A bucket is going to be judged. */
void plot_begin(struct engine *);

/* Whether there are to be rows of the bucket at hand, */
bool plot_is_on(const struct engine *);
/* and of this series, which has a model or is one of the people. */
bool plot_wants(const struct engine *, uint32_t series);

/* Note a row. 0, or -1 with ENOMEM. */
int plot_add(struct plot *, const struct plot_point *) MUST_CHECK;

/*
 * Note a row, unless the model knows too little. Before the value is learnt.
 *
 * has_actual  the outlook is of a value that came
 *
 * 0, or -1 with ENOMEM.
 */
int plot_note(struct engine *, uint32_t series, const struct feature *,
    const struct model *, const struct outlook *, bool has_actual) MUST_CHECK;

/* The same of all features of a series for which nothing came. */
int plot_note_absent(struct engine *, uint32_t series) MUST_CHECK;

/* What was noted beyond the first n is void. */
void plot_forget(struct plot *, size_t n);

/* Write what was noted. 0, or -1 with errno of the sink: try again. */
int plot_write(struct engine *) MUST_CHECK;

#endif
