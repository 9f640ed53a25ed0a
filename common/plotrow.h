/*
 * Rows of the model plot and annotations in results.db. A row carries the
 * CRC-32C of its content.
 */
#ifndef COMMON_PLOTROW_H
#define COMMON_PLOTROW_H

#include <stdint.h>

#include "common/compat.h"
#include "common/resultrow.h"
#include "common/results.h"
#include "common/wire.h"

struct sqlite3_stmt;

/* The columns in the order in which the functions below want them. */
#define PLOT_COLUMNS                                                           \
	"id, timestamp, bucket_span, detector, by_field_value, "               \
	"over_field_value, partition_field_value, model_lower, model_upper, "  \
	"model_median, actual, crc"
#define ANNOTATION_COLUMNS                                                     \
	"id, timestamp, end_timestamp, create_time, event, annotation, "       \
	"detector, by_field_value, over_field_value, partition_field_value, "  \
	"crc"

/* The insertion of a row. */
extern const char plotrow_insert_plot[];
extern const char plotrow_insert_annotation[];

/*
 * The names that a row shares with others: those of records, but that the
 * description of the function is the phrase of the model's quantity. False: an
 * annotation of the whole job has none.
 */
void plotrow_names(const struct plot_result *, struct detector_row *);
bool plotrow_annotation_names(
    const struct annotation_result *, struct detector_row *);

/*
 * Bind all parameters of an insertion. What the result points to must stay
 * until the statement was stepped; wb is scratch memory. Returns 0, or -1 with
 * EINVAL (a number is not finite) or ENOMEM.
 *
 * detector  id of the names; -1: none
 */
int plotrow_bind_plot(struct sqlite3_stmt *, int64_t id, int64_t detector,
    const struct plot_result *, struct wbuf *wb) MUST_CHECK;
int plotrow_bind_annotation(struct sqlite3_stmt *, int64_t id, int64_t detector,
    const struct annotation_result *, struct wbuf *wb) MUST_CHECK;

/*
 * Read the row that a statement stands on, whose first columns are the ones
 * above; names (NULL: there are none) are those that it refers to. Pointers in
 * the result live until the next step. Returns 0, or -1 with EBADMSG when the
 * row is damaged, ENOMEM.
 */
int plotrow_read_plot(struct sqlite3_stmt *, const struct detector_row *names,
    struct plot_result *, struct wbuf *wb) MUST_CHECK;
int plotrow_read_annotation(struct sqlite3_stmt *,
    const struct detector_row *names, struct annotation_result *,
    struct wbuf *wb) MUST_CHECK;
/* The id of the names that such a row refers to; -1: none. */
int64_t plotrow_plot_detector(struct sqlite3_stmt *);
int64_t plotrow_annotation_detector(struct sqlite3_stmt *);

#endif
