/* Owns the texts of errors about results that cannot be read. */
#include "common/compat.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sqlvfs.h"
#include "query/fault.h"
#include "query/patience.h"

/* The supervisor is told, and tells the next worker. */
#define CURE "close and open the job: rows that can be read are kept"

/* Which of its files; a client is told no path of the machine. */
static const char *
damaged_file(void)
{
	size_t len = strlen(sqlvfs_damage()->path);

	return len > 4 && strcmp(sqlvfs_damage()->path + len - 4, "-wal") == 0
	    ? RESULTSDB_FILE "-wal"
	    : RESULTSDB_FILE;
}

int
fault_set(struct apierr *e, const char *job, const char *directory)
{
	int err = errno;

	if (err == EINTR)
		return apierr_set(e, 503, E_STATUS,
		    "the results of job [%s] took longer than [%ds] to read; "
		    "ask for less with [start], [end] or a score",
		    job, ANSWER_MAX_MS / 1000);
	if (err == EBUSY)
		return apierr_set(
		    e, 503, E_STATUS, "the results of job [%s] are busy", job);
	if (err == EBADMSG && sqlvfs_damage()->path[0] != '\0')
		return apierr_set(e, 500, E_EXCEPTION,
		    "the results of job [%s] are damaged: %s/%s, byte "
		    "%ju; " CURE,
		    job, directory, damaged_file(),
		    (uintmax_t)sqlvfs_damage()->offset);
	if (err == EBADMSG)
		return apierr_set(e, 500, E_EXCEPTION,
		    "the results of job [%s] are damaged: %s/%s; " CURE, job,
		    directory, RESULTSDB_FILE);
	return apierr_set(e, 500, E_EXCEPTION,
	    "the results of job [%s] cannot be read: %s", job, strerror(err));
}

int
fault_set_row(struct apierr *e, const char *job, const char *directory,
    const char *table, int64_t id)
{
	log_warnx("job %s: %s/results/%s: row %jd of %s is damaged", job,
	    directory, RESULTSDB_FILE, (intmax_t)id, table);
	return apierr_set(e, 500, E_EXCEPTION,
	    "the results of job [%s] are damaged: row [%jd] of [%s] in "
	    "[%s/results/%s] does not match its checksum; " CURE,
	    job, (intmax_t)id, table, directory, RESULTSDB_FILE);
}
