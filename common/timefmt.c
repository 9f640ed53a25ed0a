/*
 * Owns time formats: compiling a pattern into elements, and the two formats
 * that are numbers. Letters and counts mean what java.time's DateTimeFormatter
 * gives them; those of week-based years, padding and localised names are not
 * there, and a pattern that has one is not valid.
 */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "common/timefmt_int.h"

#define PATTERN_MAX 512 /* bytes; no sensible one comes near */
#define NESTING_MAX 16	/* of optional sections */
#define WIDTH_MAX 19	/* digits of a number of free width */
#define NANO_DIGITS 9

enum timefmt_kind { KIND_EPOCH, KIND_EPOCH_MS, KIND_PATTERN };

struct timefmt {
	enum timefmt_kind kind;
	size_t n;
	struct timefmt_element *element; /* owned */
};

enum letter_class {
	LETTER_YEAR,
	LETTER_NUMBER,	    /* one or two letters */
	LETTER_DAY_OF_YEAR, /* up to three */
	LETTER_LONG_NUMBER, /* any count */
	LETTER_FRACTION,
	LETTER_NUMBER_OR_TEXT, /* text from three letters on */
	LETTER_TEXT,
	LETTER_AMPM,
	LETTER_OFFSET_X,
	LETTER_OFFSET_Z,
	LETTER_GMT_OFFSET,
	LETTER_ZONE_NAME,
	LETTER_ZONE_ID,
};

static const struct letter {
	char letter;
	enum letter_class class;
	enum timefmt_field field;
} letters[] = {
	{ 'G', LETTER_TEXT, TF_ERA },
	{ 'y', LETTER_YEAR, TF_YEAR_OF_ERA },
	{ 'u', LETTER_YEAR, TF_YEAR },
	{ 'Q', LETTER_NUMBER_OR_TEXT, TF_QUARTER },
	{ 'q', LETTER_NUMBER_OR_TEXT, TF_QUARTER },
	{ 'M', LETTER_NUMBER_OR_TEXT, TF_MONTH },
	{ 'L', LETTER_NUMBER_OR_TEXT, TF_MONTH },
	{ 'd', LETTER_NUMBER, TF_DAY },
	{ 'D', LETTER_DAY_OF_YEAR, TF_DAY_OF_YEAR },
	{ 'E', LETTER_TEXT, TF_WEEKDAY },
	{ 'e', LETTER_NUMBER_OR_TEXT, TF_WEEKDAY },
	{ 'a', LETTER_AMPM, TF_AMPM },
	{ 'H', LETTER_NUMBER, TF_HOUR },
	{ 'k', LETTER_NUMBER, TF_CLOCK_HOUR },
	{ 'K', LETTER_NUMBER, TF_AMPM_HOUR },
	{ 'h', LETTER_NUMBER, TF_CLOCK_AMPM_HOUR },
	{ 'm', LETTER_NUMBER, TF_MINUTE },
	{ 's', LETTER_NUMBER, TF_SECOND },
	{ 'S', LETTER_FRACTION, TF_NANO },
	{ 'n', LETTER_LONG_NUMBER, TF_NANO },
	{ 'A', LETTER_LONG_NUMBER, TF_MILLI_OF_DAY },
	{ 'N', LETTER_LONG_NUMBER, TF_NANO_OF_DAY },
	{ 'X', LETTER_OFFSET_X, TF_OFFSET },
	{ 'x', LETTER_OFFSET_X, TF_OFFSET },
	{ 'Z', LETTER_OFFSET_Z, TF_OFFSET },
	{ 'O', LETTER_GMT_OFFSET, TF_OFFSET },
	{ 'z', LETTER_ZONE_NAME, TF_OFFSET },
	{ 'V', LETTER_ZONE_ID, TF_OFFSET },
};

/* A pattern in the making. */
struct builder {
	struct timefmt_element *element; /* PATTERN_MAX of them, borrowed */
	size_t n;
	size_t optional[NESTING_MAX]; /* open sections */
	size_t depth;
	struct timefmt_element *number; /* that the next one would join */
	uint32_t mask;			/* fields that the pattern can set */
};

/* Something that is no number: what came before keeps its free width. */
static struct timefmt_element *
add_element(struct builder *b, enum timefmt_op op, enum timefmt_field field)
{
	struct timefmt_element *el = &b->element[b->n++];

	memset(el, 0, sizeof(*el));
	el->op = op;
	el->field = field;
	b->number = NULL;
	return el;
}

static void
add_literal(struct builder *b, char c)
{
	add_element(b, TF_OP_LITERAL, TF_NFIELDS)->literal = c;
}

/*
 * A number that stands directly behind others: when its width is certain, the
 * first of them yields it that many digits; else that one's width is fixed,
 * and this one takes its place.
 */
static void
add_number(struct builder *b, enum timefmt_op op, enum timefmt_field field,
    int min, int max, enum timefmt_sign sign)
{
	struct timefmt_element *first = b->number;
	struct timefmt_element *el = add_element(b, op, field);

	el->min_width = min;
	el->max_width = max;
	el->sign = sign;
	b->mask |= TF_BIT(field);
	if (first == NULL) {
		b->number = el;
		return;
	}
	if (min == max && sign == TF_SIGN_NONE) {
		first->reserved += max;
		el->reserved = TF_FIXED;
		b->number = first;
	} else {
		first->reserved = TF_FIXED;
		b->number = el;
	}
}

static bool
add_year(struct builder *b, enum timefmt_field field, int count)
{
	if (count > WIDTH_MAX)
		return false;
	if (count == 2)
		add_number(b, TF_OP_SHORT_YEAR, field, 2, 2, TF_SIGN_NONE);
	else
		add_number(
		    b, TF_OP_NUMBER, field, count, WIDTH_MAX, TF_SIGN_ANY);
	return true;
}

static bool
add_short_number(struct builder *b, enum timefmt_field field, int count)
{
	if (count == 1)
		add_number(b, TF_OP_NUMBER, field, 1, WIDTH_MAX, TF_SIGN_ANY);
	else if (count == 2)
		add_number(b, TF_OP_NUMBER, field, 2, 2, TF_SIGN_NONE);
	else
		return false;
	return true;
}

static bool
add_text(struct builder *b, enum timefmt_field field, int count)
{
	add_element(b, TF_OP_TEXT, field);
	b->mask |= TF_BIT(field);
	return count <= 5;
}

static bool
add_offset(struct builder *b, bool colon, const char *zero)
{
	struct timefmt_element *el = add_element(b, TF_OP_OFFSET, TF_OFFSET);

	el->colon = colon;
	el->zero = zero;
	return true;
}

/* Z, ZZ, ZZZ: +hhmm; ZZZZ: GMT+hh:mm; ZZZZZ: +hh:mm or Z. */
static bool
add_offset_z(struct builder *b, int count)
{
	if (count < 4)
		return add_offset(b, false, "+0000");
	if (count == 5)
		return add_offset(b, true, "Z");
	add_element(b, TF_OP_GMT_OFFSET, TF_OFFSET)->min_width = 2;
	return count == 4;
}

/* X takes Z for UTC; x takes zeros. Odd counts from three on have colons. */
static bool
add_offset_x(struct builder *b, char letter, int count)
{
	bool colon = count == 3 || count == 5;
	const char *zeros = count == 1 ? "+00" : colon ? "+00:00" : "+0000";

	return count <= 5 && add_offset(b, colon, letter == 'X' ? "Z" : zeros);
}

static bool
add_field(struct builder *b, const struct letter *l, int count)
{
	switch (l->class) {
	case LETTER_YEAR:
		return add_year(b, l->field, count);
	case LETTER_NUMBER:
		return add_short_number(b, l->field, count);
	case LETTER_DAY_OF_YEAR:
		if (count == 1)
			return add_short_number(b, l->field, count);
		add_number(b, TF_OP_NUMBER, l->field, count, 3, TF_SIGN_NONE);
		return count <= 3;
	case LETTER_LONG_NUMBER:
		add_number(
		    b, TF_OP_NUMBER, l->field, count, WIDTH_MAX, TF_SIGN_NONE);
		return count <= WIDTH_MAX;
	case LETTER_FRACTION:
		add_number(
		    b, TF_OP_FRACTION, l->field, count, count, TF_SIGN_NONE);
		return count <= NANO_DIGITS;
	case LETTER_NUMBER_OR_TEXT:
		return count < 3 ? add_short_number(b, l->field, count)
				 : add_text(b, l->field, count);
	case LETTER_TEXT:
		return add_text(b, l->field, count);
	case LETTER_AMPM:
		return add_text(b, l->field, count) && count == 1;
	case LETTER_OFFSET_X:
		return add_offset_x(b, l->letter, count);
	case LETTER_OFFSET_Z:
		return add_offset_z(b, count);
	case LETTER_GMT_OFFSET:
		add_element(b, TF_OP_GMT_OFFSET, l->field)->min_width =
		    count == 1 ? 1 : 2;
		return count == 1 || count == 4;
	case LETTER_ZONE_NAME:
		add_element(b, TF_OP_ZONE, l->field);
		return count <= 4;
	case LETTER_ZONE_ID:
		add_element(b, TF_OP_ZONE, l->field);
		return count == 2;
	}
	return false;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A run of one letter; *p then stands behind it. */
static bool
compile_letters(struct builder *b, const char **p)
{
	char c = **p;
	int count = 0;

	for (; **p == c; (*p)++)
		count++;
	for (size_t i = 0; i < NELEM(letters); i++)
		if (letters[i].letter == c)
			return add_field(b, &letters[i], count);
	return false;
}

/* Text in quotes; two quotes are one, inside and outside. */
static bool
compile_quoted(struct builder *b, const char **p)
{
	if (*++*p == '\'') {
		(*p)++;
		add_literal(b, '\'');
		return true;
	}
	for (;; (*p)++) {
		if (**p == '\0')
			return false;
		if (**p == '\'' && *++*p != '\'')
			return true;
		add_literal(b, **p);
	}
}

static bool
open_optional(struct builder *b)
{
	if (b->depth == NESTING_MAX)
		return false;
	b->optional[b->depth++] = b->n;
	add_element(b, TF_OP_OPTIONAL, TF_NFIELDS);
	return true;
}

static bool
close_optional(struct builder *b)
{
	size_t at;

	if (b->depth == 0)
		return false;
	at = b->optional[--b->depth];
	b->element[at].skip = b->n - at - 1;
	b->number = NULL;
	return true;
}

static bool
compile_one(struct builder *b, const char **p)
{
	char c = **p;

	if (is_letter(c))
		return compile_letters(b, p);
	if (c == '\'')
		return compile_quoted(b, p);
	(*p)++;
	if (c == '[')
		return open_optional(b);
	if (c == ']')
		return close_optional(b);
	if (strchr("{}#", c) != NULL)
		return false;
	add_literal(b, c);
	return true;
}

static bool
compile(struct builder *b, const char *pattern)
{
	while (*pattern != '\0')
		if (!compile_one(b, &pattern))
			return false;
	while (b->depth > 0)
		(void)close_optional(b);
	return timefmt_is_complete(b->mask);
}

/* NULL with EINVAL or ENOMEM. */
static struct timefmt *
new_pattern(const char *pattern)
{
	struct timefmt_element element[PATTERN_MAX];
	struct builder b = { .element = element };
	struct timefmt *tf;

	/* No byte of a pattern makes more than one element. */
	if (strlen(pattern) > PATTERN_MAX || !compile(&b, pattern)) {
		errno = EINVAL;
		return NULL;
	}
	tf = calloc(1, sizeof(*tf));
	if (tf == NULL)
		return NULL;
	tf->kind = KIND_PATTERN;
	tf->n = b.n;
	tf->element = reallocarray(NULL, b.n, sizeof(element[0]));
	if (tf->element == NULL) {
		free(tf);
		return NULL;
	}
	memcpy(tf->element, element, b.n * sizeof(element[0]));
	return tf;
}

struct timefmt *
timefmt_new(const char *format)
{
	struct timefmt *tf;

	if (strcmp(format, "epoch") != 0 && strcmp(format, "epoch_ms") != 0)
		return new_pattern(format);
	tf = calloc(1, sizeof(*tf));
	if (tf != NULL)
		tf->kind =
		    strcmp(format, "epoch") == 0 ? KIND_EPOCH : KIND_EPOCH_MS;
	return tf;
}

void
timefmt_free(struct timefmt *tf)
{
	if (tf == NULL)
		return;
	free(tf->element);
	free(tf);
}

/* Toward zero, and held so that neither it nor TIME_UNSET overflows. */
static int64_t
whole(double v, int64_t limit)
{
	if (isnan(v))
		return 0;
	if (v >= (double)limit)
		return limit;
	if (v <= -(double)limit)
		return -limit;
	return (int64_t)v;
}

static int
parse_pattern(const struct timefmt *tf, const char *text, size_t len, int year,
    int64_t *ms)
{
	struct timefmt_cursor c = { text, text };
	struct timefmt_fields f = { .mask = 0 };

	if (len > 0)
		c.end = text + len;
	if (timefmt_read(tf->element, tf->n, &c, &f) && c.p == c.end &&
	    timefmt_resolve(&f, year, ms))
		return 0;
	errno = EINVAL;
	return -1;
}

int
timefmt_parse(const struct timefmt *tf, const char *text, size_t len, int year,
    int64_t *ms)
{
	double v;

	if (tf->kind == KIND_PATTERN)
		return parse_pattern(tf, text, len, year, ms);
	if (number_parse(text, len, &v) == -1)
		return -1;
	if (tf->kind == KIND_EPOCH)
		*ms = whole(v, INT64_MAX / 1000) * 1000;
	else
		*ms = whole(v, INT64_MAX);
	return 0;
}
