/*
 * A list of jobs as it stands in a message: each u8 length of the id, the id,
 * u64 incarnation.
 */
#ifndef COMMON_JOBLIST_H
#define COMMON_JOBLIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"
#include "common/wire.h"

/* "<id>.<incarnation>", and the NUL */
#define JOBLIST_DIRECTORY_BYTES (MSG_ID_MAX + 22)

struct joblist_entry {
	char id[MSG_ID_MAX + 1];
	uint64_t incarnation;
};

/* 0, or -1 with errno: EINVAL (no id, or a longer one), ENOMEM. */
int joblist_put(struct wbuf *, const char *id, uint64_t incarnation) MUST_CHECK;

/*
 * The next one. 1, 0 at the end, or -1 with EBADMSG: it is cut off, or its id
 * is none that could stand in a path.
 */
int joblist_next(struct rbuf *, struct joblist_entry *) MUST_CHECK;

/*
 * All of them, which the caller frees; *n is more than 0. NULL with errno:
 * EBADMSG as above, or because there is none, ENOMEM.
 */
struct joblist_entry *joblist_parse(const void *, size_t len, size_t *n);

/* The name of a job's directory below that of the jobs. Returns dst. */
char *joblist_directory(
    char dst[JOBLIST_DIRECTORY_BYTES], const char *id, uint64_t incarnation);

#endif
