/* Owns looking over segments and snapshots. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "common/snapmeta.h"
#include "worker/journal.h"
#include "worker/segpack.h"
#include "worker/snapshot.h"
#include "worker/verify.h"

#define PACKED_SUFFIX ".zst"

/* Returns what is wrong, NULL for nothing; the cursor stands where. */
static const char *
segment_walk(struct journal_cursor *c, const void *map, size_t len)
{
	struct journal_entry e;
	const char *data;
	int rc;

	if (journal_cursor_init(c, map, len) == -1)
		return c->why;
	while ((rc = journal_cursor_next(c, &e, &data)) == 1)
		if (journal_cursor_check(c, &e, data, SIZE_MAX) == -1)
			return c->why;
	return rc == 0 ? NULL : c->why;
}

/* Every byte of a packed segment is under the checksum of a block. */
static const char *
packed_walk(const void *map, size_t len, uint64_t *at)
{
	uint8_t *block = malloc(SEGPACK_BLOCK_BYTES);
	struct segunpack u;
	size_t n;
	int rc;

	*at = 0;
	if (block == NULL)
		return "no memory to unpack it";
	segunpack_init(&u, map, len);
	while ((rc = segunpack_next(&u, block, &n)) == 1)
		;
	free(block);
	*at = u.at;
	return rc == 0 ? NULL : u.why;
}

static bool
is_packed(const char *path)
{
	size_t len = strlen(path), n = strlen(PACKED_SUFFIX);

	return len > n && strcmp(path + len - n, PACKED_SUFFIX) == 0;
}

/*
 * Close what was looked at, and say what is wrong, if that was read. Returns as
 * verify_segment.
 */
static int
conclude(void *map, size_t len, const char *why, const char *path, uint64_t at,
    verify_report_cb *report, void *arg)
{
	bool unread;
	size_t page;

	unread = why != NULL && filemap_failed(map, &page);
	if (why != NULL && !unread)
		report(arg, path, at, why);
	filemap_close(map, len);
	if (!unread)
		return why == NULL ? 0 : 1;
	errno = EIO;
	return -1;
}

int
verify_segment(const char *path, verify_report_cb *report, void *arg)
{
	struct journal_cursor c = { 0 };
	const char *why;
	uint64_t at;
	size_t len;
	void *map;

	if (disk_map(path, &map, &len) == -1)
		return -1;
	if (is_packed(path)) {
		why = packed_walk(map, len, &at);
	} else {
		why = segment_walk(&c, map, len);
		at = c.at;
	}
	return conclude(map, len, why, path, at, report, arg);
}

int
verify_snapshot(const char *path, verify_report_cb *report, void *arg)
{
	struct snapshot_reader *r;
	const char *why = NULL;
	size_t len, at = 0;
	void *map;

	if (disk_map(path, &map, &len) == -1)
		return -1;
	r = snapshot_reader_memory(map, len);
	if (r == NULL)
		why = "the head does not match its checksum";
	else if (snapshot_verify(r, &at) == -1)
		why = "a section does not match its checksum";
	snapshot_reader_free(r);
	return conclude(map, len, why, path, at, report, arg);
}

int
verify_meta(const char *path, verify_report_cb *report, void *arg)
{
	const char *why = NULL;
	struct snapmeta m;
	size_t len;
	void *map;

	if (disk_map(path, &map, &len) == -1)
		return -1;
	if (snapmeta_get(map, len, &m) == -1)
		why = errno == ENOTSUP ? "format of another version"
				       : "it does not match its checksum";
	return conclude(map, len, why, path, 0, report, arg);
}
