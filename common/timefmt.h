/*
 * Time formats of records: "epoch", "epoch_ms", or a pattern of the letters of
 * java.time's DateTimeFormatter, compiled once and then applied to each record.
 *
 * Letters: G y u Q q M L d D E e a H k K h m s S n A N X x Z O z V, literals,
 * 'quoted text' and [optional parts], with the lenient rules of java.time and
 * English names. Without zone data at hand, z and VV take Z, UT, UTC, GMT and
 * offsets; a time with the name of a region ("Europe/Berlin", "CET") is not
 * valid. Week-based years (Y, w, W) and padding (p) make a pattern invalid.
 */
#ifndef COMMON_TIMEFMT_H
#define COMMON_TIMEFMT_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct timefmt;

/*
 * Compile a format. NULL with EINVAL when the pattern is not valid or does not
 * give both a date and a time of day; ENOMEM. Immutable afterwards.
 */
struct timefmt *timefmt_new(const char *format);
void timefmt_free(struct timefmt *);

/*
 * Read one time.
 *
 * text     len bytes, need not end in NUL
 * year     taken where the pattern has none (proleptic)
 * *ms      epoch milliseconds; what does not fit is held at +-INT64_MAX, or
 *          at the last whole second before it for "epoch". Never TIME_UNSET.
 *
 * "epoch" and "epoch_ms" take what number_parse takes, cut toward zero; NaN is
 * 0. Returns 0, or -1 with EINVAL. Does not allocate, does not use the locale.
 */
int timefmt_parse(const struct timefmt *, const char *text, size_t len,
    int year, int64_t *ms);

/*
 * What Java's Double.parseDouble takes (blanks around, sign, exponent, NaN,
 * Infinity, hexadecimal, trailing d or f), as the nearest double. Returns 0,
 * or -1 with EINVAL. Exact, and without the locale. A longer text than
 * NUMBER_TEXT_MAX is none, for nobody should wait for its end.
 */
#define NUMBER_TEXT_MAX ((size_t)1 << 16) /* bytes */
int number_parse(const char *text, size_t len, double *v);

#endif
