/* Statistics that grow with what they are given, and how far they may err. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/random.h"
#include "worker/numbers.h"
#include "worker/statistic.h"

#define MANY 20000

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median as it is defined. */
static double
slow_median(const double *values, size_t n)
{
	double sorted[MANY];

	memcpy(sorted, values, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), by_size);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static double
median_of(const double *values, size_t n, uint32_t most)
{
	struct order *o = NULL;
	double median;

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(order_add(&o, values[i], most), 0);
	cr_assert_leq(o->nbins, most);
	median = order_median(o);
	free(o);
	return median;
}

/* Medians */

Test(statistic, a_median_of_few_different_values_is_exact)
{
	struct random r = random_seed(1);
	double v[MANY];

	for (size_t n = 1; n < 300; n++) {
		for (size_t i = 0; i < n; i++)
			v[i] = floor(random_normal(&r) * 40) / 8;
		cr_assert_eq(median_of(v, n, ORDER_BINS), slow_median(v, n),
		    "%zu values", n);
	}
	for (size_t i = 0; i < MANY; i++)
		v[i] = -7 + (double)(i % 200);
	cr_expect_eq(median_of(v, MANY, ORDER_BINS), slow_median(v, MANY));
}

Test(statistic, zeros_of_both_signs_are_one_value)
{
	const double v[] = { -0.0, 0.0, -1, 1, 0.0 };

	cr_expect_eq(median_of(v, NELEM(v), ORDER_BINS), 0);
}

/* The promise of order.h: k powers of two cost k/128 of the one it is in. */
static void
expect_near(const double *v, double powers, const char *what)
{
	double exact = slow_median(v, MANY), got = median_of(v, MANY, 256);
	double power = exp2(floor(log2(fabs(exact))));

	cr_expect_leq(fabs(got - exact), power * powers / 128,
	    "%s: %.17g for %.17g", what, got, exact);
}

Test(statistic, a_median_of_many_values_errs_less_than_was_promised)
{
	struct random r = random_seed(2);
	double v[MANY];

	for (int i = 0; i < MANY; i++)
		v[i] = 100 + 5 * random_normal(&r); /* 64 to 256 */
	expect_near(v, 2, "normal");
	for (int i = 0; i < MANY; i++)
		v[i] = 1e6 + random_normal(&r);
	expect_near(v, 1, "far from zero");
	for (int i = 0; i < MANY; i++)
		v[i] = exp(2 * random_normal(&r));
	expect_near(v, 24, "log-normal");
	for (int i = 0; i < MANY; i++)
		v[i] = -exp(random_normal(&r));
	expect_near(v, 14, "negative");
	for (int i = 0; i < MANY; i++)
		v[i] = pow(10, 200 * random_uniform(&r) - 100);
	expect_near(v, 665, "all magnitudes");
}

Test(statistic, a_median_does_not_depend_on_the_order_of_values)
{
	struct random r = random_seed(3);
	double v[MANY], back[MANY];

	for (int i = 0; i < MANY; i++)
		back[MANY - 1 - i] = v[i] = exp(3 * random_normal(&r));
	cr_expect_eq(median_of(v, MANY, 64), median_of(back, MANY, 64));
	qsort(v, MANY, sizeof(v[0]), by_size);
	cr_expect_eq(median_of(v, MANY, 64), median_of(back, MANY, 64));
}

Test(statistic, a_part_can_be_taken_out_of_a_median)
{
	struct order *all = NULL, *part = NULL;
	double v, half[MANY];
	size_t n = 0;

	for (int i = 0; i < 5000; i++) {
		bool odd = i % 2 == 1;

		v = odd ? 1000 + i * 0.25 : 10 + i * 0.001;
		cr_assert_eq(order_add(&all, v, ORDER_BINS), 0);
		if (odd)
			cr_assert_eq(order_add(&part, v, ORDER_PART_BINS), 0);
		else
			half[n++] = v;
	}
	cr_assert(order_median_without(all, part, &v));
	cr_expect_float_eq(v, slow_median(half, n), 0.5, "%g", v);
	cr_expect_not(order_median_without(all, all, &v), "nothing is left");
	free(all);
	free(part);
}

/* Different texts */

static double
count_texts(int n, int times, uint32_t most)
{
	struct distinct *d = NULL;
	char text[32];
	double count;

	for (int k = 0; k < times; k++) {
		for (int i = 0; i < n; i++) {
			int len = snprintf(text, sizeof(text), "user %d", i);
			uint64_t hash = distinct_hash(text, (size_t)len);

			cr_assert_eq(distinct_add(&d, hash, most), 0);
		}
	}
	cr_expect_leq(distinct_bytes(d), sizeof(*d) + most);
	count = distinct_count(d);
	free(d);
	return count;
}

Test(statistic, few_texts_are_counted_exactly)
{
	for (int n = 1; n <= 256; n++)
		cr_assert_eq(count_texts(n, 3, DISTINCT_REGISTERS), n);
	cr_expect_eq(count_texts(32, 5, DISTINCT_PART_REGISTERS), 32);
}

/* Three standard errors, at every order of magnitude. */
Test(statistic, many_texts_are_counted_within_the_promised_error)
{
	static const int many[] = { 257, 400, 1000, 3000, 10000, 50000,
		300000 };

	for (size_t i = 0; i < NELEM(many); i++) {
		double n = many[i];

		cr_expect_float_eq(count_texts(many[i], 1, DISTINCT_REGISTERS),
		    n, 3 * 0.023 * n, "of %d", many[i]);
		cr_expect_float_eq(
		    count_texts(many[i], 1, DISTINCT_PART_REGISTERS), n,
		    3 * 0.065 * n, "of %d, a part", many[i]);
	}
	cr_expect_eq(count_texts(5000, 1, DISTINCT_REGISTERS),
	    count_texts(5000, 4, DISTINCT_REGISTERS), "again is not more");
}

/* Variance */

Test(statistic, a_variance_far_from_zero_keeps_its_digits)
{
	struct moments m = { 0 }, part = { 0 };

	/* 1e9 + {4, 7, 13, 16}: NIST's example, variance 22.5 */
	for (int i = 0; i < 4000; i++) {
		static const double v[] = { 4, 7, 13, 16 };

		moments_add(&m, 1e9 + v[i % 4]);
		if (i % 4 == 3)
			moments_add(&part, 1e9 + v[i % 4]);
	}
	cr_expect_float_eq(moments_variance(&m), 22.5, 1e-6);
	/* the mean is 10: (36 + 9 + 9 + 36) / 4, of which 16 has 36 */
	cr_expect_float_eq(moments_share(&m, &part), 9, 1e-5);
	cr_expect_float_eq(moments_share(&m, &m), 22.5, 1e-6);
}

/* State */

static void
fill(
    union statistic *s, enum statistic_kind kind, int n, bool part, bool scarce)
{
	struct random r = random_seed(4);

	for (int i = 0; i < n; i++) {
		struct observation o = {
			.kind = kind, .n = 1, .scarce = scarce
		};

		o.value = exp(random_normal(&r));
		o.hash = distinct_hash((const char *)&i, sizeof(i));
		cr_assert_eq(statistic_add(s, &o, part), 0);
	}
}

static void
expect_same_after_loading(
    enum statistic_kind kind, int n, bool part, bool scarce)
{
	union statistic s, back;
	struct snapshot_writer *w[2] = { snapshot_writer_memory(),
		snapshot_writer_memory() };
	const uint8_t *data[2];
	struct snapshot_reader *r;
	size_t len[2];

	memset(&s, 0, sizeof(s));
	memset(&back, 0, sizeof(back));
	fill(&s, kind, 3, part, false);
	fill(&s, kind, n, part, scarce);
	cr_assert_eq(snapshot_section(w[0], SNAPSHOT_ENGINE), 0);
	cr_assert_eq(statistic_save(&s, kind, w[0]), 0);
	cr_assert_eq(snapshot_memory(w[0], &data[0], &len[0]), 0);
	r = snapshot_reader_memory(data[0], len[0]);
	cr_assert_not_null(r);
	cr_assert_eq(snapshot_enter(r, SNAPSHOT_ENGINE), 0);
	cr_assert_eq(statistic_load(&back, kind, part, r), 0);
	cr_expect_eq(statistic_bytes(&s, kind), statistic_bytes(&back, kind));
	/* they go on as one: what is then saved is the same to the last bit */
	fill(&s, kind, 700, part, false);
	fill(&back, kind, 700, part, false);
	snapshot_writer_free(w[0]);
	w[0] = snapshot_writer_memory();
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(snapshot_section(w[i], SNAPSHOT_ENGINE), 0);
		cr_assert_eq(
		    statistic_save(i == 0 ? &s : &back, kind, w[i]), 0);
		cr_assert_eq(snapshot_memory(w[i], &data[i], &len[i]), 0);
	}
	cr_expect_eq(len[0], len[1]);
	cr_expect_eq(
	    memcmp(data[0], data[1], len[0]), 0, "kind %d, %d values", kind, n);
	snapshot_reader_free(r);
	snapshot_writer_free(w[0]);
	snapshot_writer_free(w[1]);
	statistic_clear(&s, kind);
	statistic_clear(&back, kind);
}

Test(statistic, what_is_loaded_goes_on_as_if_it_had_never_stopped)
{
	static const int sizes[] = { 1, 5, 100, 1000, 5000 };

	for (size_t i = 0; i < NELEM(sizes); i++) {
		for (int kind = 0; kind <= STATISTIC_DISTINCT; kind++) {
			for (int how = 0; how < 4; how++)
				expect_same_after_loading(
				    (enum statistic_kind)kind, sizes[i],
				    (how & 1) != 0, (how & 2) != 0);
		}
	}
}

/* Without memory they stay as large as they are, and still say about it. */
Test(statistic, what_may_not_grow_gets_coarser)
{
	union statistic s[2];
	size_t bytes[2];

	memset(s, 0, sizeof(s));
	for (int i = 0; i < 2; i++) {
		enum statistic_kind kind =
		    i == 0 ? STATISTIC_ORDER : STATISTIC_DISTINCT;

		fill(&s[i], kind, 100, false, false);
		bytes[i] = statistic_bytes(&s[i], kind);
		fill(&s[i], kind, 3000, false, true);
		cr_expect_eq(statistic_bytes(&s[i], kind), bytes[i]);
	}
	/* of log-normal values the median is 1 */
	cr_expect_float_eq(order_median(s[0].order), 1, 0.1);
	cr_expect_float_eq(distinct_count(s[1].distinct), 3000, 300);
	statistic_clear(&s[0], STATISTIC_ORDER);
	statistic_clear(&s[1], STATISTIC_DISTINCT);
	fill(&s[0], STATISTIC_ORDER, 500, false, true);
	cr_expect_leq(statistic_bytes(&s[0], STATISTIC_ORDER), 96);
	fill(&s[1], STATISTIC_DISTINCT, 500, false, true);
	cr_expect_leq(statistic_bytes(&s[1], STATISTIC_DISTINCT), 64);
	statistic_clear(&s[0], STATISTIC_ORDER);
	statistic_clear(&s[1], STATISTIC_DISTINCT);
}

/* Numbers */

Test(numbers, the_lowest_that_is_free_is_given_out)
{
	struct numbers s = { 0 };
	int *table = NULL;

	for (uint32_t i = 0; i < 100; i++) {
		table = numbers_table(&s, table, sizeof(*table));
		cr_assert_not_null(table);
		cr_assert_eq(table[i], 0, "new elements are zero");
		cr_assert_eq(numbers_take(&s), i);
	}
	for (uint32_t i = 0; i < 100; i += 3)
		numbers_give_back(&s, (i * 37) % 100);
	cr_expect_eq(numbers_taken(&s), 66);
	for (uint32_t i = 0, last = 0; i < 34; i++) {
		uint32_t next;

		cr_assert_eq(numbers_growth(&s, sizeof(*table)), 0);
		table = numbers_table(&s, table, sizeof(*table));
		next = numbers_take(&s);
		cr_assert(i == 0 || next > last);
		last = next;
	}
	cr_expect_eq(numbers_take(&s), 100);
	cr_expect_eq(numbers_bytes(&s, sizeof(*table)),
	    128 * (sizeof(*table) + sizeof(uint32_t)));
	free(table);
	numbers_clear(&s);
}

Test(statistic, scarce_memory_lets_groups_join_the_nearest)
{
	union statistic s;
	size_t before = 0;

	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < 100; i++) {
		struct observation o = { .kind = STATISTIC_TIMES,
			.n = 1,
			.scarce = i >= 2,
			.where = { .cell = i, .at = { i } } };

		cr_assert_eq(statistic_add(&s, &o, false), 0);
		if (i == 1)
			before = statistic_bytes(&s, STATISTIC_TIMES);
	}
	cr_expect_eq(statistic_bytes(&s, STATISTIC_TIMES), before);
	cr_expect_eq(s.groups->ngroups, 2);
	cr_expect_eq(s.groups->group[0].n, 1);
	cr_expect_eq(s.groups->group[1].n, 99);
	statistic_clear(&s, STATISTIC_TIMES);
}
