/*
 * What people are told: messages on standard error, and texts and times that
 * are safe to show. Texts of the server or of users may hold what moves the
 * cursor or renames the window of a terminal.
 */
#ifndef CTL_SAY_H
#define CTL_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/compat.h"

/*
 * Print a text with control characters, and bytes that the locale does not
 * know, as \xNN. Returns the columns that it takes. f may be NULL: to measure.
 */
size_t say_text(FILE *f, const char *text);

/* "anomctl: " and the message, made safe. For failures and warnings. */
void say_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The same for what went well; silent after say_quiet(). */
void say_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
void say_quiet(void);

/* Local time, "2026-11-26 21:35"; ms since 1970. dst takes SAY_TIME_BYTES. */
#define SAY_TIME_BYTES 48
void say_time(char *dst, int64_t ms);

#endif
