/*
 * Takers of results that do nothing with them, for the members of a sink that
 * a test or a fuzzer does not ask for.
 */
#ifndef TESTS_DEAF_H
#define TESTS_DEAF_H

#include <stdint.h>

#include "common/results.h"

static inline int
deaf_record(void *arg, const struct record_result *r)
{
	(void)arg;
	(void)r;
	return 0;
}

static inline int
deaf_bucket(void *arg, const struct bucket_result *b)
{
	(void)arg;
	(void)b;
	return 0;
}

static inline int
deaf_drop(void *arg, int64_t from_ms)
{
	(void)arg;
	(void)from_ms;
	return 0;
}

#endif
