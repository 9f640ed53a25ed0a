/*
 * One result as a row of results.db and back. A row carries the CRC-32C of
 * its logical content, because SQLite does not see a flipped bit.
 */
#ifndef COMMON_RESULTROW_H
#define COMMON_RESULTROW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/results.h"
#include "common/wire.h"

struct sqlite3;
struct sqlite3_stmt;

/* The columns in the order in which the functions below want them. */
#define BUCKET_COLUMNS                                                         \
	"timestamp, bucket_span, anomaly_score, initial_anomaly_score, "       \
	"event_count, is_interim, processing_time_ms, record_count, "          \
	"influencer_count, influencers, crc"
#define RECORD_COLUMNS                                                         \
	"r.id, r.timestamp, r.bucket_span, r.detector, r.is_interim, "         \
	"r.probability, r.multi_bucket_impact, r.record_score, "               \
	"r.initial_record_score, r.by_field_value, r.over_field_value, "       \
	"r.partition_field_value, r.typical, r.actual, r.typical_2, "          \
	"r.actual_2, r.influencers, r.explanation, r.crc"
#define INFLUENCE_COLUMNS                                                      \
	"id, timestamp, bucket_span, is_interim, probability, "                \
	"influencer_score, initial_influencer_score, influencer_field_name, "  \
	"influencer_field_value, crc"
#define DETECTOR_COLUMNS                                                       \
	"id, detector_index, function, function_description, field_name, "     \
	"by_field_name, over_field_name, partition_field_name, crc"

/* The insertion of a row; parameters are bound by the functions below. */
extern const char resultrow_insert_bucket[];
extern const char resultrow_insert_record[];
extern const char resultrow_insert_influence[];
extern const char resultrow_insert_detector[];

/* The names that a record shares with others; strings NULL: absent. */
enum detector_name {
	NAME_FUNCTION,
	NAME_FUNCTION_DESCRIPTION,
	NAME_FIELD,
	NAME_BY_FIELD,
	NAME_OVER_FIELD,
	NAME_PARTITION_FIELD,
	NAME_COUNT
};

struct detector_row {
	int64_t id;
	int detector_index;
	const char *name[NAME_COUNT]; /* borrowed */
};

/* Point row at the names of r; id is left alone. */
void detector_row_of(const struct record_result *r, struct detector_row *row);

/*
 * Bind all parameters of an insertion. wb is scratch memory that must stay
 * until the statement was stepped; what r points to too. Returns 0, or -1
 * with EINVAL (a number is not finite, or too many of something), ENOMEM.
 */
int resultrow_bind_bucket(struct sqlite3_stmt *, const struct bucket_result *,
    unsigned record_count, unsigned influencer_count,
    struct wbuf *wb) MUST_CHECK;
int resultrow_bind_record(struct sqlite3_stmt *, int64_t id, int64_t detector,
    const struct record_result *, struct wbuf *wb) MUST_CHECK;
int resultrow_bind_influence(struct sqlite3_stmt *, int64_t id,
    const struct influencer_result *) MUST_CHECK;
int resultrow_bind_detector(
    struct sqlite3_stmt *, const struct detector_row *) MUST_CHECK;

/*
 * Read the row that a statement stands on, whose first columns are the ones
 * above. Pointers in the result live until the next step. Returns 0, or -1
 * with EBADMSG when the row is damaged.
 *
 * detector  the names of the record: those of the row it refers to
 */
int resultrow_read_bucket(
    struct sqlite3_stmt *, struct bucket_result *) MUST_CHECK;
int resultrow_read_record(struct sqlite3_stmt *, const struct detector_row *,
    struct record_result *) MUST_CHECK;
int resultrow_read_influence(
    struct sqlite3_stmt *, struct influencer_result *) MUST_CHECK;
int resultrow_read_detector(
    struct sqlite3_stmt *, struct detector_row *) MUST_CHECK;
/* Of a row of RECORD_COLUMNS: the id of its detector. */
int64_t resultrow_detector_of(struct sqlite3_stmt *);

/*
 * The blobs of influencers, big-endian. Of a bucket: u16 number; each a name
 * and four doubles in the order of the struct. Of a record: u16 number; each a
 * name, u16 number of values, each value u32 length and bytes. A name is u16
 * length, bytes, NUL. Decoded pointers point into the blob. Encoding returns
 * 0, or -1 with EINVAL or ENOMEM; decoding 0, or -1 with EBADMSG.
 */
int resultrow_put_bucket_influencers(
    struct wbuf *, const struct bucket_result *) MUST_CHECK;
int resultrow_get_bucket_influencers(
    const void *blob, size_t len, struct bucket_result *) MUST_CHECK;
int resultrow_put_influencers(
    struct wbuf *, const struct record_result *) MUST_CHECK;
int resultrow_get_influencers(
    const void *blob, size_t len, struct record_result *) MUST_CHECK;

#endif
