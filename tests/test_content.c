/* What different texts say, against zlib itself and against all of them. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/random.h"
#include "worker/content.h"
#include "worker/distinct.h"

#define MANY 20000
#define TEXT 24

static char texts[MANY][TEXT];

static void
make_texts(uint64_t seed, size_t n)
{
	struct random r = random_seed(seed);

	for (size_t i = 0; i < n; i++)
		snprintf(texts[i], TEXT, "user-%05d.%s",
		    (int)(random_uniform(&r) * 1e5),
		    i % 3 == 0 ? "example" : "test");
}

static void
add(struct content **c, const char *p, size_t len, bool part)
{
	cr_assert_eq(content_add(c, distinct_hash(p, len),
			 (struct span){ p, len }, part, false),
	    0);
}

static void
add_text(struct content **c, const char *text, bool part)
{
	add(c, text, strlen(text), part);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* As it is defined: sort, drop what comes twice, join, compress. */
static double
slow_content(size_t n, double *joined)
{
	static char sorted[MANY][TEXT], all[MANY * TEXT];
	static unsigned char out[2 * MANY * TEXT];
	uLongf room = sizeof(out);
	size_t len = 0;

	memcpy(sorted, texts, n * TEXT);
	qsort(sorted, n, TEXT, by_text);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		memcpy(all + len, sorted[i], strlen(sorted[i]));
		len += strlen(sorted[i]);
	}
	cr_assert_eq(compress(out, &room, (unsigned char *)all, len), Z_OK);
	*joined = (double)len;
	return (double)room;
}

Test(content, of_few_texts_it_is_what_zlib_leaves)
{
	for (size_t n = 1; n <= 1000; n = n * 3 + 1) {
		struct content *c = NULL;
		double joined, slow;

		make_texts(n, n);
		slow = slow_content(n, &joined);
		for (size_t k = 0; k < 2 * n; k++)
			add_text(&c, texts[k * 7 % n], false);
		for (size_t k = 0; k < n; k++)
			add_text(&c, texts[k], false);
		cr_expect_eq(content_compressed(c), slow, "%zu texts: %g, %g",
		    n, content_compressed(c), slow);
		cr_expect_eq(content_length(c), joined);
		cr_expect_eq(content_records(c), 3 * (double)n);
		content_free(c);
	}
}

Test(content, of_many_texts_a_sample_stands_for_all)
{
	struct content *c = NULL, *part = NULL;
	double joined, slow;

	make_texts(1, MANY);
	slow = slow_content(MANY, &joined);
	for (size_t i = 0; i < MANY; i++) {
		add_text(&c, texts[i], false);
		add_text(&part, texts[i], true);
		cr_assert_leq(content_bytes(c), 3 * CONTENT_ROOM);
		cr_assert_leq(content_bytes(part), 2 * CONTENT_PART_ROOM);
	}
	/*
	 * 1,400 texts stay: 2.7 % for their number, and as much as 15 % for
	 * what all of them have in common
	 */
	cr_expect_float_eq(content_compressed(c), slow, 0.18 * slow, "%g, %g",
	    content_compressed(c), slow);
	cr_expect_float_eq(content_length(c), joined, 0.08 * joined);
	/* 64 of them: 12.5 % */
	cr_expect_float_eq(content_length(part), joined, 0.3 * joined);
	content_free(c);
	content_free(part);
}

Test(content, the_order_of_records_means_nothing)
{
	struct content *up = NULL, *down = NULL;

	make_texts(2, MANY);
	for (size_t i = 0; i < MANY; i++) {
		add_text(&up, texts[i], false);
		add_text(&down, texts[MANY - 1 - i], false);
	}
	cr_expect_eq(content_compressed(up), content_compressed(down));
	cr_expect_eq(content_length(up), content_length(down));
	cr_expect_eq(content_bytes(up), content_bytes(down));
	content_free(up);
	content_free(down);
}

Test(content, random_texts_say_more_than_usual_ones)
{
	struct content *usual = NULL, *random = NULL;
	struct random r = random_seed(3);
	char text[TEXT];

	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "/static/img/%d.png", i % 40);
		add_text(&usual, text, false);
		for (size_t k = 0; k < TEXT - 1; k++)
			text[k] = (char)(' ' + 95 * random_uniform(&r));
		text[TEXT - 1] = '\0';
		add_text(&random, text, false);
	}
	cr_expect_gt(
	    content_compressed(random), 10 * content_compressed(usual));
	content_free(usual);
	content_free(random);
}

Test(content, the_longest_texts_have_room)
{
	static char text[32766];
	struct content *c = NULL;
	double one;

	memset(text, 'a', sizeof(text));
	add(&c, text, sizeof(text), false);
	one = content_compressed(c);
	cr_expect_gt(one, 10);
	for (size_t i = 0; i < 40; i++) {
		text[i] = 'b';
		add(&c, text, sizeof(text), false);
		cr_assert_leq(content_bytes(c), 3 * CONTENT_ROOM);
	}
	/* one of 41 is left: its share of all hashes may err by as much */
	cr_expect_gt(content_compressed(c), 4 * one);
	cr_expect_gt(content_length(c), 4 * (double)sizeof(text));
	content_free(c);
}

/* Loads what was saved; NULL when it is refused. */
static struct content *
reload(const struct content *c, bool part)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct content *copy = NULL;
	struct snapshot_reader *r;
	const uint8_t *data;
	size_t len;

	cr_assert_eq(snapshot_section(w, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(content_save(c, w), 0);
	cr_assert_eq(snapshot_memory(w, &data, &len), 0);
	r = snapshot_reader_memory(data, len);
	cr_assert_not_null(r);
	cr_assert_eq(snapshot_enter(r, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(content_load(&copy, part, r), 0);
	cr_expect_eq(snapshot_left(r), 0);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
	return copy;
}

static void
expect_same(const struct content *a, const struct content *b, bool part)
{
	if (!part)
		cr_expect_eq(content_compressed(a), content_compressed(b));
	cr_expect_eq(content_length(a), content_length(b));
	cr_expect_eq(content_records(a), content_records(b));
	cr_expect_eq(content_bytes(a), content_bytes(b));
}

Test(content, what_is_loaded_goes_on_as_if_nothing_was)
{
	const size_t cuts[] = { 1, 50, 3000 };

	make_texts(4, MANY);
	for (size_t k = 0; k < 2 * NELEM(cuts); k++) {
		bool part = k % 2 == 1;
		struct content *c = NULL, *copy;

		for (size_t i = 0; i < cuts[k / 2]; i++)
			add_text(&c, texts[i], part);
		copy = reload(c, part);
		expect_same(c, copy, part);
		for (size_t i = cuts[k / 2]; i < 6000; i++) {
			add_text(&c, texts[i], part);
			add_text(&copy, texts[i], part);
		}
		expect_same(c, copy, part);
		content_free(c);
		content_free(copy);
	}
}

Test(content, scarce_memory_lets_none_grow)
{
	struct content *c = NULL;
	char text[TEXT];
	size_t before;

	make_texts(7, 100);
	for (int i = 0; i < 20; i++)
		add_text(&c, texts[i], false);
	before = content_bytes(c);
	for (int i = 20; i < 1000; i++) {
		snprintf(text, sizeof(text), "u%05d.example", i);
		cr_assert_eq(
		    content_add(&c, distinct_hash(text, strlen(text)),
			(struct span){ text, strlen(text) }, false, true),
		    0);
		cr_assert_leq(content_bytes(c), before);
	}
	cr_expect_eq(content_records(c), 1000);
	cr_expect_gt(content_length(c), 5000, "of 13 KB");
	cr_expect_lt(content_length(c), 40000);
	content_free(c);
}
