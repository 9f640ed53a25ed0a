/* Owns the talk with systemd. */
#include "common/compat.h"

#include <systemd/sd-daemon.h>

#include "supervisor/notify.h"

void
notify_state(const char *state)
{
	/* Without a manager there is nobody to miss it. */
	(void)sd_notify(0, state);
}

int
notify_listen_fds(void)
{
	int n = sd_listen_fds(1);

	return n < 0 ? 0 : n;
}

uint64_t
notify_watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}
