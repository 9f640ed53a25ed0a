/*
 * Where files of a job go that cannot be used: kept for whoever wants to look,
 * never read again. Paths are relative: the job's directory is the current
 * one.
 */
#ifndef WORKER_QUARANTINE_H
#define WORKER_QUARANTINE_H

#include <stdint.h>

#include "common/compat.h"

/*
 * Set a file aside as quarantine/<kind>-<number>, with ".1", ".2" behind it
 * when there are some already. Logged; so is a failure, after which the file
 * is still where it was.
 *
 * why  what is wrong with it, for the log
 */
void quarantine_move(
    const char *path, const char *kind, uint64_t number, const char *why);

#endif
