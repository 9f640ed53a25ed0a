/* The list of a journal's segments, for the files of journal.h alone. */
#ifndef WORKER_JOURNAL_SEGMENTS_H
#define WORKER_JOURNAL_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/wire.h"
#include "worker/journal.h"

#define SEGMENT_NEW "new"   /* of one that is being made */
#define SEGMENT_PACK "pack" /* of one that is being compressed */
#define SEGMENT_PATH_BYTES (sizeof(JOURNAL_DIR) + 32)

struct inflated;
struct segpack;

struct segment {
	uint64_t first_seq;
	uint64_t bytes; /* of the file; that of the last is in journal.size */
	bool packed;	/* compressed */
	bool stays;	/* could not be compressed; do not try again */
};

struct journal {
	enum sync_policy policy;
	int dirfd;		 /* of JOURNAL_DIR, for its sync */
	struct segment *segment; /* owned: by first numbers, ascending */
	size_t nsegments;
	size_t segment_cap;

	/* Reading. */
	uint64_t base_seq;
	uint64_t bytes; /* of entries, read after it and written */
	size_t reading; /* index of the segment */
	bool open;	/* it is in memory, from its head on */
	uint8_t *map;	/* of it; NULL: not yet open, or nothing in it */
	size_t maplen;
	struct inflated *inflated; /* owned: while a compressed one is read */
	uint64_t read_bytes;	   /* of segments that were closed */
	bool doubtful;		   /* something may be missing */
	bool checking;		   /* entry waits for the verdict on its data */
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

	/* Compressing. */
	struct segpack *pack; /* owned; NULL: not under way */
	uint64_t pack_seq;    /* of the segment */
};

/* "journal/<number>.seg" into dst of SEGMENT_PATH_BYTES. */
const char *segment_path(char *dst, uint64_t first_seq);
/* The same with ".zst" behind it. */
const char *segment_packed_path(char *dst, uint64_t first_seq);
/* Where it is: one of these two. */
const char *segment_file(char *dst, const struct segment *);
/* What the name of a file says; false when it is not that of a segment. */
bool segment_parse(struct segment *, const char *name);
/* For qsort(3): by number; the plain one of two of a number comes first. */
int segment_compare(const void *, const void *);

/* Fill the list from the directory. Returns 0, or -1 with errno. */
int segments_list(struct journal *) MUST_CHECK;
/* Append to, and remove from, the list. */
int segments_add(struct journal *, uint64_t first_seq) MUST_CHECK;
void segments_drop(struct journal *, size_t i);
/* NULL: it has gone. */
struct segment *segments_find(struct journal *, uint64_t first_seq);

/*
 * Reading is at its end: make what was read last, and number the entries to
 * come. Returns 0, or -1 with errno (logged).
 */
int journal_begin_writing(struct journal *) MUST_CHECK;

/*
 * Leave the present segment behind. What it still owes is paid now; 0, or -1
 * with errno: it could not be.
 */
int segment_leave(struct journal *) MUST_CHECK;

#endif
