/* anomd-keeper: keeps the catalogue and the directories of the jobs. */
#include "common/compat.h"

#include <fcntl.h>
#include <stdio.h>

#include "common/log.h"
#include "common/peer.h"
#include "keeper/keeper.h"

int
main(void)
{
	log_init("anomd-keeper", LOG_LEVEL_INFO);
	if (fcntl(PEER_FD, F_GETFD) == -1)
		fatalx("started by hand: this program is run by anomd");
	peer_ignore_signals();
	return keeper_main(PEER_FD);
}
