/* Owns when a segment is compressed, and how the small file takes over. */
#include "common/compat.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/journal_segments.h"
#include "worker/segpack.h"

#define PACK_FILE JOURNAL_DIR "/" SEGMENT_PACK
#define PACK_MIN_BYTES (1024 * 1024) /* less saves nothing worth the syncs */

/* The present one can be left as it is: the next entry would do so. */
static bool
present_is_full(const struct journal *j)
{
	return j->fd != -1 && j->size >= JOURNAL_ROTATE_BYTES &&
	    j->next_seq == j->kept_seq + 1;
}

static struct segment *
next_to_pack(const struct journal *j)
{
	for (size_t i = j->nsegments; i-- > 0;) {
		struct segment *seg = &j->segment[i];

		if (!seg->packed && !seg->stays &&
		    seg->bytes >= PACK_MIN_BYTES &&
		    (j->fd == -1 || seg->first_seq != j->first_seq))
			return seg;
	}
	return NULL;
}

bool
journal_packs(const struct journal *j)
{
	return j->pack != NULL || present_is_full(j) || next_to_pack(j) != NULL;
}

static void
pack_end(struct journal *j)
{
	segpack_free(j->pack);
	j->pack = NULL;
}

/* Whatever is wrong, the plain file is there, and stays. */
static void
pack_fail(struct journal *j, struct segment *seg)
{
	char path[SEGMENT_PATH_BYTES];

	log_warn("%s: cannot be compressed", segment_file(path, seg));
	pack_end(j);
	if (unlink(PACK_FILE) == -1 && errno != ENOENT)
		log_warn(PACK_FILE);
	seg->stays = true;
}

static void
pack_begin(struct journal *j)
{
	char path[SEGMENT_PATH_BYTES];
	struct segment *seg;

	if (present_is_full(j) && segment_leave(j) == -1)
		log_warn("journal: sync of a full segment");
	seg = next_to_pack(j);
	if (seg == NULL)
		return;
	j->pack_seq = seg->first_seq;
	j->pack = segpack_new(segment_file(path, seg), PACK_FILE);
	if (j->pack == NULL)
		pack_fail(j, seg);
}

/*
 * Its name must last before the plain file goes, whatever the policy: that one
 * may be on the disk by now. After a failed sync the plain one stays, and wins
 * wherever both are found.
 */
static void
pack_finish(struct journal *j, struct segment *seg)
{
	char plain[SEGMENT_PATH_BYTES], packed[SEGMENT_PATH_BYTES];
	uint64_t bytes = segpack_bytes(j->pack);

	segment_path(plain, seg->first_seq);
	segment_packed_path(packed, seg->first_seq);
	if (rename(PACK_FILE, packed) == -1) {
		pack_fail(j, seg);
		return;
	}
	if (fsync(j->dirfd) == -1 || unlink(plain) == -1) {
		pack_fail(j, seg);
		if (unlink(packed) == -1)
			log_warn("%s", packed);
		return;
	}
	pack_end(j);
	log_debug("%s: %llu bytes", packed, (unsigned long long)bytes);
	seg->packed = true;
	seg->bytes = bytes;
}

void
journal_pack(struct journal *j)
{
	struct segment *seg;
	int rc;

	if (j->pack == NULL) {
		pack_begin(j);
		return;
	}
	seg = segments_find(j, j->pack_seq);
	if (seg == NULL) { /* a snapshot has made it superfluous */
		pack_end(j);
		if (unlink(PACK_FILE) == -1)
			log_warn(PACK_FILE);
		return;
	}
	rc = segpack_step(j->pack);
	if (rc == -1)
		pack_fail(j, seg);
	else if (rc == 0)
		pack_finish(j, seg);
}
