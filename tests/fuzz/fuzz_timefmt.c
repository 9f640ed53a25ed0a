/*
 * Times and numbers: "pattern NUL text". The text also goes through the
 * readers of dates, durations, sizes and numbers.
 */
#include "common/compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "common/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* A time that was read can be shown, and is the same when read again. */
static void
check_time(const char *format, const char *text, size_t len)
{
	struct timefmt *tf = timefmt_new(format);
	char iso[UNITS_ISO_BYTES];
	int64_t ms, again;

	if (tf == NULL)
		return;
	if (timefmt_parse(tf, text, len, 2016, &ms) == 0) {
		check(ms != TIME_UNSET);
		units_iso(iso, ms);
		check(timefmt_parse(tf, text, len, 2016, &again) == 0 &&
		    again == ms);
	}
	timefmt_free(tf);
}

static bool
is_plain(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789.eE+-")] == '\0';
}

/* Where strtod knows the grammar too, both agree to the last bit. */
static void
check_number(const char *text, size_t len)
{
	double v, want;
	char *end;

	if (number_parse(text, len, &v) == -1) {
		if (strlen(text) != len || !is_plain(text))
			return;
		(void)strtod(text, &end);
		check(end == text || *end != '\0');
		return;
	}
	if (strlen(text) != len || !is_plain(text))
		return;
	want = strtod(text, &end);
	check(*end == '\0' && memcmp(&v, &want, sizeof(v)) == 0);
}

static void
check_units(const char *text)
{
	char tidy[UNITS_DURATION_BYTES], shown[UNITS_DURATION_BYTES];
	int64_t ns, again, ms;
	struct apierr e;
	uint64_t bytes;
	bool b;

	if (units_duration("f", text, &ns, &e) == 0) {
		units_tidy_duration(tidy, text);
		check(
		    units_duration("f", tidy, &again, &e) == 0 && again == ns);
		units_show_duration(shown, ns);
		if (ns >= 0) {
			units_print_duration(tidy, ns);
			check(units_duration("f", tidy, &again, &e) == 0 &&
			    again == ns);
		}
	}
	if (units_size("f", text, &bytes, &e) == 0)
		check(bytes <= INT64_MAX);
	if (units_date("f", text, 1700000000000, &ms, &e) == 0)
		check(ms >= 0);
	(void)units_bool(text, &b, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	size_t format_len;

	if (copy == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	format_len = strlen(copy);
	if (format_len < size) {
		const char *text = copy + format_len + 1;
		size_t len = size - format_len - 1;

		check_time(copy, text, len);
		check_number(text, len);
		check_units(text);
	}
	free(copy);
	return 0;
}
