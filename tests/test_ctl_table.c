/* Tables, and texts that are safe for a terminal. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/say.h"
#include "ctl/table.h"

static const char *const headings[] = { "ID", "NAME", "LAST" };

static char *
printed(struct table *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cr_assert_eq(table_print(t, f), 0);
	fclose(f);
	return text;
}

static struct table *
table_of(const char *const *cells, size_t n)
{
	struct table *t = table_new(headings, NELEM(headings));

	for (size_t i = 0; i < n; i++)
		table_add(t, cells[i]);
	return t;
}

Test(ctl_table, columns_are_as_wide_as_their_longest_cell)
{
	static const char *const cells[] = { "1", "a longer one", "x", "22", "",
		"a last one" };
	struct table *t = table_of(cells, NELEM(cells));
	char *text = printed(t);

	cr_expect_str_eq(text,
	    "ID  NAME          LAST\n"
	    "1   a longer one  x\n"
	    "22  -             a last one\n");
	free(text);
	table_free(t);
}

Test(ctl_table, without_rows_there_are_headings)
{
	struct table *t = table_of(NULL, 0);
	char *text = printed(t);

	cr_expect_str_eq(text, "ID  NAME  LAST\n");
	free(text);
	table_free(t);
}

Test(ctl_table, many_rows_have_room)
{
	struct table *t = table_new(headings, NELEM(headings));
	char *text;

	for (int i = 0; i < 3000; i++)
		table_add(t, "c");
	text = printed(t);
	cr_expect_eq(strlen(text), 15 + 1000 * strlen("c   c     c\n"));
	free(text);
	table_free(t);
}

static char *
shown(const char *text, size_t *columns)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	*columns = say_text(f, text);
	fclose(f);
	return out;
}

static void
expect_shown(const char *text, const char *want, size_t columns)
{
	size_t got;
	char *out = shown(text, &got);

	cr_expect_str_eq(out, want);
	cr_expect_eq(got, columns, "%s: %zu", want, got);
	cr_expect_eq(say_text(NULL, text), columns);
	free(out);
}

Test(ctl_table, text_cannot_move_the_cursor)
{
	cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
	expect_shown("plain", "plain", 5);
	expect_shown("\033]0;x\007", "\\x1b]0;x\\x07", 12);
	expect_shown("a\nb\177", "a\\x0ab\\x7f", 10);
	/* U+009B begins a sequence, too. */
	expect_shown("\xc2\x9b"
		     "2J",
	    "\\xc2\\x9b2J", 10);
	expect_shown("cut \xe2\x82", "cut \\xe2\\x82", 12);
}

Test(ctl_table, text_cannot_change_the_order_of_what_is_shown)
{
	cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
	/* From right to left; nothing wide; and a hyphen that is not seen. */
	expect_shown("a\xe2\x80\xae"
		     "b",
	    "a\\xe2\\x80\\xaeb", 14);
	expect_shown("a\xe2\x80\x8b"
		     "b",
	    "a\\xe2\\x80\\x8bb", 14);
	expect_shown("a\xc2\xad"
		     "b",
	    "a\\xc2\\xadb", 10);
}

Test(ctl_table, letters_of_all_scripts_are_shown_and_measured)
{
	cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
	expect_shown("J\xc3\xbcrgen", "J\xc3\xbcrgen", 6);
	expect_shown("\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", 4);
	/* A combining accent takes no column. */
	expect_shown("e\xcc\x81", "e\xcc\x81", 1);
}

Test(ctl_table, times_are_local)
{
	char text[SAY_TIME_BYTES];

	setenv("TZ", "UTC-2", 1);
	tzset();
	say_time(text, INT64_C(1700000000123));
	cr_expect_str_eq(text, "2023-11-15 00:13");
	say_time(text, INT64_MAX);
	cr_expect_gt(strlen(text), 0);
}
