/* The layers of the sandbox, for sandbox.c alone. Others: sandbox.h. */
#ifndef COMMON_SANDBOX_PARTS_H
#define COMMON_SANDBOX_PARTS_H

#include "common/compat.h"
#include "common/sandbox.h"

/*
 * Confine file access to these directories, and with newer kernels TCP and
 * signals too. Returns 0, also when the kernel cannot (logged); -1 with errno.
 */
int sandbox_landlock(const struct sandbox_path *, size_t npaths) MUST_CHECK;

/*
 * Load the filter of system calls; sandbox_none.c is the variant of builds
 * that run without. Returns 0, or -1 with errno.
 */
int sandbox_filter(enum sandbox_role) MUST_CHECK;

/* A directory that the run-time of this build must read; NULL: none. */
const char *sandbox_runtime_path(void);

#endif
