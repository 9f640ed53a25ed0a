/* What the service manager is told, and what it hands over. */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdint.h>

#include "common/compat.h"

/* State in the form of sd_notify(3); nothing happens without a manager. */
void notify_state(const char *state);
/* Number of inherited listening descriptors, from 3 on. */
int notify_listen_fds(void);
/* Microseconds within which a sign of life is wanted; 0: none is. */
uint64_t notify_watchdog_us(void);

#endif
