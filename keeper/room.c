/* Owns the reserve of the state directory. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/log.h"
#include "keeper/room.h"

/*
 * The last part of the reserve is the keeper's own: what workers have accepted
 * may eat all the rest, and jobs must still be deleted, and the daemon start.
 */
#define OWN_SHARE 8
/* What a change of the catalogue or a start takes is far less. */
#define OWN_BYTES ((uint64_t)1024 * 1024)
/* A change of the free bytes by such a share is worth a report. */
#define REPORT_SHARE 8

struct room {
	int dirfd; /* borrowed */
	int fd;	   /* -1: no reserve */
	uint64_t low_bytes;
	uint64_t size; /* that the reserve should have */
	uint64_t held; /* that it has */
	uint64_t free_bytes;
	uint64_t reported_bytes;
	bool low;
	bool failed; /* the last look; it is not logged twice */
};

static int
measure(struct room *r)
{
	struct statvfs v;

	if (fstatvfs(r->dirfd, &v) == -1) {
		if (!r->failed)
			log_warn("free space of the state directory");
		r->failed = true;
		return -1;
	}
	r->failed = false;
	r->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static int
cut(struct room *r, uint64_t left)
{
	if (ftruncate(r->fd, (off_t)left) == 0)
		return 0;
	log_warn(ROOM_FILE);
	return -1;
}

static void
give_up(struct room *r, uint64_t left)
{
	if (r->held <= left || cut(r, left) == -1)
		return;
	log_warnx("the disk is full: %" PRIu64 " MB of the reserve are given "
		  "up",
	    (r->held - left) >> 20);
	r->held = left;
	(void)measure(r);
}

/* Returns false when there is no hope of ever having it. */
static bool
take(struct room *r)
{
	int error = posix_fallocate(r->fd, 0, (off_t)r->size);

	if (error == 0) {
		r->held = r->size;
		(void)measure(r);
		return true;
	}
	/* Part of it may be there. */
	(void)cut(r, r->held);
	if (error == ENOSPC || error == EDQUOT || error == EINTR)
		return true;
	errno = error;
	log_warn("there is no reserve for a full disk: " ROOM_FILE);
	return false;
}

/* Give up or take what the last measure calls for. */
static void
settle(struct room *r)
{
	uint64_t part = r->size / OWN_SHARE;

	if (r->fd == -1)
		return;
	if (r->free_bytes < part)
		give_up(r, part);
	else if (r->held < r->size &&
	    r->free_bytes >= r->low_bytes + (r->size - r->held) && !take(r))
		r->size = r->held;
}

bool
room_look(struct room *r)
{
	bool was_low = r->low;
	uint64_t change;

	if (measure(r) == -1)
		return false;
	settle(r);
	r->low = r->free_bytes < r->low_bytes || r->held < r->size;
	change = r->free_bytes > r->reported_bytes
	    ? r->free_bytes - r->reported_bytes
	    : r->reported_bytes - r->free_bytes;
	if (r->low == was_low && change <= r->reported_bytes / REPORT_SHARE)
		return false;
	r->reported_bytes = r->free_bytes;
	return true;
}

void
room_need(struct room *r)
{
	if (measure(r) == 0 && r->free_bytes < OWN_BYTES)
		give_up(r, 0);
}

/* Without one the daemon works as well, until the disk is full. */
static void
reserve_open(struct room *r)
{
	struct stat st;

	r->fd = openat(r->dirfd, ROOM_FILE,
	    O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd != -1 && fstat(r->fd, &st) == 0) {
		r->held = (uint64_t)st.st_size;
		/* The configuration may have been changed. */
		if (r->held > r->size && cut(r, r->size) == 0)
			r->held = r->size;
		/* A copy of it may have holes, and then takes up nothing. */
		if ((uint64_t)st.st_blocks * 512 < r->held)
			r->held = 0;
		return;
	}
	log_warn("there is no reserve for a full disk: " ROOM_FILE);
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
	r->size = 0;
}

struct room *
room_open(int dirfd, uint64_t low_bytes, uint64_t size_bytes)
{
	struct room *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->dirfd = dirfd;
	r->low_bytes = low_bytes;
	r->size = size_bytes;
	reserve_open(r);
	(void)room_look(r);
	room_need(r);
	return r;
}

void
room_free(struct room *r)
{
	if (r == NULL)
		return;
	if (r->fd != -1)
		close(r->fd);
	free(r);
}

uint64_t
room_free_bytes(const struct room *r)
{
	return r->free_bytes;
}

bool
room_is_low(const struct room *r)
{
	return r->low;
}

bool
room_is_short(const struct room *r)
{
	return r->held < r->size;
}
