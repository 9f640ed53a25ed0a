/*
 * Log lines to standard error. Every function keeps errno, allocates nothing
 * and may be called when memory is out.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/*
 * Name the process in each line and choose what is written.
 *
 * name   static string, for example "anomd-worker[job1]"; copied
 * level  the least important level that is written
 *
 * Under systemd (JOURNAL_STREAM is set) each line begins with a level prefix
 * of sd-daemon(3), otherwise with the name and level.
 */
void log_init(const char *name, enum log_level level);
enum log_level log_level(void);

/* With ": <strerror(errno)>" at the end. */
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warnx(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Is a line due that a stranger can cause as often as he likes? True once in
 * 10 s. last_us begins as 0 and is the caller's, one for each such line.
 */
bool log_is_due(int64_t *last_us);

/* For start-up and impossible states only: log and exit with status 1. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) NO_RETURN;
void fatalx(const char *fmt, ...) PRINTF_LIKE(1, 2) NO_RETURN;

/*
 * Make text from outside fit for a log line: control bytes and bytes that are
 * not ASCII become \xNN, what does not fit is cut and ends in "...".
 *
 * Returns dst, which always holds a NUL-terminated string when dstlen > 0.
 */
const char *log_escape(
    char *dst, size_t dstlen, const char *src, size_t srclen);

#endif
