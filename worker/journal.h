/*
 * The journal of a job: everything that changes its model, in order, on disk
 * before it is answered. A directory of segments, each named by the number of
 * its first entry.
 *
 * A segment is a head, then entries; an entry is a header of fixed size and
 * its data (the decoded bytes of an upload, what a forecast was asked with,
 * else none). Both have checksums. Three rules make it safe to read after any
 * death:
 *
 *  - Numbers go up by one. The first short or damaged entry ends its segment.
 *  - A segment ends where the next one begins: entries in it that carry the
 *    next one's first number, or more, were abandoned after a failed write or
 *    sync, and were answered as failed.
 *  - A worker never appends to what an earlier one wrote.
 *
 * Whoever opened the job before has closed it in order when the last entry is
 * JOURNAL_CLOSE. Only then is the next start an opening, which is an entry of
 * its own; else it is a restart, which is none.
 *
 * Paths are relative: the job's directory is the current one. The layout is
 * in anomd-worker(8).
 */
#ifndef WORKER_JOURNAL_H
#define WORKER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"
#include "common/schema.h"

#define JOURNAL_DIR "journal"
#define JOURNAL_FORMAT 3	 /* the head is the same in all of them */
#define JOURNAL_FORMAT_OLDEST 2	 /* that is read: without JOURNAL_FORECAST */
#define JOURNAL_HEAD_BYTES 24	 /* of a segment */
#define JOURNAL_HEADER_BYTES 126 /* of an entry */
/* Data of the first entry: what a spool file leaves free at its start. */
#define JOURNAL_DATA_OFFSET (JOURNAL_HEAD_BYTES + JOURNAL_HEADER_BYTES)
#define JOURNAL_ROTATE_BYTES (64 * 1024 * 1024)
#define JOURNAL_SYNC_INTERVAL_US 1000000 /* of sync policy "interval" */

enum journal_type {
	JOURNAL_OPEN = 1,
	JOURNAL_UPLOAD = 2,
	JOURNAL_FLUSH = 3,
	JOURNAL_CLOSE = 4,
	JOURNAL_FORECAST = 5
};

/* Seconds; TIME_UNSET where not given or not of this type. */
#define JOURNAL_ENTRY_FIELDS(F, S)                                             \
	F(S, U8, type, JOURNAL_OPEN, JOURNAL_FORECAST)                         \
	F(S, U64, seq, 1, INFINITY)                                            \
	F(S, I64, receipt_ms, -INFINITY, INFINITY) /* wall clock */            \
	F(S, I64, reset_start_s, -INFINITY, INFINITY)                          \
	F(S, I64, reset_end_s, -INFINITY, INFINITY)                            \
	F(S, BOOL, calc_interim, 0, 1)                                         \
	F(S, I64, start_s, -INFINITY, INFINITY)                                \
	F(S, I64, end_s, -INFINITY, INFINITY)                                  \
	F(S, I64, advance_time_s, -INFINITY, INFINITY)                         \
	F(S, I64, skip_time_s, -INFINITY, INFINITY)                            \
	F(S, U64, token, 0, INFINITY) /* of its request; 0: it had none */     \
	/* Of UPLOAD_SEAL: who may repeat this upload, and with what. */       \
	F(S, U64, key_hi, 0, INFINITY)                                         \
	F(S, U64, key_lo, 0, INFINITY)                                         \
	F(S, U64, digest_hi, 0, INFINITY)                                      \
	F(S, U64, digest_lo, 0, INFINITY)                                      \
	F(S, U64, data_len, 0, INFINITY)                                       \
	F(S, U32, data_crc, 0, UINT32_MAX)
SCHEMA_STRUCT(journal_entry, JOURNAL_ENTRY_FIELDS);

/* An entry of this type, all else unset. */
void journal_entry_init(struct journal_entry *, enum journal_type);

struct journal;

/*
 * Look at the segments. Entries up to base_seq are in a snapshot already and
 * are passed over. NULL with errno.
 */
struct journal *journal_open(uint64_t base_seq, enum sync_policy);
/*
 * Is there a segment that begins no later than behind this entry (0: with the
 * first of all)? False also when that cannot be seen (logged).
 */
bool journal_reaches(uint64_t seq);
void journal_free(struct journal *);

/*
 * Read the next entry after base_seq. Returns
 *   1   *e is set, *data points to e->data_len bytes until the next call
 *   2   a part of the work is done: call again
 *   0   the end; now the journal can be written
 *  -1   with errno: a segment cannot be read (logged: where), and stays as it
 *       is; EPROTONOSUPPORT: another version has written it
 * What is torn, missing or abandoned is logged and passed over. Half an entry
 * at the end of the last segment is cut away; a segment of which nothing can
 * be read goes to quarantine/. At the end what was read is synced, unless the
 * policy is never: whoever wrote it may have died before that, and entries,
 * results and snapshots that last are going to be built on it.
 */
int journal_read(
    struct journal *, struct journal_entry *e, const char **data) MUST_CHECK;

/* Of the segments that journal_read has still to go through, by their size. */
uint64_t journal_unread_bytes(const struct journal *);
/* Those that it has gone through. */
uint64_t journal_read_bytes(const struct journal *);

/* After the end: number of the last entry, or base_seq. */
uint64_t journal_last_seq(const struct journal *);
/* No entry was read, or the last one is JOURNAL_CLOSE. */
bool journal_is_closed(const struct journal *);
/*
 * Something was damaged, missing or cut, or the last segment has no entry: what
 * was read may not be all that was answered.
 */
bool journal_is_doubtful(const struct journal *);
/* Entries up to seq are known from elsewhere: never use these numbers again. */
void journal_skip_to(struct journal *, uint64_t seq);

/*
 * Queue an entry and give it its number (e->seq); e->data_len and e->data_crc
 * say what data is. It counts once journal_commit has returned 0.
 */
void journal_append(
    struct journal *, struct journal_entry *e, const void *data);

/*
 * Write what was queued, and sync it as the policy says. Returns 0; or -1 with
 * errno: none of what was queued counts, its numbers will be used again, and
 * the next entry starts a new segment. A failed sync is never retried.
 */
int journal_commit(struct journal *) MUST_CHECK;

/*
 * Make what was committed last, whatever the policy. 0, or -1 with errno
 * (logged): the worker must end.
 */
int journal_sync(struct journal *) MUST_CHECK;

/*
 * Make a sealed spool file a segment by renaming it, at once and alone:
 * nothing may be queued. e as for journal_append; its data is in the file from
 * JOURNAL_DATA_OFFSET on. Returns 0: fd is owned now; or -1 with errno: the
 * file is still the caller's, under its old name or none.
 */
int journal_adopt(struct journal *, struct journal_entry *e, const char *path,
    int fd) MUST_CHECK;

/*
 * Policy "interval": sync when a second has passed. Returns milliseconds until
 * the next one is due, or -1 when there is nothing to sync.
 */
int journal_tick(struct journal *);

/* Bytes of entries that were read after base_seq, and written since. */
uint64_t journal_bytes(const struct journal *);
size_t journal_segments(const struct journal *);

/* Remove the segments of which no entry is after seq. */
void journal_trim(struct journal *, uint64_t seq);

/* Bytes of its files. */
uint64_t journal_disk_bytes(const struct journal *);

/*
 * Segments that are no longer written to are compressed bit by bit, the newest
 * first: the oldest is the first to be superfluous. journal_packs: there is
 * something to compress. journal_pack: do so for about 3 ms, but for the sync
 * at the end of a segment. What cannot be compressed is logged and stays.
 */
bool journal_packs(const struct journal *);
void journal_pack(struct journal *);

/*
 * A walk over one segment in memory: what journal_read is made of, and the
 * fuzzer's way in.
 */
struct journal_cursor {
	const uint8_t *data; /* borrowed: the whole segment */
	size_t len;
	uint32_t format;
	size_t at;	   /* start of the next entry; after -1: of the tear */
	uint64_t next_seq; /* which it must have */
	size_t check_at;   /* progress of journal_cursor_check */
	uint32_t check_crc;
	const char *why; /* after -1: static text */
	bool is_short;	 /* after -1: it ends within the entry */
};

/*
 * Returns 0, or -1 with EBADMSG: the head is not whole; EPROTONOSUPPORT: it is
 * whole, and of another format (c->format).
 */
int journal_cursor_init(
    struct journal_cursor *, const void *data, size_t len) MUST_CHECK;
/* Returns 1: *e and *data are set; 0: the end; -1 with EBADMSG: a tear. */
int journal_cursor_next(struct journal_cursor *, struct journal_entry *e,
    const char **data) MUST_CHECK;
/*
 * Compare the checksum of the last entry's data, at most len bytes of it a
 * call. Returns 0: it is right; 1: call again; -1 with EBADMSG: a tear, and
 * the cursor stands before that entry.
 */
int journal_cursor_check(struct journal_cursor *, const struct journal_entry *,
    const char *data, size_t len) MUST_CHECK;

/* The bytes that go before data; 0 or -1 with ENOMEM, EINVAL. */
int journal_put_head(struct wbuf *, uint64_t first_seq) MUST_CHECK;
int journal_put_header(struct wbuf *, const struct journal_entry *) MUST_CHECK;

#endif
