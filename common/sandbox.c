/* Owns the order in which a child gives up its rights. */
#include "common/compat.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/sandbox_parts.h"

/*
 * Descriptors: a worker keeps one for each large upload that is arriving, the
 * others a handful.
 */
static const rlim_t nofile_by_role[] = {
	[SANDBOX_WORKER] = 1024,
	[SANDBOX_QUERY] = 256,
	[SANDBOX_KEEPER] = 256,
	[SANDBOX_HASHER] = 8,
};

static int
limits_set(enum sandbox_role role)
{
	/* A core would spill records of strangers to wherever cores go. */
	struct rlimit core = { 0, 0 }, files;
	rlim_t most = nofile_by_role[role];

	if (setrlimit(RLIMIT_CORE, &core) == -1 ||
	    getrlimit(RLIMIT_NOFILE, &files) == -1)
		return -1;
	if (most > files.rlim_max)
		most = files.rlim_max;
	files.rlim_cur = files.rlim_max = most;
	return setrlimit(RLIMIT_NOFILE, &files);
}

int
sandbox_enter(
    enum sandbox_role role, const struct sandbox_path *paths, size_t npaths)
{
	if (limits_set(role) == -1) {
		log_warn("resource limits");
		return -1;
	}
	/* The children of all jobs share a user: none may trace another. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		log_warn("no_new_privs");
		return -1;
	}
	if (sandbox_landlock(paths, npaths) == -1)
		return -1;
	/* Last: the filter forbids what the steps before it need. */
	return sandbox_filter(role);
}
