/*
 * Which snapshot goes when there are too many: not the oldest, which would
 * leave a busy job with those of the last hours alone.
 */
#ifndef WORKER_SNAPTHIN_H
#define WORKER_SNAPTHIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

struct snapthin {
	uint64_t seq;
	int64_t ms; /* when it was made, since the epoch */
	bool stays; /* whatever the rule says */
};

/*
 * The one whose going leaves the smallest gap, measured by its age against the
 * newest. Done over and over this leaves gaps that grow with the age: the
 * newest lie close together. The oldest is only chosen when no other may go.
 *
 * list  n of them, oldest first
 *
 * Returns its index, or n: none may go.
 */
size_t snapthin_choose(const struct snapthin *list, size_t n);

#endif
