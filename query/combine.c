/* Owns the arithmetic of overall buckets, and the list of them. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "query/combine.h"
#include "query/windows.h"

int
combine_init(struct combine *c, size_t njobs, uint32_t top_n, double least,
    int64_t group_ms)
{
	*c = (struct combine){
		.njobs = njobs,
		.top_n = top_n,
		.least = least,
		.group_ms = group_ms,
	};
	c->open_score = reallocarray(NULL, njobs, sizeof(*c->open_score));
	c->sorted = reallocarray(NULL, njobs, sizeof(*c->sorted));
	return c->open_score == NULL || c->sorted == NULL ? -1 : 0;
}

void
combine_clear(struct combine *c)
{
	free(c->bucket);
	free(c->score);
	free(c->job);
	free(c->open_score);
	free(c->sorted);
	memset(c, 0, sizeof(*c));
}

static int
compare_falling(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The mean of the top_n greatest, or of all when they are fewer. */
static double
overall_of(struct combine *c, const double *score)
{
	double sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->njobs; i++)
		if (!isnan(score[i]))
			c->sorted[n++] = score[i];
	if (n > c->top_n) {
		qsort(c->sorted, n, sizeof(*c->sorted), compare_falling);
		n = c->top_n;
	}
	for (size_t i = 0; i < n; i++)
		sum += c->sorted[i];
	return sum / (double)n;
}

static int
grow(void **list, size_t *cap, size_t need, size_t item)
{
	size_t n = *cap == 0 ? 64 : *cap;
	void *p;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	p = reallocarray(*list, n, item);
	if (p == NULL)
		return -1;
	*list = p;
	*cap = n;
	return 0;
}

/* Two lists that grow together. */
static int
grow_scores(struct combine *c, size_t need)
{
	void *score = c->score, *job = c->job;
	size_t cap = c->scores_cap;
	int rc = grow(&score, &cap, need, sizeof(*c->score));

	c->score = score;
	if (rc == 0)
		rc = grow(&job, &c->scores_cap, need, sizeof(*c->job));
	c->job = job;
	return rc;
}

/* The open bucket is complete. */
static int
close_open(struct combine *c)
{
	struct overall_bucket *b = &c->open;
	void *list = c->bucket;
	int rc;

	if (b->n == 0)
		return 0;
	if (c->n == COMBINE_BUCKETS_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (b->n > COMBINE_SCORES_MAX - c->nscores) {
		errno = EOVERFLOW;
		return -1;
	}
	rc = grow(&list, &c->buckets_cap, c->n + 1, sizeof(*c->bucket));
	c->bucket = list;
	if (rc == -1 || grow_scores(c, c->nscores + b->n) == -1)
		return -1;
	b->first = c->nscores;
	for (size_t i = 0; i < c->njobs; i++) {
		if (isnan(c->open_score[i]))
			continue;
		c->score[c->nscores] = c->open_score[i];
		c->job[c->nscores++] = (uint32_t)i;
	}
	c->bucket[c->n++] = *b;
	b->n = 0;
	return 0;
}

static void
add_to_open(struct combine *c, const double *score)
{
	for (size_t i = 0; i < c->njobs; i++) {
		if (isnan(score[i]))
			continue;
		if (isnan(c->open_score[i]))
			c->open.n++;
		else if (score[i] <= c->open_score[i])
			continue;
		c->open_score[i] = score[i];
	}
}

/* Windows that fail the least score are no part of what they would be in. */
int
combine_window(
    struct combine *c, int64_t timestamp_ms, const double *score, bool interim)
{
	int64_t start = windows_floor(timestamp_ms, c->group_ms);
	double overall = overall_of(c, score);

	if (overall < c->least)
		return 0;
	if (c->open.n > 0 && c->open.timestamp_ms != start &&
	    close_open(c) == -1)
		return -1;
	if (c->open.n == 0) {
		c->open = (struct overall_bucket){ .timestamp_ms = start,
			.overall_score = overall };
		for (size_t i = 0; i < c->njobs; i++)
			c->open_score[i] = NAN;
	}
	if (overall > c->open.overall_score)
		c->open.overall_score = overall;
	c->open.is_interim = c->open.is_interim || interim;
	add_to_open(c, score);
	return 0;
}

int
combine_end(struct combine *c)
{
	return close_open(c);
}
