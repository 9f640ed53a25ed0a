/* How anomctl post cuts a stream into uploads, and tells how far it is. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ctl/pieces.h"
#include "ctl/progress.h"

static char path[] = "/tmp/anomctl-pieces-XXXXXX";
static char why[512];

static void
setup(void)
{
	int fd = mkstemp(path);

	cr_assert_neq(fd, -1);
	close(fd);
}

static void
teardown(void)
{
	unlink(path);
}

TestSuite(ctl_post, .init = setup, .fini = teardown);

static struct pieces *
cut(const void *data, size_t len, const struct pieces_form *form)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	struct pieces *p;

	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
	p = pieces_new(open(path, O_RDONLY), form, why, sizeof(why));
	cr_assert_not_null(p, "%s", why);
	return p;
}

static void
expect_piece(struct pieces *p, struct piece *piece, const char *text)
{
	cr_assert_eq(pieces_next(p, piece, why, sizeof(why)), 1, "%s", why);
	cr_expect_eq(piece->len, strlen(text));
	cr_expect_eq(memcmp(piece->data, text, piece->len), 0);
}

static void
expect_end(struct pieces *p)
{
	struct piece piece;

	cr_expect_eq(pieces_next(p, &piece, why, sizeof(why)), 0);
	pieces_free(p);
}

Test(ctl_post, pieces_end_at_line_ends_and_lose_nothing)
{
	struct pieces_form form = { .name = "f", .max_bytes = 8 };
	const char text[] = "aa\nbb\ncc\ndddddddd";
	struct pieces *p = cut(text, strlen(text), &form);
	struct piece piece;

	expect_piece(p, &piece, "aa\nbb\n");
	cr_expect_eq(piece.offset, 0);
	expect_piece(p, &piece, "cc\n");
	cr_expect_eq(piece.offset, 6);
	expect_piece(p, &piece, "dddddddd");
	cr_expect_eq(piece.offset, 9);
	expect_end(p);
}

Test(ctl_post, a_file_of_whole_pieces_has_no_empty_one_behind_them)
{
	struct pieces_form form = { .name = "f", .max_bytes = 4 };
	struct pieces *p = cut("aaa\nbbb\n", 8, &form);
	struct piece piece;

	expect_piece(p, &piece, "aaa\n");
	expect_piece(p, &piece, "bbb\n");
	expect_end(p);
	expect_end(cut("", 0, &form));
}

Test(ctl_post, a_line_that_is_too_long_is_named)
{
	struct pieces_form form = { .name = "f", .max_bytes = 4 };
	struct pieces *p = cut("a\nbbbbb\n", 8, &form);
	struct piece piece;

	expect_piece(p, &piece, "a\n");
	cr_expect_eq(pieces_next(p, &piece, why, sizeof(why)), -1);
	cr_expect_not_null(strstr(why, "the line at byte 2 "), "%s", why);
	pieces_free(p);
}

Test(ctl_post, a_header_goes_before_every_piece)
{
	struct pieces_form form = {
		.name = "f", .max_bytes = 6, .header = true
	};
	struct pieces *p = cut("h,i\n1,2\n3,4\n", 12, &form);
	struct piece piece;

	expect_piece(p, &piece, "h,i\n1,2\n");
	cr_expect_eq(piece.offset, 4);
	expect_piece(p, &piece, "h,i\n3,4\n");
	cr_expect_eq(piece.offset, 8);
	expect_end(p);
	p = cut("h,iiiii\n1\n", 10, &form);
	cr_expect_eq(pieces_next(p, &piece, why, sizeof(why)), -1);
	cr_expect_not_null(strstr(why, "first line"), "%s", why);
	pieces_free(p);
}

static void
key_of(char key[PIECES_KEY_BYTES], const char *text,
    const struct pieces_form *form, int n)
{
	struct pieces *p = cut(text, strlen(text), form);
	struct piece piece;

	for (int i = 0; i <= n; i++)
		cr_assert_eq(pieces_next(p, &piece, why, sizeof(why)), 1);
	strlcpy(key, piece.key, PIECES_KEY_BYTES);
	pieces_free(p);
}

Test(ctl_post, keys_are_of_name_tag_place_and_content)
{
	struct pieces_form form = { .name = "f", .max_bytes = 4 };
	struct pieces_form other = form, tagged = form;
	char key[PIECES_KEY_BYTES], again[PIECES_KEY_BYTES];

	other.name = "g";
	tagged.tag = "2";
	key_of(key, "aaa\nbbb\n", &form, 0);
	cr_expect_eq(strlen(key), strlen("anomctl-") + 32);
	key_of(again, "aaa\nccc\n", &form, 0);
	cr_expect_str_eq(key, again, "what follows does not matter");
	key_of(again, "aaa\naaa\n", &form, 1);
	cr_expect_str_neq(key, again, "place");
	key_of(again, "aab\nbbb\n", &form, 0);
	cr_expect_str_neq(key, again, "content");
	key_of(again, "aaa\nbbb\n", &other, 0);
	cr_expect_str_neq(key, again, "name");
	key_of(again, "aaa\nbbb\n", &tagged, 0);
	cr_expect_str_neq(key, again, "tag");
}

static size_t
packed(char *dst, size_t room, const char *text)
{
	gzFile f = gzopen(path, "wb");
	ssize_t n;
	int fd;

	cr_assert_eq(
	    gzwrite(f, text, (unsigned)strlen(text)), (int)strlen(text));
	cr_assert_eq(gzclose(f), Z_OK);
	fd = open(path, O_RDONLY);
	n = read(fd, dst, room);
	cr_assert_gt(n, 0);
	close(fd);
	return (size_t)n;
}

Test(ctl_post, a_pipe_has_a_position_too)
{
	struct pieces_form form = { .name = "-", .max_bytes = 4 };
	struct piece piece;
	struct pieces *p;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	cr_assert_eq(write(fd[1], "aaa\nbbb\n", 8), 8);
	close(fd[1]);
	p = pieces_new(fd[0], &form, why, sizeof(why));
	cr_assert_not_null(p, "%s", why);
	expect_piece(p, &piece, "aaa\n");
	cr_expect_eq(pieces_position(p), 4);
	expect_piece(p, &piece, "bbb\n");
	cr_expect_eq(pieces_position(p), 8);
	expect_end(p);
}

Test(ctl_post, gzip_is_cut_like_what_is_in_it_and_wherever_it_breaks_off_said)
{
	struct pieces_form form = { .name = "f", .max_bytes = 4 };
	char data[256], key[PIECES_KEY_BYTES];
	size_t len = packed(data, sizeof(data), "aaa\nbbb\n");
	struct pieces *p = cut(data, len, &form);
	struct piece piece;

	expect_piece(p, &piece, "aaa\n");
	cr_expect(pieces_is_gzip(p));
	strlcpy(key, piece.key, sizeof(key));
	expect_piece(p, &piece, "bbb\n");
	cr_expect_leq(pieces_position(p), len);
	expect_end(p);
	p = cut("aaa\n", 4, &form);
	expect_piece(p, &piece, "aaa\n");
	cr_expect_str_eq(piece.key, key);
	cr_expect_not(pieces_is_gzip(p));
	expect_end(p);
	for (size_t n = 2; n < len; n++) {
		int rc;

		p = cut(data, n, &form);
		while ((rc = pieces_next(p, &piece, why, sizeof(why))) == 1)
			continue;
		cr_expect_eq(rc, -1, "%zu of %zu bytes", n, len);
		pieces_free(p);
	}
}

static void
expect_progress(uint64_t done, uint64_t total, int64_t us, const char *want)
{
	char text[160];

	progress_text(text, sizeof(text), done, total, us);
	cr_expect_str_eq(text, want, "%s", text);
}

Test(ctl_post, progress_has_rate_and_time_left)
{
	expect_progress(
	    0, 1000, 0, "[                    ]   0%  0 B of 1.0 kB  0 B/s  ");
	expect_progress(50000000, 200000000, 2000000,
	    "[=====               ]  25%  50.0 MB of 200 MB  25.0 MB/s  "
	    "0:06 left");
	expect_progress(1000000000, 3600001000000000, 1000000,
	    "[                    ]   0%  1.0 GB of 3600 TB  1.0 GB/s  "
	    "99:59:59 left");
	expect_progress(300, 200, 1000000,
	    "[====================] 100%  300 B of 200 B  300 B/s  0:00 left");
	expect_progress(1500, 0, 1000000, "1.5 kB  1.5 kB/s");
}
