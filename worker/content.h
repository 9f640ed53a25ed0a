/*
 * How much there is to say in the different texts of a bucket: the bytes that
 * are left of them when they are compressed (results-and-models 6.2). Texts
 * that repeat or resemble each other take few bytes, random ones many.
 *
 * All texts are kept while they are few, and the figure is exact then: the
 * length of the zlib stream (RFC 1950, the default level) of all of them, in
 * the order of their bytes, one behind the other. Beyond CONTENT_ROOM those
 * with the least hashes stay (bottom-k sampling: Cohen and Kaplan, PODC 2007),
 * and what is left of them is scaled by their share of all hashes. With n
 * texts kept the share is off by 1 / sqrt(n), 3 % of 1,000; and since sorted
 * texts are the more alike the more there are, it is too much by some 10 to 15
 * % for names that are numbered. Which stay follows from the texts and not from
 * their order.
 */
#ifndef WORKER_CONTENT_H
#define WORKER_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"
#include "worker/snapshot.h"

/*
 * Bytes of texts, and of what is known of each, that are kept: with them it
 * takes about 3 ms to tell the content, and any one text fits.
 */
#define CONTENT_ROOM (48u * 1024)
/* Of those that came with an influencer's value only the lengths are kept. */
#define CONTENT_PART_ROOM 1024u

struct content;

/*
 * Add a record's text; NULL is an empty one, and it may move.
 *
 * hash  distinct_hash() of the text
 * part  of an influencer's value, always the same
 * scarce  what is held is not to grow; one text stays
 *
 * Returns 0, or -1 with ENOMEM.
 */
int content_add(struct content **, uint64_t hash, struct span text, bool part,
    bool scarce) MUST_CHECK;

void content_free(struct content *);

/* Records, of whatever text. */
double content_records(const struct content *);

/*
 * Bytes that are left; not of a part. A few milliseconds, for each kilobyte
 * 60 us. NAN with ENOMEM.
 */
double content_compressed(const struct content *);

/* The different texts' own bytes, about. */
double content_length(const struct content *);

size_t content_bytes(const struct content *); /* NULL: 0 */

/* 0, or -1 with errno. What is loaded is *c, which is NULL before. */
int content_save(const struct content *, struct snapshot_writer *) MUST_CHECK;
int content_load(
    struct content **c, bool part, struct snapshot_reader *) MUST_CHECK;

#endif
