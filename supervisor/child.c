/* Owns the processes that were started, from their spawn to their reaping. */
#include "common/compat.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/peer.h"
#include "supervisor/child.h"

#define SOCKET_BYTES (1024 * 1024) /* either way; see the design's figures */
#define END_GRACE_US 2000000	   /* for all children together, at the end */
#define END_POLL_NS 2000000

struct child {
	LIST_ENTRY(child) entry;
	pid_t pid;
	void (*exited)(void *, int);
	void *arg;
};

static LIST_HEAD(, child) children = LIST_HEAD_INITIALIZER(children);
static struct event *sigchld;

static struct child *
child_find(pid_t pid)
{
	struct child *c;

	LIST_FOREACH (c, &children, entry)
		if (c->pid == pid)
			return c;
	return NULL;
}

static void
sigchld_cb(evutil_socket_t sig, short what, void *arg)
{
	pid_t pid;
	int status;

	(void)sig;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = child_find(pid);

		if (c == NULL)
			continue;
		LIST_REMOVE(c, entry);
		if (c->exited != NULL)
			c->exited(c->arg, status);
		free(c);
	}
}

int
child_init(struct event_base *base)
{
	sigchld = evsignal_new(base, SIGCHLD, sigchld_cb, NULL);
	if (sigchld == NULL || event_add(sigchld, NULL) == -1)
		return -1;
	return 0;
}

/*
 * Their channels are closed by now, so they end by themselves, and may need a
 * moment to finish what they write. Nobody is left behind: a service manager
 * would have to kill it.
 */
static void
child_await(const struct child *c, int64_t until_us)
{
	const struct timespec pause = { .tv_nsec = END_POLL_NS };

	while (waitpid(c->pid, NULL, WNOHANG) == 0) {
		if (clock_mono_us() > until_us) {
			log_warnx("process %d does not end, and is killed",
			    (int)c->pid);
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
			return;
		}
		nanosleep(&pause, NULL);
	}
}

void
child_cleanup(void)
{
	int64_t until_us = clock_mono_us() + END_GRACE_US;
	struct child *c;

	while ((c = LIST_FIRST(&children)) != NULL) {
		LIST_REMOVE(c, entry);
		child_await(c, until_us);
		free(c);
	}
	if (sigchld != NULL)
		event_free(sigchld);
	sigchld = NULL;
}

/* Nothing of the environment reaches a child but what its log and the tools
   that watch it need. */
static const char *const env_kept[] = { "JOURNAL_STREAM", "TZDIR",
	"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS" };

static void
env_fill(char *envp[])
{
	size_t n = 0;

	for (size_t i = 0; i < NELEM(env_kept); i++) {
		const char *v = getenv(env_kept[i]);

		if (v != NULL &&
		    asprintf(&envp[n], "%s=%s", env_kept[i], v) != -1)
			n++;
	}
	envp[n] = NULL;
}

/* The channel at PEER_FD, the log at 1 and 2, and no other descriptor. */
static int
actions_init(posix_spawn_file_actions_t *fa, int fd)
{
	int rc = posix_spawn_file_actions_init(fa);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(fa, fd, PEER_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(
		    fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(
		    fa, STDERR_FILENO, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(fa, PEER_FD + 1);
	return rc;
}

/* No signal is blocked or ignored in the child. */
static int
attr_init(posix_spawnattr_t *attr, const sigset_t *all)
{
	sigset_t none;
	int rc = posix_spawnattr_init(attr);

	sigemptyset(&none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, all);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setflags(
		    attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return rc;
}

/*
 * Returns 0 or an errno. All signals are blocked around the spawn: else a
 * handler of libevent could run in the child and write into the wake-up pipe
 * that it shares.
 */
static int
spawn(pid_t *pid, const char *path, const char *what, int fd)
{
	/* posix_spawn() changes none of them; its type is older than const. */
	char *argv[] = { (char *)(uintptr_t)path, (char *)(uintptr_t)what,
		NULL };
	char *envp[NELEM(env_kept) + 1];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, saved;
	int rc;

	env_fill(envp);
	sigfillset(&all);
	rc = actions_init(&actions, fd);
	if (rc == 0)
		rc = attr_init(&attr, &all);
	if (rc == 0) {
		sigprocmask(SIG_SETMASK, &all, &saved);
		rc = posix_spawn(pid, path, &actions, &attr, argv, envp);
		sigprocmask(SIG_SETMASK, &saved, NULL);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; envp[i] != NULL; i++)
		free(envp[i]);
	return rc;
}

static void
socket_prepare(int fd)
{
	int bytes = SOCKET_BYTES;

	/* Smaller buffers only cost speed. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

struct child *
child_spawn(const char *path, const char *what, int *fd,
    void (*exited)(void *, int), void *arg)
{
	struct child *c = calloc(1, sizeof(*c));
	int sv[2], rc;

	if (c == NULL)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		free(c);
		return NULL;
	}
	socket_prepare(sv[0]);
	socket_prepare(sv[1]);
	/* Only this end: the child sees to its own. */
	rc = fcntl(sv[0], F_SETFL, O_NONBLOCK) == -1 ? errno : 0;
	if (rc == 0)
		rc = spawn(&c->pid, path, what, sv[1]);
	close(sv[1]);
	if (rc != 0) {
		close(sv[0]);
		free(c);
		errno = rc;
		return NULL;
	}
	c->exited = exited;
	c->arg = arg;
	LIST_INSERT_HEAD(&children, c, entry);
	*fd = sv[0];
	return c;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

void
child_kill(struct child *c)
{
	if (kill(c->pid, SIGKILL) == -1)
		log_warn("kill %ld", (long)c->pid);
}

void
child_forget(struct child *c)
{
	if (c != NULL)
		c->exited = NULL;
}

const char *
child_status_text(int status, char *dst, size_t dstlen)
{
	if (WIFSIGNALED(status))
		snprintf(dst, dstlen, "killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(
		    dst, dstlen, "exited with status %d", WEXITSTATUS(status));
	return dst;
}
