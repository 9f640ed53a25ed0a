/* The directories that backup, restore and verify are called with. */
#ifndef CTL_PLACE_H
#define CTL_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

#define PLACE_WHY_BYTES 512

/* What was given, or where the daemon keeps its state by default. */
const char *place_state_dir(const char *given);

/* Open a directory. Returns it, or -1 with why. */
int place_open(const char *path, char *why, size_t whylen) MUST_CHECK;

/* The same, with a look whether it is a state directory. */
int place_open_state(const char *path, char *why, size_t whylen) MUST_CHECK;
/* Also one that has lost its catalogue. */
int place_open_any(const char *path, char *why, size_t whylen) MUST_CHECK;

/*
 * Make and open the directory of a backup. One that is there must be empty,
 * and it must not be below the state directory. Returns it, or -1 with why.
 */
int place_make_empty(const char *path, int state, const char *state_dir,
    char *why, size_t whylen) MUST_CHECK;

/* Has it any name in it, but for those in except (which ends with NULL)? */
bool place_is_empty(int dirfd, const char *const *except);

#endif
