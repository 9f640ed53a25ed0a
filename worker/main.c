/* Owns the start of a worker, and its way out. */
#include "common/compat.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/peer.h"
#include "worker/loop.h"

static bool
is_channel(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

/*
 * From this size on an allocation is pages of its own, which cost nothing
 * until they are touched: buffers that a job may never fill would else make up
 * a quarter of an idle worker: 376 kB with them in the heap, 284 kB without.
 */
#define OWN_PAGES_BYTES (32 * 1024)

/* The arguments are for ps(1) alone: the supervisor puts the job's id there. */
int
main(void)
{
	log_init("anomd-worker", LOG_LEVEL_INFO);
	peer_ignore_signals();
	if (mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES) == 0 ||
	    mallopt(M_TOP_PAD, OWN_PAGES_BYTES / 2) == 0)
		log_debug("mallopt");
	if (!is_channel(PEER_FD))
		fatalx("to be started by anomd(8) only: descriptor %d is not "
		       "its channel",
		    PEER_FD);
	return loop_run(PEER_FD);
}
