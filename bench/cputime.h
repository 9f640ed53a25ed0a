/* The processor time that this process has used. */
#ifndef BENCH_CPUTIME_H
#define BENCH_CPUTIME_H

#include <stdlib.h>
#include <time.h>

#include "common/compat.h"

static inline double
cpu_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == -1)
		abort();
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

#endif
