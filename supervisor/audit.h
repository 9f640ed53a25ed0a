/*
 * The trail of who changed what: one line in the log for each change that was
 * asked for, done or refused.
 *
 *	audit: user=admin action=cluster:admin/xpack/ml/job/put job=web-1
 *	    from=127.0.0.1:4711 status=200
 *
 * Data that is posted and what is only read make no line.
 */
#ifndef SUPERVISOR_AUDIT_H
#define SUPERVISOR_AUDIT_H

#include "common/compat.h"

struct call;
struct http_req;

/* The call is about to be answered; 0: its client left before. */
void audit_call(const struct call *, int status);
/* "127.0.0.1:4711", "unix(uid 1000)". */
void audit_from(char *dst, size_t size, const struct http_req *);

#endif
