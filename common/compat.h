/*
 * What every file needs before any other header: the configuration of the
 * build and the helpers that libc lacks (libbsd's overlay supplies strlcpy,
 * reallocarray, strtonum, closefrom, sys/queue.h and sys/tree.h).
 */
#ifndef COMMON_COMPAT_H
#define COMMON_COMPAT_H

#include "config.h"

#include <stddef.h>
#include <stdint.h>

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NO_RETURN __attribute__((noreturn))

/* A time that is not known. No time that a client can send is this small. */
#define TIME_UNSET INT64_MIN

#endif
