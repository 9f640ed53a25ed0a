/* Places: the geometry against other formulas, and what becomes of new ones. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/random.h"
#include "worker/globe.h"
#include "worker/places.h"

#define RADIAN (M_PI / 180)

static struct position
place_at(double lat, double lon)
{
	struct position p;
	char text[64];

	snprintf(text, sizeof(text), "%.9f,%.9f", lat, lon);
	cr_assert_eq(globe_parse(text, strlen(text), &p), 0, "%s", text);
	return p;
}

static struct groups *
bucket_of(const double (*at)[2], size_t n)
{
	struct groups *g = NULL;

	for (size_t i = 0; i < n; i++) {
		struct position p = place_at(at[i][0], at[i][1]);

		cr_assert_eq(groups_add(&g, &p, 1, GROUPS_PLACES_MOST), 0);
	}
	return g;
}

static void
learn(struct places *p, double lat, double lon)
{
	const double at[1][2] = { { lat, lon } };
	struct groups *g = bucket_of(at, 1);

	places_learn(p, g);
	free(g);
}

static struct places_look
look(const struct places *p, double lat, double lon)
{
	const double at[1][2] = { { lat, lon } };
	struct groups *g = bucket_of(at, 1);
	struct places_look o;

	places_look(p, g, &o);
	free(g);
	return o;
}

/* Geometry */

static bool
is_place(const char *text)
{
	struct position p;

	return globe_parse(text, strlen(text), &p) == 0;
}

Test(places, texts_that_are_places_and_others)
{
	const char *const good[] = { "0,0", "52.52,13.40", " 52.52 , 13.40 ",
		"-33.87,151.21", "90,180", "-180,-180", "1e1,2" };
	const char *const bad[] = { "", ",", "1", "1,", ",1", "1;2", "1,2,3",
		"north,1", "180.01,0", "0,-180.5", "nan,1", "1,inf", "1 2,3" };

	for (size_t i = 0; i < NELEM(good); i++)
		cr_expect(is_place(good[i]), "%s", good[i]);
	for (size_t i = 0; i < NELEM(bad); i++)
		cr_expect_not(is_place(bad[i]), "%s", bad[i]);
}

/* Haversine, which is another way to the same. */
static double
slow_distance(double lat_a, double lon_a, double lat_b, double lon_b)
{
	double s = sin((lat_b - lat_a) * RADIAN / 2);
	double t = sin((lon_b - lon_a) * RADIAN / 2);
	double h = s * s + cos(lat_a * RADIAN) * cos(lat_b * RADIAN) * t * t;

	return 2 * 6371.0088 * asin(fmin(1, sqrt(h)));
}

Test(places, distances_are_those_on_the_sphere)
{
	struct random r = random_seed(1);

	for (int i = 0; i < 2000; i++) {
		double lat[2], lon[2], slow;
		struct position a, b;

		for (int k = 0; k < 2; k++) {
			lat[k] = 180 * random_uniform(&r) - 90;
			lon[k] = 360 * random_uniform(&r) - 180;
		}
		if (i % 2 == 0) { /* neighbours */
			lat[1] = lat[0] * 0.99999;
			lon[1] = lon[0] + 1e-4;
		}
		a = place_at(lat[0], lon[0]);
		b = place_at(lat[1], lon[1]);
		slow = slow_distance(lat[0], lon[0], lat[1], lon[1]);
		cr_assert_float_eq(
		    globe_distance_km(a.at, b.at), slow, 1e-5 + 1e-7 * slow);
	}
}

Test(places, degrees_come_back)
{
	for (double lat = -90; lat <= 90; lat += 22.5) {
		for (double lon = -179; lon <= 180; lon += 17) {
			struct position p = place_at(lat, lon);
			double back[2];

			globe_degrees(p.at, &back[0], &back[1]);
			cr_expect_float_eq(back[0], lat, 1e-9);
			if (fabs(lat) < 90)
				cr_expect_float_eq(back[1], lon, 1e-9);
		}
	}
}

/* Places */

static void
scatter(struct places *p, double lat, double lon, int n)
{
	struct random r = random_seed(2);

	for (int i = 0; i < n; i++) {
		double a = lat + 0.05 * random_normal(&r);
		double b = lon + 0.05 * random_normal(&r);

		b -= b > 180 ? 360 : 0;
		learn(p, a, b);
	}
}

Test(places, nothing_is_odd_to_who_knows_nothing)
{
	struct places p = { .n = 0 };
	struct places_look o = look(&p, 10, 20);

	cr_expect_eq(o.ln_p, 0);
	cr_expect_float_eq(o.typical[0], 10, 1e-9);
	cr_expect_float_eq(o.typical[1], 20, 1e-9);
}

Test(places, the_antimeridian_is_no_edge)
{
	struct places p = { .n = 0 };
	struct places_look o;

	scatter(&p, -17, 179.99, 100);
	cr_expect_eq(p.nplaces, 1);
	cr_expect_gt(look(&p, -17, 179.97).ln_p, -1);
	cr_expect_gt(look(&p, -17, -179.97).ln_p, -1);
	o = look(&p, -17, 0);
	cr_expect_lt(o.ln_p, -20);
	cr_expect_float_eq(fabs(o.typical[1]), 180, 0.1);
	cr_expect_float_eq(o.actual[1], 0, 1e-9);
}

Test(places, neither_is_a_pole)
{
	struct places p = { .n = 0 };

	for (int i = 0; i < 100; i++)
		learn(&p, 89.97, i * 7 % 360 - 180);
	cr_expect_eq(p.nplaces, 1);
	cr_expect_gt(look(&p, 89.97, 33).ln_p, -3);
	cr_expect_float_eq(look(&p, 0, 0).typical[0], 90, 0.1);
}

Test(places, a_new_place_is_odd_and_then_usual)
{
	struct places p = { .n = 0 };
	double first, second;

	scatter(&p, 52.5, 13.4, 200);
	first = look(&p, -33.9, 151.2).ln_p;
	cr_expect_lt(first, -20);
	learn(&p, -33.9, 151.2);
	cr_expect_eq(p.nplaces, 2);
	second = look(&p, -33.9, 151.2).ln_p;
	cr_expect_gt(second, -6);
	/* rarer than the other, and what lies between is none */
	cr_expect_lt(second, look(&p, 52.5, 13.4).ln_p - 1);
	cr_expect_lt(look(&p, 25, 70).ln_p, -10);
}

Test(places, those_who_scatter_may_scatter)
{
	struct places near = { .n = 0 }, wide = { .n = 0 };
	struct random r = random_seed(3);

	for (int i = 0; i < 300; i++) {
		learn(&near, 48 + 0.01 * random_normal(&r),
		    9 + 0.01 * random_normal(&r));
		learn(&wide, 48 + 0.15 * random_normal(&r),
		    9 + 0.15 * random_normal(&r));
	}
	cr_expect_lt(look(&near, 48.3, 9).ln_p, look(&wide, 48.3, 9).ln_p - 3);
}

Test(places, the_oddest_of_a_bucket_speaks)
{
	const double at[3][2] = { { 52.5, 13.4 }, { -33.9, 151.2 },
		{ 52.5, 13.3 } };
	struct places p = { .n = 0 };
	struct groups *g = bucket_of(at, NELEM(at));
	struct places_look o;

	scatter(&p, 52.5, 13.4, 100);
	places_look(&p, g, &o);
	cr_expect_eq(g->ngroups, 2, "both of the first town in one cell");
	cr_expect_float_eq(o.actual[0], -33.9, 1e-9);
	cr_expect_float_eq(o.actual[1], 151.2, 1e-9);
	cr_expect_float_eq(o.typical[0], 52.5, 0.1);
	cr_expect_float_eq(o.ln_p, look(&p, -33.9, 151.2).ln_p + log(2), 1e-9);
	free(g);
}

Test(places, of_many_the_lightest_makes_room)
{
	struct places p = { .n = 0 };

	for (int i = 0; i < 40; i++) {
		scatter(&p, 10, 10, 3);
		learn(&p, -60 + 3 * i, -170 + 8 * i);
		cr_assert_leq(p.nplaces, PLACES_MOST);
	}
	cr_expect_gt(look(&p, 10, 10).ln_p, -1);
	places_forget(&p, 1e-5);
	cr_expect_eq(p.nplaces, 1, "what weighs nothing goes");
	places_forget(&p, 0);
	cr_expect_eq(p.nplaces, 0);
	cr_expect_eq(look(&p, 10, 10).ln_p, 0);
}
