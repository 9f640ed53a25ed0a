/* Time formats: each documented pattern, and the rules of java.time. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/timefmt.h"
#include "common/units.h"

#define INVALID TIME_UNSET
#define YEAR 2026 /* what patterns without one get */

/* The time in format, INVALID when it is none. */
static int64_t
parse(const char *format, const char *text)
{
	struct timefmt *tf = timefmt_new(format);
	int64_t ms;

	cr_assert_not_null(tf, "%s", format);
	if (timefmt_parse(tf, text, strlen(text), YEAR, &ms) == -1)
		ms = INVALID;
	timefmt_free(tf);
	return ms;
}

/* Expects the time that iso names; NULL: an invalid date. */
static void
expect(const char *format, const char *text, const char *iso)
{
	int64_t ms = parse(format, text);
	char shown[UNITS_ISO_BYTES] = "invalid";

	if (ms != INVALID)
		units_iso(shown, ms);
	cr_expect_str_eq(shown, iso == NULL ? "invalid" : iso,
	    "'%s' as '%s' gives %s", text, format, shown);
}

Test(timefmt, epoch_seconds_lose_their_fraction)
{
	cr_expect_eq(parse("epoch", "1403481600"), 1403481600000);
	cr_expect_eq(parse("epoch", "1403481600.9"), 1403481600000);
	cr_expect_eq(parse("epoch", " 1.4034816E9 "), 1403481600000);
	cr_expect_eq(parse("epoch", "-1.9"), -1000);
	cr_expect_eq(parse("epoch", "NaN"), 0);
	cr_expect_eq(parse("epoch", ""), INVALID);
	cr_expect_eq(parse("epoch", "abc"), INVALID);
	cr_expect_eq(parse("epoch", "2016-02-12"), INVALID);
}

Test(timefmt, epoch_ms_is_cut_to_whole_milliseconds)
{
	cr_expect_eq(parse("epoch_ms", "1455318669999"), 1455318669999);
	cr_expect_eq(parse("epoch_ms", "1455318669999.7"), 1455318669999);
	cr_expect_eq(parse("epoch_ms", "-0.5"), 0);
	cr_expect_eq(parse("epoch_ms", "1,5"), INVALID);
}

Test(timefmt, numbers_too_large_are_held_at_the_ends)
{
	cr_expect_eq(parse("epoch_ms", "1e300"), INT64_MAX);
	cr_expect_eq(parse("epoch_ms", "-Infinity"), -INT64_MAX);
	cr_expect_gt(parse("epoch", "1e300"), INT64_MAX - 1000);
	cr_expect_gt(parse("epoch", "-1e300"), INVALID);
}

Test(timefmt, documented_patterns_read_their_times)
{
	expect("yyyy-MM-dd HH:mm:ss", "2016-02-12 23:11:09",
	    "2016-02-12T23:11:09.000Z");
	expect("yyyy-MM-dd HH:mm:ssX", "2016-02-12 23:11:09Z",
	    "2016-02-12T23:11:09.000Z");
	expect("yyyy-MM-dd HH:mm:ssX", "2016-02-12 23:11:09+01",
	    "2016-02-12T22:11:09.000Z");
	expect("yyyy-MM-dd HH:mm:ssX", "2016-02-12 23:11:09-0530",
	    "2016-02-13T04:41:09.000Z");
	expect("yyyy-MM-dd'T'HH:mm:ssX", "2016-02-12T23:11:09+0100",
	    "2016-02-12T22:11:09.000Z");
	expect("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2016-02-12T23:11:09.123Z",
	    "2016-02-12T23:11:09.123Z");
	expect("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2016-02-12T23:11:09.123+01:00",
	    "2016-02-12T22:11:09.123Z");
	expect("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2016-02-12T23:11:09.123Z",
	    "2016-02-12T23:11:09.123Z");
	expect("dd/MMM/yyyy:HH:mm:ss Z", "12/Feb/2016:23:11:09 +0000",
	    "2016-02-12T23:11:09.000Z");
	expect("dd/MMM/yyyy:HH:mm:ss Z", "12/Feb/2016:23:11:09 -0800",
	    "2016-02-13T07:11:09.000Z");
	expect("yyyyMMddHHmmss", "20160212231109", "2016-02-12T23:11:09.000Z");
	expect(
	    "MMM dd HH:mm:ss", "Feb 12 23:11:09", "2026-02-12T23:11:09.000Z");
}

Test(timefmt, pattern_must_fit_the_whole_text)
{
	expect("yyyy-MM-dd HH:mm:ss", "2016-02-12 23:11:09 ", NULL);
	expect("yyyy-MM-dd HH:mm:ss", " 2016-02-12 23:11:09", NULL);
	expect("yyyy-MM-dd HH:mm:ss", "2016-02-12 23:11", NULL);
	expect("yyyy-MM-dd HH:mm:ss", "2016/02/12 23:11:09", NULL);
	expect("yyyy-MM-dd HH:mm:ss", "", NULL);
	expect("yyyy-MM-dd HH:mm:ssX", "2016-02-12 23:11:09", NULL);
	expect("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2016-02-12T23:11:09.123+0100",
	    NULL);
}

Test(timefmt, widths_are_lenient_where_nothing_follows_at_once)
{
	expect("yyyy-MM-dd HH:mm:ss", "2016-2-3 4:5:6",
	    "2016-02-03T04:05:06.000Z");
	expect("yyyy-MM-dd HH:mm:ss", "16-002-012 023:011:09",
	    "0016-02-12T23:11:09.000Z");
	expect("yyyy-MM-dd HH:mm:ss", "+2016-02-12 23:11:09",
	    "2016-02-12T23:11:09.000Z");
	expect("yyyy-MM-dd HH:mm:ss", "2016-+2-12 23:11:09", NULL);
	expect("yyyyMMddHHmmss", "2016021223110", NULL);
	expect(
	    "yyyyMMddHHmmss", "120160212231109", "+012016-02-12T23:11:09.000Z");
	expect("yyyyMMddHHmmssSSS", "20160212231109123",
	    "2016-02-12T23:11:09.123Z");
	expect("ddMMyyyy HHmm", "12022016 2311", "2016-02-12T23:11:00.000Z");
	expect("ddMMyyyy HHmm", "1202201 2311", "0201-02-12T23:11:00.000Z");
}

Test(timefmt, fractions_may_have_any_number_of_digits)
{
	static const char format[] = "yyyy-MM-dd HH:mm:ss.SSS";

	expect(format, "2016-02-12 23:11:09.5", "2016-02-12T23:11:09.500Z");
	expect(format, "2016-02-12 23:11:09.123456789",
	    "2016-02-12T23:11:09.123Z");
	expect(format, "2016-02-12 23:11:09.", "2016-02-12T23:11:09.000Z");
	expect(format, "2016-02-12 23:11:09.1234567890", NULL);
	expect("yyyy-MM-dd HH:mm:ss,SSSSSS", "2016-02-12 23:11:09,25",
	    "2016-02-12T23:11:09.250Z");
}

Test(timefmt, names_may_be_short_long_or_numbers)
{
	expect("MMM dd yyyy HH:mm", "February 12 2016 23:11",
	    "2016-02-12T23:11:00.000Z");
	expect("MMMM dd yyyy HH:mm", "Sep 12 2016 23:11",
	    "2016-09-12T23:11:00.000Z");
	expect("MMMM dd yyyy HH:mm", "May 12 2016 23:11",
	    "2016-05-12T23:11:00.000Z");
	expect("MMM dd yyyy HH:mm", "11 12 2016 23:11",
	    "2016-11-12T23:11:00.000Z");
	expect("MMM dd yyyy HH:mm", "feb 12 2016 23:11", NULL);
	expect("LLL dd yyyy HH:mm", "Feb 12 2016 23:11",
	    "2016-02-12T23:11:00.000Z");
}

Test(timefmt, weekday_has_to_be_the_right_one)
{
	expect("EEE, dd MMM yyyy HH:mm:ss Z", "Fri, 12 Feb 2016 23:11:09 +0000",
	    "2016-02-12T23:11:09.000Z");
	expect("EEEE dd MMM yyyy HH:mm", "Friday 12 Feb 2016 23:11",
	    "2016-02-12T23:11:00.000Z");
	expect("EEE, dd MMM yyyy HH:mm:ss Z", "Sat, 12 Feb 2016 23:11:09 +0000",
	    NULL);
	expect(
	    "e yyyy-MM-dd HH", "5 2016-02-12 01", "2016-02-12T01:00:00.000Z");
	expect("e yyyy-MM-dd HH", "6 2016-02-12 01", NULL);
}

Test(timefmt, hours_of_half_days_need_am_or_pm)
{
	expect("yyyy-MM-dd hh:mm a", "2016-02-12 11:30 PM",
	    "2016-02-12T23:30:00.000Z");
	expect("yyyy-MM-dd hh:mm a", "2016-02-12 12:30 AM",
	    "2016-02-12T00:30:00.000Z");
	expect("yyyy-MM-dd KK:mm a", "2016-02-12 0:30 PM",
	    "2016-02-12T12:30:00.000Z");
	expect("yyyy-MM-dd hh:mm a", "2016-02-12 13:30 PM", NULL);
	expect("yyyy-MM-dd HH:mm a", "2016-02-12 23:30 AM", NULL);
	expect(
	    "yyyy-MM-dd kk:mm", "2016-02-12 24:30", "2016-02-12T00:30:00.000Z");
	cr_expect_null(timefmt_new("yyyy-MM-dd hh:mm"));
	cr_expect_null(timefmt_new("yyyy-MM-dd a"));
}

Test(timefmt, days_past_the_month_become_its_last)
{
	static const char format[] = "yyyy-MM-dd HH:mm:ss";

	expect(format, "2015-02-30 00:00:00", "2015-02-28T00:00:00.000Z");
	expect(format, "2016-02-31 00:00:00", "2016-02-29T00:00:00.000Z");
	expect(format, "2016-04-31 00:00:00", "2016-04-30T00:00:00.000Z");
	expect(format, "2016-04-32 00:00:00", NULL);
	expect(format, "2016-00-12 00:00:00", NULL);
	expect(format, "2016-13-12 00:00:00", NULL);
	expect(format, "0000-01-01 00:00:00", NULL);
	expect("MMM d HH:mm", "Feb 29 01:02", "2026-02-28T01:02:00.000Z");
}

Test(timefmt, midnight_may_be_twenty_four)
{
	static const char format[] = "yyyy-MM-dd HH:mm:ss";

	expect(format, "2016-02-29 24:00:00", "2016-03-01T00:00:00.000Z");
	expect(format, "2016-02-29 24:00:01", NULL);
	expect(format, "2016-02-29 25:00:00", NULL);
	expect(format, "2016-02-29 23:60:00", NULL);
	expect(format, "2016-02-29 23:59:60", NULL);
}

Test(timefmt, two_digit_years_are_of_this_century)
{
	expect("yy-MM-dd HH:mm", "16-02-12 23:11", "2016-02-12T23:11:00.000Z");
	expect("yy-MM-dd HH:mm", "99-02-12 23:11", "2099-02-12T23:11:00.000Z");
	expect(
	    "yy-MM-dd HH:mm", "1999-02-12 23:11", "1999-02-12T23:11:00.000Z");
	expect("uu-MM-dd HH:mm", "16-02-12 23:11", "2016-02-12T23:11:00.000Z");
	expect("uuuu-MM-dd HH:mm", "-0001-02-12 23:11",
	    "-000001-02-12T23:11:00.000Z");
	expect("yyyy G-MM-dd HH:mm", "0001 BC-02-12 23:11",
	    "0000-02-12T23:11:00.000Z");
}

Test(timefmt, other_ways_to_tell_day_and_time)
{
	expect("yyyy-DDD HH:mm", "2016-060 01:02", "2016-02-29T01:02:00.000Z");
	expect("yyyy-DDD HH:mm", "2015-366 01:02", NULL);
	expect(
	    "yyyy-MM-dd A", "2016-02-12 3600001", "2016-02-12T01:00:00.001Z");
	expect("yyyy-MM-dd N", "2016-02-12 3600001000000",
	    NULL); /* free numbers have at most nine digits */
	expect(
	    "yyyy-MM-dd N", "2016-02-12 1000000", "2016-02-12T00:00:00.001Z");
	expect("yyyy-MM-dd HH:mm:ss n", "2016-02-12 01:02:03 7000000",
	    "2016-02-12T01:02:03.007Z");
	expect("'Q'Q yyyy-MM-dd HH", "Q1 2016-02-12 01",
	    "2016-02-12T01:00:00.000Z");
	expect("'Q'Q yyyy-MM-dd HH", "Q2 2016-02-12 01", NULL);
}

Test(timefmt, offsets_of_each_letter)
{
#define AT "2016-02-12 23:11"
#define FORMAT "yyyy-MM-dd HH:mm"
	static const struct {
		const char *format;
		const char *text;
		int minutes; /* east of UTC; INVALID_OFFSET: refused */
	} cases[] = {
#define INVALID_OFFSET 9999
		{ FORMAT "X", AT "Z", 0 },
		{ FORMAT "X", AT "+01", 60 },
		{ FORMAT "X", AT "+0130", 90 },
		{ FORMAT "X", AT "+01:30", INVALID_OFFSET },
		{ FORMAT "XX", AT "-0130", -90 },
		{ FORMAT "XXX", AT "+01:30", 90 },
		{ FORMAT "XXX", AT "Z", 0 },
		{ FORMAT "XXXXX", AT "+01:30:00", 90 },
		{ FORMAT "x", AT "+00", 0 },
		{ FORMAT "x", AT "Z", INVALID_OFFSET },
		{ FORMAT "xx", AT "+0130", 90 },
		{ FORMAT "xxx", AT "+01:30", 90 },
		{ FORMAT "Z", AT "+0130", 90 },
		{ FORMAT "Z", AT "Z", INVALID_OFFSET },
		{ FORMAT "ZZZZ", AT "GMT+01:30", 90 },
		{ FORMAT "ZZZZZ", AT "Z", 0 },
		{ FORMAT "O", AT "GMT+1", 60 },
		{ FORMAT "O", AT "GMT", 0 },
		{ FORMAT " z", AT " UTC", 0 },
		{ FORMAT " z", AT " GMT", 0 },
		{ FORMAT " z", AT " Z", 0 },
		{ FORMAT " z", AT " UTC+01:30", 90 },
		{ FORMAT " VV", AT " +01:30", 90 },
		{ FORMAT " VV", AT " Europe/Berlin", INVALID_OFFSET },
		{ FORMAT " z", AT " CET", INVALID_OFFSET },
		{ FORMAT "X", AT "+19", INVALID_OFFSET },
		{ FORMAT "X", AT "+1", INVALID_OFFSET },
	};
	int64_t base = parse(FORMAT, AT);

	for (size_t i = 0; i < NELEM(cases); i++) {
		int64_t want = cases[i].minutes == INVALID_OFFSET
		    ? INVALID
		    : base - cases[i].minutes * 60000;

		cr_expect_eq(parse(cases[i].format, cases[i].text), want,
		    "'%s' as '%s'", cases[i].text, cases[i].format);
	}
}

Test(timefmt, optional_parts_may_be_absent)
{
	static const char format[] = "yyyy-MM-dd HH:mm[:ss[.SSS]][X]";

	expect(format, "2016-02-12 23:11", "2016-02-12T23:11:00.000Z");
	expect(format, "2016-02-12 23:11:09", "2016-02-12T23:11:09.000Z");
	expect(format, "2016-02-12 23:11:09.5", "2016-02-12T23:11:09.500Z");
	expect(format, "2016-02-12 23:11+01", "2016-02-12T22:11:00.000Z");
	expect(format, "2016-02-12 23:11:", NULL);
	/* The pattern can give a time of day, this text does not. */
	expect("yyyy-MM-dd[ HH:mm]", "2016-02-12", NULL);
	expect("yyyy-MM-dd[ HH:mm]", "2016-02-12 23:11",
	    "2016-02-12T23:11:00.000Z");
}

Test(timefmt, text_in_quotes_is_literal)
{
	expect("'it''s' yyyy-MM-dd HH:mm", "it's 2016-02-12 23:11",
	    "2016-02-12T23:11:00.000Z");
	expect("yyyy-MM-dd''HH:mm", "2016-02-12'23:11",
	    "2016-02-12T23:11:00.000Z");
	expect("yyyy\xc3\xa9MM\xc3\xa9"
	       "dd HH",
	    "2016\xc3\xa9"
	    "02\xc3\xa9"
	    "12 23",
	    "2016-02-12T23:00:00.000Z");
}

Test(timefmt, a_field_given_twice_has_to_agree)
{
	expect("yyyy-MM-dd HH:mm (MMM)", "2016-02-12 23:11 (Feb)",
	    "2016-02-12T23:11:00.000Z");
	expect("yyyy-MM-dd HH:mm (MMM)", "2016-02-12 23:11 (Mar)", NULL);
}

Test(timefmt, patterns_that_do_not_give_date_and_time_are_refused)
{
	static const char *const formats[] = { "", "yyyy-MM-dd", "HH:mm:ss",
		"yyyy", "yyyy-MM HH:mm", "yyyy-MM-dd mm:ss", "yyyy-MM-dd HH:ss",
		"epoch_s", "Epoch", "time", "yyyy-MM-dd HH:mm:ss'",
		"yyyy-MM-dd HH:mm]", "yyyy-MM-dd HH:mm:ss{",
		"yyyy-MM-dd HH:mm#", "yyyy-MM-dd HHH:mm", "yyyy-MM-ddd HH:mm",
		"YYYY-'W'ww-e HH:mm", "yyyy-MM-dd HH:mm aa",
		"yyyy-MM-dd HH:mm V", "yyyy-MM-dd HH:mm VVV",
		"yyyy-MM-dd HH:mm OO", "yyyy-MM-dd HH:mm:ss.SSSSSSSSSS",
		"yyyy-MM-dd HH:mm XXXXXX", "MMMMMM-dd HH:mm", "%Y-%m-%d",
		"yyyy-MM-dd HH:mm p" };

	for (size_t i = 0; i < NELEM(formats); i++)
		cr_expect_null(timefmt_new(formats[i]), "%s", formats[i]);
}

Test(timefmt, endless_patterns_are_refused)
{
	char format[1024] = "yyyy-MM-dd HH:mm";

	memset(format + 16, '-', sizeof(format) - 17);
	cr_expect_null(timefmt_new(format));
	strcpy(format, "yyyy-MM-dd HH:mm[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	cr_expect_null(timefmt_new(format));
}
