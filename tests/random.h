/*
 * Numbers that look random and are the same in every run: splitmix64 of a
 * seed. For tests and benchmarks.
 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <math.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline struct random
random_seed(uint64_t seed)
{
	/* not a multiple of the step: else seeds were shifts of each other */
	return (struct random){ (seed + 1) * 0xd1342543de82ef95u };
}

/* Uniform in (0, 1). */
static inline double
random_uniform(struct random *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

/* Standard normal, by Box and Muller. */
static inline double
random_normal(struct random *r)
{
	double u = random_uniform(r);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * random_uniform(r));
}

/* By inversion; for means up to a few hundred. */
static inline double
random_poisson(struct random *r, double mean)
{
	double u = random_uniform(r), mass = exp(-mean), sum = mass, k = 0;

	while (u > sum && k < 10 * mean + 100) {
		k++;
		mass *= mean / k;
		sum += mass;
	}
	return k;
}

#endif
