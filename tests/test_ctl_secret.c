/*
 * Secrets: what is in them, where they come from, and that their memory is
 * overwritten before it is freed. free() is wrapped by the linker to see that.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/secret.h"
#include "ctl/wipe.h"

void __real_free(void *);
void __wrap_free(void *);

static const void *watched; /* the block that is to be freed */
static size_t watched_at, watched_len;
static int wiped; /* 1: it was all zero, -1: it was not, 0: not freed */

void
__wrap_free(void *p)
{
	const unsigned char *byte = p;

	if (p != NULL && p == watched) {
		wiped = 1;
		for (size_t i = 0; i < watched_len; i++)
			if (byte[watched_at + i] != 0)
				wiped = -1;
		watched = NULL;
	}
	__real_free(p);
}

/* Watch len bytes that begin at bytes behind the start of a block. */
static void
watch(const void *block, size_t at, size_t len)
{
	watched = block;
	watched_at = at;
	watched_len = len;
	wiped = 0;
}

Test(ctl_secret, it_grows_and_leaves_nothing_behind)
{
	struct secret s = { 0 };

	cr_assert_eq(secret_add_text(&s, "abc"), 0);
	watch(s.text, 0, s.room);
	while (wiped == 0)
		cr_assert_eq(secret_add(&s, "x", 1), 0);
	cr_expect_eq(wiped, 1);
	cr_expect_eq(strncmp(s.text, "abcxx", 5), 0);
	cr_expect_eq(strlen(s.text), s.len);
	watch(s.text, 0, s.room);
	secret_clear(&s);
	cr_expect_eq(wiped, 1);
	cr_expect_null(s.text);
	secret_clear(&s);
}

Test(ctl_secret, memory_for_libraries_is_overwritten)
{
	char *text = wipe_strdup("a secret of some length");
	/* The block begins with its size. */
	size_t head = _Alignof(max_align_t);
	char *more;

	watch(text - head, head, strlen(text));
	more = wipe_realloc(text, 1000);
	cr_expect_eq(wiped, 1);
	cr_expect_str_eq(more, "a secret of some length");
	watch(more - head, head, 1000);
	wipe_free(more);
	cr_expect_eq(wiped, 1);

	more = wipe_realloc(NULL, 3);
	memcpy(more, "abc", 3);
	more = wipe_realloc(more, 1);
	cr_expect_eq(more[0], 'a');
	wipe_free(more);
	wipe_free(NULL);
	more = wipe_calloc(3, 4);
	for (int i = 0; i < 12; i++)
		cr_expect_eq(more[i], 0);
	wipe_free(more);
	cr_expect_null(wipe_calloc(SIZE_MAX / 2, 3));
	cr_expect_null(wipe_malloc(SIZE_MAX - 3));
}

Test(ctl_secret, json_strings_are_escaped)
{
	struct secret s = { 0 };

	cr_assert_eq(secret_add_json(&s, "a\"b\\c\n\x01\xc3\xbc"), 0);
	cr_expect_str_eq(s.text, "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xbc\"");
	secret_clear(&s);
}

/* Read what a file of these bytes has. */
static int
read_bytes(struct secret *s, const char *data, size_t len, char *why, size_t n)
{
	char path[] = "/tmp/anomctl-test-XXXXXX";
	int fd = mkstemp(path), rc;

	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
	rc = secret_read(s, path, why, n);
	unlink(path);
	return rc;
}

static void
expect_read(const char *data, const char *want)
{
	struct secret s = { 0 };
	char why[200];

	cr_expect_eq(read_bytes(&s, data, strlen(data), why, sizeof(why)), 0);
	cr_expect_str_eq(s.text, want);
	secret_clear(&s);
}

static void
expect_unread(const char *data, size_t len, const char *want)
{
	struct secret s = { 0 };
	char why[200];

	cr_expect_eq(read_bytes(&s, data, len, why, sizeof(why)), -1);
	cr_expect_not_null(strstr(why, want), "%s", why);
	cr_expect_null(s.text);
}

Test(ctl_secret, the_first_line_of_a_file_is_taken)
{
	expect_read("secret", "secret");
	expect_read("secret\nmore\n", "secret");
	expect_read("secret\r\n", "secret");
	expect_read(" two words \n", " two words ");
}

Test(ctl_secret, files_without_a_secret_are_refused)
{
	static char big[SECRET_MAX_BYTES + 2];
	struct secret s = { 0 };
	char why[200];

	expect_unread("", 0, "there is nothing in it");
	expect_unread("\nsecret\n", 8, "there is nothing in it");
	expect_unread("a\0b\n", 4, "there is a NUL in it");
	expect_unread("a\xff\n", 3, "it is not UTF-8");
	memset(big, 'x', sizeof(big));
	big[SECRET_MAX_BYTES] = '\n';
	cr_expect_eq(read_bytes(&s, big, sizeof(big), why, sizeof(why)), 0);
	cr_expect_eq(s.len, SECRET_MAX_BYTES);
	secret_clear(&s);
	big[SECRET_MAX_BYTES] = 'x';
	expect_unread(big, sizeof(big), "too long");
	cr_expect_eq(secret_read(&s, "/nowhere/at/all", why, sizeof(why)), -1);
	cr_expect_str_eq(why, "/nowhere/at/all: No such file or directory");
}

Test(ctl_secret, lines_of_standard_input_are_taken_one_by_one)
{
	struct secret s = { 0 };
	char why[200];
	int pipes[2];

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(write(pipes[1], "one\ntwo\n", 8), 8);
	close(pipes[1]);
	dup2(pipes[0], STDIN_FILENO);
	close(pipes[0]);
	cr_expect_eq(secret_read(&s, "-", why, sizeof(why)), 0);
	cr_expect_str_eq(s.text, "one");
	secret_clear(&s);
	cr_expect_eq(secret_read(&s, "-", why, sizeof(why)), 0);
	cr_expect_str_eq(s.text, "two");
	secret_clear(&s);
	cr_expect_eq(secret_read(&s, "-", why, sizeof(why)), -1);
	cr_expect_str_eq(why, "standard input: there is nothing in it");
}

Test(ctl_secret, made_up_passwords_differ_and_are_easy_to_read)
{
	struct secret a = { 0 }, b = { 0 };

	cr_assert_eq(secret_generate(&a), 0);
	cr_assert_eq(secret_generate(&b), 0);
	cr_expect_eq(a.len, 24);
	cr_expect_str_neq(a.text, b.text);
	cr_expect_null(strpbrk(a.text, "lo1IO0"));
	secret_clear(&a);
	secret_clear(&b);
}

Test(ctl_secret, it_is_written_with_a_newline)
{
	struct secret s = { 0 };
	char got[16] = "";
	int pipes[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(secret_add_text(&s, "abc"), 0);
	cr_expect_eq(secret_write(&s, pipes[1]), 0);
	cr_expect_eq(read(pipes[0], got, sizeof(got)), 4);
	cr_expect_str_eq(got, "abc\n");
	cr_expect_eq(secret_write(&s, full), -1);
	secret_clear(&s);
	close(full);
	close(pipes[0]);
	close(pipes[1]);
}
