/*
 * Changes of users, from the request to the disk: one after the other, in the
 * order in which their passwords were hashed.
 */
#ifndef SUPERVISOR_USERCHANGE_H
#define SUPERVISOR_USERCHANGE_H

#include <stdbool.h>

#include "common/compat.h"

struct call;
struct user;

enum change_kind { CHANGE_PUT, CHANGE_PASSWORD, CHANGE_ENABLED, CHANGE_DELETE };

/*
 * Begin a change; it answers the call.
 *
 * user      as it is to be, of CHANGE_PUT, taken over; NULL with it: out of
 *           memory
 * password  NULL: it stays as it is
 * enabled   of CHANGE_ENABLED
 */
void userchange_begin(struct call *, enum change_kind, const char *name,
    struct user *user, const char *password, bool enabled);

#endif
