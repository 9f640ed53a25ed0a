/* What the three files behind timefmt.h share. Not for others. */
#ifndef COMMON_TIMEFMT_INT_H
#define COMMON_TIMEFMT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

enum timefmt_field {
	TF_ERA,		/* 0 before, 1 after Christ */
	TF_YEAR_OF_ERA, /* y */
	TF_YEAR,	/* u, proleptic */
	TF_QUARTER,
	TF_MONTH,
	TF_DAY,
	TF_DAY_OF_YEAR,
	TF_WEEKDAY, /* Monday 1 */
	TF_AMPM,
	TF_HOUR,	    /* H 0-23 */
	TF_CLOCK_HOUR,	    /* k 1-24 */
	TF_AMPM_HOUR,	    /* K 0-11 */
	TF_CLOCK_AMPM_HOUR, /* h 1-12 */
	TF_MINUTE,
	TF_SECOND,
	TF_NANO,
	TF_MILLI_OF_DAY,
	TF_NANO_OF_DAY,
	TF_OFFSET, /* seconds east of UTC */
	TF_NFIELDS
};

#define TF_BIT(field) (UINT32_C(1) << (field))

enum timefmt_op {
	TF_OP_LITERAL,
	TF_OP_NUMBER,
	TF_OP_SHORT_YEAR, /* exactly two digits mean 2000 to 2099 */
	TF_OP_FRACTION,
	TF_OP_TEXT,
	TF_OP_OFFSET,	  /* X x Z */
	TF_OP_GMT_OFFSET, /* O ZZZZ */
	TF_OP_ZONE,	  /* z VV */
	TF_OP_OPTIONAL,	  /* the next skip elements may be absent */
};

enum timefmt_sign { TF_SIGN_ANY, TF_SIGN_NONE };

/* A number whose width is fixed because another one follows at once. */
#define TF_FIXED (-1)

struct timefmt_element {
	enum timefmt_op op;
	enum timefmt_field field;
	int min_width;
	int max_width;
	int reserved; /* digits of the numbers that follow, or TF_FIXED */
	enum timefmt_sign sign;
	bool colon;	  /* offsets: hh:mm */
	const char *zero; /* offsets: what stands for UTC; static */
	char literal;
	size_t skip;
};

struct timefmt_fields {
	uint32_t mask; /* TF_BIT of those that are set */
	int64_t value[TF_NFIELDS];
};

struct timefmt_cursor {
	const char *p;
	const char *end;
};

/*
 * Read what the elements ask for. Returns false, with c and f undefined, when
 * the text does not match. c stands behind the text that was read.
 */
bool timefmt_read(const struct timefmt_element *, size_t n,
    struct timefmt_cursor *c, struct timefmt_fields *f);

/* Whether these fields give a date (but for the year) and a time of day. */
bool timefmt_is_complete(uint32_t mask);

/*
 * The instant that the fields mean; default_year where they have none. False
 * when a value is out of range or two contradict each other.
 */
bool timefmt_resolve(
    const struct timefmt_fields *f, int default_year, int64_t *ms);

#endif
