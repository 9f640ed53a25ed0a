/*
 * A child of the worker that does one long piece of work on the job's files
 * while the loop goes on. It is no program of its own: fork() copies what it
 * needs, and the filter of system calls lets it do no more than the worker.
 */
#ifndef WORKER_FORKED_H
#define WORKER_FORKED_H

#include <stddef.h>
#include <sys/types.h>

#include "common/compat.h"

/*
 * In the child, before anything else: it dies when its parent does, so that
 * nothing is written behind a successor's back, and keeps no descriptors but
 * these, in ascending order. After limit_s seconds it ends itself, for no
 * worker may send a signal to another process; 0: never. Exits if that cannot
 * be had.
 */
void forked_enter(
    pid_t parent, const int *keep, size_t nkeep, unsigned limit_s);

/* The child's end, from which forked_look makes what it returns. */
void forked_exit(int rc) NO_RETURN;

/*
 * Has the child ended? Returns 1: not yet; 0: well; -1 with the errno that it
 * failed with, or EINTR when it was ended by a signal (both logged with what).
 */
int forked_look(pid_t child, const char *what) MUST_CHECK;

#endif
