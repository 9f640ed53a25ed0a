/* The job's time zone: offsets, and days that follow its clocks. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>

#include "common/log.h"
#include "tests/engine_cases.h"
#include "tests/tmpdir.h"
#include "worker/zone.h"

#define HOUR 3600
#define DAY 86400
/* Sunday, 25 March 2018, 01:00 UTC: clocks are put forward. */
#define FORWARD_S 1521939600
#define BEGIN_S (FORWARD_S - HOUR - 27 * DAY)

static char top[TMPDIR_BYTES];

/*
 * RFC 9636: a block of one local time type that nobody reads, one of the same
 * with a change in 1970, and the rule from then on.
 */
static void
make_zone(const char *path, const char *rule)
{
	static const char change[] = "\0\0\0\0\0\0\0\0"; /* and its type */
	static const char type[] = "\0\0\x0e\x10\0\0CET";
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	for (unsigned block = 0; block < 2; block++) {
		const unsigned counts[] = { 0, 0, 0, block, 1, 4 };

		fwrite("TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 1, 20, f);
		for (size_t i = 0; i < NELEM(counts); i++)
			fwrite((char[]){ 0, 0, 0, (char)counts[i] }, 1, 4, f);
		fwrite(change, block, sizeof(change), f);
		fwrite(type, 1, sizeof(type), f);
	}
	fprintf(f, "\n%s\n", rule);
	cr_assert_eq(fclose(f), 0);
}

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	snprintf(top, sizeof(top), "/tmp/anomd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	cr_assert_eq(chdir(top), 0);
	cr_assert_eq(setenv("TZDIR", top, 1), 0);
	cr_assert_eq(mkdir("Middle", 0700), 0);
	make_zone("Middle/Europe", "CET-1CEST,M3.5.0,M10.5.0/3");
}

static void
teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(top);
}

TestSuite(zone, .init = setup, .fini = teardown);

Test(zone, offsets_change_with_the_clocks)
{
	cr_assert_eq(zone_use("Middle/Europe"), 0);
	cr_expect_eq(zone_offset_s(FORWARD_S - 1), HOUR);
	cr_expect_eq(zone_offset_s(FORWARD_S), 2 * HOUR);
	/* 28 October 2018, 01:00 UTC */
	cr_expect_eq(zone_offset_s(1540688400 - 1), 2 * HOUR);
	cr_expect_eq(zone_offset_s(1540688400), HOUR);
}

Test(zone, utc_needs_no_data)
{
	cr_assert_eq(zone_use("Middle/Europe"), 0);
	cr_assert_eq(zone_use("UTC"), 0);
	cr_expect_eq(zone_offset_s(FORWARD_S), 0);
	cr_assert_eq(zone_use(NULL), 0);
	cr_expect_eq(zone_offset_s(FORWARD_S), 0);
}

Test(zone, a_zone_that_cannot_be_read_is_utc)
{
	FILE *f = fopen("Nonsense", "w");

	cr_assert_not_null(f);
	fputs("no zone", f);
	fclose(f);
	cr_expect_eq(zone_use("Europe/Atlantis"), -1);
	cr_expect_eq(errno, ENOENT);
	cr_expect_eq(zone_offset_s(FORWARD_S), 0);
	cr_expect_eq(zone_use("Nonsense"), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(zone_use("../../etc/passwd"), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(zone_use("Middle"), -1);
}

Test(zone, times_beyond_all_years_are_utc)
{
	cr_assert_eq(zone_use("Middle/Europe"), 0);
	cr_expect_eq(zone_offset_s(INT64_MAX), 0);
	cr_expect_eq(zone_offset_s(INT64_MIN), 0);
}

/* Office hours by clocks that are ahead by so much; scattered a little. */
static void
add_hours(struct feed *f, int64_t from_s, int64_t to_s, int64_t ahead_s)
{
	for (int64_t t = from_s; t < to_s; t += HOUR) {
		int64_t hour = (t + ahead_s) % DAY / HOUR;
		double busy = hour >= 8 && hour < 18 ? 500 : 50;

		add_value(f, t, "v", busy + (double)(t / HOUR * 7 % 11));
	}
}

static void
start(struct feed *f, char *zone)
{
	feed_init(f, HOUR, mean_v, NULL);
	f->conf.time_zone = zone;
	feed_start(f);
	add_hours(f, BEGIN_S, FORWARD_S, HOUR);
}

/* Records of the three days after the change that score 50 or more. */
static size_t
alarms(const struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nrecords; i++) {
		const struct record_result *r = &f->record[i].r;

		n += r->timestamp_ms >= FORWARD_S * 1000LL &&
		    r->record_score >= 50;
	}
	return n;
}

Test(zone, a_change_of_clocks_is_no_event)
{
	char zone[] = "Middle/Europe";
	struct feed f;

	start(&f, zone);
	add_hours(&f, FORWARD_S, FORWARD_S + 3 * DAY, 2 * HOUR);
	cr_expect_eq(alarms(&f), 0);
	feed_clear(&f);
	/* without the zone it is one */
	start(&f, NULL);
	add_hours(&f, FORWARD_S, FORWARD_S + 3 * DAY, 2 * HOUR);
	cr_expect_gt(alarms(&f), 0);
	feed_clear(&f);
}

/* Log-ins from 8 to 18 by clocks that are ahead by so much. */
static void
add_log_ins(struct feed *f, int64_t from_s, int64_t to_s, int64_t ahead_s)
{
	for (int64_t t = from_s; t < to_s; t += HOUR / 6) {
		int64_t hour = (t + ahead_s) % DAY / HOUR;

		if (hour >= 8 && hour < 18)
			add_times(f, t, 1);
	}
}

static double
score_of_change(char *zone)
{
	struct feed_detector day[] = { { .function = "time_of_day" },
		{ .function = NULL } };
	double score = 0;
	struct feed f;

	feed_init(&f, HOUR, day, NULL);
	f.conf.time_zone = zone;
	feed_start(&f);
	add_log_ins(&f, BEGIN_S, FORWARD_S, HOUR);
	add_log_ins(&f, FORWARD_S, FORWARD_S + 3 * DAY, 2 * HOUR);
	for (size_t i = 0; i < f.nrecords; i++) {
		if (f.record[i].r.timestamp_ms >= FORWARD_S * 1000LL)
			score = fmax(score, f.record[i].r.record_score);
	}
	feed_clear(&f);
	return score;
}

Test(zone, times_of_day_are_those_of_the_clocks)
{
	char zone[] = "Middle/Europe";

	cr_expect_eq(score_of_change(zone), 0);
	/* without the zone they come an hour early */
	cr_expect_gt(score_of_change(NULL), 3);
}

Test(zone, what_was_learnt_moves_with_a_new_zone)
{
	char zone[] = "Middle/Europe";
	struct feed f;

	start(&f, NULL);
	f.conf.time_zone = zone;
	feed_restart(&f);
	add_hours(&f, FORWARD_S, FORWARD_S + 3 * DAY, 2 * HOUR);
	cr_expect_eq(alarms(&f), 0);
	feed_clear(&f);
}
