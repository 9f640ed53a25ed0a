/* Lists and Accept-Encoding: the small grammars. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "supervisor/http_encode.h"
#include "supervisor/http_head.h"
#include "supervisor/http_text.h"

Test(http_text, a_list_gives_its_elements_trimmed)
{
	const char *pos = " , close ,\tkeep-alive,,x ", *item;
	size_t len;

	cr_assert(http_list_next(&pos, &item, &len));
	cr_expect(http_item_is(item, len, "Close"));
	cr_assert(http_list_next(&pos, &item, &len));
	cr_expect(http_item_is(item, len, "keep-alive"));
	cr_assert(http_list_next(&pos, &item, &len));
	cr_expect(http_item_is(item, len, "x"));
	cr_expect_not(http_item_is(item, len, "xy"));
	cr_expect_not(http_list_next(&pos, &item, &len));
}

Test(http_text, classes_hold_for_every_byte)
{
	for (unsigned c = 0; c < 256; c++) {
		bool control = c < 0x20 || c == 0x7f;
		bool delimiter = c == ' ' ||
		    (c > 0 && strchr("\"(),/:;<=>?@[\\]{}", (int)c));

		cr_expect_eq(http_is_token((unsigned char)c),
		    !control && !delimiter && c < 0x80, "%u", c);
		cr_expect_eq(http_is_value((unsigned char)c),
		    !control || c == '\t', "%u", c);
		if (control || c == ' ' || c > 0x7f)
			cr_expect_not(
			    http_is_target((unsigned char)c), "%u", c);
	}
}

static bool
accepts(const char *fields)
{
	struct http_head h;
	char text[512];
	size_t used;
	bool yes;

	snprintf(
	    text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	http_head_init(&h, sizeof(text));
	cr_assert_eq(
	    http_head_read(&h, text, strlen(text), &used), HTTP_HEAD_DONE);
	yes = http_head_accepts_gzip(&h);
	http_head_clear(&h);
	return yes;
}

/* clang-format off */
static const struct {
	const char *fields;
	bool gzip;
} accept_rows[] = {
	{ "", false },
	{ "Accept-Encoding: gzip\r\n", true },
	{ "Accept-Encoding: GZIP\r\n", true },
	{ "Accept-Encoding: x-gzip\r\n", true },
	{ "Accept-Encoding: deflate, gzip;q=0.5\r\n", true },
	{ "Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n", true },
	{ "Accept-Encoding: gzip;q=0\r\n", false },
	{ "Accept-Encoding: gzip ; q=0.000\r\n", false },
	{ "Accept-Encoding: gzip;q=0.001\r\n", true },
	{ "Accept-Encoding: *\r\n", true },
	{ "Accept-Encoding: *;q=0\r\n", false },
	{ "Accept-Encoding: *, gzip;q=0\r\n", false },
	{ "Accept-Encoding: *;q=0, gzip\r\n", true },
	{ "Accept-Encoding: identity\r\n", false },
	{ "Accept-Encoding: gzipped\r\n", false },
	{ "Accept-Encoding:\r\n", false },
};
/* clang-format on */

Test(http_text, gzip_is_used_only_where_the_client_takes_it)
{
	for (size_t i = 0; i < NELEM(accept_rows); i++)
		cr_expect_eq(accepts(accept_rows[i].fields),
		    accept_rows[i].gzip, "%s", accept_rows[i].fields);
}
