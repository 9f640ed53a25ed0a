/* Owns the options that say which series is meant. */
#include "common/compat.h"

#include <string.h>

#include "supervisor/serieswish.h"

const char *
serieswish_given(const struct options *os)
{
	static const char *const names[] = { "detector_index", "by_field_value",
		"partition_field_value" };

	for (size_t i = 0; i < NELEM(names); i++)
		if (options_given(os, names[i]))
			return names[i];
	return NULL;
}

int
serieswish_check(
    const struct options *os, const struct serieswish *s, struct apierr *e)
{
	const struct {
		const char *option, *value;
	} values[] = { { "by_field_value", s->by },
		{ "partition_field_value", s->partition } };

	if (options_given(os, "detector_index") &&
	    (s->detector < 0 || s->detector >= INT32_MAX))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "[detector_index] has to be the index of a detector, from "
		    "0 on");
	for (size_t i = 0; i < NELEM(values); i++)
		if (values[i].value != NULL &&
		    strlen(values[i].value) > MSG_VALUE_MAX)
			return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
			    "[%s] cannot have more than %d bytes",
			    values[i].option, MSG_VALUE_MAX);
	return 0;
}

void
serieswish_put(const struct serieswish *s, struct msg_query *m)
{
	m->detector = (uint32_t)(s->detector + 1);
	m->by_given = s->by != NULL;
	m->by_value = span_of(s->by);
	m->partition_given = s->partition != NULL;
	m->partition_value = span_of(s->partition);
}
