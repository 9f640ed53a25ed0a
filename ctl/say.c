/* Owns messages, and the rendering of texts and times for people. */
#include "common/compat.h"

#include <stdarg.h>
#include <stdint.h>
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

/*
 * Formatting characters: nothing of them is seen, and yet what stands around
 * them is shown in another order, or looks like another text.
 */
static bool
is_unseen(wchar_t wide)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = { { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff } };

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if ((uint32_t)wide >= ranges[i].first &&
		    (uint32_t)wide <= ranges[i].last)
			return true;
	return false;
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
		    iswprint((wint_t)wide) && !is_unseen(wide)) {
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
