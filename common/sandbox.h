/*
 * The sandbox of a child: no_new_privs, resource limits, Landlock where the
 * kernel has it, and a seccomp allow-list by role. Entered once, after the
 * child has opened what lies outside, before it reads a byte from a stranger.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

enum sandbox_role {
	SANDBOX_WORKER,
	SANDBOX_QUERY,
	SANDBOX_KEEPER,
	SANDBOX_HASHER, /* no files at all */
};

struct sandbox_path {
	const char *path; /* absolute directory */
	bool writable;	  /* create, write, rename, unlink below it too */
};

/*
 * Enter the sandbox. What it could not do (a kernel without Landlock, a
 * sanitizer build without the filter) is logged once, at level info.
 *
 * Returns 0, or -1 with errno: the caller must end then.
 */
int sandbox_enter(
    enum sandbox_role, const struct sandbox_path *, size_t npaths) MUST_CHECK;

#endif
