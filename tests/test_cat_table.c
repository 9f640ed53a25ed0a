/* Tables of the _cat API: choice of columns, order, layout. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cat_table.h"
#include "supervisor/params.h"

struct animal {
	const char *name;
	uint64_t legs;
	uint64_t weight; /* bytes */
	int64_t age;	 /* nanoseconds */
	int64_t seen;	 /* epoch ms */
	double speed;
};

static struct cat_value
size_class(const void *row)
{
	const struct animal *a = row;
	struct cat_value v = { .kind = CAT_TEXT };

	v.u.text = a->weight > 1024 ? "big" : NULL;
	return v;
}

#define AT(kind, member) NULL, kind, offsetof(struct animal, member)

static const struct cat_column columns[] = {
	{ "name", "n", "what it is called", false, true, AT(CAT_TEXT, name) },
	{ "legs", "l,legCount", "how many", true, true, AT(CAT_COUNT, legs) },
	{ "body.weight", "w", "bytes", false, true, AT(CAT_SIZE, weight) },
	{ "body.age", "w,a", "so far", false, false, AT(CAT_DURATION, age) },
	{ "seen", "", "last time", false, false, AT(CAT_DATE, seen) },
	{ "speed", "", "km/h", false, false, AT(CAT_NUMBER, speed) },
	{ "class", "", "of size", true, false, size_class, CAT_NONE, 0 },
};
static const struct cat_table table = { columns, NELEM(columns) };

static const struct animal animals[] = {
	{ "ant", 6, 5, INT64_C(90) * 86400 * 1000000000, TIME_UNSET, 0.5 },
	{ "cow", 4, 700 * 1024, INT64_C(5400) * 1000000000, 0, 25 },
	{ "millipede", 750, 1536, 300000, 1700000000000, 1e-7 },
};

static const void *rows[NELEM(animals)];

static int
read_view(struct cat_view *v, const char *query, struct apierr *e)
{
	struct params ps = { 0 };
	int rc;

	for (size_t i = 0; i < NELEM(animals); i++)
		rows[i] = &animals[i];
	cr_assert_eq(params_parse(&ps, query, e), 0, "%s", query);
	rc = cat_view_read(v, &table, &ps, e);
	params_clear(&ps);
	return rc;
}

static void
expect_text(const char *query, const char *wanted)
{
	struct cat_view v;
	struct apierr e;
	char *text;

	cr_assert_eq(read_view(&v, query, &e), 0, "%s", query);
	cr_assert_eq(cat_sort(&v, rows, NELEM(rows)), 0);
	text = cat_text(&v, rows, NELEM(rows));
	cr_assert_not_null(text);
	cr_expect_str_eq(text, wanted, "%s:\n%s", query, text);
	free(text);
	cat_view_clear(&v);
}

static void
expect_refused(const char *query, const char *reason)
{
	struct cat_view v;
	struct apierr e;

	cr_expect_eq(read_view(&v, query, &e), -1, "%s", query);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[0].type, E_ILLEGAL_ARGUMENT);
	cr_expect_str_eq(e.link[0].reason, reason);
	cat_view_clear(&v);
}

Test(cat_table, columns_are_as_wide_as_their_widest_cell)
{
	expect_text("",
	    "ant         6 5b\n"
	    "cow         4 700kb\n"
	    "millipede 750 1.5kb\n");
}

Test(cat_table, the_header_counts_for_the_width)
{
	expect_text("v",
	    "name      legs body.weight\n"
	    "ant          6 5b\n"
	    "cow          4 700kb\n"
	    "millipede  750 1.5kb\n");
	expect_text("v=true&h=legs",
	    "legs\n"
	    "   6\n"
	    "   4\n"
	    " 750\n");
	expect_text("v=false&h=legs", "  6\n  4\n750\n");
}

Test(cat_table, an_alias_is_the_title_of_what_it_names)
{
	expect_text("v&h=legCount,n",
	    "legCount n\n"
	    "       6 ant\n"
	    "       4 cow\n"
	    "     750 millipede\n");
}

Test(cat_table, of_two_columns_with_an_alias_the_last_is_meant)
{
	expect_text("v&h=w", "w\n90d\n1.5h\n300micros\n");
}

Test(cat_table, wildcards_choose_in_the_order_of_the_table)
{
	expect_text("v&h=body.*,n*",
	    "body.weight body.age  name\n"
	    "5b          90d       ant\n"
	    "700kb       1.5h      cow\n"
	    "1.5kb       300micros millipede\n");
	expect_text("h=leg*", "  6\n  4\n750\n");
}

Test(cat_table, no_title_is_shown_twice)
{
	expect_text("h=n,n,%20n%20,,n", "ant\ncow\nmillipede\n");
	expect_text("v&h=legs,l",
	    "legs   l\n"
	    "   6   6\n"
	    "   4   4\n"
	    " 750 750\n");
}

Test(cat_table, unknown_columns_are_left_out)
{
	char query[1200] = "h=name,";

	expect_text("h=nmae,name,x*", "ant\ncow\nmillipede\n");
	memset(query + strlen(query), 'n', 1000);
	expect_text(query, "ant\ncow\nmillipede\n");
	expect_text("h=nmae", "");
}

Test(cat_table, missing_values_are_blank_or_null)
{
	struct cat_view v;
	struct apierr e;
	struct json_object *o;

	expect_text("h=class,seen,name",
	    "                             ant\n"
	    "big 1970-01-01T00:00:00.000Z cow\n"
	    "big 2023-11-14T22:13:20.000Z millipede\n");
	cr_assert_eq(read_view(&v, "h=name,class,l", &e), 0);
	o = cat_json(&v, rows, 2);
	cr_expect_str_eq(
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
	    "[{\"name\":\"ant\",\"class\":null,\"l\":\"6\"},"
	    "{\"name\":\"cow\",\"class\":\"big\",\"l\":\"4\"}]");
	json_object_put(o);
	cat_view_clear(&v);
}

Test(cat_table, units_can_be_chosen)
{
	expect_text("h=body.weight,body.age&bytes=kb&time=s",
	    "0   7776000\n"
	    "700 5400\n"
	    "1   0\n");
	expect_text("h=body.weight&bytes=b", "5\n716800\n1536\n");
	expect_text("h=body.age&time=micros",
	    "7776000000000\n5400000000\n"
	    "300\n");
	expect_text("h=speed", "0.5\n25.0\n1e-07\n");
	expect_refused("bytes=eb",
	    "parameter [bytes] with value [eb] is no unit; use one of [b, kb, "
	    "mb, gb, tb, pb]");
	expect_refused("time=w",
	    "parameter [time] with value [w] is no unit; use one of [d, h, m, "
	    "s, ms, micros, nanos]");
}

Test(cat_table, rows_are_sorted_by_value_not_by_text)
{
	expect_text("h=n&s=legs", "cow\nant\nmillipede\n");
	expect_text("h=n&s=l:desc", "millipede\nant\ncow\n");
	expect_text("h=n&s=body.weight:asc", "ant\nmillipede\ncow\n");
	expect_text("h=n&s=body.age", "millipede\ncow\nant\n");
	expect_text("h=n&s=speed:desc", "cow\nant\nmillipede\n");
	expect_text("h=n&s=name:desc", "millipede\ncow\nant\n");
}

Test(cat_table, missing_values_come_first_and_equal_rows_keep_their_order)
{
	expect_text("h=n&s=class", "ant\ncow\nmillipede\n");
	expect_text("h=n&s=class:desc", "cow\nmillipede\nant\n");
	expect_text("h=n&s=class,name:desc", "ant\nmillipede\ncow\n");
	expect_text("h=n&s=class,class:desc", "ant\ncow\nmillipede\n");
	expect_text("h=n&s=seen:desc", "millipede\ncow\nant\n");
}

Test(cat_table, unknown_sort_keys_are_refused)
{
	expect_refused(
	    "s=name,legz:desc", "Unable to sort by unknown sort key `legz`");
	expect_refused("s=n*", "Unable to sort by unknown sort key `n*`");
	expect_refused(
	    "s=name:up", "Unable to sort by unknown sort key `name:up`");
	expect_refused("v=maybe",
	    "Failed to parse value [maybe] as only [true] or [false] are "
	    "allowed.");
}

Test(cat_table, help_lists_every_column)
{
	char *text = cat_help(&table);

	cr_expect_str_eq(text,
	    "name        | n          | what it is called\n"
	    "legs        | l,legCount | how many\n"
	    "body.weight | w          | bytes\n"
	    "body.age    | w,a        | so far\n"
	    "seen        |            | last time\n"
	    "speed       |            | km/h\n"
	    "class       |            | of size\n");
	free(text);
}

Test(cat_table, a_table_without_rows_is_empty)
{
	struct cat_view v;
	struct apierr e;
	char *text;

	cr_assert_eq(read_view(&v, "s=name", &e), 0);
	text = cat_text(&v, rows, 0);
	cr_expect_str_eq(text, "");
	free(text);
	cat_view_clear(&v);
}
