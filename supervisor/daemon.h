/* The daemon from its start to its end. */
#ifndef SUPERVISOR_DAEMON_H
#define SUPERVISOR_DAEMON_H

#include "common/compat.h"

struct conf;

/*
 * Serve until SIGTERM or SIGINT. Returns the exit status: 0 when all has ended
 * in order, 1 when the start failed or stop_timeout was over (logged).
 */
int daemon_run(const struct conf *);

#endif
