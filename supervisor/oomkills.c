/* Owns the counter of kills for want of memory. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/disk.h"
#include "common/log.h"
#include "supervisor/child.h"
#include "supervisor/oomkills.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_FILE "/proc/self/cgroup"
#define SECOND "0::" /* a line of the second hierarchy */
#define KEY "oom_kill "
#define TEXT_BYTES 4096

/* From the kill to the end of the process that the loop hears of. */
#define OPEN_US (INT64_C(5) * 1000000)

int
oomkills_path(char *dst, size_t size, const char *cgroup)
{
	const char *line = cgroup;
	int len, n;

	while (line != NULL && strncmp(line, SECOND, strlen(SECOND)) != 0) {
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	if (line == NULL || line[strlen(SECOND)] != '/')
		return -1;
	line += strlen(SECOND);
	len = (int)strcspn(line, "\n");
	n = snprintf(dst, size, CGROUP_ROOT "%.*s/memory.events", len, line);
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

int
oomkills_parse(const char *text, uint64_t *kills)
{
	const char *line = text;
	char *end;

	while (line != NULL && strncmp(line, KEY, strlen(KEY)) != 0) {
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	if (line == NULL)
		return -1;
	line += strlen(KEY);
	errno = 0;
	*kills = strtoull(line, &end, 10);
	return end == line || *line == '-' || errno != 0 ||
		(*end != '\n' && *end != '\0')
	    ? -1
	    : 0;
}

/* A small file of the kernel, which is made while it is read. */
static int
look(int fd, uint64_t *kills)
{
	char text[TEXT_BYTES];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return -1;
	text[n] = '\0';
	return oomkills_parse(text, kills);
}

static int
own_path(char *dst, size_t size)
{
	char text[TEXT_BYTES];
	ssize_t n = disk_read_start(CGROUP_FILE, text, sizeof(text) - 1);

	if (n == -1)
		return -1;
	text[n] = '\0';
	return oomkills_path(dst, size, text);
}

void
oomkills_begin(struct oomkills *o, const char *path)
{
	char own[TEXT_BYTES];

	*o = (struct oomkills){ .fd = -1 };
	if (path == NULL && own_path(own, sizeof(own)) == 0)
		path = own;
	if (path != NULL)
		o->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (o->fd != -1 && look(o->fd, &o->seen) == 0)
		return;
	oomkills_end(o);
	log_debug("no cgroup counts kills for want of memory");
}

void
oomkills_end(struct oomkills *o)
{
	if (o->fd != -1)
		close(o->fd);
	o->fd = -1;
}

static void
count(struct oomkills *o, int64_t now_us)
{
	uint64_t kills;

	if (o->fd == -1 || look(o->fd, &kills) == -1)
		return;
	if (kills > o->seen) {
		o->open += kills - o->seen;
		o->grown_us = now_us;
	}
	o->seen = kills;
}

void
oomkills_tick(struct oomkills *o, int64_t now_us)
{
	count(o, now_us);
	if (now_us - o->grown_us > OPEN_US)
		o->open = 0;
}

bool
oomkills_take(struct oomkills *o, int64_t now_us)
{
	oomkills_tick(o, now_us);
	if (o->open == 0)
		return false;
	o->open--;
	return true;
}

bool
oomkills_explain(struct oomkills *o, int status, int64_t now_us)
{
	return o != NULL && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGKILL && oomkills_take(o, now_us);
}

const char *
oomkills_death_text(struct oomkills *o, int status, char *dst, size_t dstlen)
{
	char text[64];

	snprintf(dst, dstlen, "%s%s",
	    child_status_text(status, text, sizeof(text)),
	    oomkills_explain(o, status, clock_mono_us()) ? OOMKILLS_CAUSE : "");
	return dst;
}
