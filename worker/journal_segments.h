/* The list of a journal's segments, for journal.c and journal_read.c alone. */
#ifndef WORKER_JOURNAL_SEGMENTS_H
#define WORKER_JOURNAL_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/wire.h"
#include "worker/journal.h"

#define SEGMENT_NEW "new" /* of one that is being made */
#define SEGMENT_PATH_BYTES (sizeof(JOURNAL_DIR) + 32)

struct journal {
	enum sync_policy policy;
	int dirfd;	   /* of JOURNAL_DIR, for its sync */
	uint64_t *segment; /* owned: first numbers, ascending */
	size_t nsegments;
	size_t segment_cap;

	/* Reading. */
	uint64_t base_seq;
	uint64_t bytes; /* of entries, read after it and written */
	size_t reading; /* index of the segment */
	uint8_t *map;	/* of it; NULL: not yet open */
	size_t maplen;
	uint64_t read_bytes; /* of segments that were closed */
	bool checking;	     /* entry waits for the verdict on its data */
	struct journal_entry entry;
	const char *entry_data;
	struct journal_cursor cursor;
	uint64_t last_seq;
	bool closed;

	/* Writing. */
	int fd;		    /* of the last segment; -1: the next starts one */
	uint64_t size;	    /* of it */
	uint64_t kept_size; /* of it, that counts */
	uint64_t first_seq; /* of it */
	uint64_t next_seq;
	uint64_t kept_seq;  /* last that counts */
	struct wbuf batch;  /* not yet written */
	uint64_t batch_seq; /* first in batch */
	int error;	    /* errno: the batch has failed */
	bool dirty;	    /* written, and a sync is owed */
	bool dir_dirty;
	int64_t synced_us; /* when, monotonic */
};

/* "journal/<number>.seg" into dst of SEGMENT_PATH_BYTES. */
const char *segment_path(char *dst, uint64_t first_seq);

/* Fill the list from the directory. Returns 0, or -1 with errno. */
int segments_list(struct journal *) MUST_CHECK;
/* Append to, and remove from, the list. */
int segments_add(struct journal *, uint64_t first_seq) MUST_CHECK;
void segments_drop(struct journal *, size_t i);

/*
 * Reading is at its end: make what was read last, and number the entries to
 * come. Returns 0, or -1 with errno (logged).
 */
int journal_begin_writing(struct journal *) MUST_CHECK;

#endif
