/*
 * Where the daemon is: "unix:/run/anomd/anomd.sock", "http://127.0.0.1:9200",
 * "https://proxy.example.net/anomd".
 */
#ifndef CTL_TARGET_H
#define CTL_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "common/compat.h"

struct target {
	char name[512]; /* as it was given, for messages */
	char
	    base[512]; /* URL that paths are appended to, no slash at its end */
	/* Of the Unix socket; "" without one. */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	/* Others on the way could read what is sent. */
	bool is_exposed;
};

/*
 * Returns 0, or -1 with why: another form, a socket's path that is too long,
 * a user or password in it, a query.
 */
int target_parse(
    struct target *, const char *text, char *why, size_t whylen) MUST_CHECK;

#endif
