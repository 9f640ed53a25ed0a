/* Owns the scores of jobs in windows of time. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "query/windows.h"

#define HAS_BUCKET 1
#define HAS_INTERIM 2

int64_t
windows_floor(int64_t ms, int64_t span_ms)
{
	int64_t past = ms % span_ms;

	if (past < 0)
		past += span_ms;
	return ms < INT64_MIN + past ? INT64_MIN : ms - past;
}

int64_t
windows_ceil(int64_t ms, int64_t span_ms)
{
	int64_t past = ms % span_ms;

	if (past == 0)
		return ms;
	if (past > 0)
		past -= span_ms;
	return ms > INT64_MAX + past ? INT64_MAX : ms - past;
}

int
windows_init(struct windows *w, size_t njobs, int64_t span_ms)
{
	*w = (struct windows){ .njobs = njobs, .span_ms = span_ms };
	w->n = WINDOWS_SCORES_MAX / njobs;
	if (w->n == 0)
		w->n = 1;
	if (w->n > WINDOWS_MAX)
		w->n = WINDOWS_MAX;
	w->score = reallocarray(NULL, w->n * njobs, sizeof(*w->score));
	w->state = calloc(w->n, 1);
	if (w->score != NULL && w->state != NULL)
		return 0;
	errno = ENOMEM;
	return -1;
}

void
windows_clear(struct windows *w)
{
	free(w->score);
	free(w->state);
	w->score = NULL;
	w->state = NULL;
}

void
windows_begin(struct windows *w, int64_t ms)
{
	int64_t length = (int64_t)w->n * w->span_ms;

	w->from_ms = windows_floor(ms, w->span_ms);
	w->to_ms =
	    w->from_ms > INT64_MAX - length ? INT64_MAX : w->from_ms + length;
	memset(w->state, 0, w->n);
}

/* The scores of a window are only filled in when it has its first bucket. */
void
windows_add(
    struct windows *w, size_t job, int64_t ms, double score, bool interim)
{
	size_t i = (size_t)((ms - w->from_ms) / w->span_ms);
	double *row = w->score + i * w->njobs;

	if (w->state[i] == 0)
		for (size_t k = 0; k < w->njobs; k++)
			row[k] = NAN;
	w->state[i] |= interim ? HAS_BUCKET | HAS_INTERIM : HAS_BUCKET;
	if (isnan(row[job]) || score > row[job])
		row[job] = score;
}

bool
windows_has(const struct windows *w, size_t i)
{
	return w->state[i] != 0;
}

bool
windows_is_interim(const struct windows *w, size_t i)
{
	return (w->state[i] & HAS_INTERIM) != 0;
}

int64_t
windows_time(const struct windows *w, size_t i)
{
	return w->from_ms + (int64_t)i * w->span_ms;
}

const double *
windows_scores(const struct windows *w, size_t i)
{
	return w->score + i * w->njobs;
}
