/* The options of a request that say which series of a job is meant. */
#ifndef SUPERVISOR_SERIESWISH_H
#define SUPERVISOR_SERIESWISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"
#include "supervisor/options.h"

struct serieswish {
	int64_t detector;      /* index; -1: any */
	const char *by;	       /* value, which may be empty; NULL: any */
	const char *partition; /* the same */
};

#define SERIESWISH_ANY                                                         \
	{                                                                      \
		.detector = -1                                                 \
	}

/* Three of a table of options; at: where the struct is in its target. */
#define SERIESWISH_OPTIONS(at)                                                 \
	{ "detector_index", OPTION_INT,                                        \
		(at) + offsetof(struct serieswish, detector), 0 },             \
	    { "by_field_value", OPTION_STRING,                                 \
		    (at) + offsetof(struct serieswish, by), 0 },               \
	{                                                                      \
		"partition_field_value", OPTION_STRING,                        \
		    (at) + offsetof(struct serieswish, partition), 0           \
	}

/* The first of these options that was given, or NULL. */
const char *serieswish_given(const struct options *);
/* As they were read. 0, or -1 with *e set (400). */
int serieswish_check(const struct options *, const struct serieswish *,
    struct apierr *e) MUST_CHECK;
/* The message points to the texts. */
void serieswish_put(const struct serieswish *, struct msg_query *);

#endif
