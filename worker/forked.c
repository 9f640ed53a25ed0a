/* Owns how a child of the worker begins and ends. */
#include "common/compat.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/forked.h"

void
forked_enter(pid_t parent, const int *keep, size_t nkeep, unsigned limit_s)
{
	int next = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(ESRCH);
	if (signal(SIGALRM, SIG_DFL) == SIG_ERR)
		_exit(EINVAL);
	alarm(limit_s);
	for (size_t i = 0; i < nkeep; i++) {
		if (keep[i] > next)
			close_range((unsigned)next, (unsigned)keep[i] - 1, 0);
		next = keep[i] + 1;
	}
	close_range((unsigned)next, UINT_MAX, 0);
}

void
forked_exit(int rc)
{
	if (rc == 0)
		_exit(0);
	_exit(errno > 0 && errno <= UCHAR_MAX ? errno : EIO);
}

int
forked_look(pid_t child, const char *what)
{
	int status;
	pid_t pid = waitpid(child, &status, WNOHANG);

	if (pid == 0 || (pid == -1 && errno == EINTR))
		return 1;
	if (pid == -1) {
		log_warn("%s", what);
		return -1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status)) {
		log_warnx("%s: its process was ended by signal %d", what,
		    WTERMSIG(status));
		errno = EINTR;
		return -1;
	}
	log_warnx("%s: %s", what, strerror(WEXITSTATUS(status)));
	errno = WEXITSTATUS(status);
	return -1;
}
