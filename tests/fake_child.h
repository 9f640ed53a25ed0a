/*
 * Children that are no processes: in place of supervisor/child.c, for tests
 * that play the child themselves, at the other end of a real socket pair.
 */
#ifndef TESTS_FAKE_CHILD_H
#define TESTS_FAKE_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/frame.h"
#include "common/msg.h"
#include "supervisor/child.h"

#define FAKE_MAX 512 /* spawns in one test */

struct child {
	char program[32]; /* last part of the path */
	int fd;		  /* the child's end; -1: closed */
	unsigned from;	  /* FROM_* of the child */
	bool killed;
	bool ended;
	void (*exited)(void *, int);
	void *arg;
	struct frame_header head; /* of the last frame read */
	uint8_t *data;		  /* its payload, owned */
};

/* Starts that fail from now on, with ENOENT. */
extern unsigned fake_failing;
/* How many were started, of this program or (NULL) of all. */
unsigned fake_count(const char *program);
/* The i-th of all that were started. */
struct child *fake_at(unsigned i);
/* The last one started of this program; NULL: none. */
struct child *fake_last(const char *program);

/*
 * The type of the next frame that the supervisor has sent, 0 when none is
 * there. Its payload is in data until the next call.
 */
uint16_t fake_next(struct child *);
/* Decode the last frame; spans of obj point into it. */
void fake_decode(struct child *, void *obj);
/* The next frame must be of this type; returns its request. */
uint32_t fake_expect(struct child *, uint16_t type, void *obj);

void fake_say(struct child *, uint16_t type, uint32_t request, const void *obj);
void fake_say_raw(struct child *, uint16_t type, uint32_t request,
    const void *data, size_t len);
/* FAILED with this error. */
void fake_say_failed(struct child *, uint32_t request, int status,
    const char *type, const char *reason);
/* Take HELLO, and the job's configuration if it is a worker; say READY. */
void fake_ready(struct child *);
/* The process ends: its descriptor closes, then it is reaped. */
void fake_exit(struct child *, int status);
/* Free what was started. */
void fake_end(void);

#endif
