/* Which snapshots are too old, and what becomes of them on the disk. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/snapfile.h"
#include "tests/tmpdir.h"
#include "worker/snapdir.h"
#include "worker/snapexpiry.h"

#define DAY_MS INT64_C(86400000)
#define NOW_MS INT64_C(1700000000000)
#define MAX 16

/* A list of snapshots, so many hours before the newest; oldest first. */
struct some {
	struct snapinfo item[MAX];
	struct snaplist list;
	bool goes[MAX];
};

static void
some_init(struct some *s, const int *hours, size_t n)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < n; i++) {
		s->item[i].seq = i + 1;
		s->item[i].created_ms = NOW_MS - hours[i] * (DAY_MS / 24);
		snprintf(s->item[i].id, sizeof(s->item[i].id), "%zu", i);
	}
	s->list.item = s->item;
	s->list.n = n;
}

/* "x" for each that goes, "." for each that stays. */
static const char *
choose(struct some *s, uint32_t days, uint32_t daily, const char *active)
{
	static char text[MAX + 1];

	snapexpiry_choose(&s->list, days, daily, active, s->goes);
	for (size_t i = 0; i < s->list.n; i++)
		text[i] = s->goes[i] ? 'x' : '.';
	text[s->list.n] = '\0';
	return text;
}

Test(snapexpiry, age_counts_from_the_newest)
{
	static const int hours[] = { 24 * 10 + 1, 24 * 10, 25, 0 };
	struct some s;

	some_init(&s, hours, NELEM(hours));
	cr_expect_str_eq(choose(&s, 10, 10, ""), "x...");
	cr_expect_str_eq(choose(&s, 1, 1, ""), "xxx.");
	cr_expect_str_eq(choose(&s, 0, 0, ""), "xxx.");
	cr_expect_str_eq(choose(&s, UINT32_MAX, UINT32_MAX, ""), "....");
}

Test(snapexpiry, first_of_each_day_stays_beyond_the_daily_limit)
{
	/* Three days' slots begin 72, 48 and 24 hours before the newest. */
	static const int hours[] = { 73, 72, 60, 49, 48, 47, 24, 23, 1, 0 };
	static const int late[] = { 70, 60, 46, 45, 0 };
	struct some s;

	some_init(&s, hours, NELEM(hours));
	cr_expect_str_eq(choose(&s, 3, 1, ""), "x.xx.x....");
	/* The first of a slot need not be at its beginning. */
	some_init(&s, late, NELEM(late));
	cr_expect_str_eq(choose(&s, 3, 1, ""), ".x.x.");
	cr_expect_str_eq(choose(&s, 3, 0, ""), ".x.x.");
	cr_expect_str_eq(choose(&s, 3, 3, ""), ".....");
}

Test(snapexpiry, an_absurd_number_of_days_is_only_a_number)
{
	static const int hours[] = { 50, 49, 48, 0 };
	struct some s;

	some_init(&s, hours, NELEM(hours));
	cr_expect_eq(strlen(choose(&s, UINT32_MAX, 1, "")), 4);
	cr_expect_not(s.goes[0], "the first of its day");
	cr_expect_not(s.goes[3], "the newest");
}

Test(snapexpiry, retained_and_active_ones_stay_and_are_nobodys_first)
{
	static const int hours[] = { 100, 99, 71, 70, 69, 0 };
	struct some s;

	some_init(&s, hours, NELEM(hours));
	s.item[0].retain = s.item[2].retain = true;
	cr_expect_str_eq(choose(&s, 3, 1, "1"), "....x.");
}

Test(snapexpiry, an_empty_list_has_nothing_to_remove)
{
	struct some s;

	some_init(&s, NULL, 0);
	cr_expect_str_eq(choose(&s, 0, 0, ""), "");
}

/* ---- removal: what is needed is only hidden ---- */

static char dir[TMPDIR_BYTES];

static void
enter(void)
{
	tmpdir_enter(dir);
}

static void
leave(void)
{
	tmpdir_purge(dir);
}

static void
make(uint64_t seq, enum snapfile kind)
{
	char path[SNAPFILE_PATH_BYTES];
	int fd = open(snapfile_path(path, NULL, seq, kind),
	    O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_neq(fd, -1);
	close(fd);
}

static bool
is_there(uint64_t seq, enum snapfile kind)
{
	char path[SNAPFILE_PATH_BYTES];

	return access(snapfile_path(path, NULL, seq, kind), F_OK) == 0;
}

Test(snapexpiry, last_but_one_is_hidden_until_the_next, .init = enter,
    .fini = leave)
{
	make(5, SNAPFILE_SNAP);
	make(7, SNAPFILE_SNAP);
	make(7, SNAPFILE_META);
	make(9, SNAPFILE_SNAP);
	cr_assert_eq(snapdir_remove(7), 0);
	cr_expect_not(is_there(7, SNAPFILE_SNAP));
	cr_expect_not(is_there(7, SNAPFILE_META));
	cr_expect(is_there(7, SNAPFILE_PREV));
	cr_assert_eq(snapdir_remove(5), 0);
	cr_expect_not(is_there(5, SNAPFILE_SNAP));
	cr_expect_not(is_there(5, SNAPFILE_PREV));
	/* There is another one, and 9 is the last but one now. */
	make(11, SNAPFILE_SNAP);
	snapdir_bound(9);
	cr_expect_not(is_there(7, SNAPFILE_PREV));
	cr_expect(is_there(9, SNAPFILE_SNAP));
}

Test(snapexpiry, behind_a_base_nothing_is_needed, .init = enter, .fini = leave)
{
	make(5, SNAPFILE_SNAP);
	make(7, SNAPFILE_SNAP);
	make(9, SNAPFILE_BASE);
	cr_assert_eq(snapdir_remove(7), 0);
	cr_expect_eq(tmpdir_count("snapshots"), 2);
	cr_expect_not(is_there(7, SNAPFILE_PREV));
}

Test(snapexpiry, what_is_not_there_cannot_be_removed, .init = enter,
    .fini = leave)
{
	cr_expect_eq(snapdir_remove(5), -1);
	cr_expect_eq(errno, ENOENT);
}
