/*
 * Who may ask: without these checks any web page that a user of this machine
 * opens could post to the daemon, by its address (Origin) or by a name of its
 * own that it lets point to 127.0.0.1 (Host).
 */
#ifndef SUPERVISOR_HTTP_HOSTS_H
#define SUPERVISOR_HTTP_HOSTS_H

#include <stdbool.h>

#include "common/compat.h"

/* host[":" port] as RFC 3986 has it, without user information; not empty. */
bool http_host_is_valid(const char *host);

/*
 * True for localhost, names below it, 127.0.0.0/8, [::1], and what the list
 * has. Case and port do not matter.
 *
 * host     valid, or empty
 * allowed  NULL-terminated, "*" allows all; may be NULL
 */
bool http_host_is_allowed(const char *host, const char *const *allowed);

/* True when the list has it, or "*". Case does not matter. */
bool http_origin_is_allowed(const char *origin, const char *const *allowed);

#endif
