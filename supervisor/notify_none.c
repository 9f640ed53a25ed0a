/* Builds without libsystemd: nobody to tell. */
#include "common/compat.h"

#include "supervisor/notify.h"

void
notify_state(const char *state)
{
	(void)state;
}

int
notify_listen_fds(void)
{
	return 0;
}

uint64_t
notify_watchdog_us(void)
{
	return 0;
}
