/*
 * Owns the Landlock rules. The C library has no functions for them, and older
 * kernel headers lack the newer rights: numbers and layout below are the
 * kernel's ABI, landlock(7).
 */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_parts.h"

/* Rights on files, by the version of the ABI that brought them. */
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_ALL_OF_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)	  /* 2: rename to another directory */
#define FS_TRUNCATE (1ull << 14)  /* 3 */
#define FS_IOCTL_DEV (1ull << 15) /* 5 */

#define NET_BIND_AND_CONNECT_TCP 3ull  /* 4 */
#define SCOPE_ABSTRACT_AND_SIGNAL 3ull /* 6: nobody outside is reached */

#define READING (FS_READ_FILE | FS_READ_DIR)
#define WRITING                                                                \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |        \
	    FS_MAKE_REG | FS_REFER | FS_TRUNCATE)

/* As the newest kernel that we know takes it; older ones take its beginning. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static size_t
attr_for(long abi, struct ruleset_attr *attr)
{
	attr->handled_access_fs = FS_ALL_OF_1 | FS_REFER;
	if (abi >= 3)
		attr->handled_access_fs |= FS_TRUNCATE;
	if (abi >= 4)
		attr->handled_access_net = NET_BIND_AND_CONNECT_TCP;
	if (abi >= 5)
		attr->handled_access_fs |= FS_IOCTL_DEV;
	if (abi >= 6) {
		attr->scoped = SCOPE_ABSTRACT_AND_SIGNAL;
		return sizeof(*attr);
	}
	return abi >= 4 ? offsetof(struct ruleset_attr, scoped)
			: offsetof(struct ruleset_attr, handled_access_net);
}

static int
add_path(int ruleset, const struct sandbox_path *path, uint64_t handled)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = READING };
	long rc;

	if (path->writable)
		rule.allowed_access |= WRITING;
	rule.allowed_access &= handled;
	rule.parent_fd = open(path->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd == -1)
		return -1;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	    &rule, 0);
	close(rule.parent_fd);
	return rc == -1 ? -1 : 0;
}

static int
add_paths(int ruleset, const struct sandbox_path *paths, size_t npaths,
    uint64_t handled)
{
	struct sandbox_path runtime = { .path = sandbox_runtime_path() };

	for (size_t i = 0; i < npaths; i++) {
		if (add_path(ruleset, &paths[i], handled) == -1) {
			log_warn("Landlock rule for %s", paths[i].path);
			return -1;
		}
	}
	if (runtime.path == NULL || add_path(ruleset, &runtime, handled) == 0)
		return 0;
	log_warn("Landlock rule for %s", runtime.path);
	return -1;
}

int
sandbox_landlock(const struct sandbox_path *paths, size_t npaths)
{
	struct ruleset_attr attr = { 0 };
	size_t attrlen;
	int ruleset, saved;
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	/* Version 1 refuses every rename from one directory to another. */
	if (abi < 2) {
		log_info("this kernel has no Landlock of version 2: running "
			 "without it");
		return 0;
	}
	attrlen = attr_for(abi, &attr);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attrlen, 0);
	if (ruleset == -1) {
		log_warn("Landlock ruleset");
		return -1;
	}
	if (add_paths(ruleset, paths, npaths, attr.handled_access_fs) == -1)
		goto fail;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1) {
		log_warn("Landlock");
		goto fail;
	}
	close(ruleset);
	return 0;
fail:
	saved = errno;
	close(ruleset);
	errno = saved;
	return -1;
}
