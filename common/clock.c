/* Owns the reading of clocks. */
#include "common/compat.h"

#include <time.h>

#include "common/clock.h"

static int64_t (*fake_wall_ms)(void);
static int64_t (*fake_mono_us)(void);

int64_t
clock_wall_ms(void)
{
	struct timespec ts;

	if (fake_wall_ms != NULL)
		return fake_wall_ms();
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_mono_us(void)
{
	struct timespec ts;

	if (fake_mono_us != NULL)
		return fake_mono_us();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
clock_fake(int64_t (*wall_ms)(void), int64_t (*mono_us)(void))
{
	fake_wall_ms = wall_ms;
	fake_mono_us = mono_us;
}
