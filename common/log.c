/* Owns the process's log lines: their level, prefix and way out. */
#include "common/compat.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define LINE_MAX_BYTES 2048
#define DUE_EVERY_US 10000000

static char log_name[96] = "anomd";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static bool log_journal;

static const char *const level_text[] = { "error", "warning", "info", "debug" };
static const int level_syslog[] = { 3, 4, 6, 7 };

void
log_init(const char *name, enum log_level level)
{
	strlcpy(log_name, name, sizeof(log_name));
	log_threshold = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

enum log_level
log_level(void)
{
	return log_threshold;
}

static void log_line(enum log_level, bool, const char *, va_list)
    PRINTF_LIKE(3, 0);

/*
 * Texts from outside end up in reasons: a line stays one line, and no terminal
 * obeys it.
 */
static void
make_plain(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
}

/* One write per line, so that lines of several processes never mix. */
static void
log_line(enum log_level level, bool with_errno, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int saved = errno;
	size_t len = 0;
	int n;

	if (level > log_threshold)
		return;
	if (log_journal)
		n = snprintf(line, sizeof(line),
		    "<%d>%s: ", level_syslog[level], log_name);
	else
		n = snprintf(line, sizeof(line), "%s: %s: ", log_name,
		    level_text[level]);
	if (n > 0)
		len = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	if (n > 0)
		len += (size_t)n;
	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	if (with_errno) {
		n = snprintf(
		    line + len, sizeof(line) - len, ": %s", strerror(saved));
		if (n > 0)
			len += (size_t)n;
	}
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	make_plain(line, len);
	line[len++] = '\n';
	/* A log that cannot be written has nobody left to tell. */
	if (write(STDERR_FILENO, line, len) == -1) {
	}
	errno = saved;
}

#define LOG_BODY(level, with_errno)                                            \
	va_list ap;                                                            \
	va_start(ap, fmt);                                                     \
	log_line((level), (with_errno), fmt, ap);                              \
	va_end(ap)

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, true);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, false);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO, false);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG, false);
}

bool
log_is_due(int64_t *last_us)
{
	int64_t now_us = clock_mono_us();

	if (*last_us != 0 && now_us - *last_us < DUE_EVERY_US)
		return false;
	*last_us = now_us;
	return true;
}

void
fatal(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR, true);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR, false);
	exit(1);
}

const char *
log_escape(char *dst, size_t dstlen, const char *src, size_t srclen)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, o = 0;

	if (dstlen == 0)
		return dst;
	for (i = 0; i < srclen; i++) {
		unsigned char c = (unsigned char)src[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';
		size_t need = plain ? 1 : 4;

		/* Keep room for "..." unless this is the last byte. */
		if (o + need + (i + 1 < srclen ? 3 : 0) >= dstlen)
			break;
		if (plain) {
			dst[o++] = (char)c;
			continue;
		}
		dst[o++] = '\\';
		dst[o++] = 'x';
		dst[o++] = hex[c >> 4];
		dst[o++] = hex[c & 15];
	}
	if (i < srclen)
		for (int k = 0; k < 3 && o + 1 < dstlen; k++)
			dst[o++] = '.';
	dst[o] = '\0';
	return dst;
}
