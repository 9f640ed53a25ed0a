/*
 * Settings of the daemon that outlive it: names and values in catalog.db, in a
 * table that is made when it is not there. Rows carry a CRC-32C.
 */
#ifndef KEEPER_SETTINGS_H
#define KEEPER_SETTINGS_H

#include "common/compat.h"
#include "common/msg.h"

struct sqlite3;

/* Each returns 0, or -1 with errno (logged). */
int settings_ensure(struct sqlite3 *) MUST_CHECK;
/* On the disk when it returns. */
int settings_put(struct sqlite3 *, const struct msg_keep_setting *) MUST_CHECK;

/*
 * Call cb for each, by name; damaged rows are logged and left out. Also -1
 * when cb returned -1.
 */
typedef int settings_each_cb(void *arg, const struct msg_keep_setting *);
int settings_each(struct sqlite3 *, settings_each_cb *, void *arg) MUST_CHECK;

#endif
