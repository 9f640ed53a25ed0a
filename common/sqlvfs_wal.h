/*
 * Is a page in a WAL the one that was written? For sqlvfs.c alone.
 *
 * A WAL is a header of 32 bytes, then frames: 24 bytes that end with a
 * checksum, and a page. The checksum goes on from that of the frame before, so
 * that any frame can be judged with the head of its predecessor. (Layout:
 * "WAL-mode File Format" in the manual of SQLite.)
 *
 * What this process itself has written and not committed may have no right
 * checksum yet, when a page is written twice in a transaction. So a CRC is
 * remembered of each frame that is written through here.
 */
#ifndef COMMON_SQLVFS_WAL_H
#define COMMON_SQLVFS_WAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define WAL_HEAD_BYTES 32
#define WAL_FRAME_BYTES 24 /* before its page */

struct wal;

struct wal *wal_new(void); /* NULL with ENOMEM */
void wal_free(struct wal *);

/* Is this the place and size of a frame's page? */
bool wal_is_page(int len, sqlite3_int64 at);

/* A page was written. Too little memory is no error: less is remembered. */
void wal_note(struct wal *, const void *page, size_t len, sqlite3_int64 at);

/* A page was read from f, the WAL in the VFS below. */
bool wal_page_is_right(struct wal *, sqlite3_file *f, const void *page,
    size_t len, sqlite3_int64 at);

/*
 * Go on with a checksum over len bytes, a multiple of 8. big: of a WAL whose
 * magic number is odd.
 */
void wal_sum(uint32_t s[2], const void *data, size_t len, bool big);

#endif
