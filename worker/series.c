/* Owns the tables of partitions and series. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "worker/series.h"

#define FIRST_ROOM 4

void
series_clear(struct series_table *t)
{
	for (uint32_t i = 0; i < t->nseries; i++)
		model_clear(&t->series[i].model);
	free(t->partition);
	free(t->series);
	keys_clear(&t->partition_of);
	keys_clear(&t->series_of);
	memset(t, 0, sizeof(*t));
}

uint32_t
partition_find(const struct series_table *t, uint32_t detector, uint32_t name)
{
	return keys_find(&t->partition_of, detector, name);
}

uint32_t
series_find(const struct series_table *t, uint32_t partition, uint32_t by)
{
	return keys_find(&t->series_of, partition, by);
}

/* Room for one more in an array that doubles; n is how many are in it. */
static void *
make_room(void *array, uint32_t n, size_t size)
{
	if (n == 0)
		return reallocarray(array, FIRST_ROOM, size);
	if (n < FIRST_ROOM || (n & (n - 1)) != 0)
		return array;
	return reallocarray(array, (size_t)n * 2, size);
}

uint32_t
partition_add(struct series_table *t, uint32_t detector, uint32_t name)
{
	struct partition *p;

	p = make_room(t->partition, t->npartitions, sizeof(*p));
	if (p == NULL)
		return SERIES_NONE;
	t->partition = p;
	p += t->npartitions;
	memset(p, 0, sizeof(*p));
	p->detector = detector;
	p->name = name;
	if (keys_add(&t->partition_of, detector, name, t->npartitions) == -1)
		return SERIES_NONE;
	return t->npartitions++;
}

uint32_t
series_add(
    struct series_table *t, uint32_t partition, uint32_t by, int64_t last_s)
{
	struct series *s;

	s = make_room(t->series, t->nseries, sizeof(*s));
	if (s == NULL)
		return SERIES_NONE;
	t->series = s;
	s += t->nseries;
	memset(s, 0, sizeof(*s));
	s->partition = partition;
	s->by = by;
	s->last_s = last_s;
	model_init(&s->model);
	if (keys_add(&t->series_of, partition, by, t->nseries) == -1)
		return SERIES_NONE;
	return t->nseries++;
}

size_t
series_bytes(const struct series_table *t)
{
	return t->npartitions * PARTITION_COST + t->nseries * SERIES_COST +
	    t->table_bytes;
}
