/* Encoded bodies: decoded whole, in any pieces, or refused with a reason. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "worker/decode.h"

#define TEXT_BYTES 100000

struct bytes {
	uint8_t *p;
	size_t len;
};

static char text[TEXT_BYTES];

/* Something that neither repeats too much nor too little. */
static void
setup(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < TEXT_BYTES; i++) {
		x = x * 1664525u + 1013904223u;
		text[i] = (char)('a' + (x >> 24) % 20);
	}
}

TestSuite(decode, .init = setup, .timeout = 60);

static struct bytes
gzip(const void *data, size_t len)
{
	struct bytes b = { malloc(len + 1000), len + 1000 };
	z_stream z = { 0 };

	cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = b.p;
	z.avail_out = (uInt)b.len;
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	b.len -= z.avail_out;
	deflateEnd(&z);
	return b;
}

static struct bytes
zstd(const void *data, size_t len, int window_log)
{
	struct bytes b = { NULL, ZSTD_compressBound(len) };
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	b.p = malloc(b.len);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, window_log);
	/* The size in the frame's head would stand in for the window. */
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 0);
	b.len = ZSTD_compress2(cctx, b.p, b.len, data, len);
	cr_assert(!ZSTD_isError(b.len));
	ZSTD_freeCCtx(cctx);
	return b;
}

static struct bytes
joined(struct bytes a, struct bytes b)
{
	struct bytes c = { malloc(a.len + b.len), a.len + b.len };

	memcpy(c.p, a.p, a.len);
	memcpy(c.p + a.len, b.p, b.len);
	free(a.p);
	free(b.p);
	return c;
}

/*
 * Decode in pieces of in_piece with room for out_piece. Returns the number of
 * bytes that came out, or -1: broken, -2: ended within a member.
 */
static long
decoded(enum upload_encoding encoding, struct bytes b, size_t in_piece,
    size_t out_piece, char *dst, size_t cap)
{
	struct decoder *d = decoder_new(encoding);
	uint8_t *out = malloc(out_piece);
	size_t at = 0, total = 0;
	int rc = 0;

	while (at < b.len && rc != -1) {
		size_t n = b.len - at < in_piece ? b.len - at : in_piece;
		struct decode_io io = { .in = b.p + at, .inlen = n };

		do {
			size_t got;

			io.out = out;
			io.outlen = out_piece;
			rc = decode_step(d, &io);
			got = out_piece - io.outlen;
			cr_assert_leq(total + got, cap);
			memcpy(dst + total, out, got);
			total += got;
		} while (rc == 1);
		at += n;
	}
	if (rc != -1 && !decoder_is_whole(d))
		rc = -2;
	decoder_free(d);
	free(out);
	return rc < 0 ? rc : (long)total;
}

static void
expect_text(enum upload_encoding encoding, struct bytes b, size_t times)
{
	static const size_t pieces[][2] = { { 1, 1 }, { 1, 65536 },
		{ 65536, 1 }, { 777, 333 }, { 1 << 20, 1 << 20 } };
	size_t cap = TEXT_BYTES * times;
	char *dst = malloc(cap);

	for (size_t i = 0; i < NELEM(pieces); i++) {
		long n =
		    decoded(encoding, b, pieces[i][0], pieces[i][1], dst, cap);

		cr_assert_eq(n, (long)cap, "pieces %zu: %ld", i, n);
		for (size_t k = 0; k < times; k++)
			cr_expect_eq(
			    memcmp(dst + k * TEXT_BYTES, text, TEXT_BYTES), 0);
	}
	free(dst);
	free(b.p);
}

Test(decode, gzip_in_any_pieces)
{
	expect_text(ENCODING_GZIP, gzip(text, TEXT_BYTES), 1);
}

Test(decode, zstd_in_any_pieces)
{
	expect_text(ENCODING_ZSTD, zstd(text, TEXT_BYTES, 20), 1);
}

Test(decode, gzip_members_are_one_stream)
{
	expect_text(ENCODING_GZIP,
	    joined(gzip(text, TEXT_BYTES),
		joined(gzip("", 0), gzip(text, TEXT_BYTES))),
	    2);
}

Test(decode, zstd_frames_are_one_stream)
{
	expect_text(ENCODING_ZSTD,
	    joined(zstd(text, TEXT_BYTES, 20), zstd(text, TEXT_BYTES, 20)), 2);
}

Test(decode, every_truncation_is_noticed)
{
	char dst[TEXT_BYTES];
	struct bytes g = gzip(text, 300), z = zstd(text, 300, 20);

	for (size_t cut = 1; cut < g.len; cut++)
		cr_expect_lt(decoded(ENCODING_GZIP, (struct bytes){ g.p, cut },
				 999, 999, dst, sizeof(dst)),
		    0, "gzip cut to %zu", cut);
	for (size_t cut = 1; cut < z.len; cut++)
		cr_expect_lt(decoded(ENCODING_ZSTD, (struct bytes){ z.p, cut },
				 999, 999, dst, sizeof(dst)),
		    0, "zstd cut to %zu", cut);
	free(g.p);
	free(z.p);
}

static void
expect_broken(enum upload_encoding encoding, struct bytes b)
{
	char *dst = malloc(TEXT_BYTES);

	cr_expect_eq(decoded(encoding, b, 4096, 4096, dst, TEXT_BYTES), -1);
	free(dst);
	free(b.p);
}

static struct bytes
plain(const char *s)
{
	return (struct bytes){ (uint8_t *)strdup(s), strlen(s) };
}

Test(decode, bytes_after_the_last_member_are_refused)
{
	expect_broken(
	    ENCODING_GZIP, joined(gzip(text, 300), plain("{\"a\":1}")));
	expect_broken(
	    ENCODING_ZSTD, joined(zstd(text, 300, 20), plain("{\"a\":1}")));
}

Test(decode, what_was_never_encoded_is_refused)
{
	expect_broken(ENCODING_GZIP, plain("{\"time\":1,\"value\":2}"));
	expect_broken(ENCODING_ZSTD, plain("{\"time\":1,\"value\":2}"));
}

Test(decode, gzip_with_a_wrong_checksum_is_refused)
{
	struct bytes b = gzip(text, 300);

	b.p[b.len - 8] ^= 1;
	expect_broken(ENCODING_GZIP, b);
}

/* A frame of len bytes whose head asks for this window. */
static const char *
verdict_on_window(int window_log)
{
	size_t len = (size_t)1 << 25;
	void *zeros = calloc(1, len);
	struct bytes b = zstd(zeros, len, window_log);
	struct decoder *d = decoder_new(ENCODING_ZSTD);
	uint8_t *out = malloc(1 << 20);
	struct decode_io io = { .in = b.p, .inlen = b.len };
	const char *error = NULL;
	int rc;

	do {
		io.out = out;
		io.outlen = 1 << 20;
		rc = decode_step(d, &io);
	} while (rc == 1);
	if (rc == -1) {
		cr_expect_eq(errno, EBADMSG);
		error = decoder_error(d);
	}
	decoder_free(d);
	free(out);
	free(b.p);
	free(zeros);
	return error;
}

Test(decode, zstd_window_is_limited)
{
	const char *error;

	cr_expect_null(verdict_on_window(DECODE_ZSTD_WINDOW_LOG));
	error = verdict_on_window(DECODE_ZSTD_WINDOW_LOG + 1);
	cr_assert_not_null(error);
	cr_expect_not_null(strstr(error, "window"));
}

/* One call fills the room it is given, and no more. */
Test(decode, bomb_comes_out_in_the_pieces_that_are_asked_for)
{
	size_t len = 50 * 1024 * 1024;
	void *zeros = calloc(1, len);
	struct bytes b = gzip(zeros, len);
	struct decoder *d = decoder_new(ENCODING_GZIP);
	struct decode_io io = { .in = b.p, .inlen = b.len };
	uint8_t out[4096];
	unsigned steps = 0;
	int rc;

	cr_expect_lt(b.len, 60000);
	do {
		io.out = out;
		io.outlen = sizeof(out);
		rc = decode_step(d, &io);
		steps++;
	} while (rc == 1 && steps < 100);
	cr_expect_eq(rc, 1);
	cr_expect_eq(io.outlen, 0);
	decoder_free(d);
	free(b.p);
	free(zeros);
}
