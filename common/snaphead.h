/*
 * What a snapshot of a job's state says about itself: the head of its file,
 * readable without the rest, as much as the API shows of a model snapshot
 * (results-and-models 12.2).
 *
 * Layout, big-endian: magic "ANOMSNAP", u32 format, u32 length of what follows
 * up to the checksum, struct snapshot_head, struct model_size, u32 CRC-32C of
 * all before it.
 */
#ifndef COMMON_SNAPHEAD_H
#define COMMON_SNAPHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "common/totals.h"

#define SNAPHEAD_FORMAT 6	     /* of the whole file */
#define SNAPHEAD_MIN_VERSION "8.3.0" /* of an engine that could read it */
#define SNAPHEAD_DESCRIPTION_MAX 256
#define SNAPHEAD_MAX_BYTES 4096 /* of the whole head, in any format */
#define SNAPHEAD_ID_BYTES 24

/* Times in epoch ms; TIME_UNSET: there was none yet. */
#define SNAPSHOT_HEAD_FIELDS(F, S)                                             \
	F(S, U64, applied_seq, 0, INFINITY) /* last journal entry in it */     \
	F(S, I64, created_ms, -INFINITY, INFINITY)                             \
	F(S, STR, job_id, 0, 64)                                               \
	F(S, STR, description, 0, SNAPHEAD_DESCRIPTION_MAX)                    \
	F(S, STR, min_version, 0, 32)                                          \
	F(S, U64, doc_count, 0, INFINITY)                                      \
	F(S, I64, latest_record_ms, -INFINITY, INFINITY)                       \
	F(S, I64, latest_result_ms, -INFINITY, INFINITY)
SCHEMA_STRUCT(snapshot_head, SNAPSHOT_HEAD_FIELDS);

/* Returns 0, or -1 with EINVAL, ENOMEM. */
int snaphead_put(struct wbuf *, const struct snapshot_head *,
    const struct model_size *) MUST_CHECK;

/*
 * Read the head at the start of a file. Spans in *head point into data.
 *
 * format   what the file says of itself; 0 where it says nothing
 * body_at  where the sections begin
 *
 * Returns 0, or -1 with EBADMSG: damaged; EPROTONOSUPPORT: of a format that
 * this program does not read.
 */
int snaphead_get(const void *data, size_t len, struct snapshot_head *head,
    struct model_size *, uint32_t *format, size_t *body_at) MUST_CHECK;

/* One that was read from a file: texts point into its own memory. */
struct snaphead_file {
	struct snapshot_head head;
	struct model_size size;
	uint32_t format; /* what the file says of itself; 0: nothing */
	uint8_t data[SNAPHEAD_MAX_BYTES];
};

/* Read the head of a file, and no more. As snaphead_get, or another errno. */
int snaphead_read(const char *path, struct snaphead_file *) MUST_CHECK;

/* The API's id of a snapshot: its time of creation in seconds. */
const char *snaphead_id(char dst[SNAPHEAD_ID_BYTES], int64_t created_ms);

#endif
