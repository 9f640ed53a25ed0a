/* anomd-query: makes answers from the results of jobs. */
#include "common/compat.h"

#include <fcntl.h>
#include <stdio.h>

#include "common/log.h"
#include "common/peer.h"
#include "query/query.h"

int
main(void)
{
	log_init("anomd-query", LOG_LEVEL_INFO);
	if (fcntl(PEER_FD, F_GETFD) == -1)
		fatalx("started by hand: this program is run by anomd");
	peer_ignore_signals();
	return query_main(PEER_FD);
}
