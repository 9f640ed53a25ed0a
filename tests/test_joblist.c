/* Lists of jobs in messages. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/joblist.h"

static const char *const ids[] = { "a", "farequote-2",
	"0123456789012345678901234567890123456789012345678901234567890123" };

static void
put_all(struct wbuf *wb)
{
	wbuf_init(wb, 0);
	for (size_t i = 0; i < NELEM(ids); i++)
		cr_assert_eq(joblist_put(wb, ids[i], UINT64_MAX - i), 0);
}

Test(joblist, what_is_put_comes_back)
{
	struct joblist_entry *list;
	struct wbuf wb;
	size_t n;

	put_all(&wb);
	list = joblist_parse(wb.data, wb.len, &n);
	cr_assert_not_null(list);
	cr_assert_eq(n, NELEM(ids));
	for (size_t i = 0; i < n; i++) {
		cr_expect_str_eq(list[i].id, ids[i]);
		cr_expect_eq(list[i].incarnation, UINT64_MAX - i);
	}
	free(list);
	wbuf_clear(&wb);
}

/* Cut between two it is a shorter list, cut elsewhere or empty it is none. */
Test(joblist, what_is_cut_off_is_refused)
{
	size_t whole = 0, n;
	struct wbuf wb;

	put_all(&wb);
	for (size_t len = 0; len < wb.len; len++) {
		uint8_t *exact = malloc(len + 1);
		struct joblist_entry *list;

		cr_assert_not_null(exact);
		memcpy(exact, wb.data, len);
		exact = realloc(exact, len == 0 ? 1 : len);
		list = joblist_parse(exact, len, &n);
		if (list != NULL)
			cr_expect_eq(n, ++whole, "%zu bytes", len);
		else
			cr_expect_eq(errno, EBADMSG, "%zu bytes", len);
		free(list);
		free(exact);
	}
	cr_expect_eq(whole, NELEM(ids) - 1);
	wbuf_clear(&wb);
}

static void
expect_bad(const void *data, size_t len)
{
	size_t n;

	errno = 0;
	cr_expect_null(joblist_parse(data, len, &n));
	cr_expect_eq(errno, EBADMSG);
}

Test(joblist, ids_that_could_leave_their_directory_are_refused)
{
	static const char slash[] = "\003a/b\0\0\0\0\0\0\0\1";
	static const char nul[] = "\003a\0b\0\0\0\0\0\0\0\1";
	static const char empty[] = "\0\0\0\0\0\0\0\0\1";
	static const char utf8[] = "\002a\377\0\0\0\0\0\0\0\1";
	static const char longer[75] = "\101aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct wbuf wb;

	expect_bad(slash, sizeof(slash) - 1);
	expect_bad(nul, sizeof(nul) - 1);
	expect_bad(empty, sizeof(empty) - 1);
	expect_bad(utf8, sizeof(utf8) - 1);
	expect_bad(longer, 74);
	wbuf_init(&wb, 0);
	cr_expect_eq(joblist_put(&wb, "", 1), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(joblist_put(&wb, longer + 1, 1), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(wb.len, 0);
	wbuf_clear(&wb);
}

Test(joblist, the_longest_directory_fits)
{
	char dir[JOBLIST_DIRECTORY_BYTES];

	joblist_directory(dir, ids[2], UINT64_MAX);
	cr_expect_eq(strlen(dir), sizeof(dir) - 1);
	cr_expect_str_eq(dir + 64, ".18446744073709551615");
}
