/*
 * The reader of heads. Every row is a test; every row is read whole, byte by
 * byte, and cut in two at each place, always with the same verdict.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/http_head.h"

#define HEAD_MAX 16384

/* Feed it in two pieces (the first of cut bytes), or byte by byte at 0. */
static enum http_head_result
feed(struct http_head *h, const char *text, size_t len, size_t cut,
    size_t *consumed)
{
	enum http_head_result rc = HTTP_HEAD_MORE;
	size_t at = 0, used, n;

	while (at < len && rc == HTTP_HEAD_MORE) {
		n = cut == 0 ? 1 : at < cut ? cut - at : len - at;
		rc = http_head_read(h, text + at, n, &used);
		at += used;
	}
	*consumed = at;
	return rc;
}

static void
check_refused(const char *text, size_t len, enum http_fault fault)
{
	for (size_t cut = 0; cut <= len; cut++) {
		struct http_head h;
		size_t used;

		http_head_init(&h, HEAD_MAX);
		cr_expect_eq(feed(&h, text, len, cut, &used), HTTP_HEAD_BAD,
		    "cut at %zu", cut);
		cr_expect_eq(h.fault, fault, "cut at %zu: %s", cut,
		    http_fault_name(h.fault));
		http_head_clear(&h);
	}
}

/* A head of which only the part behind the Host field matters. */
#define G "GET / HTTP/1.1\r\n"
#define H "Host: localhost\r\n"
#define P "POST / HTTP/1.1\r\n" H

/* clang-format off */
#define REFUSED(X) \
	X(bare_lf_after_request_line, BARE_LF, "GET / HTTP/1.1\n" H "\r\n") \
	X(bare_lf_after_field, BARE_LF, G "Host: localhost\n\r\n") \
	X(bare_lf_as_empty_line, BARE_LF, G H "\n") \
	X(bare_lf_before_request, BARE_LF, "\nGET / HTTP/1.1\r\n") \
	X(bare_lf_in_target, BARE_LF, "GET /\n") \
	X(cr_alone_in_request_line, BARE_CR, "GET / HTTP/1.1\rHost: a\r\n") \
	X(cr_alone_in_value, BARE_CR, G "Host: a\rb\r\n\r\n") \
	X(cr_alone_in_empty_line, BARE_CR, G H "\rX") \
	X(cr_alone_before_request, BARE_CR, "\rGET / HTTP/1.1\r\n") \
	X(cr_cr_lf, BARE_CR, G "Host: a\r\r\n\r\n") \
	X(three_empty_lines, METHOD, "\r\n\r\n\r\nGET / HTTP/1.1\r\n") \
	X(folded_with_space, FIELD_FOLDED, G H "X: a\r\n b\r\n\r\n") \
	X(folded_with_tab, FIELD_FOLDED, G H "X: a\r\n\tb\r\n\r\n") \
	X(folded_first_field, FIELD_FOLDED, G " " H "\r\n") \
	X(space_before_colon, FIELD_SPACE, G "Host : localhost\r\n\r\n") \
	X(tab_before_colon, FIELD_SPACE, G "Host\t: localhost\r\n\r\n") \
	X(space_in_name, FIELD_SPACE, G H "X Y: z\r\n\r\n") \
	X(no_colon, FIELD_NAME, G H "Nonsense\r\n\r\n") \
	X(empty_name, FIELD_NAME, G H ": x\r\n\r\n") \
	X(name_with_paren, FIELD_NAME, G H "X(: y\r\n\r\n") \
	X(name_with_slash, FIELD_NAME, G H "X/Y: z\r\n\r\n") \
	X(name_with_umlaut, FIELD_NAME, G H "X\xc3\xa4: y\r\n\r\n") \
	X(name_with_nul, CONTROL_BYTE, G H "X\0Y: z\r\n\r\n") \
	X(value_with_nul, CONTROL_BYTE, G H "X: a\0b\r\n\r\n") \
	X(value_with_escape, CONTROL_BYTE, G H "X: a\x1b[0m\r\n\r\n") \
	X(value_with_delete, CONTROL_BYTE, G H "X: a\x7f\r\n\r\n") \
	X(value_with_vertical_tab, CONTROL_BYTE, G H "X:\vb\r\n\r\n") \
	X(method_with_control, CONTROL_BYTE, "GE\x01T / HTTP/1.1\r\n") \
	X(method_with_nul, CONTROL_BYTE, "GET\0 / HTTP/1.1\r\n") \
	X(method_empty, METHOD, " / HTTP/1.1\r\n") \
	X(method_with_at, METHOD, "GE@T / HTTP/1.1\r\n") \
	X(method_tab, METHOD, "GET\t/ HTTP/1.1\r\n") \
	X(method_of_tls, CONTROL_BYTE, "\x16\x03\x01\x02\x00\x01") \
	X(method_too_long, METHOD, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / ") \
	X(target_missing, TARGET, "GET  HTTP/1.1\r\n") \
	X(target_two_spaces, TARGET, "GET  / HTTP/1.1\r\n") \
	X(target_with_tab, TARGET, "GET /\ta HTTP/1.1\r\n") \
	X(target_with_umlaut, TARGET, "GET /\xc3\xa4 HTTP/1.1\r\n") \
	X(target_with_nul, CONTROL_BYTE, "GET /a\0b HTTP/1.1\r\n") \
	X(target_with_quote, TARGET, "GET /\" HTTP/1.1\r\n") \
	X(target_with_angle, TARGET, "GET /<a> HTTP/1.1\r\n") \
	X(target_with_backslash, TARGET, "GET /\\a HTTP/1.1\r\n") \
	X(target_with_fragment, TARGET, "GET /a#b HTTP/1.1\r\n") \
	X(target_escape_cut, TARGET, "GET /%4 HTTP/1.1\r\n") \
	X(target_escape_not_hex, TARGET, "GET /%zz HTTP/1.1\r\n") \
	X(target_without_slash, TARGET, "GET a/b HTTP/1.1\r\n") \
	X(target_star_of_get, TARGET, "GET * HTTP/1.1\r\n") \
	X(target_authority, TARGET, "CONNECT a:80 HTTP/1.1\r\n") \
	X(target_other_scheme, TARGET, "GET ftp://a/ HTTP/1.1\r\n") \
	X(target_without_host, TARGET, "GET http:///a HTTP/1.1\r\n") \
	X(target_with_user, TARGET, "GET http://u@a/ HTTP/1.1\r\n") \
	X(version_missing, VERSION, "GET /\r\n") \
	X(version_empty, VERSION, "GET / \r\n") \
	X(version_1_9, VERSION, "GET / HTTP/1.9\r\n") \
	X(version_1_2, VERSION, "GET / HTTP/1.2\r\n") \
	X(version_short, VERSION, "GET / HTTP/1\r\n") \
	X(version_long, VERSION, "GET / HTTP/1.10\r\n") \
	X(version_signed, VERSION, "GET / HTTP/+1.1\r\n") \
	X(version_lower_case, VERSION, "GET / http/1.1\r\n") \
	X(version_other_protocol, VERSION, "GET / ICY/1.1\r\n") \
	X(version_space_behind, VERSION, "GET / HTTP/1.1 \r\n") \
	X(version_control, CONTROL_BYTE, "GET / HTTP/1.\x01\r\n") \
	X(version_0_9, VERSION_UNKNOWN, "GET / HTTP/0.9\r\n") \
	X(version_2_0, VERSION_UNKNOWN, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") \
	X(host_missing, HOST_MISSING, G "\r\n") \
	X(host_twice, HOST_TWICE, G H H "\r\n") \
	X(host_twice_other_case, HOST_TWICE, G H "hOST: other\r\n\r\n") \
	X(host_list, HOST_INVALID, G "Host: a, b\r\n\r\n") \
	X(host_with_user, HOST_INVALID, G "Host: u@a\r\n\r\n") \
	X(host_with_path, HOST_INVALID, G "Host: a/b\r\n\r\n") \
	X(host_bad_port, HOST_INVALID, G "Host: a:b\r\n\r\n") \
	X(host_bad_ipv6, HOST_INVALID, G "Host: [::g]\r\n\r\n") \
	X(length_twice, LENGTH_TWICE, \
	    P "Content-Length: 5\r\nContent-Length: 6\r\n\r\n") \
	X(length_twice_equal, LENGTH_TWICE, \
	    P "Content-Length: 5\r\nContent-Length: 5\r\n\r\n") \
	X(length_list, LENGTH_INVALID, P "Content-Length: 5, 5\r\n\r\n") \
	X(length_plus, LENGTH_INVALID, P "Content-Length: +5\r\n\r\n") \
	X(length_minus, LENGTH_INVALID, P "Content-Length: -5\r\n\r\n") \
	X(length_empty, LENGTH_INVALID, P "Content-Length:\r\n\r\n") \
	X(length_hex, LENGTH_INVALID, P "Content-Length: 0x5\r\n\r\n") \
	X(length_fraction, LENGTH_INVALID, P "Content-Length: 5.0\r\n\r\n") \
	X(length_space_inside, LENGTH_INVALID, \
	    P "Content-Length: 5 5\r\n\r\n") \
	X(length_overflow, LENGTH_INVALID, \
	    P "Content-Length: 99999999999999999999\r\n\r\n") \
	X(length_before_coding, LENGTH_AND_CODING, \
	    P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n") \
	X(coding_before_length, LENGTH_AND_CODING, \
	    P "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n") \
	X(coding_gzip_chunked, CODING_UNKNOWN, \
	    P "Transfer-Encoding: gzip, chunked\r\n\r\n") \
	X(coding_chunked_chunked, CODING_UNKNOWN, \
	    P "Transfer-Encoding: chunked, chunked\r\n\r\n") \
	X(coding_twice, CODING_UNKNOWN, P "Transfer-Encoding: chunked\r\n" \
	    "Transfer-Encoding: chunked\r\n\r\n") \
	X(coding_identity, CODING_UNKNOWN, \
	    P "Transfer-Encoding: identity\r\n\r\n") \
	X(coding_empty, CODING_UNKNOWN, P "Transfer-Encoding:\r\n\r\n") \
	X(coding_quoted, CODING_UNKNOWN, \
	    P "Transfer-Encoding: \"chunked\"\r\n\r\n") \
	X(coding_vertical_tab, CONTROL_BYTE, \
	    P "Transfer-Encoding: \vchunked\r\n\r\n") \
	X(coding_in_1_0, CODING_IN_1_0, "POST / HTTP/1.0\r\n" H \
	    "Transfer-Encoding: chunked\r\n\r\n")
/* clang-format on */

#define REFUSED_TEST(name, fault, text)                                        \
	Test(http_head_refuses, name)                                          \
	{                                                                      \
		check_refused(text, sizeof(text) - 1, HTTP_FAULT_##fault);     \
	}
REFUSED(REFUSED_TEST)

/* Read text, which must be a whole head and nothing more, at every cut. */
static void
read_all(struct http_head *h, const char *text)
{
	size_t len = strlen(text), used;

	for (size_t cut = 0; cut <= len; cut++) {
		if (cut > 0)
			http_head_clear(h);
		http_head_init(h, HEAD_MAX);
		cr_assert_eq(feed(h, text, len, cut, &used), HTTP_HEAD_DONE,
		    "cut at %zu: %s", cut, http_fault_name(h->fault));
		cr_assert_eq(used, len);
	}
}

Test(http_head, a_request_is_taken_apart)
{
	struct http_head h;

	read_all(&h,
	    "PUT /_ml/anomaly_detectors/a%20b?x=1&y=?2 HTTP/1.1\r\n"
	    "hOsT:localhost:9200\r\n"
	    "X-Empty:\r\n"
	    "X-Padded: \t a b \t\r\n"
	    "Content-Length: 0012\r\n\r\n");
	cr_expect_eq(h.method, HTTP_PUT);
	cr_expect_eq(h.minor, 1);
	cr_expect_eq(h.length, 12);
	cr_expect(h.keep_alive);
	cr_expect_str_eq(http_head_method(&h), "PUT");
	cr_expect_str_eq(
	    http_head_uri(&h), "/_ml/anomaly_detectors/a%20b?x=1&y=?2");
	cr_expect_str_eq(http_head_path(&h), "/_ml/anomaly_detectors/a%20b");
	cr_expect_str_eq(http_head_query(&h), "x=1&y=?2");
	cr_expect_str_eq(http_head_host(&h), "localhost:9200");
	cr_expect_str_eq(http_head_field(&h, "x-empty"), "");
	cr_expect_str_eq(http_head_field(&h, "X-PADDED"), "a b");
	cr_expect_null(http_head_field(&h, "X-Other"));
	http_head_clear(&h);
}

/* clang-format off */
static const struct {
	const char *target, *uri, *path, *query, *host;
} target_rows[] = {
	{ "/", "/", "/", NULL, "h" },
	{ "/?", "/?", "/", "", "h" },
	{ "http://a/b?c", "/b?c", "/b", "c", "a" },
	{ "HTTP://a:80/b", "/b", "/b", NULL, "a:80" },
	{ "https://[::1]:9200/b/", "/b/", "/b/", NULL, "[::1]:9200" },
	{ "http://a", "/", "/", NULL, "a" },
	{ "http://a?c", "/?c", "/", "c", "a" },
};
/* clang-format on */

Test(http_head, absolute_targets_are_reduced_to_their_path)
{
	for (size_t i = 0; i < NELEM(target_rows); i++) {
		struct http_head h;
		char text[128];

		snprintf(text, sizeof(text),
		    "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
		    target_rows[i].target);
		read_all(&h, text);
		cr_expect_str_eq(http_head_uri(&h), target_rows[i].uri);
		cr_expect_str_eq(http_head_path(&h), target_rows[i].path);
		cr_expect_str_eq(http_head_host(&h), target_rows[i].host);
		if (target_rows[i].query == NULL)
			cr_expect_null(http_head_query(&h));
		else
			cr_expect_str_eq(
			    http_head_query(&h), target_rows[i].query);
		http_head_clear(&h);
	}
}

Test(http_head, options_may_ask_about_the_server)
{
	struct http_head h;

	read_all(&h, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_str_eq(http_head_path(&h), "*");
	http_head_clear(&h);
}

Test(http_head, two_empty_lines_before_the_request_are_passed_over)
{
	struct http_head h;

	read_all(&h, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(h.method, HTTP_GET);
	http_head_clear(&h);
}

Test(http_head, an_unknown_method_is_no_fault_here)
{
	struct http_head h;

	read_all(&h, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(h.method, HTTP_OTHER);
	cr_expect_str_eq(http_head_method(&h), "BREW");
	http_head_clear(&h);
	read_all(&h, "get / HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(h.method, HTTP_OTHER);
	http_head_clear(&h);
}

/* clang-format off */
static const struct {
	const char *head;
	bool keep_alive;
} keep_rows[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true },
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false },
	{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", false },
	{ "GET / HTTP/1.0\r\n\r\n", false },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
};
/* clang-format on */

Test(http_head, connection_is_kept_as_version_and_field_say)
{
	for (size_t i = 0; i < NELEM(keep_rows); i++) {
		struct http_head h;

		read_all(&h, keep_rows[i].head);
		cr_expect_eq(
		    h.keep_alive, keep_rows[i].keep_alive, "row %zu", i);
		http_head_clear(&h);
	}
}

/* clang-format off */
static const struct {
	const char *fields;
	enum http_encoding encoding;
	enum http_fault refusal;
	bool expect;
} body_rows[] = {
	{ "Content-Encoding: gzip\r\n", HTTP_GZIP, HTTP_FAULT_NONE, false },
	{ "Content-Encoding: X-GZIP\r\n", HTTP_GZIP, HTTP_FAULT_NONE, false },
	{ "Content-Encoding: zstd\r\n", HTTP_ZSTD, HTTP_FAULT_NONE, false },
	{ "Content-Encoding: identity\r\n", HTTP_IDENTITY, HTTP_FAULT_NONE,
	    false },
	{ "Content-Encoding: br\r\n", HTTP_IDENTITY, HTTP_FAULT_ENCODING,
	    false },
	{ "Content-Encoding: gzip, zstd\r\n", HTTP_ZSTD, HTTP_FAULT_ENCODING,
	    false },
	{ "Expect: 100-Continue\r\n", HTTP_IDENTITY, HTTP_FAULT_NONE, true },
	{ "Expect: 200-ok\r\n", HTTP_IDENTITY, HTTP_FAULT_EXPECTATION, true },
};
/* clang-format on */

Test(http_head, encoding_and_expectation_are_seen)
{
	for (size_t i = 0; i < NELEM(body_rows); i++) {
		struct http_head h;
		char text[256];

		snprintf(text, sizeof(text),
		    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		    "Chunked\r\n%s\r\n",
		    body_rows[i].fields);
		read_all(&h, text);
		cr_expect_eq(h.length, -1);
		cr_expect_eq(h.encoding, body_rows[i].encoding, "row %zu", i);
		cr_expect_eq(h.refusal, body_rows[i].refusal, "row %zu", i);
		cr_expect_eq(
		    h.expect_continue, body_rows[i].expect, "row %zu", i);
		http_head_clear(&h);
	}
}

Test(http_head, what_follows_the_head_is_left_alone)
{
	const char *text = "GET / HTTP/1.0\r\n\r\nGET /next";
	struct http_head h;
	size_t used;

	http_head_init(&h, HEAD_MAX);
	cr_assert_eq(
	    http_head_read(&h, text, strlen(text), &used), HTTP_HEAD_DONE);
	cr_expect_eq(used, 18);
	http_head_clear(&h);
}

/* A head of max bytes with one field more or less long. */
static enum http_head_result
read_sized(size_t head_bytes, size_t max, enum http_fault *fault)
{
	static const char begin[] = "GET / HTTP/1.0\r\nX: ";
	char *text = malloc(head_bytes);
	enum http_head_result rc;
	struct http_head h;
	size_t used;

	memset(text, 'a', head_bytes);
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + head_bytes - 4, "\r\n\r\n", 4);
	http_head_init(&h, max);
	rc = http_head_read(&h, text, head_bytes, &used);
	*fault = h.fault;
	http_head_clear(&h);
	free(text);
	return rc;
}

Test(http_head, fields_up_to_the_limit_and_no_byte_more)
{
	enum http_fault fault;

	cr_expect_eq(read_sized(4096, 4096, &fault), HTTP_HEAD_DONE);
	cr_expect_eq(read_sized(4097, 4096, &fault), HTTP_HEAD_BAD);
	cr_expect_eq(fault, HTTP_FAULT_HEAD_LARGE);
}

static enum http_head_result
read_target(size_t target_bytes, size_t max, enum http_fault *fault)
{
	enum http_head_result rc;
	struct http_head h;
	size_t used;
	char *text;

	cr_assert_neq(asprintf(&text, "GET /%0*d HTTP/1.0\r\n\r\n",
			  (int)target_bytes - 1, 0),
	    -1);
	http_head_init(&h, max);
	rc = http_head_read(&h, text, strlen(text), &used);
	*fault = h.fault;
	http_head_clear(&h);
	free(text);
	return rc;
}

Test(http_head, targets_up_to_the_limit_and_no_byte_more)
{
	enum http_fault fault;

	cr_expect_eq(
	    read_target(HTTP_TARGET_MAX, HEAD_MAX, &fault), HTTP_HEAD_DONE);
	cr_expect_eq(
	    read_target(HTTP_TARGET_MAX + 1, HEAD_MAX, &fault), HTTP_HEAD_BAD);
	cr_expect_eq(fault, HTTP_FAULT_TARGET_LONG);
	cr_expect_eq(read_target(2000, 1000, &fault), HTTP_HEAD_BAD);
	cr_expect_eq(fault, HTTP_FAULT_TARGET_LONG);
}

Test(http_head, fields_up_to_their_number_and_not_one_more)
{
	for (unsigned n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
		char text[4096] = "GET / HTTP/1.0\r\n";
		struct http_head h;
		size_t used;

		for (unsigned i = 0; i < n; i++)
			strlcat(text, "X: y\r\n", sizeof(text));
		strlcat(text, "\r\n", sizeof(text));
		http_head_init(&h, HEAD_MAX);
		cr_expect_eq(http_head_read(&h, text, strlen(text), &used),
		    n > HTTP_FIELDS_MAX ? HTTP_HEAD_BAD : HTTP_HEAD_DONE);
		if (n > HTTP_FIELDS_MAX)
			cr_expect_eq(h.fault, HTTP_FAULT_FIELDS_MANY);
		http_head_clear(&h);
	}
}

/* Under ASan this is about reads out of bounds, and about the verdict. */
Test(http_head, every_truncation_waits_for_more)
{
	static const char text[] = "GET http://a?b HTTP/1.1\r\n"
				   "Host: a\r\nX: y\r\n\r\n";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *exact = malloc(len + 1);
		struct http_head h;
		size_t used;

		memcpy(exact, text, len);
		http_head_init(&h, HEAD_MAX);
		cr_expect_eq(http_head_read(&h, exact, len, &used),
		    HTTP_HEAD_MORE, "cut to %zu", len);
		cr_expect_eq(used, len);
		http_head_clear(&h);
		free(exact);
	}
}
