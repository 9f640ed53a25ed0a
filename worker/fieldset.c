/* Owns the wanted fields of a record: finding them and keeping their values. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/fieldset.h"

#define TEXT_KEPT_MAX ((size_t)1 << 20) /* bytes kept between uploads */
#define TEXT_FIRST ((size_t)1 << 12)

/*
 * Enough to tell the few names of a job apart; a name that is not wanted is
 * nearly always known by its length already.
 */
static inline size_t
hash_name(const char *name, size_t len)
{
	size_t h = len;

	h = h * 31 + (unsigned char)name[0];
	h = h * 31 + (unsigned char)name[len / 2];
	h = h * 31 + (unsigned char)name[len - 1];
	return h ^ h >> 7;
}

static inline uint64_t
length_bit(size_t len)
{
	return (uint64_t)1 << (len < 63 ? len : 63);
}

static void
add_name(struct fieldset *fs, size_t i, const char *name)
{
	size_t len = strlen(name), slot;

	fs->name[i].name = name;
	fs->name[i].len = len;
	fs->name[i].next = FIELDSET_NONE;
	if (len == 0)
		return; /* a member named "" is wanted by nobody */
	if (i > 0 && fieldset_find(fs, name, len) == 0) {
		fs->time_twin = i;
		return;
	}
	slot = hash_name(name, len) & (fs->nslots - 1);
	fs->name[i].next = fs->slot[slot];
	fs->slot[slot] = i;
	fs->lengths |= length_bit(len);
	if (len > fs->longest)
		fs->longest = len;
}

int
fieldset_init(struct fieldset *fs, const struct jobconf *jc)
{
	memset(fs, 0, sizeof(*fs));
	fs->n = 1 + jc->nfields;
	fs->time_twin = FIELDSET_NONE;
	fs->nslots = 64;
	while (fs->nslots < 4 * fs->n)
		fs->nslots *= 2;
	fs->name = calloc(fs->n, sizeof(*fs->name));
	fs->value = calloc(fs->n, sizeof(*fs->value));
	fs->start = calloc(fs->n, sizeof(*fs->start));
	fs->slot = calloc(fs->nslots, sizeof(*fs->slot));
	fs->text_cap = TEXT_FIRST;
	fs->text = malloc(fs->text_cap);
	if (fs->name == NULL || fs->value == NULL || fs->start == NULL ||
	    fs->slot == NULL || fs->text == NULL) {
		fieldset_clear(fs);
		return -1;
	}
	for (size_t i = 0; i < fs->nslots; i++)
		fs->slot[i] = FIELDSET_NONE;
	add_name(fs, 0, jc->time_field);
	for (size_t i = 0; i < jc->nfields; i++)
		add_name(fs, i + 1, jc->field[i]);
	fs->record.field = fs->value;
	fs->record.nfields = fs->n;
	fieldset_reset(fs);
	return 0;
}

void
fieldset_clear(struct fieldset *fs)
{
	free(fs->name);
	free(fs->value);
	free(fs->start);
	free(fs->slot);
	free(fs->text);
	memset(fs, 0, sizeof(*fs));
}

void
fieldset_trim(struct fieldset *fs)
{
	char *less;

	fieldset_reset(fs);
	if (fs->text_cap <= TEXT_KEPT_MAX)
		return;
	less = realloc(fs->text, TEXT_FIRST);
	if (less == NULL)
		return; /* it stays large, and good */
	fs->text = less;
	fs->text_cap = TEXT_FIRST;
}

void
fieldset_reset(struct fieldset *fs)
{
	memset(fs->value, 0, fs->n * sizeof(*fs->value));
	fs->built = false;
	fs->text_len = 0;
	fs->record.value_count = 0;
}

size_t
fieldset_find(const struct fieldset *fs, const char *name, size_t len)
{
	size_t i;

	if (len == 0 || (fs->lengths & length_bit(len)) == 0)
		return FIELDSET_NONE;
	i = fs->slot[hash_name(name, len) & (fs->nslots - 1)];
	while (i != FIELDSET_NONE) {
		if (fs->name[i].len == len &&
		    memcmp(fs->name[i].name, name, len) == 0)
			return i;
		i = fs->name[i].next;
	}
	return FIELDSET_NONE;
}

size_t
fieldset_mark(const struct fieldset *fs)
{
	return fs->text_len;
}

/* A long text is moved by its pages, not copied: realloc sees to that. */
static void
grow_text(struct fieldset *fs, size_t need)
{
	size_t cap = fs->text_cap;
	char *text;

	while (cap < need)
		cap *= 2;
	text = realloc(fs->text, cap);
	if (text == NULL)
		fatal("record of %zu bytes", need);
	fs->text = text;
	fs->text_cap = cap;
}

char *
fieldset_room(struct fieldset *fs, size_t len)
{
	if (len > fs->text_cap - fs->text_len)
		grow_text(fs, fs->text_len + len);
	return fs->text + fs->text_len;
}

void
fieldset_add(struct fieldset *fs, size_t len)
{
	fs->text_len += len;
}

void
fieldset_set_built(struct fieldset *fs, size_t i, size_t start)
{
	fieldset_set(fs, i, NULL, fs->text_len - start);
	fs->start[i] = start;
	fs->built = true;
}

/* Only now the text stays where it is. */
static void
locate_built(struct fieldset *fs)
{
	for (size_t i = 0; i < fs->n; i++)
		if (fs->value[i].present && fs->start[i] != FIELDSET_NONE)
			fs->value[i].p = fs->text + fs->start[i];
}

const struct record *
fieldset_record(struct fieldset *fs)
{
	if (fs->built)
		locate_built(fs);
	if (fs->time_twin != FIELDSET_NONE)
		fs->value[fs->time_twin] = fs->value[0];
	return &fs->record;
}
