/* Owns messages, and the rendering of texts and times for people. */
#include "common/compat.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "ctl/say.h"

static bool is_quiet;

/* A character, of n bytes, as it is. */
static size_t
put_wide(FILE *f, const char *text, size_t n, wchar_t wide)
{
	int width = wcwidth(wide);

	if (f != NULL)
		fwrite(text, 1, n, f);
	return width > 0 ? (size_t)width : 0;
}

static size_t
put_byte(FILE *f, unsigned char c)
{
	if (f != NULL)
		fprintf(f, "\\x%02x", c);
	return 4;
}

size_t
say_text(FILE *f, const char *text)
{
	size_t left = strlen(text), columns = 0, n;
	mbstate_t state = { 0 };
	wchar_t wide;

	while (left > 0) {
		n = mbrtowc(&wide, text, left, &state);
		if (n != (size_t)-1 && n != (size_t)-2 &&
		    iswprint((wint_t)wide)) {
			columns += put_wide(f, text, n, wide);
		} else {
			if (n == (size_t)-1 || n == (size_t)-2)
				n = 1;
			for (size_t i = 0; i < n; i++)
				columns += put_byte(f, (unsigned char)text[i]);
			memset(&state, 0, sizeof(state));
		}
		text += n;
		left -= n;
	}
	return columns;
}

static void PRINTF_LIKE(1, 0) say(const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	fflush(stdout);
	fputs("anomctl: ", stderr);
	say_text(stderr, text);
	fputc('\n', stderr);
}

void
say_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void
say_note(const char *fmt, ...)
{
	va_list ap;

	if (is_quiet)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void
say_quiet(void)
{
	is_quiet = true;
}

void
say_time(char *dst, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (localtime_r(&s, &tm) == NULL ||
	    strftime(dst, SAY_TIME_BYTES, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(dst, SAY_TIME_BYTES, "%lld ms", (long long)ms);
}
