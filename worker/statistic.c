/* Owns the kinds of statistics. */
#include "common/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/statistic.h"

static uint32_t
order_bins(bool part)
{
	return part ? ORDER_PART_BINS : ORDER_BINS;
}

static uint32_t
distinct_registers(bool part)
{
	return part ? DISTINCT_PART_REGISTERS : DISTINCT_REGISTERS;
}

/* What there is room for: once memory is scarce no more than there is. */
static uint32_t
order_most(const struct order *s, bool part, bool scarce)
{
	if (!scarce)
		return order_bins(part);
	return s == NULL ? ORDER_FIRST_BINS : s->room;
}

static uint32_t
distinct_most(const struct distinct *s, bool part, bool scarce)
{
	if (!scarce)
		return distinct_registers(part);
	return s == NULL ? DISTINCT_FIRST_REGISTERS : s->room;
}

bool
statistic_grows(enum statistic_kind kind)
{
	return kind != STATISTIC_TALLY && kind != STATISTIC_MOMENTS;
}

static uint32_t
groups_most(enum statistic_kind kind, bool part)
{
	if (part)
		return GROUPS_PART_MOST;
	return kind == STATISTIC_TIMES ? GROUPS_TIMES_MOST : GROUPS_PLACES_MOST;
}

static uint32_t
groups_room(const struct groups *s, const struct observation *o, bool part)
{
	if (!o->scarce)
		return groups_most(o->kind, part);
	return s == NULL ? 1 : s->room;
}

int
statistic_add(union statistic *s, const struct observation *o, bool part)
{
	switch (o->kind) {
	case STATISTIC_TALLY:
		tally_add(&s->tally, o->value, o->n, o->times_events);
		break;
	case STATISTIC_MOMENTS:
		moments_add(&s->moments, o->value);
		break;
	case STATISTIC_ORDER:
		return order_add(
		    &s->order, o->value, order_most(s->order, part, o->scarce));
	case STATISTIC_DISTINCT:
		return distinct_add(&s->distinct, o->hash,
		    distinct_most(s->distinct, part, o->scarce));
	case STATISTIC_CONTENT:
		return content_add(
		    &s->content, o->hash, o->text, part, o->scarce);
	case STATISTIC_TIMES:
	case STATISTIC_PLACES:
		return groups_add(&s->groups, &o->where, o->n,
		    groups_room(s->groups, o, part));
	}
	return 0;
}

double
statistic_mass(const struct observation *o)
{
	switch (o->kind) {
	case STATISTIC_TALLY:
		return fabs(o->times_events ? o->value * o->n : o->value);
	case STATISTIC_MOMENTS:
		return fabs(o->value);
	case STATISTIC_TIMES:
	case STATISTIC_PLACES:
		return o->n;
	case STATISTIC_ORDER:
	case STATISTIC_DISTINCT:
	case STATISTIC_CONTENT:
		break;
	}
	return 1;
}

void
statistic_clear(union statistic *s, enum statistic_kind kind)
{
	if (kind == STATISTIC_ORDER)
		free(s->order);
	else if (kind == STATISTIC_DISTINCT)
		free(s->distinct);
	else if (kind == STATISTIC_CONTENT)
		content_free(s->content);
	else if (kind == STATISTIC_TIMES || kind == STATISTIC_PLACES)
		free(s->groups);
	memset(s, 0, sizeof(*s));
}

size_t
statistic_bytes(const union statistic *s, enum statistic_kind kind)
{
	switch (kind) {
	case STATISTIC_ORDER:
		return order_bytes(s->order);
	case STATISTIC_DISTINCT:
		return distinct_bytes(s->distinct);
	case STATISTIC_CONTENT:
		return content_bytes(s->content);
	case STATISTIC_TIMES:
	case STATISTIC_PLACES:
		return groups_bytes(s->groups);
	case STATISTIC_TALLY:
	case STATISTIC_MOMENTS:
		break;
	}
	return 0;
}

int
statistic_save(const union statistic *s, enum statistic_kind kind,
    struct snapshot_writer *w)
{
	switch (kind) {
	case STATISTIC_MOMENTS:
		return snapshot_put(w, &moments_schema, &s->moments);
	case STATISTIC_ORDER:
		return order_save(s->order, w);
	case STATISTIC_DISTINCT:
		return distinct_save(s->distinct, w);
	case STATISTIC_CONTENT:
		return content_save(s->content, w);
	case STATISTIC_TIMES:
	case STATISTIC_PLACES:
		return groups_save(s->groups, w);
	case STATISTIC_TALLY:
		break;
	}
	return snapshot_put(w, &tally_schema, &s->tally);
}

/* What grows is never empty: its schema asks for one. */
int
statistic_load(union statistic *s, enum statistic_kind kind, bool part,
    struct snapshot_reader *r)
{
	switch (kind) {
	case STATISTIC_ORDER:
		return order_load(&s->order, order_bins(part), r);
	case STATISTIC_DISTINCT:
		return distinct_load(&s->distinct, distinct_registers(part), r);
	case STATISTIC_CONTENT:
		return content_load(&s->content, part, r);
	case STATISTIC_TIMES:
	case STATISTIC_PLACES:
		return groups_load(&s->groups, groups_most(kind, part), r);
	case STATISTIC_MOMENTS:
		if (snapshot_get(r, &moments_schema, &s->moments) == -1)
			return -1;
		if (s->moments.n > 0)
			return 0;
		break;
	case STATISTIC_TALLY:
		if (snapshot_get(r, &tally_schema, &s->tally) == -1)
			return -1;
		if (s->tally.n > 0)
			return 0;
		break;
	}
	errno = EBADMSG;
	return -1;
}
