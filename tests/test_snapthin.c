/* Which snapshot goes when there are too many. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "worker/snapthin.h"

#define MOST 100
#define MINUTE_MS INT64_C(60000)

static struct snapthin list[MOST + 1];
static size_t n;

static void
make(size_t count)
{
	memset(list, 0, sizeof(list));
	n = count;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct snapthin){ .seq = i + 1,
			.ms = (int64_t)i * MINUTE_MS };
}

/* A new one comes, and the two newest stay, as when they are written. */
static void
come(uint64_t seq, int64_t ms)
{
	size_t i;

	list[n++] = (struct snapthin){ .seq = seq, .ms = ms };
	for (i = 0; i < n; i++)
		list[i].stays = i + 2 >= n || list[i].seq % 1000 == 7;
	if (n <= MOST)
		return;
	i = snapthin_choose(list, n);
	cr_assert_lt(i, n);
	cr_assert_not(list[i].stays);
	n--;
	memmove(list + i, list + i + 1, (n - i) * sizeof(*list));
}

Test(snapthin, of_few_none_is_between_others)
{
	make(0);
	cr_expect_eq(snapthin_choose(list, n), 0);
	make(1);
	list[0].stays = true;
	cr_expect_eq(snapthin_choose(list, n), 1);
	make(2);
	list[1].stays = true;
	cr_expect_eq(snapthin_choose(list, n), 0);
}

Test(snapthin, the_oldest_goes_only_when_no_other_may)
{
	make(10);
	cr_expect_eq(snapthin_choose(list, n), 1);
	for (size_t i = 1; i < n; i++)
		list[i].stays = true;
	cr_expect_eq(snapthin_choose(list, n), 0);
	list[0].stays = true;
	cr_expect_eq(snapthin_choose(list, n), n);
}

Test(snapthin, the_smallest_gap_for_its_age_is_chosen)
{
	make(6);
	list[1].ms = 1 * MINUTE_MS; /* leaves 20 of 99 */
	list[2].ms = 20 * MINUTE_MS;
	list[3].ms = 40 * MINUTE_MS;
	list[4].ms = 41 * MINUTE_MS; /* leaves 60 of 59 */
	list[5].ms = 100 * MINUTE_MS;
	cr_expect_eq(snapthin_choose(list, n), 1);
	list[1].stays = true;
	cr_expect_eq(snapthin_choose(list, n), 3, "leaves 21 of 60");
}

/* Times that go back, or are all the same: one goes all the same. */
Test(snapthin, clocks_that_were_set_back_are_no_harm)
{
	make(10);
	for (size_t i = 0; i < n; i++)
		list[i].ms = 1000 - (int64_t)i;
	cr_expect_eq(snapthin_choose(list, n), 1);
	for (size_t i = 0; i < n; i++)
		list[i].ms = i % 2 == 0 ? INT64_MIN + 1 : INT64_MAX;
	cr_expect_lt(snapthin_choose(list, n), n);
}

/* A snapshot each minute for a month. */
Test(snapthin, gaps_grow_with_the_age)
{
	const uint64_t all = 30 * 24 * 60;
	size_t hour = 0, day = 0, week = 0;

	n = 0;
	for (uint64_t seq = 1; seq <= all; seq++)
		come(seq, (int64_t)seq * MINUTE_MS);
	cr_assert_eq(n, MOST);
	cr_expect_eq(list[0].seq, 1, "the oldest");
	cr_expect_eq(list[n - 1].seq, all);
	cr_expect_eq(list[n - 2].seq, all - 1);
	for (size_t i = 0; i < n; i++) {
		uint64_t age = all - list[i].seq;

		hour += age <= 60;
		day += age > 60 && age <= 24 * 60;
		week += age > 24 * 60 && age <= 7 * 24 * 60;
	}
	/* Those to be kept fill about 44 of the places. */
	cr_expect_geq(hour, 12, "%zu", hour);
	cr_expect_geq(day, 12, "%zu", day);
	cr_expect_geq(week, 8, "%zu", week);
	for (size_t i = 1; i < n; i++)
		cr_expect_leq(list[i].seq - list[i - 1].seq,
		    (all - list[i].seq) / 2 + 2, "before %ju",
		    (uintmax_t)list[i].seq);
	for (uint64_t kept = 7; kept <= all; kept += 1000) {
		size_t i = 0;

		while (i < n && list[i].seq != kept)
			i++;
		cr_expect_lt(i, n, "%ju is kept", (uintmax_t)kept);
	}
}
