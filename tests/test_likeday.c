/* A day that is like another day of the week. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/random.h"
#include "worker/likeday.h"

#define SPAN 900
#define HOUR 3600
#define DAY 86400
/* 5 January 1970, a Monday */
#define MONDAY INT64_C(345600)

struct week {
	struct season *s;
	struct likeday l;
	struct random r;
};

/* Work from nine to five, and none on Saturdays and Sundays. */
static double
usual(int64_t time_s)
{
	int64_t since = (time_s - MONDAY) % (7 * DAY),
		hour = since % DAY / HOUR;

	return since < 5 * DAY && hour >= 9 && hour < 17 ? 100 : 20;
}

static void
begin(struct week *w)
{
	w->s = season_new(7 * DAY, SPAN, 672);
	cr_assert_not_null(w->s);
	for (int64_t t = MONDAY; t < MONDAY + 7 * DAY; t += SPAN)
		season_learn(w->s, t, usual(t), 1);
	w->l = (struct likeday){ 0 };
	w->r = random_seed(5);
}

/* What comes from one time to another is as usual so much earlier. */
static void
live(struct week *w, int64_t from, int64_t to, int64_t before)
{
	for (int64_t t = from; t < to; t += SPAN)
		likeday_learn(&w->l, w->s, t,
		    usual(t - before) + 2 * random_normal(&w->r), 2);
}

Test(likeday, days_as_usual_are_like_themselves)
{
	struct week w;

	begin(&w);
	for (int64_t t = MONDAY + 7 * DAY; t < MONDAY + 707 * DAY; t += HOUR) {
		live(&w, t, t + HOUR, 0);
		cr_assert_eq(likeday_at(&w.l, t + HOUR), 0);
	}
	free(w.s);
}

Test(likeday, a_holiday_is_seen_within_three_buckets)
{
	int64_t monday = MONDAY + 7 * DAY, nine = monday + 9 * HOUR;
	struct week w;

	begin(&w);
	live(&w, monday, nine, DAY);
	cr_expect_eq(likeday_at(&w.l, nine), 0, "nights are all alike");
	live(&w, nine, nine + 3 * SPAN, DAY);
	cr_expect_geq(likeday_at(&w.l, nine + 3 * SPAN), 1);
	cr_expect_leq(likeday_at(&w.l, nine + 3 * SPAN), 2, "or a Saturday");
	live(&w, nine + 3 * SPAN, monday + DAY, DAY);
	cr_expect_neq(likeday_at(&w.l, monday + DAY + 5 * HOUR), 0);
	cr_expect_eq(likeday_at(&w.l, monday + DAY + 6 * HOUR), 0);
	live(&w, monday + DAY, monday + 2 * DAY, 0);
	cr_expect_eq(w.l.as, 0, "and Tuesday is itself");
	free(w.s);
}

Test(likeday, work_on_a_sunday_is_like_a_weekday)
{
	int64_t sunday = MONDAY + 13 * DAY;
	struct week w;

	begin(&w);
	live(&w, sunday, sunday + 10 * HOUR, 3 * DAY);
	cr_expect_geq(likeday_at(&w.l, sunday + 10 * HOUR), 2);
	free(w.s);
}

Test(likeday, what_no_day_is_like_stays_odd)
{
	int64_t monday = MONDAY + 7 * DAY;
	struct week w;

	begin(&w);
	for (int64_t t = monday; t < monday + DAY; t += SPAN) {
		likeday_learn(&w.l, w.s, t, usual(t) - 50, 2);
		cr_assert_eq(likeday_at(&w.l, t + SPAN), 0);
	}
	free(w.s);
}

Test(likeday, the_day_may_become_itself_again)
{
	int64_t monday = MONDAY + 7 * DAY, noon = monday + 12 * HOUR;
	struct week w;

	begin(&w);
	live(&w, monday, noon, DAY);
	cr_expect_neq(likeday_at(&w.l, noon), 0);
	live(&w, noon, noon + 2 * SPAN, 0);
	cr_expect_eq(likeday_at(&w.l, noon + 2 * SPAN), 0);
	free(w.s);
}
