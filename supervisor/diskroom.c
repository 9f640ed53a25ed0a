/* Owns the rest of all intake while the disk is full. */
#include "common/compat.h"

#include <inttypes.h>

#include "common/log.h"
#include "supervisor/conf.h"
#include "supervisor/diskroom.h"
#include "supervisor/server.h"

/* The keeper looks every second; making room takes people a while longer. */
#define RETRY_AFTER_S 10

void
diskroom_report(struct server *srv, const struct msg_disk *m)
{
	uint64_t mb = m->free_bytes >> 20;

	if (m->low && !srv->disk_low)
		log_warnx("%" PRIu64 " MB are free on the disk of state_dir "
			  "%s: no data is taken in until there is more "
			  "(min_free_size, reserve_size)",
		    mb, srv->conf->state_dir);
	else if (!m->low && srv->disk_low)
		log_info("%" PRIu64 " MB are free on the disk of state_dir "
			 "%s: data is taken in again",
		    mb, srv->conf->state_dir);
	srv->disk_low = m->low;
	srv->disk_free_bytes = m->free_bytes;
}

int
diskroom_admit(const struct server *srv, struct apierr *e)
{
	const struct conf *c = srv->conf;

	if (!srv->disk_low)
		return 0;
	/* Clients learn nothing of where things are. */
	apierr_set(e, 503, E_STATUS,
	    "the file system of the state directory is full: %" PRIu64
	    " MB are free, and min_free_size (%" PRIu64
	    " MB) and reserve_size (%" PRIu64
	    " MB) are wanted; nothing of this request was kept. Delete jobs "
	    "or results or make room otherwise, and send it again",
	    srv->disk_free_bytes >> 20, c->min_free_bytes >> 20,
	    c->reserve_bytes >> 20);
	e->retry_after_s = RETRY_AFTER_S;
	return -1;
}
