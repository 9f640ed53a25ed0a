/* The inside of the catalogue, shared by the files that make it up. */
#ifndef SUPERVISOR_CATALOGUE_INT_H
#define SUPERVISOR_CATALOGUE_INT_H

#include <sys/queue.h>

#include "common/compat.h"
#include "common/wire.h"
#include "supervisor/catalogue.h"

struct chan;
struct child;

/* A keeper that takes longer is hung. */
#define CATALOGUE_TIMEOUT_US 60000000

struct keeper_request {
	TAILQ_ENTRY(keeper_request) entry;
	uint32_t id;
	int64_t asked_us;
	int64_t sent_us;   /* 0: it waits for a keeper */
	unsigned tries;	   /* keepers that it was sent to */
	bool lasting;	   /* asked for until it is answered */
	struct wbuf frame; /* whole; owned */
	catalogue_cb *cb;
	catalogue_password_cb *password_cb; /* in its place: out of order */
	void *arg;
};

struct catalogue {
	struct server *srv;
	const struct catalogue_handlers *handlers;
	void *arg;
	struct child *child;
	struct chan *chan;
	TAILQ_HEAD(, keeper_request) requests;
	size_t nrequests;
	size_t queued_bytes; /* of their frames */
	uint32_t next_id;
	uint32_t load_id; /* of the KEEP_LOAD under way, 0: loaded */
	bool ever_loaded;
	unsigned restart_s;  /* delay of the next start */
	int64_t start_at_us; /* 0: running */
	int64_t ready_since_us;
	int64_t sign_us; /* of life: its start, or its last frame */
};

/* What the keeper has said. */
struct keeper_result {
	uint64_t incarnation;
	bool ok;
	struct span hash;
};

/* ---- catalogue.c: the requests ---- */

/*
 * The one with this id that a keeper may answer now; NULL: none. It answers in
 * order. Who asks relies on it: nothing of a job is answered behind the
 * deletion that ends it. Passwords alone take their time.
 */
struct keeper_request *catalogue_find(struct catalogue *, uint32_t id);
/* The same among those about passwords. */
struct keeper_request *catalogue_find_password(struct catalogue *, uint32_t id);
/* Tell who has asked, and forget it. e or result may be NULL. */
void catalogue_finish(struct catalogue *, struct keeper_request *,
    const struct apierr *e, const struct keeper_result *);
/* A keeper is there: it is sent what waits for it. */
void catalogue_send_waiting(struct catalogue *);
/* What the keeper had been given waits for the next one, or fails. */
void catalogue_requests_lost(struct catalogue *);

/* ---- catalogue_keeper.c: the process ---- */

void catalogue_keeper_start(struct catalogue *);
/* End it, unless it has ended; another one is started later. */
void catalogue_keeper_down(struct catalogue *, const char *why);
/* It has given all that is stored, and takes requests. */
bool catalogue_keeper_is_loaded(const struct catalogue *);
bool catalogue_keeper_is_late(const struct catalogue *, int64_t now_us);

#endif
