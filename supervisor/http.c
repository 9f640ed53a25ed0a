/*
 * Owns the server as a whole: its listeners, the number of its connections,
 * the sweep over deadlines, its end.
 */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/units.h"
#include "supervisor/http_conn.h"
#include "supervisor/http_encode.h"

/* ---- dead connections ---- */

static void
reap_cb(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;
	struct http_conn *c;

	(void)fd;
	(void)what;
	while ((c = http->dead) != NULL) {
		http->dead = c->next_dead;
		http_conn_free(c);
	}
}

/* ---- how many may come in ---- */

static void
update_full(struct http *http)
{
	bool full = http->nconns >= http->config.limits.max_connections;

	if (full == http->full)
		return;
	http->full = full;
	for (unsigned i = 0; i < http->nlisteners; i++) {
		if (full)
			listener_pause(http->listener[i]);
		else
			listener_resume(http->listener[i]);
	}
	if (full && log_is_due(&http->full_logged_us))
		log_warnx("http: %zu connections, as many as allowed: others "
			  "wait",
		    http->nconns);
}

static void
update_sweep(struct http *http)
{
	static const struct timeval period = { 0, HTTP_SWEEP_US };

	if (http->nconns == 0)
		event_del(&http->sweep);
	else if (!event_pending(&http->sweep, EV_TIMEOUT, NULL))
		event_add(&http->sweep, &period);
}

void
http_bury(struct http *http, struct http_conn *c)
{
	static const struct timeval now = { 0, 0 };

	c->next_dead = http->dead;
	http->dead = c;
	event_add(&http->reap, &now);
	update_full(http);
	update_sweep(http);
}

static void
accepted(int fd, const struct listen_peer *peer, void *arg)
{
	struct http *http = arg;

	if (http_conn_new(http, fd, peer) == NULL &&
	    log_is_due(&http->unserved_logged_us))
		log_warn("http: %s is not served", peer->name);
	update_full(http);
	update_sweep(http);
}

/* ---- deadlines ---- */

void
http_sweep(struct http *http)
{
	struct http_conn *c, *next;
	int64_t now_us = clock_mono_us();

	http->pressed = http->full;
	for (unsigned i = 0; i < http->nlisteners; i++)
		if (listener_is_starved(http->listener[i]))
			http->pressed = true;
	TAILQ_FOREACH_SAFE (c, &http->conns, entry, next)
		http_conn_sweep(c, now_us);
}

static void
sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_sweep(arg);
}

const char *
http_date(struct http *http)
{
	/* Not strftime(3), which looks for the file of the zone each time. */
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t now_s = clock_wall_ms() / 1000, day = now_s / 86400, year;
	unsigned s = (unsigned)(now_s % 86400), month, mday;

	if (http->date_s == now_s && *http->date != '\0')
		return http->date;
	http->date_s = now_s;
	units_civil_from_days(day, &year, &month, &mday);
	/* 1970 began on a Thursday. */
	(void)snprintf(http->date, sizeof(http->date),
	    "%s, %02u %s %04d %02u:%02u:%02u GMT", days[(day + 4) % 7], mday,
	    months[month - 1], (int)year, s / 3600, s / 60 % 60, s % 60);
	return http->date;
}

/* ---- the server ---- */

struct http *
http_new(struct event_base *base, const struct http_config *config)
{
	struct http *http = calloc(1, sizeof(*http));

	if (http == NULL)
		return NULL;
	http->piece = evbuffer_new();
	if (http->piece == NULL) {
		free(http);
		errno = ENOMEM;
		return NULL;
	}
	http->base = base;
	http->config = *config;
	TAILQ_INIT(&http->conns);
	TAILQ_INIT(&http->orphans);
	event_assign(&http->sweep, base, -1, EV_PERSIST, sweep_cb, http);
	evtimer_assign(&http->reap, base, reap_cb, http);
	return http;
}

int
http_listen(struct http *http, const char *spec, char *where, size_t wherelen,
    const char **why)
{
	struct listener *l;

	if (http->nlisteners == HTTP_LISTENERS_MAX) {
		*why = "too many listeners";
		errno = ENOSPC;
		return -1;
	}
	l = listener_new(
	    http->base, spec, accepted, http, where, wherelen, why);
	if (l == NULL)
		return -1;
	if (http->full)
		listener_pause(l);
	http->listener[http->nlisteners++] = l;
	return 0;
}

bool
http_spec_is_local(const char *spec)
{
	return listen_spec_is_local(spec);
}

static void
close_listeners(struct http *http)
{
	while (http->nlisteners > 0)
		listener_free(http->listener[--http->nlisteners]);
}

void
http_stop(struct http *http)
{
	struct http_conn *c, *next;

	http->stopping = true;
	close_listeners(http);
	TAILQ_FOREACH_SAFE (c, &http->conns, entry, next)
		if (http_conn_is_idle(c))
			http_conn_close(c);
}

size_t
http_active(const struct http *http)
{
	const struct http_conn *c;
	const struct http_req *req;
	size_t n = 0;

	TAILQ_FOREACH (c, &http->conns, entry)
		if ((c->req != NULL && c->req->given) ||
		    evbuffer_get_length(c->out) > 0)
			n++;
	TAILQ_FOREACH (req, &http->orphans, entry)
		n++;
	return n;
}

size_t
http_connections(const struct http *http)
{
	return http->nconns;
}

uint64_t
http_refused(const struct http *http, enum http_fault fault)
{
	return http->refused[fault];
}

void
http_free(struct http *http)
{
	struct http_conn *c;
	struct http_req *req;

	if (http == NULL)
		return;
	close_listeners(http);
	while ((c = TAILQ_FIRST(&http->conns)) != NULL)
		http_conn_close(c);
	while ((req = TAILQ_FIRST(&http->orphans)) != NULL) {
		TAILQ_REMOVE(&http->orphans, req, entry);
		http_req_free(req);
	}
	reap_cb(-1, 0, http);
	event_del(&http->sweep);
	event_del(&http->reap);
	evbuffer_free(http->piece);
	http_encoder_free(http->encoder);
	free(http);
}
