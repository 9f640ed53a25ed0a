/*
 * The catalogue on disk: catalog.db, one row for each job. Every change is on
 * disk when its function returns. Rows carry a CRC-32C.
 */
#ifndef KEEPER_CATALOG_H
#define KEEPER_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"

struct catalog;
struct sqlite3;

#define CATALOG_FILE "catalog.db"

/*
 * Open, or make, the catalogue in the current directory; one of an earlier
 * version is brought up to this one, a damaged one is made from its copy. NULL
 * with errno (logged; EBADMSG: damaged, and so is the copy; EPROTONOSUPPORT:
 * of a later version).
 */
struct catalog *catalog_open(void);
void catalog_close(struct catalog *); /* NULL is fine */

/* There is time: see to the copy. */
void catalog_idle(struct catalog *);

/* For the other tables of the same file; borrowed. */
struct sqlite3 *catalog_db(struct catalog *);

/*
 * A new job gets the next incarnation, a number that was never given before.
 * catalog_reserve begins a transaction and gives the number; then either
 * catalog_add, which ends it, or catalog_cancel.
 *
 * Both return 0, or -1 with errno; then the transaction is cancelled. EEXIST:
 * the id belongs to a live job.
 */
int catalog_reserve(
    struct catalog *, struct span job_id, uint64_t *incarnation) MUST_CHECK;
int catalog_add(struct catalog *, const struct msg_keep_create *,
    uint64_t incarnation) MUST_CHECK;
void catalog_cancel(struct catalog *);

/*
 * The same for a job that begins anew: catalog_reset marks its row as deleted
 * and adds one of the new incarnation, with the configuration and the time of
 * creation of the old one, and nothing else of it.
 *
 * catalog_reset_reserve also returns -1 with EALREADY, when an earlier reset
 * has given the job *next; ENOENT: no such live job.
 */
int catalog_reset_reserve(struct catalog *, struct span job_id,
    uint64_t incarnation, uint64_t *next) MUST_CHECK;
int catalog_reset(struct catalog *, struct span job_id, uint64_t incarnation,
    uint64_t next) MUST_CHECK;

/* Numbers up to this one are taken, by a directory that is on the disk. */
int catalog_skip_to(struct catalog *, uint64_t incarnation) MUST_CHECK;

/* 0, or -1 with errno; ENOENT: no such live job. */
int catalog_set_state(
    struct catalog *, const struct msg_keep_state *) MUST_CHECK;
int catalog_set_config(
    struct catalog *, const struct msg_keep_update *) MUST_CHECK;
int catalog_mark_deleted(
    struct catalog *, struct span job_id, uint64_t incarnation) MUST_CHECK;

/* Drop the row of a job that is marked. 0, or -1 with errno. */
int catalog_remove(struct catalog *, uint64_t incarnation) MUST_CHECK;

/* Is there a row, marked or not? 0, or -1 with errno. */
int catalog_has(struct catalog *, uint64_t incarnation, bool *has) MUST_CHECK;

/*
 * Walk over the rows, marked ones too, by job id. Damaged rows are logged and
 * left out. Spans in job live until the callback returns; it may not use the
 * catalogue. Returns 0, or -1 with errno, also when the callback returned -1.
 */
typedef int catalog_each_cb(
    void *arg, const struct msg_keep_job *job, bool deleted);
int catalog_each(struct catalog *, catalog_each_cb *, void *arg) MUST_CHECK;

/* What is not about one job: see settings.h. */
struct sqlite3 *catalog_database(struct catalog *);

#endif
