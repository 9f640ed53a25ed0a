/* Owns the names in quarantine/. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/quarantine.h"

#define QUARANTINE_DIR "quarantine"
#define PATH_BYTES 96

/* Of more files with one name than this the last is replaced: a bound. */
#define NAMESAKES_MAX 99

/* Nobody else makes files here: the job's directory is locked. */
static const char *
free_path(char *dst, const char *kind, uint64_t number)
{
	snprintf(dst, PATH_BYTES, QUARANTINE_DIR "/%s-%" PRIu64, kind, number);
	for (int i = 1; access(dst, F_OK) == 0 && i <= NAMESAKES_MAX; i++)
		snprintf(dst, PATH_BYTES, QUARANTINE_DIR "/%s-%" PRIu64 ".%d",
		    kind, number, i);
	return dst;
}

void
quarantine_move(
    const char *path, const char *kind, uint64_t number, const char *why)
{
	char to[PATH_BYTES];

	free_path(to, kind, number);
	log_warnx("%s: %s: moved to %s", path, why, to);
	if (rename(path, to) == -1)
		log_warn("%s", to);
}
