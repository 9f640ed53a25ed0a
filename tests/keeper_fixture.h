/*
 * The real keeper on a state directory of its own, which is the current one:
 * requests sent to it, and what it answers.
 */
#ifndef TESTS_KEEPER_FIXTURE_H
#define TESTS_KEEPER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/childproc.h"

extern char keeper_state[];   /* its directory */
extern char keeper_program[]; /* path of anomd-keeper */

/* Of each test. */
void keeper_setup(void);
void keeper_teardown(void);

/* Start it and wait until it is ready; end it, which must be its own end. */
void start(struct childproc *);
void stop(struct childproc *);
/* Start one that is killed before its system call n (tests/killpoint.h). */
void spawn_doomed(struct childproc *, unsigned n);

/* The next frame says that this request is done. Returns its incarnation. */
uint64_t expect_done(struct childproc *, uint32_t request);
/* The next frame says that something failed, with this as the root cause. */
void expect_failed(
    struct childproc *, int status, const char *type, const char *reason);

/* Request 7: a job with the configuration {"a":1}, created at 1234 ms. */
void send_create(struct childproc *, const char *id);
/* As send_create, and wait. Returns the incarnation, which is not 0. */
uint64_t create(struct childproc *, const char *id);
/* Request 8. */
void send_delete(struct childproc *, const char *id, uint64_t incarnation);
/*
 * Request 9 to a keeper that may be dead already: true when it is answered,
 * with a frame of that type.
 */
bool ask_doomed(
    struct childproc *, uint16_t type, const void *m, uint16_t answer);

/*
 * Read the jobs; the ids in their order, each with a blank behind. Of the
 * spans in last only the configuration is kept, until the next call.
 */
void load_jobs(
    struct childproc *, char *ids, size_t len, struct msg_keep_job *last);
void expect_jobs(struct childproc *, const char *want);

/* Below the state directory. */
bool exists(const char *path);
/* "jobs/ID.INCARNATION" and what is below; lives until the next call. */
const char *job_path(const char *id, uint64_t incarnation, const char *below);
/* The keeper works in the background: wait for what it must come to. */
void wait_until_empty(const char *dir);
/* Change the catalogue of a keeper that does not run. */
void edit_catalog(const char *sql);

#endif
