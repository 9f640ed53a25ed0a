/* Durations, byte sizes and dates as people write them in the API. */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

/*
 * "15m", "3600s", "-1", "0": integer and one of d h m s ms micros nanos.
 *
 * field  named in the error
 * *ns    nanoseconds; saturates at INT64_MAX
 *
 * Returns 0, or -1 with *e set (400, illegal_argument_exception).
 */
int units_duration(
    const char *field, const char *text, int64_t *ns, struct apierr *e);

#define UNITS_NS_PER_S INT64_C(1000000000)

/*
 * A duration in one unit: "15m", "90s", "1500ms"; the largest unit that
 * divides it, as the API prints what it has computed. dst takes
 * UNITS_DURATION_BYTES.
 */
#define UNITS_DURATION_BYTES 64
void units_print_duration(char *dst, int64_t ns);

/*
 * The text of a duration as it is kept: without blanks, zeros in front and
 * capitals. Only for texts that units_duration takes.
 */
void units_tidy_duration(char *dst, const char *text);

/* As error texts show one: the largest unit, at most one decimal ("1.5s"). */
void units_show_duration(char *dst, int64_t ns);

/* The length of a unit named "d", "h", "m", "s", "ms", "micros" or "nanos". */
bool units_duration_unit(const char *name, int64_t *ns);

/* "512mb", "1g", "10b": bytes. Returns 0, or -1 with *e set (400). */
int units_size(
    const char *field, const char *text, uint64_t *bytes, struct apierr *e);

/*
 * A size in one unit: the largest that divides it ("1536mb"), as sizes that
 * were configured print. dst takes UNITS_SIZE_BYTES.
 */
#define UNITS_SIZE_BYTES 32
void units_print_size(char *dst, uint64_t bytes);

/* For people: the largest unit, at most one decimal, cut off ("1.5gb"). */
void units_show_size(char *dst, uint64_t bytes);

/* The size of a unit named "b", "k", "kb", "m", "mb" and so on to "pb". */
bool units_size_unit(const char *name, uint64_t *bytes);

/*
 * A date parameter (jobs-and-data 1.6): "now", epoch seconds of up to ten
 * digits, epoch milliseconds, or ISO 8601 (strict_date_optional_time, missing
 * parts filled, no zone is UTC); also date math after "now" and after
 * "<date>||".
 *
 * param   named in the error
 * now_ms  what "now" means
 *
 * Returns 0, or -1 with *e set (400, parse_exception).
 */
int units_date(const char *param, const char *text, int64_t now_ms, int64_t *ms,
    struct apierr *e);

/* "true", "false", "" (true). Returns 0, or -1 with *e set (400). */
int units_bool(const char *text, bool *v, struct apierr *e);

/*
 * "2026-11-23T14:35:23.000Z". dst takes UNITS_ISO_BYTES; years 0..9999, others
 * with sign and six digits or more.
 */
#define UNITS_ISO_BYTES 40
void units_iso(char *dst, int64_t ms);

bool units_is_leap_year(int64_t year);
unsigned units_days_in_month(int64_t year, unsigned month); /* month 1..12 */

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
int64_t units_days_from_civil(int64_t year, unsigned month, unsigned day);
void units_civil_from_days(
    int64_t days, int64_t *year, unsigned *month, unsigned *day);

#endif
