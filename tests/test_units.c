/* Durations, sizes, dates and booleans as the API takes them. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/units.h"

#define NOW INT64_C(1700000000000) /* 2023-11-14T22:13:20Z, a Tuesday */

static void
expect_duration(const char *text, int64_t ns)
{
	struct apierr e;
	int64_t v = -2;

	cr_expect_eq(units_duration("f", text, &v, &e), 0, "%s", text);
	cr_expect_eq(v, ns, "%s", text);
}

static void
refuse_duration(const char *text, const char *reason)
{
	struct apierr e;
	int64_t v;

	cr_assert_eq(units_duration("f", text, &v, &e), -1, "%s", text);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[0].type, E_ILLEGAL_ARGUMENT);
	cr_expect_str_eq(e.link[0].reason, reason);
}

Test(units, durations_of_every_unit)
{
	expect_duration("7nanos", 7);
	expect_duration("7micros", 7000);
	expect_duration("7ms", 7000000);
	expect_duration("7s", 7 * UNITS_NS_PER_S);
	expect_duration("15m", 900 * UNITS_NS_PER_S);
	expect_duration("2h", 7200 * UNITS_NS_PER_S);
	expect_duration("30d", 30 * 86400 * UNITS_NS_PER_S);
	expect_duration(" 15M ", 900 * UNITS_NS_PER_S);
	expect_duration("0", 0);
	expect_duration("000", 0);
	expect_duration("-1", -1000000);
	expect_duration("99999999999999999999d", INT64_MAX);
	expect_duration("9223372036s", 9223372036 * UNITS_NS_PER_S);
	expect_duration("9223372037s", INT64_MAX);
}

Test(units, durations_that_are_none_say_why)
{
	refuse_duration("",
	    "failed to parse setting [f] with value [] as a time value: unit "
	    "is missing or unrecognized");
	refuse_duration("5",
	    "failed to parse setting [f] with value [5] as a time value: unit "
	    "is missing or unrecognized");
	refuse_duration("8w",
	    "failed to parse setting [f] with value [8w] as a time value: "
	    "unit is missing or unrecognized");
	refuse_duration("m",
	    "failed to parse setting [f] with value [m] as a time value: unit "
	    "is missing or unrecognized");
	refuse_duration("1.5h",
	    "failed to parse [1.5h], fractional time values are not "
	    "supported");
	refuse_duration("-5m",
	    "failed to parse setting [f] with value [-5m] as a time value: "
	    "negative durations are not supported");
	refuse_duration("5x5m", "failed to parse [5x5m]");
}

Test(units, computed_durations_print_in_their_natural_unit)
{
	char text[UNITS_DURATION_BYTES];

	units_print_duration(text, 30 * 86400 * UNITS_NS_PER_S);
	cr_expect_str_eq(text, "30d");
	units_print_duration(text, 90 * UNITS_NS_PER_S);
	cr_expect_str_eq(text, "90s");
	units_print_duration(text, 1500000);
	cr_expect_str_eq(text, "1500micros");
	units_show_duration(text, 1500000000);
	cr_expect_str_eq(text, "1.5s");
	units_show_duration(text, 3600 * UNITS_NS_PER_S);
	cr_expect_str_eq(text, "1h");
	units_show_duration(text, -1000000);
	cr_expect_str_eq(text, "-1");
}

Test(units, sizes_are_powers_of_1024)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "10b", 10 },
		{ "1k", 1024 },
		{ "1kb", 1024 },
		{ "512mb", 512u << 20 },
		{ "8G", UINT64_C(8) << 30 },
		{ "3000g", UINT64_C(3000) << 30 },
		{ "1tb", UINT64_C(1) << 40 },
		{ "2PB", UINT64_C(2) << 50 },
		{ "1.5kb", 1536 },
		{ " 4 mb ", UINT64_C(4) << 20 },
	};
	struct apierr e;
	uint64_t v;

	for (size_t i = 0; i < NELEM(cases); i++) {
		cr_expect_eq(units_size("f", cases[i].text, &v, &e), 0, "%s",
		    cases[i].text);
		cr_expect_eq(v, cases[i].bytes, "%s", cases[i].text);
	}
}

Test(units, sizes_are_shown_in_their_largest_unit)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0b" },
		{ 1023, "1023b" },
		{ 1024, "1kb" },
		{ 1536, "1.5kb" },
		{ 512ull << 20, "512mb" },
		{ 10ull << 30, "10gb" },
		{ (9ull << 30) + (1ull << 29), "9.5gb" },
		{ (2ull << 30) - 1, "1.9gb" },
		{ (1ull << 30) + 1, "1gb" },
		{ 1ull << 50, "1pb" },
		{ UINT64_MAX, "16383.9pb" },
	};
	char text[UNITS_SIZE_BYTES];

	for (size_t i = 0; i < NELEM(cases); i++) {
		units_show_size(text, cases[i].bytes);
		cr_expect_str_eq(text, cases[i].text);
	}
}

Test(units, sizes_that_are_none_say_why)
{
	static const char *const texts[] = { "", "12", "x", "1xb", "-1mb", "mb",
		"1e3mb", "99999999999999999999gb", "9999999999999999gb",
		"1..5mb" };
	struct apierr e;
	uint64_t v;

	for (size_t i = 0; i < NELEM(texts); i++) {
		cr_expect_eq(
		    units_size("f", texts[i], &v, &e), -1, "%s", texts[i]);
		cr_expect_str_eq(e.link[0].type, E_PARSE);
	}
	cr_expect_eq(units_size("f", "12", &v, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "failed to parse setting [f] with value [12] as a size in bytes: "
	    "unit is missing or unrecognized");
}

static void
expect_date(const char *text, const char *iso)
{
	char shown[UNITS_ISO_BYTES] = "invalid";
	struct apierr e;
	int64_t ms;

	if (units_date("start", text, NOW, &ms, &e) == 0)
		units_iso(shown, ms);
	cr_expect_str_eq(shown, iso, "%s gives %s", text, shown);
}

Test(units, dates_are_numbers_or_iso)
{
	expect_date("1403481600", "2014-06-23T00:00:00.000Z");
	expect_date("1403481600123", "2014-06-23T00:00:00.123Z");
	expect_date("0", "1970-01-01T00:00:00.000Z");
	expect_date("now", "2023-11-14T22:13:20.000Z");
	expect_date("2016", "1970-01-01T00:33:36.000Z"); /* a number first */
	expect_date("2016-02", "2016-02-01T00:00:00.000Z");
	expect_date("2016-02-12", "2016-02-12T00:00:00.000Z");
	expect_date("2016-02-12T", "2016-02-12T00:00:00.000Z");
	expect_date("2016-02-12T23", "2016-02-12T23:00:00.000Z");
	expect_date("2016-02-12T23:11", "2016-02-12T23:11:00.000Z");
	expect_date("2016-02-12T23:11:09", "2016-02-12T23:11:09.000Z");
	expect_date("2016-02-12T23:11:09Z", "2016-02-12T23:11:09.000Z");
	expect_date("2016-02-12T23:11:09.5Z", "2016-02-12T23:11:09.500Z");
	expect_date(
	    "2016-02-12T23:11:09.123456789", "2016-02-12T23:11:09.123Z");
	expect_date("2016-02-12T23:11:09+01:00", "2016-02-12T22:11:09.000Z");
	expect_date("2016-02-12T23:11:09-0130", "2016-02-13T00:41:09.000Z");
	expect_date("2016-02-12T23+01", "2016-02-12T22:00:00.000Z");
	expect_date("+012016-02-12T00:00:00Z", "+012016-02-12T00:00:00.000Z");
}

Test(units, date_math_adds_and_rounds)
{
	expect_date("now-1h", "2023-11-14T21:13:20.000Z");
	expect_date("now+90s", "2023-11-14T22:14:50.000Z");
	expect_date("now-2d/d", "2023-11-12T00:00:00.000Z");
	expect_date("now/w", "2023-11-13T00:00:00.000Z");
	expect_date("now/M", "2023-11-01T00:00:00.000Z");
	expect_date("now/y", "2023-01-01T00:00:00.000Z");
	expect_date("now/h", "2023-11-14T22:00:00.000Z");
	expect_date("now-1M", "2023-10-14T22:13:20.000Z");
	expect_date("2016-03-31||-1M", "2016-02-29T00:00:00.000Z");
	expect_date("2016-02-29||+1y", "2017-02-28T00:00:00.000Z");
	expect_date("2016-02-12T10:00||+d/d", "2016-02-13T00:00:00.000Z");
	expect_date("2016-02-12||", "2016-02-12T00:00:00.000Z");
}

Test(units, what_is_no_date_names_parameter_and_value)
{
	static const char *const texts[] = { "", "x", "-1", "1969-12-31",
		"2016-2-12", "2016-13-01", "2016-02-30", "16-02-12",
		"2016-02-12 23:11", "2016-02-12T24:00", "2016-02-12T23:60",
		"2016-02-12T23:11:09.", "2016-02-12T23:11:09+1", "2016-02-12Z",
		"2016-02-12T23:11:09Zx", "now+", "now+5", "now/2d", "now*1d",
		"now-99999999999d", "nowx", "99999999999999999999",
		"2016-02-12||x", "1.5", "2016-02-12T23:11:09.1234567890" };
	struct apierr e;
	int64_t ms;

	for (size_t i = 0; i < NELEM(texts); i++) {
		cr_expect_eq(units_date("start", texts[i], NOW, &ms, &e), -1,
		    "%s", texts[i]);
		cr_expect_str_eq(e.link[0].type, E_PARSE);
	}
	cr_expect_eq(units_date("advance_time", "x", NOW, &ms, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Query param [advance_time] with value [x] cannot be parsed as a "
	    "date or converted to a number (epoch).");
}

Test(units, booleans_are_two_words_or_nothing)
{
	struct apierr e;
	bool v;

	cr_expect_eq(units_bool("true", &v, &e), 0);
	cr_expect(v);
	cr_expect_eq(units_bool("", &v, &e), 0);
	cr_expect(v);
	cr_expect_eq(units_bool("false", &v, &e), 0);
	cr_expect_not(v);
	cr_expect_eq(units_bool("yes", &v, &e), -1);
	cr_expect_str_eq(e.link[0].reason,
	    "Failed to parse value [yes] as only [true] or [false] are "
	    "allowed.");
}

Test(units, days_come_back_as_the_dates_they_went_as)
{
	/* Every 37th day of 6,000 years, leap days and turns among them. */
	for (int64_t days = -1500000; days < 1500000; days += 37) {
		int64_t year;
		unsigned month, day;

		units_civil_from_days(days, &year, &month, &day);
		cr_assert(month >= 1 && month <= 12 && day >= 1 &&
		    day <= units_days_in_month(year, month));
		cr_assert_eq(units_days_from_civil(year, month, day), days);
	}
	cr_expect_eq(units_days_from_civil(1970, 1, 1), 0);
	cr_expect_eq(units_days_from_civil(2000, 2, 29), 11016);
	cr_expect_eq(units_days_from_civil(1600, 2, 29), -135081);
}

Test(units, iso_shows_any_time)
{
	char text[UNITS_ISO_BYTES];

	units_iso(text, 0);
	cr_expect_str_eq(text, "1970-01-01T00:00:00.000Z");
	units_iso(text, -1);
	cr_expect_str_eq(text, "1969-12-31T23:59:59.999Z");
	units_iso(text, INT64_MAX);
	cr_expect_str_eq(text, "+292278994-08-17T07:12:55.807Z");
	units_iso(text, INT64_MIN);
	cr_expect_str_eq(text, "-292275055-05-16T16:47:04.192Z");
}

static void
expect_size(uint64_t bytes, const char *exact, const char *shown)
{
	char text[UNITS_SIZE_BYTES];

	units_print_size(text, bytes);
	cr_expect_str_eq(text, exact);
	units_show_size(text, bytes);
	cr_expect_str_eq(text, shown);
}

Test(units, sizes_print_exactly_or_for_people)
{
	expect_size(0, "0b", "0b");
	expect_size(1023, "1023b", "1023b");
	expect_size(1024, "1kb", "1kb");
	expect_size(1126, "1126b", "1kb"); /* less than a tenth is cut off */
	expect_size(1127, "1127b", "1.1kb");
	expect_size(1536 << 20, "1536mb", "1.5gb");
	expect_size(UINT64_C(6) << 30, "6gb", "6gb");
	expect_size(UINT64_C(3) << 50, "3pb", "3pb");
	expect_size(UINT64_MAX, "18446744073709551615b", "16383.9pb");
}

Test(units, units_are_known_by_name)
{
	uint64_t bytes;
	int64_t ns;

	cr_expect(units_size_unit("b", &bytes) && bytes == 1);
	cr_expect(units_size_unit("k", &bytes) && bytes == 1024);
	cr_expect(units_size_unit("pb", &bytes) && bytes == UINT64_C(1) << 50);
	cr_expect_not(units_size_unit("", &bytes));
	cr_expect_not(units_size_unit("eb", &bytes));
	cr_expect(units_duration_unit("nanos", &ns) && ns == 1);
	cr_expect(units_duration_unit("d", &ns) && ns == 86400 * 1000000000LL);
	cr_expect_not(units_duration_unit("w", &ns));
	cr_expect_not(units_duration_unit("", &ns));
}
