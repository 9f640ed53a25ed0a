/* The keeper process: the catalogue and the directories of the jobs. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "common/compat.h"

/*
 * Serve the supervisor on fd (owned) until it closes the channel. Returns the
 * exit status of the process: 0, or 1 when something failed (logged).
 */
int keeper_main(int fd);

#endif
