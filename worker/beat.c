/* Owns the moments of interim results that are made by themselves. */
#include "common/compat.h"

#include <errno.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/beat.h"
#include "worker/mark.h"

/* For each part of time that they take so many others go by. */
#define SPARED 9

void
beat_init(struct beat *t, struct analysis *a, uint64_t interval_s)
{
	struct mark *mark = a->mark;

	*t = (struct beat){ .analysis = a,
		.interval_us = (int64_t)interval_s * 1000000,
		.ended_us = clock_mono_us() };
	if (mark_condemns(mark, 0, BACKLOG_INTERIM_TOKEN) == 0)
		return;
	log_warnx("interim results are not made by themselves until the next "
		  "start of this job: workers have died of them");
	t->interval_us = 0;
	if (mark_forget(mark, 0, BACKLOG_INTERIM_TOKEN) == -1)
		log_warn(MARK_FILE);
}

static int64_t
due_us(const struct beat *t)
{
	int64_t spared_us = SPARED * (t->ended_us - t->began_us);

	return t->ended_us +
	    (t->began_us != 0 && spared_us > t->interval_us ? spared_us
							    : t->interval_us);
}

static bool
is_wanted(const struct beat *t, const struct backlog *b)
{
	return t->interval_us > 0 && !backlog_is_busy(b) &&
	    engine_has_news(t->analysis->engine);
}

int
beat_timer_ms(const struct beat *t, const struct backlog *b)
{
	int64_t left_us;

	if (!is_wanted(t, b))
		return -1;
	left_us = due_us(t) - clock_mono_us();
	return left_us <= 0 ? 0 : (int)(left_us / 1000) + 1;
}

int
beat_work(struct beat *t, struct backlog *b)
{
	int64_t now_us = clock_mono_us();

	if (t->under_way && !backlog_makes_interim(b)) {
		t->under_way = false;
		t->ended_us = now_us;
	}
	if (!is_wanted(t, b) || now_us < due_us(t))
		return 0;
	t->began_us = now_us;
	t->under_way = true;
	return backlog_add_interim(b);
}
