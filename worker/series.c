/* Owns the tables of partitions and series. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/series.h"

static size_t
bytes_of(uint32_t nmodels)
{
	return sizeof(struct series) + nmodels * sizeof(struct model);
}

static size_t
bytes_of_crowd(uint32_t nmodels)
{
	return nmodels * sizeof(struct crowd);
}

static void
free_series(struct series *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->nmodels; i++)
		model_clear(&s->model[i]);
	if (s->role == SERIES_MEMBER) {
		free(s->haunts);
	} else {
		special_free(s->special);
		free(s->crowd);
	}
	free(s);
}

static void
free_partition(struct partition *p)
{
	if (p != NULL)
		free(p->rarity);
	free(p);
}

void
series_clear(struct series_table *t)
{
	for (uint32_t i = 0; i < t->numbers.n; i++)
		free_series(t->series[i]);
	for (uint32_t i = 0; i < t->partitions.n; i++)
		free_partition(t->partition[i]);
	free(t->partition);
	free(t->series);
	numbers_clear(&t->partitions);
	numbers_clear(&t->numbers);
	keys_clear(&t->partition_of);
	keys_clear(&t->series_of);
	keys_clear(&t->member_of);
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

uint32_t
member_find(const struct series_table *t, uint32_t attribute, uint32_t over)
{
	return keys_find(&t->member_of, attribute, over);
}

/* Room for one more in either table. */
static int
room_for_partition(struct series_table *t)
{
	struct partition **grown = numbers_table(
	    &t->partitions, t->partition, sizeof(t->partition[0]));

	if (grown == NULL)
		return -1;
	t->partition = grown;
	return 0;
}

static int
room_for_series(struct series_table *t)
{
	struct series **grown =
	    numbers_table(&t->numbers, t->series, sizeof(t->series[0]));

	if (grown == NULL)
		return -1;
	t->series = grown;
	return 0;
}

uint32_t
partition_add(
    struct series_table *t, uint32_t detector, uint32_t name, int64_t start_s)
{
	struct partition *p;
	uint32_t number;

	if (room_for_partition(t) == -1 ||
	    keys_reserve(&t->partition_of, t->partition_of.n + 1) == -1)
		return SERIES_NONE;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return SERIES_NONE;
	p->detector = detector;
	p->name = name;
	p->first_s = p->peak_s = start_s;
	number = numbers_take(&t->partitions);
	if (keys_add(&t->partition_of, detector, name, number) == -1) {
		numbers_give_back(&t->partitions, number);
		free(p);
		return SERIES_NONE;
	}
	t->partition[number] = p;
	return number;
}

int
partition_watch(struct series_table *t, uint32_t partition)
{
	struct rarity *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -1;
	t->partition[partition]->rarity = r;
	t->bytes += sizeof(*r);
	return 0;
}

static struct series *
new_row(uint32_t partition, uint32_t by, uint32_t nmodels, int64_t last_s)
{
	struct series *s = calloc(1, bytes_of(nmodels));

	if (s == NULL)
		return NULL;
	s->partition = partition;
	s->by = by;
	s->over = NAMES_NONE;
	s->attribute = SERIES_NONE;
	s->last_s = s->data_s = last_s;
	s->nmodels = (uint16_t)nmodels;
	for (uint32_t i = 0; i < nmodels; i++)
		model_init(&s->model[i]);
	return s;
}

/* Give it a number; it is freed when there is none. */
static uint32_t
put_row(struct series_table *t, struct series *s, struct keys *keys, uint32_t a,
    uint32_t b)
{
	uint32_t number = numbers_take(&t->numbers);

	if (keys_add(keys, a, b, number) == -1) {
		numbers_give_back(&t->numbers, number);
		free_series(s);
		return SERIES_NONE;
	}
	t->series[number] = s;
	t->partition[s->partition]->nseries++;
	t->bytes += bytes_of(s->nmodels);
	return number;
}

uint32_t
series_add(struct series_table *t, uint32_t partition, uint32_t by,
    uint32_t nmodels, int64_t last_s)
{
	struct series *s;

	if (room_for_series(t) == -1)
		return SERIES_NONE;
	s = new_row(partition, by, nmodels, last_s);
	if (s == NULL)
		return SERIES_NONE;
	return put_row(t, s, &t->series_of, partition, by);
}

uint32_t
attribute_add(struct series_table *t, uint32_t partition, uint32_t by,
    uint32_t nmodels, int64_t last_s)
{
	struct crowd *crowd = NULL;
	uint32_t number;

	if (nmodels > 0) {
		crowd = calloc(nmodels, sizeof(*crowd));
		if (crowd == NULL)
			return SERIES_NONE;
	}
	number = series_add(t, partition, by, nmodels, last_s);
	if (number == SERIES_NONE) {
		free(crowd);
		return SERIES_NONE;
	}
	for (uint32_t i = 0; i < nmodels; i++)
		crowd_init(&crowd[i]);
	t->series[number]->role = SERIES_ATTRIBUTE;
	t->series[number]->place = 0;
	t->series[number]->crowd = crowd;
	t->bytes += bytes_of_crowd(nmodels);
	return number;
}

uint32_t
member_add(struct series_table *t, uint32_t partition, uint32_t attribute,
    uint32_t over, int64_t last_s)
{
	struct series *s;
	uint32_t number;

	if (room_for_series(t) == -1)
		return SERIES_NONE;
	s = new_row(partition, NAMES_NONE, 0, last_s);
	if (s == NULL)
		return SERIES_NONE;
	s->role = SERIES_MEMBER;
	habit_init(&s->habit);
	s->over = over;
	s->attribute = attribute;
	number = put_row(t, s, &t->member_of, attribute, over);
	t->nmembers += number != SERIES_NONE;
	return number;
}

int
series_make_special(
    struct series_table *t, uint32_t number, enum special_kind kind)
{
	struct special *special = special_new(kind);

	if (special == NULL) {
		series_remove(t, number);
		return -1;
	}
	t->series[number]->special = special;
	t->bytes += special_bytes(kind);
	return 0;
}

int
series_make_haunts(struct series_table *t, struct series *member)
{
	member->haunts = calloc(1, sizeof(*member->haunts));
	if (member->haunts == NULL)
		return -1;
	t->bytes += sizeof(*member->haunts);
	return 0;
}

/* In a snapshot a member may come before its attribute. */
int
series_join(struct series_table *t, uint32_t number)
{
	struct series *s = t->series[number], *of = NULL;

	if (s->attribute < t->numbers.n)
		of = t->series[s->attribute];
	if (of == NULL || of->role != SERIES_ATTRIBUTE ||
	    of->partition != s->partition) {
		errno = EBADMSG;
		return -1;
	}
	s->by = of->by;
	of->nmembers++;
	return 0;
}

void
series_touch(struct series_table *t, uint32_t number, int64_t start_s)
{
	struct series *s = t->series[number];

	if (s->data_s < start_s)
		s->data_s = start_s;
	if (s->role == SERIES_MEMBER)
		series_touch(t, s->attribute, start_s);
}

void
series_remove(struct series_table *t, uint32_t number)
{
	struct series *s = t->series[number];

	if (s->role == SERIES_MEMBER) {
		keys_remove(&t->member_of, s->attribute, s->over);
		t->series[s->attribute]->nmembers--;
		t->nmembers--;
	} else {
		keys_remove(&t->series_of, s->partition, s->by);
	}
	if (s->role != SERIES_MEMBER && s->crowd != NULL)
		t->bytes -= bytes_of_crowd(s->nmodels);
	t->partition[s->partition]->nseries--;
	t->bytes -= bytes_of(s->nmodels);
	for (uint32_t i = 0; i < s->nmodels; i++)
		t->bytes -= model_bytes(&s->model[i]);
	if (s->role == SERIES_MEMBER && s->haunts != NULL)
		t->bytes -= sizeof(*s->haunts);
	if (s->role != SERIES_MEMBER && s->special != NULL)
		t->bytes -= special_bytes(special_kind_of(s->special));
	free_series(s);
	t->series[number] = NULL;
	numbers_give_back(&t->numbers, number);
}

void
partition_remove(struct series_table *t, uint32_t number)
{
	struct partition *p = t->partition[number];

	keys_remove(&t->partition_of, p->detector, p->name);
	if (p->rarity != NULL)
		t->bytes -= sizeof(*p->rarity);
	free_partition(p);
	t->partition[number] = NULL;
	numbers_give_back(&t->partitions, number);
}

int
partition_skip(struct series_table *t)
{
	if (room_for_partition(t) == -1)
		return -1;
	(void)numbers_take(&t->partitions);
	return 0;
}

int
series_skip(struct series_table *t)
{
	if (room_for_series(t) == -1)
		return -1;
	(void)numbers_take(&t->numbers);
	return 0;
}

/* As many keys of partitions as numbers were there once. */
int
series_loaded(struct series_table *t)
{
	for (uint32_t i = 0; i < t->partitions.n; i++) {
		if (t->partition[i] == NULL)
			numbers_give_back(&t->partitions, i);
	}
	for (uint32_t i = 0; i < t->numbers.n; i++) {
		if (t->series[i] == NULL)
			numbers_give_back(&t->numbers, i);
	}
	return t->partitions.n == 0
	    ? 0
	    : keys_reserve(&t->partition_of, t->partitions.n);
}

size_t
series_bytes(const struct series_table *t)
{
	return numbers_bytes(&t->partitions, sizeof(t->partition[0])) +
	    numbers_taken(&t->partitions) * sizeof(struct partition) +
	    keys_bytes(&t->partition_of) +
	    numbers_bytes(&t->numbers, sizeof(t->series[0])) + t->bytes +
	    keys_bytes(&t->series_of) + keys_bytes(&t->member_of);
}

size_t
series_growth(const struct series_table *t, uint32_t nmodels)
{
	return numbers_growth(&t->numbers, sizeof(t->series[0])) +
	    bytes_of(nmodels) + keys_growth(&t->series_of);
}

size_t
attribute_growth(const struct series_table *t, uint32_t nmodels)
{
	return series_growth(t, nmodels) + bytes_of_crowd(nmodels);
}

size_t
member_growth(const struct series_table *t)
{
	return numbers_growth(&t->numbers, sizeof(t->series[0])) + bytes_of(0) +
	    keys_growth(&t->member_of);
}

size_t
partition_growth(const struct series_table *t, bool watched)
{
	return numbers_growth(&t->partitions, sizeof(t->partition[0])) +
	    sizeof(struct partition) + keys_growth(&t->partition_of) +
	    (watched ? sizeof(struct rarity) : 0);
}
