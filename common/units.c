/* Owns durations, byte sizes and booleans, and the calendar they need. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "common/units.h"

#define TEXT_MAX UNITS_DURATION_BYTES /* longer is no duration or size */

struct unit {
	const char *name;
	int64_t ns;
};

/* Longer names before those that they end in. */
static const struct unit duration_units[] = {
	{ "nanos", 1 },
	{ "micros", 1000 },
	{ "ms", 1000000 },
	{ "s", UNITS_NS_PER_S },
	{ "m", 60 * UNITS_NS_PER_S },
	{ "h", 3600 * UNITS_NS_PER_S },
	{ "d", 86400 * UNITS_NS_PER_S },
};

static const struct {
	const char *name;
	unsigned shift;
} size_units[] = {
	{ "kb", 10 },
	{ "mb", 20 },
	{ "gb", 30 },
	{ "tb", 40 },
	{ "pb", 50 },
	{ "k", 10 },
	{ "m", 20 },
	{ "g", 30 },
	{ "t", 40 },
	{ "p", 50 },
	{ "b", 0 },
};

/* Without blanks around, in lower case. False: too long to be anything. */
static bool
normalise(char *dst, size_t cap, const char *text)
{
	size_t len;

	while (*text != '\0' && (unsigned char)*text <= ' ')
		text++;
	len = strlen(text);
	while (len > 0 && (unsigned char)text[len - 1] <= ' ')
		len--;
	if (len >= cap)
		return false;
	for (size_t i = 0; i < len; i++) {
		dst[i] = text[i];
		if (text[i] >= 'A' && text[i] <= 'Z')
			dst[i] = (char)(text[i] - 'A' + 'a');
	}
	dst[len] = '\0';
	return true;
}

/* Cuts suffix off text when it ends in it. */
static bool
cut_suffix(char *text, const char *suffix)
{
	size_t len = strlen(text), slen = strlen(suffix);

	if (len < slen || strcmp(text + len - slen, suffix) != 0)
		return false;
	text[len - slen] = '\0';
	return true;
}

static bool
only_digits(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static int
duration_bad(const char *field, const char *text, struct apierr *e)
{
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "failed to parse setting [%s] with value [%s] as a time value: "
	    "unit is missing or unrecognized",
	    field, text);
}

static int
duration_number(const char *field, const char *text, const char *digits,
    int64_t unit_ns, int64_t *ns, struct apierr *e)
{
	int64_t v;

	if (digits[0] == '-' && only_digits(digits + 1))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "failed to parse setting [%s] with value [%s] as a time "
		    "value: negative durations are not supported",
		    field, text);
	if (strchr(digits, '.') != NULL)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "failed to parse [%s], fractional time values are not "
		    "supported",
		    text);
	if (!only_digits(digits))
		return apierr_set(
		    e, 400, E_ILLEGAL_ARGUMENT, "failed to parse [%s]", text);
	errno = 0;
	v = strtoll(digits, NULL, 10);
	if (errno == ERANGE || v > INT64_MAX / unit_ns)
		*ns = INT64_MAX;
	else
		*ns = v * unit_ns;
	return 0;
}

int
units_duration(
    const char *field, const char *text, int64_t *ns, struct apierr *e)
{
	char buf[TEXT_MAX];

	if (!normalise(buf, sizeof(buf), text))
		return duration_bad(field, text, e);
	for (size_t i = 0; i < NELEM(duration_units); i++) {
		size_t n;

		if (!cut_suffix(buf, duration_units[i].name))
			continue;
		normalise(buf, sizeof(buf), buf);
		n = strlen(buf);
		if (n == 0 || buf[n - 1] < '0' || buf[n - 1] > '9')
			return duration_bad(field, text, e);
		return duration_number(
		    field, text, buf, duration_units[i].ns, ns, e);
	}
	if (strcmp(buf, "-1") == 0) {
		*ns = -1000000; /* minus one millisecond stands for "none" */
		return 0;
	}
	if (*buf != '\0' && buf[strspn(buf, "0")] == '\0') {
		*ns = 0;
		return 0;
	}
	return duration_bad(field, text, e);
}

void
units_tidy_duration(char *dst, const char *text)
{
	char buf[TEXT_MAX];
	size_t zeros, n = 0;

	*dst = '\0';
	if (!normalise(buf, sizeof(buf), text))
		return;
	zeros = strspn(buf, "0");
	if (zeros > 0 && (buf[zeros] < '0' || buf[zeros] > '9'))
		zeros--; /* the last one is the number */
	for (const char *p = buf + zeros; *p != '\0'; p++)
		if ((unsigned char)*p > ' ' && n + 1 < UNITS_DURATION_BYTES)
			dst[n++] = *p;
	dst[n] = '\0';
}

static const struct unit *
largest_unit(int64_t ns, bool exact)
{
	for (size_t i = NELEM(duration_units); i-- > 1;)
		if (ns >= duration_units[i].ns &&
		    (!exact || ns % duration_units[i].ns == 0))
			return &duration_units[i];
	return &duration_units[0];
}

void
units_print_duration(char *dst, int64_t ns)
{
	const struct unit *u = largest_unit(ns, true);

	if (ns == 0)
		strlcpy(dst, "0s", UNITS_DURATION_BYTES);
	else
		(void)snprintf(dst, UNITS_DURATION_BYTES, "%" PRId64 "%s",
		    ns / u->ns, u->name);
}

void
units_show_duration(char *dst, int64_t ns)
{
	const struct unit *u = largest_unit(ns, false);
	int64_t tenths;

	if (ns < 0) {
		strlcpy(dst, "-1", UNITS_DURATION_BYTES);
		return;
	}
	if (ns == 0) {
		strlcpy(dst, "0s", UNITS_DURATION_BYTES);
		return;
	}
	tenths = ns % u->ns * 10 / u->ns;
	if (tenths != 0)
		(void)snprintf(dst, UNITS_DURATION_BYTES,
		    "%" PRId64 ".%" PRId64 "%s", ns / u->ns, tenths, u->name);
	else
		(void)snprintf(dst, UNITS_DURATION_BYTES, "%" PRId64 "%s",
		    ns / u->ns, u->name);
}

bool
units_duration_unit(const char *name, int64_t *ns)
{
	for (size_t i = 0; i < NELEM(duration_units); i++) {
		if (strcmp(duration_units[i].name, name) == 0) {
			*ns = duration_units[i].ns;
			return true;
		}
	}
	return false;
}

static int
size_bad(const char *field, const char *text, const char *why, struct apierr *e)
{
	return apierr_set(e, 400, E_PARSE,
	    "failed to parse setting [%s] with value [%s] as a size in bytes%s",
	    field, text, why);
}

/* Digits and, if need be, a fraction: "1.5" of units of 2^shift bytes. */
static bool
size_number(const char *digits, unsigned shift, uint64_t *bytes)
{
	double v;

	if (only_digits(digits)) {
		errno = 0;
		*bytes = strtoull(digits, NULL, 10);
		if (errno == ERANGE || *bytes > (uint64_t)INT64_MAX >> shift)
			return false;
		*bytes <<= shift;
		return true;
	}
	if (digits[strspn(digits, "0123456789.")] != '\0')
		return false;
	if (number_parse(digits, strlen(digits), &v) == -1)
		return false;
	v *= (double)(UINT64_C(1) << shift);
	if (v >= 0x1p63)
		return false;
	*bytes = (uint64_t)v;
	return true;
}

int
units_size(
    const char *field, const char *text, uint64_t *bytes, struct apierr *e)
{
	char buf[TEXT_MAX];

	if (!normalise(buf, sizeof(buf), text))
		return size_bad(field, text, "", e);
	if (strcmp(buf, "0") == 0) {
		*bytes = 0;
		return 0;
	}
	for (size_t i = 0; i < NELEM(size_units); i++) {
		if (!cut_suffix(buf, size_units[i].name))
			continue;
		normalise(buf, sizeof(buf), buf);
		if (!size_number(buf, size_units[i].shift, bytes))
			return size_bad(field, text, "", e);
		return 0;
	}
	return size_bad(field, text, ": unit is missing or unrecognized", e);
}

bool
units_size_unit(const char *name, uint64_t *bytes)
{
	for (size_t i = 0; i < NELEM(size_units); i++) {
		if (strcmp(size_units[i].name, name) == 0) {
			*bytes = UINT64_C(1) << size_units[i].shift;
			return true;
		}
	}
	return false;
}

/* The largest unit that fits into bytes, and if exact divides them. */
static void
size_unit(uint64_t bytes, bool exact, const char **name, unsigned *shift)
{
	*name = "b";
	*shift = 0;
	for (size_t i = 0; i < NELEM(size_units); i++) {
		uint64_t unit = UINT64_C(1) << size_units[i].shift;

		if (size_units[i].shift <= *shift || bytes < unit ||
		    (exact && bytes % unit != 0))
			continue;
		*name = size_units[i].name;
		*shift = size_units[i].shift;
	}
}

void
units_print_size(char *dst, uint64_t bytes)
{
	const char *name;
	unsigned shift;

	size_unit(bytes, true, &name, &shift);
	(void)snprintf(
	    dst, UNITS_SIZE_BYTES, "%" PRIu64 "%s", bytes >> shift, name);
}

void
units_show_size(char *dst, uint64_t bytes)
{
	const char *name;
	unsigned shift;
	uint64_t rest, tenths;

	size_unit(bytes, false, &name, &shift);
	rest = bytes & ((UINT64_C(1) << shift) - 1);
	tenths = rest * 10 >> shift;
	if (tenths == 0)
		(void)snprintf(dst, UNITS_SIZE_BYTES, "%" PRIu64 "%s",
		    bytes >> shift, name);
	else
		(void)snprintf(dst, UNITS_SIZE_BYTES,
		    "%" PRIu64 ".%" PRIu64 "%s", bytes >> shift, tenths, name);
}

int
units_bool(const char *text, bool *v, struct apierr *e)
{
	*v = *text == '\0' || strcmp(text, "true") == 0;
	if (*v || strcmp(text, "false") == 0)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "Failed to parse value [%s] as only [true] or [false] are allowed.",
	    text);
}
