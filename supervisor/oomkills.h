/*
 * Kills by the kernel for want of memory, as the cgroup of the daemon counts
 * them: its workers are in the same one. So a death by SIGKILL can be told from
 * one by somebody's hand.
 *
 * Nothing is written, and while serving no file is opened.
 */
#ifndef SUPERVISOR_OOMKILLS_H
#define SUPERVISOR_OOMKILLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/* Behind the status of a process that has died so. */
#define OOMKILLS_CAUSE " by the kernel: memory is out"

struct oomkills {
	int fd;		  /* memory.events; -1: kills are not known */
	uint64_t seen;	  /* its counter at the last look */
	uint64_t open;	  /* kills that no death was attributed to yet */
	int64_t grown_us; /* when the last of these was seen, monotonic */
};

/*
 * The path of memory.events by the text of /proc/self/cgroup, for the second
 * hierarchy. Returns 0; -1: the process is in none, or the path is too long.
 */
int oomkills_path(char *dst, size_t size, const char *cgroup) MUST_CHECK;

/* The number behind "oom_kill". Returns 0; -1: there is none. */
int oomkills_parse(const char *text, uint64_t *kills) MUST_CHECK;

/*
 * Begin to count. path NULL: the file of the own cgroup. Where there is none
 * no death is attributed.
 */
void oomkills_begin(struct oomkills *, const char *path);
void oomkills_end(struct oomkills *);

/* From time to time: kills of processes that nobody asks for are forgotten. */
void oomkills_tick(struct oomkills *, int64_t now_us);

/* A process has died by SIGKILL: was it one of these? Each counts once. */
bool oomkills_take(struct oomkills *, int64_t now_us);

/*
 * A child of which no end was asked has ended with this status. Was it one of
 * these? oom NULL: kills are not known. Each owner of a process has to ask, or
 * its kill would be taken for that of another one.
 */
bool oomkills_explain(struct oomkills *, int status, int64_t now_us);
/* Ask, and say how it ended: child_status_text, and that it was so. */
const char *oomkills_death_text(
    struct oomkills *, int status, char *dst, size_t dstlen);

#endif
