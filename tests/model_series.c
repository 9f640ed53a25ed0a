/* Owns a series and its model, for tests. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "tests/model_series.h"

void
series_begin(struct series *s, enum model_kind kind, uint64_t seed)
{
	model_init(&s->m);
	model_params_init(&s->p, SPAN, 1344);
	s->kind = kind;
	s->r = random_seed(seed);
	s->time_s = 0;
}

void
series_end(struct series *s)
{
	model_clear(&s->m);
}

double
ask(const struct series *s, enum function_side side, double x)
{
	struct outlook o;

	model_look(&s->m, s->kind, s->time_s, x, &o);
	return model_ln_p(&s->m, &o, side);
}

double
expected(const struct series *s)
{
	struct outlook o;

	model_look(&s->m, s->kind, s->time_s, 0, &o);
	return o.expected;
}

double
learn(struct series *s, double x)
{
	struct outlook o;
	double ln_p;

	model_look(&s->m, s->kind, s->time_s, x, &o);
	ln_p = model_ln_p(&s->m, &o, SIDE_BOTH);
	cr_assert_eq(model_learn(&s->m, &s->p, &o, true), 0);
	s->time_s += SPAN;
	return ln_p;
}

void
learn_normal(struct series *s, size_t n, double mean, double sd)
{
	for (size_t i = 0; i < n; i++)
		(void)learn(s, mean + sd * random_normal(&s->r));
}
