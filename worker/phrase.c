/* Owns the names of what models are of. */
#include "common/compat.h"

#include <string.h>

#include "worker/phrase.h"

/* The tail of each: of one series by itself, or of people among others. */
#define BOTH(words)                                                            \
	{                                                                      \
		"'" words " by person'", "'" words " by person and attribute'" \
	}
#define SIDES_OF(words)                                                        \
	{                                                                      \
		BOTH(words), BOTH("low " words), BOTH("high " words)           \
	}

#define NTAILS 2

static const struct {
	enum function_kind kind;
	const char *description; /* NULL: whichever there is */
	const char *side[3][NTAILS];
} phrases[] = {
	{ FN_COUNT, NULL,
	    { BOTH("count per bucket"), BOTH("low values of count per bucket"),
		BOTH("high values of count per bucket") } },
	{ FN_NON_ZERO_COUNT, NULL, SIDES_OF("non-zero count per bucket") },
	{ FN_DISTINCT_COUNT, NULL, SIDES_OF("unique count per bucket") },
	{ FN_INFO_CONTENT, NULL,
	    SIDES_OF("information content of value per bucket") },
	{ FN_MIN, NULL, SIDES_OF("minimum value") },
	{ FN_MAX, NULL, SIDES_OF("maximum value") },
	{ FN_MEDIAN, NULL, SIDES_OF("median value") },
	{ FN_MEAN, NULL,
	    { BOTH("arithmetic mean value"), BOTH("low mean value"),
		BOTH("high mean value") } },
	{ FN_METRIC, "mean", SIDES_OF("arithmetic mean value") },
	{ FN_METRIC, "min", SIDES_OF("minimum value") },
	{ FN_METRIC, "max", SIDES_OF("maximum value") },
	{ FN_VARP, NULL, SIDES_OF("variance of values") },
	{ FN_SUM, NULL, SIDES_OF("bucket sum") },
	{ FN_NON_NULL_SUM, NULL, SIDES_OF("bucket non-null sum") },
	{ FN_TIME_OF_DAY, NULL, SIDES_OF("time-of-day per bucket") },
	{ FN_TIME_OF_WEEK, NULL, SIDES_OF("time-of-week per bucket") },
	{ FN_LAT_LONG, NULL, SIDES_OF("mean lat/long") },
	{ FN_RARE, NULL, SIDES_OF("indicator per bucket") },
	{ FN_FREQ_RARE, NULL, SIDES_OF("indicator per bucket") },
};

/* min and max have one side by their nature: no word says so. */
static enum function_side
said_side(const struct function_info *f)
{
	if (f->kind == FN_MIN || f->kind == FN_MAX)
		return SIDE_BOTH;
	return f->side;
}

const char *
phrase_of(const struct detector *d, const struct feature *f)
{
	int tail = d->over_field_name != NULL;

	for (size_t i = 0; i < NELEM(phrases); i++) {
		if (phrases[i].kind != d->function->kind ||
		    (phrases[i].description != NULL &&
			strcmp(phrases[i].description, f->description) != 0))
			continue;
		return phrases[i].side[said_side(d->function)][tail];
	}
	return d->function->description;
}
