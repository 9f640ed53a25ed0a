/*
 * Processes that the supervisor starts: spawn, reap, kill. A child has its
 * channel at descriptor 3 and inherits nothing else but standard error.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/compat.h"

struct child;
struct event_base;

/* Watch for the end of children. One per process. 0 or -1 with errno. */
int child_init(struct event_base *) MUST_CHECK;
void child_cleanup(void);

/*
 * Start a program.
 *
 * path    of the program
 * what    second argument, for ps(1): the job's id, or NULL
 * fd      receives the supervisor's end of the channel
 * exited  called once when the process has ended, from the loop; the child
 *         is freed afterwards
 *
 * NULL with errno.
 */
struct child *child_spawn(const char *path, const char *what, int *fd,
    void (*exited)(void *arg, int status), void *arg);

pid_t child_pid(const struct child *);
void child_kill(struct child *); /* SIGKILL; exited is still called */
/* exited will not be called any more; the process is still reaped. */
void child_forget(struct child *);

/* "killed by signal 9 (Killed)", "exited with status 1". */
const char *child_status_text(int status, char *dst, size_t dstlen);

#endif
