/* The inside of forecasts.h, shared by the files that make it up. */
#ifndef WORKER_FORECASTS_INT_H
#define WORKER_FORECASTS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/engine.h"
#include "worker/forecastdb.h"
#include "worker/forecaster.h"
#include "worker/forecasts.h"

#define FORECAST_KILLED                                                        \
	"forecast unable to complete as native process was killed."
#define FORECAST_STILL                                                         \
	"forecast unable to complete as its process has not got on for a "     \
	"minute."
#define FORECAST_CLOSED "forecast unable to complete as the job was closed."

#define FORECAST_COUNT_US 1500 /* of a slice, for what is not counted yet */

#define FORECAST_BUFFER_BYTES                                                  \
	(FORECAST_FRAME_MAX + sizeof(struct forecast_frame))

struct making {
	struct forecast_entry *entry; /* owned: it is large */
	pid_t child;
	int fd;
	bool clean;   /* points of an earlier try are gone */
	bool ended;   /* the last frame has come */
	bool broken;  /* it said what makes no sense, or could not be written */
	bool over;    /* its row says how, and is to be written */
	uint8_t *buf; /* owned; [FORECAST_BUFFER_BYTES] */
	size_t len;
	size_t taken;	  /* of len: frames that are done with */
	size_t in_points; /* points of the frame at taken that are written */
	int64_t begin_us; /* monotonic */
	int64_t still_us; /* nothing came of it for so long, while looked at */
	int64_t detector; /* names of the series; 0: none has begun */
	struct span by, partition; /* point into names */
	char *names;		   /* owned */
};

/* Rows of what is over: they stay as they are until they are removed. */
struct forecasttally {
	struct forecast_totals over;
	int64_t after; /* rows up to this id are in it */
	bool whole;
};

struct forecasts {
	struct results *results;    /* borrowed */
	const struct jobconf *conf; /* borrowed, with the first entry */
	const struct engine *engine;
	struct making *list[FORECASTS_MOST];
	size_t n;
	pid_t leaving[FORECASTS_MOST]; /* children nobody listens to */
	size_t nleaving;	       /* with n at most FORECASTS_MOST */
	bool busy;
	bool changed; /* and the supervisor was not told */
	bool sweeps;  /* there may be points of those that have failed */
	bool swept;   /* there were */
	struct forecasttally tally;
	int64_t look_us;
	int64_t stepped_us; /* 0: not yet */
	bool closing;
	int64_t closing_us; /* for so long, the same way */
};

/* forecastmake.c: what one child says, and where it goes. */

/* What there is, as far as there is room for it. true: something came. */
bool making_fill(struct making *);
/* A frame is whole that is not done with. */
bool making_has_frame(struct making *);

/*
 * A transaction of its own; nothing may be under way. 0, or -1 with errno.
 * making_write_end tells of the totals before others can see the row; EAGAIN:
 * that could not leave yet, so nothing was written.
 */
int making_write(
    struct forecasts *, struct making *, int64_t deadline_us) MUST_CHECK;
int making_write_end(
    struct forecasts *, struct making *, struct peer *) MUST_CHECK;

void making_free(struct making *);

/* forecastend.c: how they end, and what the supervisor hears of it. */

/*
 * The first one, which is over, is written and let go; or it stays as it is,
 * until that can be.
 */
void forecasts_end_first(struct forecasts *, struct peer *);
/* It is over, and has failed. why: what clients read, in English. */
void making_fail(struct making *, const char *why);
/* Remove some points that are of no use. f->busy: there may be more. */
void forecasts_sweep(struct forecasts *);

/* forecasttally.c: the totals of _stats. */

void forecasttally_add(struct forecast_totals *, const struct forecast_row *);
/* It is whole: tell, with what is being made as it is. 0, or -1 with errno. */
int forecasttally_send(const struct forecasts *, struct peer *) MUST_CHECK;

#endif
