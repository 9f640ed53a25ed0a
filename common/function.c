/* Owns the table of detector functions. */
#include "common/compat.h"

#include <string.h>

#include "common/jobconf.h"

/* One row per function; a column of aliases for the short spellings. */
static const struct {
	struct function_info info;
	const char *alias; /* or NULL */
} functions[] = {
#define ROW(name, alias, description, kind, side)                              \
	{                                                                      \
		{ name, description, kind, side }, alias                       \
	}
	/* clang-format off */
	ROW("count", "c", "count", FN_COUNT, SIDE_BOTH),
	ROW("low_count", "low_c", "count", FN_COUNT, SIDE_LOW),
	ROW("high_count", "high_c", "count", FN_COUNT, SIDE_HIGH),
	ROW("non_zero_count", "nzc", "count", FN_NON_ZERO_COUNT, SIDE_BOTH),
	ROW("low_non_zero_count", "low_nzc", "count", FN_NON_ZERO_COUNT,
	    SIDE_LOW),
	ROW("high_non_zero_count", "high_nzc", "count", FN_NON_ZERO_COUNT,
	    SIDE_HIGH),
	ROW("distinct_count", "dc", "distinct_count", FN_DISTINCT_COUNT,
	    SIDE_BOTH),
	ROW("low_distinct_count", "low_dc", "distinct_count",
	    FN_DISTINCT_COUNT, SIDE_LOW),
	ROW("high_distinct_count", "high_dc", "distinct_count",
	    FN_DISTINCT_COUNT, SIDE_HIGH),
	ROW("info_content", NULL, "info_content", FN_INFO_CONTENT, SIDE_BOTH),
	ROW("low_info_content", NULL, "info_content", FN_INFO_CONTENT,
	    SIDE_LOW),
	ROW("high_info_content", NULL, "info_content", FN_INFO_CONTENT,
	    SIDE_HIGH),
	ROW("rare", NULL, "rare", FN_RARE, SIDE_BOTH),
	ROW("freq_rare", NULL, "rare", FN_FREQ_RARE, SIDE_BOTH),
	ROW("min", NULL, "min", FN_MIN, SIDE_LOW),
	ROW("max", NULL, "max", FN_MAX, SIDE_HIGH),
	ROW("median", NULL, "median", FN_MEDIAN, SIDE_BOTH),
	ROW("low_median", NULL, "median", FN_MEDIAN, SIDE_LOW),
	ROW("high_median", NULL, "median", FN_MEDIAN, SIDE_HIGH),
	ROW("mean", NULL, "mean", FN_MEAN, SIDE_BOTH),
	ROW("low_mean", NULL, "mean", FN_MEAN, SIDE_LOW),
	ROW("high_mean", NULL, "mean", FN_MEAN, SIDE_HIGH),
	ROW("avg", NULL, "mean", FN_MEAN, SIDE_BOTH),
	ROW("low_avg", NULL, "mean", FN_MEAN, SIDE_LOW),
	ROW("high_avg", NULL, "mean", FN_MEAN, SIDE_HIGH),
	ROW("metric", NULL, "metric", FN_METRIC, SIDE_BOTH),
	ROW("varp", NULL, "varp", FN_VARP, SIDE_BOTH),
	ROW("low_varp", NULL, "varp", FN_VARP, SIDE_LOW),
	ROW("high_varp", NULL, "varp", FN_VARP, SIDE_HIGH),
	ROW("sum", NULL, "sum", FN_SUM, SIDE_BOTH),
	ROW("low_sum", NULL, "sum", FN_SUM, SIDE_LOW),
	ROW("high_sum", NULL, "sum", FN_SUM, SIDE_HIGH),
	ROW("non_null_sum", NULL, "sum", FN_NON_NULL_SUM, SIDE_BOTH),
	ROW("low_non_null_sum", NULL, "sum", FN_NON_NULL_SUM, SIDE_LOW),
	ROW("high_non_null_sum", NULL, "sum", FN_NON_NULL_SUM, SIDE_HIGH),
	ROW("time_of_day", NULL, "time", FN_TIME_OF_DAY, SIDE_BOTH),
	ROW("time_of_week", NULL, "time", FN_TIME_OF_WEEK, SIDE_BOTH),
	ROW("lat_long", NULL, "lat_long", FN_LAT_LONG, SIDE_BOTH),
/* clang-format on */
#undef ROW
};

const struct function_info *
function_find(const char *name)
{
	for (size_t i = 0; i < NELEM(functions); i++)
		if (strcmp(functions[i].info.name, name) == 0 ||
		    (functions[i].alias != NULL &&
			strcmp(functions[i].alias, name) == 0))
			return &functions[i].info;
	return NULL;
}

const struct function_info *
function_at(size_t i)
{
	return i < NELEM(functions) ? &functions[i].info : NULL;
}
