/* The two clocks. Tests put their own functions in place of them. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#include "common/compat.h"

/* Wall clock, milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);

/* Monotonic clock, microseconds since an arbitrary start. */
int64_t clock_mono_us(void);

/*
 * For tests: from now on the clocks answer what these functions return. NULL
 * puts the real clock back.
 */
void clock_fake(int64_t (*wall_ms)(void), int64_t (*mono_us)(void));

#endif
