/* Results as JSON text, in the order of fields that the API has. */
#ifndef QUERY_PRINT_H
#define QUERY_PRINT_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/results.h"
#include "query/jsonw.h"

struct print_context {
	const char *job_id;
	bool human; /* times have a twin "<name>_string" before them */
};

void print_time(
    struct jsonw *, const struct print_context *, int64_t timestamp_ms);

void print_record(
    struct jsonw *, const struct print_context *, const struct record_result *);
void print_influencer(struct jsonw *, const struct print_context *,
    const struct influencer_result *);

/*
 * A bucket in two halves; between them go its records, when it has some and
 * they were asked for: "records" and an array of print_record.
 */
void print_bucket_head(
    struct jsonw *, const struct print_context *, const struct bucket_result *);
void print_bucket_tail(
    struct jsonw *, const struct print_context *, const struct bucket_result *);

#endif
