/*
 * What a series' model has found out about it, told once, as annotations: a
 * season, a new level, a slope, a pattern that comes at another time. A mark is
 * taken before a value is learnt, and what has changed after it is news. Like
 * rows of the plot they are noted first and written with the slice.
 */
#ifndef WORKER_NEWS_H
#define WORKER_NEWS_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/power.h"

struct engine;
struct model;
struct outlook;

enum news_kind {
	NEWS_SEASON, /* by: its period in seconds */
	NEWS_NO_SEASON,
	NEWS_LEVEL, /* by how much, in the function's unit */
	NEWS_TREND,
	NEWS_TIME, /* by: the pattern comes so many seconds earlier */
};

struct news_item {
	uint32_t series;
	enum news_kind kind;
	double by;
};

#define NEWS_MOST 3 /* of one value */

/* Zeroed it is empty. */
struct news {
	struct news_item *item; /* owned */
	size_t n;
	size_t cap;
	size_t written; /* of these, from the first on */
};

/* What is compared. */
struct news_mark {
	uint32_t base; /* over which the value was expected */
	uint32_t adopted;
	enum power power;
	double origin;
	double slow;
	double crept;
	double last;
	uint16_t apart;
	int16_t since;
	int64_t shift_s;
};

void news_clear(struct news *);

void news_mark(
    struct news_mark *, const struct model *, const struct outlook *);

/* Room for what one value may bring. 0, or -1 with ENOMEM. */
int news_reserve(struct news *) MUST_CHECK;

/*
 * Note what has changed since the mark, if it is wanted; the model has learnt
 * the value of the outlook. There was room before.
 */
void news_note(struct engine *, uint32_t series, struct model *,
    const struct outlook *, const struct news_mark *);

/* What was noted beyond the first n is void. */
void news_forget(struct news *, size_t n);

/* Write what was noted. 0, or -1 with errno of the sink: try again. */
int news_write(struct engine *) MUST_CHECK;

/* The text of an annotation. */
#define NEWS_TEXT_BYTES 128
void news_text(const struct news_item *, char text[NEWS_TEXT_BYTES]);

#endif
