/*
 * A whole supervisor in the test's own process, without ports and processes:
 * clients are socket pairs (http_fixture.h), children are played by the test
 * (fake_child.h), the clock is the test's.
 */
#ifndef TESTS_SUPERVISOR_FIXTURE_H
#define TESTS_SUPERVISOR_FIXTURE_H

#include "supervisor/conf.h"
#include "supervisor/job.h"
#include "supervisor/server.h"
#include "tests/fake_child.h"
#include "tests/http_fixture.h"

#define SV_KEEPER "anomd-keeper"
#define SV_WORKER "anomd-worker"
#define SV_QUERY "anomd-query"

extern struct server sv;
extern unsigned sv_loaded, sv_failed; /* what the catalogue has told */

/* Up to the moment when the first keeper has been started. */
void sv_begin(void);
/* The first keeper says READY and has no jobs stored. */
void sv_keeper_loads(void);
/* Both. */
void sv_start(void);
void sv_end(void);

/* A client sends this request; its connection is returned. */
int sv_ask(const char *method, const char *path, const char *body);
/* The same, and what comes as its answer. */
const char *sv_talk(const char *method, const char *path, const char *body);
/* Every second of what the daemon's timer does, s times. */
void sv_tick(unsigned s);

/* The keeper's next request is of this type: it is stored. */
void sv_store(uint16_t type);
/* A job, created, closed; groups: a JSON list, or NULL. */
struct job *sv_job(const char *id, const char *groups);
/* The same, opened. */
struct job *sv_open_job(const char *id);

/* Does the answer have this status and this text? Says what it was if not. */
#define sv_expect(heard, status, text)                                         \
	cr_expect(sv_answers((heard), (status), (text)), "not %d %s: %s",      \
	    (status), (text), (heard))
bool sv_answers(const char *heard, int status, const char *text);

#endif
