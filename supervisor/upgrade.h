/*
 * Upgrade mode: while it is on, no job has a worker. Open jobs keep their
 * state and get their worker back when it ends; none is opened or reset
 * meanwhile. It outlives the daemon.
 */
#ifndef SUPERVISOR_UPGRADE_H
#define SUPERVISOR_UPGRADE_H

#include "common/compat.h"
#include "common/msg.h"

struct server;

/*
 * A setting that was stored; others than upgrade_mode are passed over. Once
 * the daemon serves it only tells what has become of a change under way.
 */
void upgrade_load(
    struct server *, const struct msg_keep_setting *, bool at_start);

#endif
