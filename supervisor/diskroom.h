/* Whether the disk has room for new data: what the keeper has said of it. */
#ifndef SUPERVISOR_DISKROOM_H
#define SUPERVISOR_DISKROOM_H

#include "common/apierr.h"
#include "common/compat.h"
#include "common/msg.h"

struct server;

/* The keeper has looked. */
void diskroom_report(struct server *, const struct msg_disk *);
/* May new data come in? 0, or -1 with *e set: 503, and what to do. */
int diskroom_admit(const struct server *, struct apierr *e) MUST_CHECK;

#endif
