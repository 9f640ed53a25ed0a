/*
 * Death between two system calls, not by chance: a program is run under a
 * tracer that kills it right before the n-th of those of its calls which
 * change what others can see (files, names, what is on the disk, what the
 * channel carries). With n from 1 on until the program comes to its end, no
 * window between two of them is left out; with ANOMD_KILL_STRIDE=K in the
 * environment only each K-th is looked into, where it is the build that is
 * tested rather than the windows.
 */
#ifndef TESTS_KILLPOINT_H
#define TESTS_KILLPOINT_H

#include <stdbool.h>

#include "common/compat.h"

#define KILLPOINT_HIT 99 /* exit status: it was killed there */

/*
 * Take the place of the calling process, a child of the test: run the program
 * and kill it before its n-th such call, n >= 1. Exits with KILLPOINT_HIT, or
 * with the program's status when it made fewer of them.
 */
void killpoint_exec(const char *path, char *const argv[], unsigned n) NO_RETURN;

/*
 * The same, but its n-th call on a file fails with this errno and does nothing,
 * and the program goes on. All that read and write count, from the first lock
 * on that it takes: not what starts a program, not the log, not the channel.
 * The status is the program's, or 128 and the signal that it died of; beside
 * it FAILPOINT_HIT, an empty file in the current directory, is made when there
 * was such a call.
 */
#define FAILPOINT_HIT "failpoint-hit"
void failpoint_exec(
    const char *path, char *const argv[], unsigned n, int error) NO_RETURN;
/* False where killpoint_works is, or where calls cannot be changed. */
bool failpoint_works(void);

/* The call to kill before next; 0: none was killed yet. */
unsigned killpoint_next(unsigned n);
/* How far that is from one to the next, >= 1. */
unsigned killpoint_stride(void);

/* False where a process may not trace its child. */
bool killpoint_works(void);

#endif
