/* Owns the process's time zone. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/zones.h"
#include "worker/zone.h"

#define PATH_MAX_BYTES 512

static bool in_use;

/* The C library takes a zone that it cannot read for UTC, and says nothing. */
static int
check_data(const char *name)
{
	char path[PATH_MAX_BYTES];
	int n, fd;
	bool zone;

	n = snprintf(path, sizeof(path), "%s/%s", zones_dir(), name);
	if (n < 0 || (size_t)n >= sizeof(path) || strstr(name, "..") != NULL) {
		errno = EINVAL;
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return -1;
	zone = zones_is_zone(fd);
	close(fd);
	if (zone)
		return 0;
	errno = EINVAL;
	return -1;
}

int
zone_use(const char *name)
{
	in_use = false;
	if (name == NULL || strcmp(name, "UTC") == 0)
		return 0;
	if (check_data(name) == -1 || setenv("TZ", name, 1) == -1)
		return -1;
	tzset();
	in_use = true;
	return 0;
}

int64_t
zone_offset_s(int64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (!in_use || localtime_r(&t, &tm) == NULL)
		return 0;
	return tm.tm_gmtoff;
}
