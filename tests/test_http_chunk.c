/*
 * The reader of chunks. As with heads, every row is a test and is cut at every
 * place.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "supervisor/http_chunk.h"

#define TRAILERS_MAX 256

struct verdict {
	enum http_chunk_result result;
	enum http_fault fault;
	size_t used;
	char data[256];
	size_t ndata;
};

/* Take data as a connection would. Returns the bytes taken. */
static size_t
take(struct http_chunk *ck, const char *p, size_t n, struct verdict *v)
{
	if (n > ck->left)
		n = (size_t)ck->left;
	memcpy(v->data + v->ndata, p, n);
	v->ndata += n;
	http_chunk_take(ck, n);
	return n;
}

/* In two pieces (the first of cut bytes), or byte by byte at 0. */
static struct verdict
feed(const char *text, size_t len, size_t cut)
{
	struct verdict v = { .result = HTTP_CHUNK_MORE };
	struct http_chunk ck;
	size_t used;

	http_chunk_init(&ck, TRAILERS_MAX);
	while (v.used < len && v.result != HTTP_CHUNK_BAD &&
	    v.result != HTTP_CHUNK_DONE) {
		size_t n = cut == 0 ? 1
		    : v.used < cut  ? cut - v.used
				    : len - v.used;

		v.result = http_chunk_read(&ck, text + v.used, n, &used);
		v.used += used;
		if (v.result == HTTP_CHUNK_DATA)
			v.used += take(&ck, text + v.used, n - used, &v);
	}
	v.fault = ck.fault;
	return v;
}

static void
check_refused(const char *text, size_t len, enum http_fault fault)
{
	for (size_t cut = 0; cut <= len; cut++) {
		struct verdict v = feed(text, len, cut);

		cr_expect_eq(v.result, HTTP_CHUNK_BAD, "cut at %zu", cut);
		cr_expect_eq(v.fault, fault, "cut at %zu: %s", cut,
		    http_fault_name(v.fault));
	}
}

/* clang-format off */
#define REFUSED(X) \
	X(size_empty, BARE_CR, "\r\n") \
	X(size_leading_space, CHUNK_SIZE, " 5\r\nhello") \
	X(size_leading_tab, CHUNK_SIZE, "\t5\r\nhello") \
	X(size_leading_lf, BARE_LF, "\n5\r\nhello") \
	X(size_0x, CHUNK_SIZE, "0x5\r\nhello") \
	X(size_plus, CHUNK_SIZE, "+5\r\nhello") \
	X(size_minus, CHUNK_SIZE, "-5\r\nhello") \
	X(size_not_hex, CHUNK_SIZE, "g\r\n") \
	X(size_underscore, CHUNK_SIZE, "1_0\r\n") \
	X(size_nul, CONTROL_BYTE, "5\0\r\nhello") \
	X(size_space_behind, BARE_CR, "5 \r\nhello") \
	X(size_bare_lf, BARE_LF, "5\nhello") \
	X(size_bare_cr, BARE_CR, "5\rhello") \
	X(size_overflow_64, CHUNK_HUGE, "10000000000000000\r\n") \
	X(size_beyond_all, CHUNK_HUGE, "1000000000000001\r\n") \
	X(size_all_ones, CHUNK_HUGE, "ffffffffffffffff\r\n") \
	X(data_too_long, CHUNK_END, "5\r\nhelloX\r\n0\r\n\r\n") \
	X(data_bare_lf, CHUNK_END, "5\r\nhello\n0\r\n\r\n") \
	X(data_bare_cr, CHUNK_END, "5\r\nhello\r0\r\n\r\n") \
	X(data_too_short, CHUNK_END, "5\r\nhell\r\n0\r\n\r\n") \
	X(extension_lf, BARE_LF, "5;a\nb\r\nhello") \
	X(extension_lf_in_quotes, BARE_LF, "5;a=\"\n\"\r\nhello") \
	X(extension_cr_in_quotes, BARE_CR, "5;a=\"\r\n\"\r\nhello") \
	X(extension_lf_escaped, BARE_LF, "5;a=\"\\\n\"\r\nhello") \
	X(extension_control, CONTROL_BYTE, "5;a\x01\r\nhello") \
	X(extension_empty, BARE_CR, "5;\r\nhello") \
	X(extension_no_name, CHUNK_EXTENSION, "5;=a\r\nhello") \
	X(extension_no_value, BARE_CR, "5;a=\r\nhello") \
	X(extension_two_values, CHUNK_EXTENSION, "5;a=b=c\r\nhello") \
	X(extension_behind_quotes, CHUNK_EXTENSION, "5;a=\"b\"c\r\nhello") \
	X(extension_without_semicolon, CHUNK_EXTENSION, "5 a\r\nhello") \
	X(trailer_folded, FIELD_FOLDED, "0\r\nX: a\r\n b\r\n\r\n") \
	X(trailer_space_before_colon, FIELD_SPACE, "0\r\nX : a\r\n\r\n") \
	X(trailer_bare_lf, BARE_LF, "0\r\nX: a\n\r\n") \
	X(trailer_nul, CONTROL_BYTE, "0\r\nX: a\0\r\n\r\n") \
	X(trailer_no_colon, FIELD_NAME, "0\r\nNonsense\r\n\r\n") \
	X(trailer_is_a_request, FIELD_SPACE, "0\r\nGET / HTTP/1.1\r\n\r\n") \
	X(end_without_empty_line, BARE_CR, "0\r\n\rX")
/* clang-format on */

#define REFUSED_TEST(name, fault, text)                                        \
	Test(http_chunk_refuses, name)                                         \
	{                                                                      \
		check_refused(text, sizeof(text) - 1, HTTP_FAULT_##fault);     \
	}
REFUSED(REFUSED_TEST)

/* clang-format off */
static const struct {
	const char *body, *data;
} good_rows[] = {
	{ "0\r\n\r\n", "" },
	{ "000\r\n\r\n", "" },
	{ "5\r\nhello\r\n0\r\n\r\n", "hello" },
	{ "00005\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world" },
	{ "A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
	    "0123456789abcdefghij" },
	{ "5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello" },
	{ "5 ; a = b ;c=\"d \\\" ;e\t\xc3\xa4\"\r\nhello\r\n0\r\n\r\n",
	    "hello" },
	{ "5;a;b\t;c\r\nhello\r\n0\r\n\r\n", "hello" },
	{ "5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 7\r\n\r\n", "hello" },
	{ "2\r\n\r\n\r\n0\r\n\r\n", "\r\n" },
};
/* clang-format on */

Test(http_chunk, bodies_are_read_to_their_end_and_not_beyond)
{
	for (size_t i = 0; i < NELEM(good_rows); i++) {
		char text[256];
		size_t len = strlen(good_rows[i].body);

		snprintf(text, sizeof(text), "%sGET", good_rows[i].body);
		for (size_t cut = 0; cut <= len; cut++) {
			struct verdict v = feed(text, len + 3, cut);

			cr_assert_eq(v.result, HTTP_CHUNK_DONE,
			    "row %zu cut at %zu: %s", i, cut,
			    http_fault_name(v.fault));
			cr_expect_eq(v.used, len, "row %zu", i);
			cr_expect_eq(v.ndata, strlen(good_rows[i].data));
			cr_expect_arr_eq(v.data, good_rows[i].data, v.ndata);
		}
	}
}

Test(http_chunk, largest_size_is_taken)
{
	const char *text = "1000000000000000\r\n";
	struct http_chunk ck;
	size_t used;

	http_chunk_init(&ck, TRAILERS_MAX);
	cr_expect_eq(
	    http_chunk_read(&ck, text, strlen(text), &used), HTTP_CHUNK_DATA);
	cr_expect_eq(ck.left, UINT64_C(1) << 60);
}

static enum http_chunk_result
read_trailers(size_t bytes, enum http_fault *fault)
{
	char text[TRAILERS_MAX * 2] = "0\r\nX: ";
	enum http_chunk_result rc;
	struct http_chunk ck;
	size_t used;

	memset(text + 6, 'a', bytes);
	memcpy(text + 3 + bytes - 4, "\r\n\r\n", 4);
	http_chunk_init(&ck, TRAILERS_MAX);
	rc = http_chunk_read(&ck, text, 3 + bytes, &used);
	*fault = ck.fault;
	return rc;
}

Test(http_chunk, trailers_up_to_the_limit_and_no_byte_more)
{
	enum http_fault fault;

	cr_expect_eq(read_trailers(TRAILERS_MAX, &fault), HTTP_CHUNK_DONE);
	cr_expect_eq(read_trailers(TRAILERS_MAX + 1, &fault), HTTP_CHUNK_BAD);
	cr_expect_eq(fault, HTTP_FAULT_TRAILER_LARGE);
}

/* A body of one-byte chunks, each with n bytes of extension. */
static enum http_fault
read_padded(unsigned chunks, unsigned n)
{
	struct http_chunk ck;
	char line[HTTP_CHUNK_LINE_MAX * 2];
	size_t used;

	http_chunk_init(&ck, TRAILERS_MAX);
	for (unsigned i = 0; i < chunks; i++) {
		snprintf(line, sizeof(line), "%s1;%0*d\r\n", i ? "\r\n" : "",
		    (int)n, 0);
		if (http_chunk_read(&ck, line, strlen(line), &used) ==
		    HTTP_CHUNK_BAD)
			return ck.fault;
		http_chunk_take(&ck, 1);
	}
	return HTTP_FAULT_NONE;
}

Test(http_chunk, extensions_are_bounded_per_chunk_and_per_body)
{
	cr_expect_eq(read_padded(1, 4000), HTTP_FAULT_NONE);
	cr_expect_eq(read_padded(1, 4096), HTTP_FAULT_CHUNK_LINE_LONG);
	cr_expect_eq(read_padded(100, 100), HTTP_FAULT_NONE);
	cr_expect_eq(read_padded(1000, 100), HTTP_FAULT_CHUNK_LINE_LONG);
}
