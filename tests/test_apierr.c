/* Errors: their shape in JSON, root causes, and the way between processes. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/apierr.h"

static void
expect_json(const struct apierr *e, const char *text)
{
	struct json_object *o = apierr_json(e);

	cr_assert_not_null(o);
	cr_expect_str_eq(
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), text);
	json_object_put(o);
}

Test(apierr, single_error_is_its_own_root_cause)
{
	struct apierr e;

	cr_expect_eq(
	    apierr_set(&e, 404, E_NOT_FOUND, "No known job with id '%s'", "x"),
	    -1);
	expect_json(&e,
	    "{\"error\":{\"root_cause\":[{\"type\":"
	    "\"resource_not_found_exception\",\"reason\":\"No known job with "
	    "id 'x'\"}],\"type\":\"resource_not_found_exception\","
	    "\"reason\":\"No known job with id 'x'\"},\"status\":404}");
}

Test(apierr, causes_nest_and_the_innermost_of_the_api_is_the_root)
{
	struct apierr e;

	apierr_set(&e, 400, E_STATUS, "inner");
	apierr_wrap(&e, E_XCONTENT_PARSE, "middle");
	apierr_wrap(&e, E_XCONTENT_PARSE, "outer");
	expect_json(&e,
	    "{\"error\":{\"root_cause\":[{\"type\":\"status_exception\","
	    "\"reason\":\"inner\"}],\"type\":\"x_content_parse_exception\","
	    "\"reason\":\"outer\",\"caused_by\":{\"type\":"
	    "\"x_content_parse_exception\",\"reason\":\"middle\","
	    "\"caused_by\":{\"type\":\"status_exception\",\"reason\":"
	    "\"inner\"}}},\"status\":400}");
}

Test(apierr, plain_faults_are_never_the_root_of_what_wraps_them)
{
	struct apierr e;

	apierr_set(&e, 400, E_ILLEGAL_ARGUMENT, "inner");
	apierr_wrap(&e, E_XCONTENT_PARSE, "outer");
	expect_json(&e,
	    "{\"error\":{\"root_cause\":[{\"type\":"
	    "\"x_content_parse_exception\",\"reason\":\"outer\"}],\"type\":"
	    "\"x_content_parse_exception\",\"reason\":\"outer\","
	    "\"caused_by\":{\"type\":\"illegal_argument_exception\","
	    "\"reason\":\"inner\"}},\"status\":400}");
	apierr_set(&e, 400, E_STATUS, "Accept version");
	apierr_wrap(&e, "media_type_header_exception", "Invalid media-type");
	expect_json(&e,
	    "{\"error\":{\"root_cause\":[{\"type\":"
	    "\"media_type_header_exception\",\"reason\":\"Invalid "
	    "media-type\"}],\"type\":\"media_type_header_exception\","
	    "\"reason\":\"Invalid media-type\",\"caused_by\":{\"type\":"
	    "\"status_exception\",\"reason\":\"Accept version\"}},"
	    "\"status\":400}");
}

Test(apierr, trace_tells_the_way_to_the_innermost_cause)
{
	struct json_object *o;
	struct apierr e;

	apierr_set(&e, 400, E_ILLEGAL_ARGUMENT, "inner");
	apierr_wrap(&e, E_XCONTENT_PARSE, "outer");
	o = apierr_json_traced(&e);
	cr_assert_not_null(o);
	cr_expect_str_eq(
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
	    "{\"error\":{\"root_cause\":[{\"type\":"
	    "\"x_content_parse_exception\",\"reason\":\"outer\","
	    "\"stack_trace\":\"x_content_parse_exception: outer\\n"
	    "caused by: illegal_argument_exception: inner\"}],\"type\":"
	    "\"x_content_parse_exception\",\"reason\":\"outer\","
	    "\"caused_by\":{\"type\":\"illegal_argument_exception\","
	    "\"reason\":\"inner\",\"stack_trace\":"
	    "\"illegal_argument_exception: inner\"},\"stack_trace\":"
	    "\"x_content_parse_exception: outer\\n"
	    "caused by: illegal_argument_exception: inner\"},"
	    "\"status\":400}");
	json_object_put(o);
}

Test(apierr, full_chain_loses_its_innermost_link)
{
	struct apierr e;

	apierr_set(&e, 400, E_STATUS, "0");
	for (int i = 1; i <= APIERR_MAX_CHAIN; i++)
		apierr_wrap(&e, E_XCONTENT_PARSE, "%d", i);
	cr_expect_eq(e.n, APIERR_MAX_CHAIN);
	cr_expect_str_eq(e.link[APIERR_MAX_CHAIN - 1].reason, "1");
	cr_expect_eq(e.link[0].reason[0], '0' + APIERR_MAX_CHAIN);
}

Test(apierr, long_reasons_are_cut_between_characters)
{
	char text[2 * APIERR_REASON_MAX] = "";
	struct apierr e;

	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	apierr_set(&e, 400, E_STATUS, "%s", text);
	cr_expect_eq(strlen(e.link[0].reason), 1023 / 3 * 3);
	apierr_set(&e, 400, E_STATUS, "x%s", text);
	cr_expect(wire_utf8_ok(e.link[0].reason, strlen(e.link[0].reason)));
}

Test(apierr, bytes_that_are_no_utf8_are_replaced)
{
	struct apierr e;

	apierr_set(&e, 400, E_STATUS, "a\xff%sb\xc3", "\xc3\xa9");
	cr_expect_str_eq(e.link[0].reason,
	    "a?\xc3\xa9"
	    "b?");
}

Test(apierr, travels_between_processes_and_survives_truncation)
{
	struct apierr e, back;
	struct wbuf wb;
	struct rbuf rb;

	apierr_set(&e, 429, E_STATUS, "inner");
	apierr_wrap(&e, E_EXCEPTION, "outer");
	e.retry_after_s = 7;
	wbuf_init(&wb, 0);
	cr_assert_eq(apierr_encode(&e, &wb), 0);
	for (size_t len = 0; len < wb.len; len++) {
		rbuf_init(&rb, wb.data, len);
		cr_assert_eq(apierr_decode(&rb, &back), -1);
	}
	rbuf_init(&rb, wb.data, wb.len);
	cr_assert_eq(apierr_decode(&rb, &back), 0);
	cr_expect_eq(rb.left, 0);
	cr_expect_eq(back.status, 429);
	cr_expect_eq(back.retry_after_s, 7);
	cr_expect_eq(back.n, 2);
	cr_expect_str_eq(back.link[0].reason, "outer");
	cr_expect_str_eq(back.link[1].type, E_STATUS);
	wbuf_clear(&wb);
}

/* A child that failed must not make a client believe that all went well. */
Test(apierr, what_is_no_error_is_refused)
{
	static const struct {
		int status, n;
	} bad[] = { { 200, 1 }, { 399, 1 }, { 600, 1 }, { 500, 0 } };
	struct apierr e, back;
	struct wbuf wb;
	struct rbuf rb;

	for (size_t i = 0; i < NELEM(bad); i++) {
		apierr_set(&e, bad[i].status, E_STATUS, "x");
		e.n = bad[i].n;
		wbuf_init(&wb, 0);
		cr_assert_eq(apierr_encode(&e, &wb), 0);
		rbuf_init(&rb, wb.data, wb.len);
		cr_expect_eq(apierr_decode(&rb, &back), -1, "status %d, n %d",
		    bad[i].status, bad[i].n);
		wbuf_clear(&wb);
	}
}

Test(apierr, flipped_bits_are_refused_or_stay_in_bounds)
{
	struct apierr e, back;
	struct wbuf wb;
	struct rbuf rb;

	apierr_set(&e, 400, E_STATUS, "reason");
	wbuf_init(&wb, 0);
	cr_assert_eq(apierr_encode(&e, &wb), 0);
	for (size_t i = 0; i < wb.len * 8; i++) {
		wb.data[i / 8] ^= (uint8_t)(1u << i % 8);
		rbuf_init(&rb, wb.data, wb.len);
		if (apierr_decode(&rb, &back) == 0) {
			cr_assert(back.n <= APIERR_MAX_CHAIN);
			cr_assert(back.status <= 599);
		}
		wb.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	wbuf_clear(&wb);
}
