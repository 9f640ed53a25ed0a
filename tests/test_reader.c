/*
 * Records out of JSON uploads: jobs-and-data 5.3 and 5.9. A record is written
 * as its number of values and, in parentheses, the time and the wanted fields;
 * "." is the end of the upload, "!" an error (reader_text.h).
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "reader_text.h"

#define MALFORMED "!400 parse_exception The input JSON data is malformed."

static void
expect_records(const char *fields, const char *text, const char *expected)
{
	char *got = read_text(fields, text);

	cr_expect_str_eq(
	    got, expected, "%s gave %s, not %s", text, got, expected);
	free(got);
}

/* ---- well-formed ---- */

Test(reader, nothing_is_no_record)
{
	expect_records("v", "", ".");
	expect_records("v", " \t\r\n", ".");
	expect_records("v", "\xef\xbb\xbf", ".");
	expect_records("v", "[]", ".");
}

Test(reader, documents_need_nothing_between_them)
{
	expect_records("v",
	    "{\"time\":1403481600,\"v\":1}{\"time\":1403481601,\"v\":null}",
	    "2('1403481600' '1')2('1403481601' '').");
	expect_records("v",
	    "{\"time\":1,\n\"v\"\t:\r2 } {\"time\":2}\n\n{\"v\":3}\n",
	    "2('1' '2')1('2' -)1(- '3').");
}

Test(reader, array_around_documents_is_transparent)
{
	expect_records("v", "[{\"time\":1,\"v\":1},{\"time\":2,\"v\":2}]",
	    "2('1' '1')2('2' '2').");
	expect_records(
	    "v", "[[{\"time\":1}],[]]{\"time\":2}", "1('1' -)1('2' -).");
}

Test(reader, stray_scalars_are_ignored)
{
	expect_records("v", "1 \"time\" true{\"time\":1}null -0.5e3 {\"v\":2}7",
	    "1('1' -)1(- '2').");
}

Test(reader, empty_object_is_a_record_without_fields)
{
	expect_records("v", "{}{ }", "0(- -)0(- -).");
}

Test(reader, nested_objects_are_flattened)
{
	expect_records("a.b a.c",
	    "{\"a\":{\"b\":1,\"c\":[1,null,\"x\"]},\"time\":1}",
	    "3('1' '1' '1,,x').");
	expect_records("a.b.c v",
	    "{\"a\":{\"b\":{\"c\":7,\"d\":8},\"v\":1},\"v\":2,\"time\":3}",
	    "5('3' '7' '2').");
}

Test(reader, empty_nested_object_has_no_value)
{
	expect_records(
	    "a v", "{\"a\":{},\"v\":{\"x\":{}},\"time\":1}", "1('1' - -).");
}

Test(reader, literal_dotted_name_is_the_same_name)
{
	expect_records("a.b", "{\"a.b\":1,\"time\":2}", "2('2' '1').");
	expect_records(
	    "a.b.c", "{\"a\":{\"b.c\":1},\"time\":2}", "2('2' '1').");
}

Test(reader, prefix_longer_than_any_wanted_name_is_left_again)
{
	expect_records("a.b",
	    "{\"long name of an object\":{\"a\":{\"b\":1}},\"a\":{\"b\":2}}",
	    "2(- '2').");
	expect_records(
	    "ab.c", "{\"ab\":{\"\":{\"c\":1},\"c\":2}}", "2(- '2').");
}

Test(reader, every_scalar_and_array_counts_and_no_object)
{
	expect_records("v",
	    "{\"time\":1,\"a\":\"x\",\"b\":true,\"c\":null,\"d\":[1,2,[3]],"
	    "\"e\":{\"f\":1,\"g\":{\"h\":2}}}",
	    "7('1' -).");
}

Test(reader, values_keep_their_source_text)
{
	expect_records("a b c d e",
	    "{\"a\":1.50,\"b\":-0,\"c\":1E+05,\"d\":true,\"e\":false}",
	    "5(- '1.50' '-0' '1E+05' 'true' 'false').");
}

Test(reader, null_and_empty_string_are_present)
{
	expect_records("a b", "{\"a\":null,\"b\":\"\"}", "2(- '' '').");
}

Test(reader, array_of_a_wanted_field_is_joined)
{
	expect_records("a", "{\"a\":[]}", "1(- '').");
	expect_records("a", "{\"a\":[null]}", "1(- '').");
	expect_records("a", "{\"a\":[null,null]}", "1(- ',').");
	expect_records("a", "{\"a\":[1, \"x\\ty\" ,false,\"\"]}",
	    "1(- '1,x\\x09y,false,').");
}

Test(reader, scalars_of_objects_in_an_array_are_joined_too)
{
	expect_records("a",
	    "{\"a\":[{\"x\":1},{\"y\":\"b\",\"z\":{\"w\":2}}],\"time\":5}",
	    "2('5' '1,b,2').");
}

Test(reader, nested_array_ends_the_value_at_its_own_bracket)
{
	expect_records(
	    "a", "{\"a\":[1,[2,3],4],\"time\":5}", "2('5' '1,2,3').");
	/* What follows it is read as members, as the API does. */
	expect_records(
	    "a", "{\"a\":[[1],{\"b\":2}],\"time\":5}", "2(- '1')1('5' -).");
}

Test(reader, array_of_an_unwanted_field_is_skipped_whole)
{
	expect_records("a", "{\"b\":[1,[2,{\"a\":3}],{\"time\":4}],\"time\":5}",
	    "2('5' -).");
}

Test(reader, last_of_equal_names_wins_and_each_counts)
{
	expect_records("a",
	    "{\"a\":1,\"time\":1,\"a\":\"\\u0062\",\"a\":[3,4]}",
	    "4('1' '3,4').");
	expect_records("a", "{\"a\":[3,4],\"a\":\"\\u0062\"}", "2(- 'b').");
	expect_records("a.b", "{\"a\":{\"b\":1},\"a.b\":2}", "2(- '2').");
}

Test(reader, escapes_are_decoded_in_values_and_names)
{
	expect_records("a",
	    "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\"}",
	    "1(- '\"\\/\\x08\\x0c\\x0a\\x0d\\x09A\\xc3\\xa9\\xe2\\x82\\xac').");
	expect_records("a.b", "{\"\\u0061\":{\"\\u0062\":1}}", "1(- '1').");
	expect_records(
	    "a", "{\"\\u0061\":1,\"\\u0061\\u0061\":2}", "2(- '1').");
}

Test(reader, surrogate_pair_is_one_character)
{
	expect_records(
	    "a", "{\"a\":\"\\ud83d\\ude00\"}", "1(- '\\xf0\\x9f\\x98\\x80').");
	expect_records(
	    "a", "{\"a\":\"\\uDBFF\\uDFFF\"}", "1(- '\\xf4\\x8f\\xbf\\xbf').");
}

Test(reader, utf8_passes_as_it_is)
{
	expect_records("gr\xc3\xbc\xc3\x9f",
	    "{\"gr\xc3\xbc\xc3\x9f\":\"\xf4\x8f\xbf\xbf\x7f\"}",
	    "1(- '\\xf4\\x8f\\xbf\\xbf\\x7f').");
}

Test(reader, special_byte_is_found_at_every_place_of_a_word)
{
	char doc[80], expected[80], pad[24];

	for (int n = 0; n < 20; n++) {
		memset(pad, 'p', sizeof(pad));
		pad[n] = '\0';
		snprintf(doc, sizeof(doc), "{\"a\":\"%s\\n%s\",\"time\":1}",
		    pad, pad);
		snprintf(expected, sizeof(expected), "2('1' '%s\\x0a%s').", pad,
		    pad);
		expect_records("a", doc, expected);
		snprintf(
		    doc, sizeof(doc), "{\"a\":\"%s\x01\",\"time\":1,}", pad);
		expect_records("a", doc, ".");
	}
}

Test(reader, time_field_that_is_an_analysis_field_is_given_twice)
{
	expect_records("a time", "{\"time\":1,\"a\":2}{\"a\":3}",
	    "2('1' '2' '1')1(- '3' -).");
}

Test(reader, one_reader_serves_many_uploads)
{
	struct jobconf *jc = conf_new("a");
	struct reader *r = reader_new(jc);
	char *out = read_bytes(r, "{\"a\":[", 6);

	cr_expect_str_eq(out, MALFORMED);
	free(out);
	out = read_bytes(r, "{\"a\":1}", 7);
	cr_expect_str_eq(out, "1(- '1').");
	free(out);
	reader_free(r);
	conf_free(jc);
}

/* A value longer than the memory that is kept, among others that were built. */
Test(reader, long_values_are_whole)
{
	struct jobconf *jc = conf_new("a b");
	struct reader *r = reader_new(jc);
	size_t n = (size_t)3 << 20;
	struct text doc = { NULL, 0 };
	const struct record *rec;
	struct apierr e;
	int rc;

	text_printf(&doc, "{\"a\":\"\\u0041\",\"b\":\"\\u0042");
	for (size_t i = 0; i < n; i += 64)
		text_printf(&doc, "%064d", 7);
	text_printf(&doc, "\"}");
	for (int round = 0; round < 2; round++) {
		reader_begin(r, doc.p, doc.len);
		while ((rc = reader_next(r, &rec, &e)) == 2)
			;
		cr_assert_eq(rc, 1);
		cr_expect_eq(rec->field[1].len, 1);
		cr_expect_eq(rec->field[1].p[0], 'A');
		cr_assert_eq(rec->field[2].len, n + 1);
		cr_expect_eq(rec->field[2].p[0], 'B');
		cr_expect_eq(rec->field[2].p[n], '7');
	}
	free(doc.p);
	reader_free(r);
	conf_free(jc);
}

/* ---- malformed ---- */

Test(reader, error_between_members_ends_the_record_at_the_objects_end)
{
	expect_records("a",
	    "{\"time\":1 \"a\":2,\"time\":9}{\"time\":2,\"a\":3}",
	    "1('1' -)2('2' '3').");
	expect_records(
	    "a", "{\"time\":1,a:2}{\"time\":2}", "1('1' -)1('2' -).");
	expect_records("a", "{\"time\":1,}{\"time\":2}", "1('1' -)1('2' -).");
	expect_records(
	    "a", "{\"time\":1,,\"a\":2}{\"time\":2}", "1('1' -)1('2' -).");
	expect_records("a", "{,}{\"time\":2}", "0(- -)1('2' -).");
}

Test(reader, error_after_a_name_merges_two_documents)
{
	/* In the value, in place of it, before the colon. */
	expect_records("a",
	    "{\"time\":1,\"a\":x}\n{\"time\":2,\"a\":5}{\"a\":6}",
	    "3('2' '5')1(- '6').");
	expect_records("a", "{\"time\":1,\"a\":}\n{\"a\":5}", "2('1' '5').");
	expect_records("a", "{\"time\":1,\"a\"}\n{\"a\":5}", "2('1' '5').");
	expect_records("a", "{\"time\":1,\"a\" 2}\n{\"a\":5}", "2('1' '5').");
	expect_records(
	    "a", "{\"time\":1,\"a\":,\"b\":1}\n{\"a\":5}", "2('1' '5').");
}

Test(reader, merged_document_at_the_end_is_lost)
{
	expect_records("a", "{\"time\":1}{\"time\":2,\"a\":x}", "1('1' -).");
}

Test(reader, malformed_values)
{
	static const char *const values[] = { "01", "-", "+1", ".5", "1.",
		"1.e2", "1e", "1e+", "NaN", "Infinity", "-Infinity", "tru",
		"nulll", "True", "'x'", "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"",
		"\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\t\"",
		"\"\x1f\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xff\"", "\"\x80\"", "\"\xe2\x82\"",
		"@" };
	char doc[128];

	for (size_t i = 0; i < NELEM(values); i++) {
		snprintf(doc, sizeof(doc),
		    "{\"time\":1,\"a\":%s,\"b\":2}{\"time\":3,\"a\":4}",
		    values[i]);
		expect_records("a", doc, "3('3' '4').");
	}
}

Test(reader, number_followed_by_text_is_an_error_behind_the_value)
{
	expect_records("a", "{\"a\":1.5abc,\"time\":1}{\"time\":2}",
	    "1(- '1.5')1('2' -).");
}

Test(reader, longest_number_is_one_and_a_longer_one_is_none)
{
	struct text doc = { NULL, 0 };
	char *out;

	text_printf(&doc, "{\"a\":1.%0998d,\"time\":5}", 7);
	out = read_text("b", doc.p);
	cr_expect_str_eq(out, "2('5' -).");
	free(out);
	doc.len = 0;
	text_printf(&doc, "{\"a\":1.%0999d,\"time\":5}{\"time\":6}", 7);
	out = read_text("b", doc.p);
	cr_expect_str_eq(out, "1('6' -).");
	free(out);
	free(doc.p);
}

Test(reader, malformed_name_ends_the_record)
{
	expect_records("a", "{\"time\":1,\"\\q\":1,\"a\":2}{\"a\":3}",
	    "1('1' -)1(- '3').");
}

Test(reader, nested_level_says_how_many_ends_are_skipped)
{
	expect_records("a.b",
	    "{\"a\":{\"b\":1,\"c\":{\"d\" 1}},\"time\":1}{\"time\":2}",
	    "2('2' '1').");
	expect_records("a.b",
	    "{\"a\":{\"b\":1,\"c\":{\"d\":1 2}},\"time\":1}{\"time\":2}",
	    "2(- '1')1('2' -).");
	/* An object that begins while skipping brings an end of its own. */
	expect_records("a",
	    "{\"a\":1 2,\"o\":{\"x\":1},\"time\":5}{\"time\":2}",
	    "1(- '1')1('5' -)1('2' -).");
}

Test(reader, error_in_an_array_ends_the_record_too)
{
	expect_records("a", "{\"time\":1,\"a\":[1,x],\"b\":1}{\"time\":2}",
	    "2('1' -)1('2' -).");
	expect_records("a", "{\"time\":1,\"b\":[1,],\"a\":1}{\"time\":2}",
	    "2('1' -)1('2' -).");
	expect_records("a", "{\"time\":1,\"b\":[1,,2],\"a\":1}{\"time\":2}",
	    "2('1' -)1('2' -).");
}

Test(reader, stray_end_takes_the_next_document)
{
	expect_records("a", "{\"time\":1}}{\"time\":2,\"a\":1}{\"time\":3}",
	    "1('1' -)0(- -)1('3' -).");
	expect_records("a", "{\"time\":1}]{\"time\":2}{\"time\":3}",
	    "1('1' -)0(- -)1('3' -).");
}

Test(reader, document_without_its_beginning)
{
	expect_records("a",
	    "\"time\":1,\"a\":2}\n{\"time\":3,\"a\":4}\n{\"time\":5,\"a\":6}",
	    "0(- -)2('5' '6').");
}

Test(reader, truncated_document_fails_and_what_was_before_stands)
{
	static const char *const tails[] = { "{", "{\"", "{\"time", "{\"time\"",
		"{\"time\":", "{\"time\":1", "{\"time\":\"1", "{\"time\":\"1\\",
		"{\"time\":\"1\\u00", "{\"time\":1,", "{\"time\":-",
		"{\"time\":tr", "{\"time\":[", "{\"time\":[1", "{\"b\":[1,",
		"{\"b\":{", "{\"b\":{}" };
	char doc[64];

	for (size_t i = 0; i < NELEM(tails); i++) {
		snprintf(doc, sizeof(doc), "{\"time\":1}%s", tails[i]);
		expect_records("a", doc, "1('1' -)" MALFORMED);
	}
}

Test(reader, unclosed_array_fails)
{
	expect_records(
	    "a", "[{\"time\":1},{\"time\":2}", "1('1' -)1('2' -)" MALFORMED);
	expect_records("a", "{\"time\":1,\"b\":[1,2}\n{\"time\":2}", MALFORMED);
	expect_records("a", "[", MALFORMED);
}

Test(reader, garbage_without_an_object_behind_it_fails)
{
	expect_records("a", "{\"time\":1}\nxyz\n", "1('1' -)" MALFORMED);
	expect_records("a", "{\"time\":1}}", "1('1' -)" MALFORMED);
	expect_records("a", "\"abc", MALFORMED);
}

/*
 * Each document holds an error that begins a skip, which does not count, and
 * n - 1 bytes more that do not belong there.
 */
static char *
with_errors(int documents, int junk)
{
	struct text t = { NULL, 0 };

	for (int i = 0; i < documents; i++)
		text_printf(&t, "{\"time\":%d ;%.*s}\n", i % 10, junk,
		    ";;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;"
		    ";;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;"
		    ";");
	return t.p;
}

Test(reader, ninety_nine_errors_while_skipping_are_borne)
{
	char *doc = with_errors(1, 99), *out;

	out = read_text("a", doc);
	cr_expect_str_eq(out, "1('0' -).");
	free(out);
	free(doc);
	doc = with_errors(3, 33);
	out = read_text("a", doc);
	cr_expect_str_eq(out, "1('0' -)1('1' -)1('2' -).");
	free(out);
	free(doc);
}

Test(reader, the_hundredth_error_fails_the_upload)
{
	char *doc = with_errors(1, 100), *out;

	out = read_text("a", doc);
	cr_expect_str_eq(out, MALFORMED);
	free(out);
	free(doc);
	doc = with_errors(5, 25);
	out = read_text("a", doc);
	cr_expect_str_eq(out, "1('0' -)1('1' -)1('2' -)" MALFORMED);
	free(out);
	free(doc);
}

Test(reader, errors_that_begin_a_skip_do_not_count)
{
	struct text doc = { NULL, 0 }, expected = { NULL, 0 };
	char *out;

	for (int i = 0; i < 1000; i++) {
		text_printf(&doc, "{\"time\":%d,}", i % 10);
		text_printf(&expected, "1('%d' -)", i % 10);
	}
	text_printf(&expected, ".");
	out = read_text("a", doc.p);
	cr_expect_str_eq(out, expected.p);
	free(out);
	free(doc.p);
	free(expected.p);
}

/* A colon that is missing in each of a hundred documents is too much. */
Test(reader, a_hundred_bad_documents_fail)
{
	struct text doc = { NULL, 0 };
	char *out;

	for (int i = 0; i < 100; i++)
		text_printf(
		    &doc, "{\"a\":1%d, \"b\"2%d, \"c\":3%d}\n", i, i, i);
	out = read_text("a b c", doc.p);
	cr_expect_str_eq(out, MALFORMED);
	free(out);
	free(doc.p);
}

Test(reader, nesting_past_the_limit_is_malformed)
{
	struct text doc = { NULL, 0 };
	char *out;

	for (int i = 0; i < 1000; i++)
		text_printf(&doc, "[");
	for (int i = 0; i < 1000; i++)
		text_printf(&doc, "]");
	text_printf(&doc, "{\"time\":1}");
	out = read_text("a", doc.p);
	cr_expect_str_eq(out, "1('1' -).");
	free(out);
	doc.len = 0;
	for (int i = 0; i < 1001; i++)
		text_printf(&doc, "[");
	out = read_text("a", doc.p);
	cr_expect_str_eq(out, MALFORMED);
	free(out);
	free(doc.p);
}

/* ---- hostile bodies: linear, and bounded in memory ---- */

static void
expect_repeated(const char *piece, const char *expected)
{
	struct jobconf *jc = conf_new("a");
	struct reader *r = reader_new(jc);
	size_t n = strlen(piece), len = ((size_t)4 << 20) / n * n;
	char *body = malloc(len), *out;

	for (size_t i = 0; i < len; i += n)
		memcpy(body + i, piece, n);
	out = read_bytes(r, body, len);
	cr_expect_str_eq(out, expected, "%s gave %.60s", piece, out);
	free(out);
	free(body);
	reader_free(r);
	conf_free(jc);
}

Test(reader, endless_repetitions_end)
{
	expect_repeated("[", MALFORMED);
	expect_repeated("{", MALFORMED);
	expect_repeated("{\"a\":", MALFORMED);
	expect_repeated("{\"a\":[", MALFORMED);
	expect_repeated("\"", ".");
	expect_repeated("\"a", MALFORMED);
	expect_repeated("\\", MALFORMED);
	expect_repeated("1", MALFORMED);
	expect_repeated("1 ", ".");
	expect_repeated("a", MALFORMED);
	expect_repeated("}", MALFORMED);
	expect_repeated("[]", ".");
	expect_repeated(",", MALFORMED);
	expect_repeated("\xff", MALFORMED);
	expect_repeated(" ", ".");
}
