/*
 * The record under construction: which fields are wanted, what was found of
 * them, and the memory for text that is not in the upload as it stands. One
 * for a reader; nothing is allocated per record once its memory has grown to
 * what the records need.
 */
#ifndef WORKER_FIELDSET_H
#define WORKER_FIELDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/jobconf.h"
#include "worker/reader.h"

#define FIELDSET_NONE SIZE_MAX

struct fieldset_name {
	const char *name; /* borrowed from the jobconf */
	size_t len;
	size_t next; /* in the same slot of the table, or FIELDSET_NONE */
};

struct fieldset {
	size_t n;		    /* 1 + jobconf's nfields */
	struct fieldset_name *name; /* owned, n */
	struct field_value *value;  /* owned, n */
	/* Owned, n: where a value is in text; FIELDSET_NONE: it is not. */
	size_t *start;
	bool built;	  /* a value is in text */
	size_t time_twin; /* the analysis field that is the time field too */
	size_t *slot;	  /* owned: hash table of first names */
	size_t nslots;	  /* a power of two */
	uint64_t lengths; /* bit min(len, 63) is set: a name is that long */
	size_t longest;	  /* bytes of the longest name */
	char *text;	  /* owned */
	size_t text_len;
	size_t text_cap;
	struct record record;
};

/* Returns 0, or -1 with ENOMEM. Borrows the jobconf. */
int fieldset_init(struct fieldset *, const struct jobconf *) MUST_CHECK;
void fieldset_clear(struct fieldset *);

/* Give memory back that one unusual upload made it take. */
void fieldset_trim(struct fieldset *);

/* Begin a record: nothing is present, no value counted. */
void fieldset_reset(struct fieldset *);

/* Which field has this name; FIELDSET_NONE: it is not wanted. */
size_t fieldset_find(const struct fieldset *, const char *name, size_t len);

/* The value of field i is this text, which outlives the record. */
static inline void
fieldset_set(struct fieldset *fs, size_t i, const char *p, size_t len)
{
	fs->value[i] = (struct field_value){ p, len, true };
	fs->start[i] = FIELDSET_NONE;
}

/*
 * Build a value: fieldset_room gives memory for len more bytes behind those
 * that were added, fieldset_add says how many of them were used, and
 * fieldset_set_built makes all that was added since start (an earlier
 * fieldset_mark) the value of field i. Growing is cheap however long the text
 * is; it ends the process when memory is out.
 */
size_t fieldset_mark(const struct fieldset *);
char *fieldset_room(struct fieldset *, size_t len);
void fieldset_add(struct fieldset *, size_t len);
void fieldset_set_built(struct fieldset *, size_t i, size_t start);

/* One more value was seen, wanted or not. */
static inline void
fieldset_count(struct fieldset *fs)
{
	if (fs->record.value_count < UINT32_MAX)
		fs->record.value_count++;
}

/* The record is complete; valid until the next fieldset_reset. */
const struct record *fieldset_record(struct fieldset *);

#endif
