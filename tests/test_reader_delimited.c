/* Records out of delimited uploads: jobs-and-data 5.11. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "reader_text.h"

static char *
read_delimited(const char *fields, char delimiter, char quote, const char *text,
    size_t len)
{
	struct jobconf *jc = conf_new(fields);
	struct reader *r;
	char *copy = malloc(len + (len == 0)), *out;

	jc->format = FORMAT_DELIMITED;
	jc->field_delimiter = delimiter;
	jc->quote_character = quote;
	r = reader_new(jc);
	memcpy(copy, text, len);
	out = read_bytes(r, copy, len);
	free(copy);
	reader_free(r);
	conf_free(jc);
	return out;
}

static void
expect_records(const char *fields, const char *text, const char *expected)
{
	char *got = read_delimited(fields, ',', '"', text, strlen(text));

	cr_expect_str_eq(
	    got, expected, "%s gave %s, not %s", text, got, expected);
	free(got);
}

Test(reader_delimited, nothing_is_no_record)
{
	expect_records("a", "", ".");
	expect_records("a", "\n\r\n\n", ".");
	expect_records("a", "time,a\n", ".");
	expect_records("a", "time,a", ".");
}

Test(reader_delimited, columns_are_found_by_the_header)
{
	expect_records("a b", "b,x,time,a\n1,2,3,4\n5,6,7,8\n",
	    "4('3' '4' '1')4('7' '8' '5').");
}

Test(reader_delimited, last_line_may_lack_its_end)
{
	expect_records("a", "time,a\n1,2", "2('1' '2').");
	expect_records("a", "time,a\r\n1,2\r", "2('1' '2').");
}

Test(reader_delimited, line_ends_may_be_crlf_and_empty_lines_are_passed_over)
{
	expect_records(
	    "a", "\r\ntime,a\r\n1,2\r\n\r\n\n3,4\r\n", "2('1' '2')2('3' '4').");
	/* A carriage return elsewhere is text. */
	expect_records("a", "time,a\n1,2\r3\n", "2('1' '2\\x0d3').");
}

Test(reader_delimited, values_keep_blanks_and_may_be_empty)
{
	expect_records("a b", "time,a,b\n1, x ,\n", "3('1' ' x ' '').");
	expect_records("a b", "time,a,b\n,,\n", "3('' '' '').");
}

Test(reader_delimited, count_of_values_is_that_of_the_header)
{
	expect_records("a", "time,a,b,c\n1,2\n", "4('1' '2').");
	expect_records("a", "time,a\n1,2,3,4,5\n", "2('1' '2').");
}

Test(reader_delimited, short_line_lacks_the_columns_it_does_not_reach)
{
	expect_records("a b", "time,a,b\n1,2\n1\n", "3('1' '2' -)3('1' - -).");
	expect_records("a", "a,time\n1\n", "2(- '1').");
}

Test(reader_delimited, quotes_keep_delimiters_and_line_ends)
{
	expect_records("a", "time,a\n1,\"x,y\nz\"\n2,\"\"\n",
	    "2('1' 'x,y\\x0az')2('2' '').");
	expect_records("a", "time,a\n\"1\",\"x\"\r\n", "2('1' 'x').");
	expect_records("a", "time,x,a\n1,\"y,\n\",2\n", "3('1' '2').");
}

Test(reader_delimited, doubled_quote_is_one)
{
	expect_records("a", "time,a\n1,\"x\"\"y\"\n", "2('1' 'x\"y').");
	expect_records("a", "time,a\n1,\"\"\"\"\n", "2('1' '\"').");
}

Test(reader_delimited, quotes_may_be_a_part_of_a_value)
{
	expect_records("a", "time,a\n1,x\"y,\"z\"w\"\n", "2('1' 'xy,zw').");
}

Test(reader_delimited, names_of_the_header_may_be_quoted)
{
	expect_records("a,b", "\"time\",\"a,b\"\n1,2\n", "2('1' '2').");
}

Test(reader_delimited, other_delimiter_and_quote)
{
	const char text[] = "time\ta\n1\t'x\ty'\n2\t\"z\"\n";
	char *got = read_delimited("a", '\t', '\'', text, strlen(text));

	cr_expect_str_eq(got, "2('1' 'x\\x09y')2('2' '\"z\"').");
	free(got);
}

Test(reader_delimited, column_that_comes_twice_counts_once)
{
	expect_records("a", "a,time,a\n1,2,3\n", "3('2' '1').");
}

Test(reader_delimited, time_field_that_is_an_analysis_field_is_given_twice)
{
	expect_records("time", "time\n5\n", "1('5' '5').");
}

Test(reader_delimited, bytes_that_are_not_utf8_are_replaced)
{
	expect_records(
	    "a", "time,a\n1,x\xffy\n", "2('1' 'x\\xef\\xbf\\xbdy').");
	expect_records("a", "time,a\n1,\"\xc3\xa9\x80\"\n",
	    "2('1' '\\xc3\\xa9\\xef\\xbf\\xbd').");
}

Test(reader_delimited, missing_columns_are_named_and_nothing_is_read)
{
	struct jobconf *jc = conf_new("a b c");
	const char text[] = "b,x\n1,2\n";
	const struct record *rec;
	struct reader *r;
	struct apierr e;

	jc->format = FORMAT_DELIMITED;
	r = reader_new(jc);
	reader_begin(r, text, strlen(text));
	cr_expect_eq(reader_next(r, &rec, &e), -1);
	cr_expect_eq(reader_bytes(r), 0);
	cr_expect_eq(e.status, 400);
	cr_expect_str_eq(e.link[0].type, E_ILLEGAL_ARGUMENT);
	cr_expect_str_eq(e.link[0].reason,
	    "The header of the input data lacks the fields [time], [a], [c]");
	reader_free(r);
	conf_free(jc);
}

Test(reader_delimited, quote_that_is_not_closed_fails)
{
	expect_records("a", "time,a\n1,2\n3,\"x\n4,5\n",
	    "2('1' '2')!400 parse_exception "
	    "A quoted field of the input data is not closed");
	expect_records("a", "\"time,a\n",
	    "!400 parse_exception "
	    "A quoted field of the input data is not closed");
}

static char *
with_lines(int lines)
{
	struct text t = { NULL, 0 };
	char *out;

	text_printf(&t, "time,x\n1,\"");
	for (int i = 1; i < lines; i++)
		text_printf(&t, "\n");
	text_printf(&t, "\"\n2,\n");
	out = read_delimited("", ',', '"', t.p, t.len);
	free(t.p);
	return out;
}

Test(reader_delimited, record_has_at_most_ten_thousand_lines)
{
	char *out = with_lines(10000);

	cr_expect_str_eq(out, "2('1')2('2').");
	free(out);
	out = with_lines(10001);
	cr_expect_str_eq(out,
	    "!400 parse_exception "
	    "A record of the input data has more than 10000 lines");
	free(out);
}

Test(reader_delimited, endless_header_needs_no_memory)
{
	size_t len = (size_t)4 << 20;
	char *body = malloc(len), *out;

	memset(body, ',', len);
	out = read_delimited("a", ',', '"', body, len);
	cr_expect_str_eq(out,
	    "!400 illegal_argument_exception "
	    "The header of the input data lacks the fields [time], [a]");
	free(out);
	free(body);
}
