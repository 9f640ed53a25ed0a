/*
 * Owns the deadlines of a connection. They are looked at by a sweep over all
 * connections, a few times a second: no timer has to be set and unset with
 * every request, and the clock can be a test's.
 */
#include "common/compat.h"

#include <event2/buffer.h>

#include "supervisor/http_conn.h"

#define IDLE_PRESSED_S 3 /* idle this long while others wait to come in */

bool
http_conn_is_idle(const struct http_conn *c)
{
	return c->state == HC_OPEN && c->req == NULL &&
	    evbuffer_get_length(c->in) == 0 && evbuffer_get_length(c->out) == 0;
}

static bool
passed(int64_t since_us, unsigned limit_s, int64_t now_us)
{
	return now_us - since_us >= (int64_t)limit_s * 1000000;
}

static bool
linger_is_over(const struct http_conn *c, int64_t now_us)
{
	return c->state == HC_CLOSING &&
	    (passed(c->close_us, HTTP_LINGER_S, now_us) ||
		passed(c->quiet_us, HTTP_LINGER_QUIET_S, now_us));
}

static enum http_fault
slow_request(const struct http_conn *c, int64_t now_us)
{
	const struct http_limits *lim = &c->http->config.limits;

	if (c->req == NULL)
		return HTTP_FAULT_NONE;
	if (!http_head_is_done(&c->req->head))
		return passed(c->head_us, lim->head_timeout_s, now_us)
		    ? HTTP_FAULT_HEAD_SLOW
		    : HTTP_FAULT_NONE;
	return http_body_is_slow(c->req, now_us) ? HTTP_FAULT_BODY_SLOW
						 : HTTP_FAULT_NONE;
}

void
http_conn_sweep(struct http_conn *c, int64_t now_us)
{
	const struct http_limits *lim = &c->http->config.limits;
	unsigned idle_s =
	    c->http->pressed ? IDLE_PRESSED_S : lim->idle_timeout_s;
	enum http_fault fault;

	if (evbuffer_get_length(c->out) > 0) {
		/* An answer that was made in this very turn has not been tried
		   yet: only what the client does not take is late. */
		if (c->wr_on &&
		    passed(c->write_us, lim->write_timeout_s, now_us))
			http_conn_close(c);
	} else if (linger_is_over(c, now_us)) {
		http_conn_close(c);
	} else if (http_conn_is_idle(c)) {
		if (passed(c->idle_us, idle_s, now_us))
			http_conn_close(c);
	} else if (c->state == HC_OPEN &&
	    (fault = slow_request(c, now_us)) != HTTP_FAULT_NONE) {
		/* Empty lines are not worth an answer. */
		if (!http_head_is_begun(&c->req->head)) {
			http_conn_close(c);
			return;
		}
		http_conn_refuse(c, fault, NULL);
		http_conn_kick(c);
	}
}
