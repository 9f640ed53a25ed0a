/* Owns damaging files in every way, and reading what was logged. */
#include "common/compat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/damage.h"

#define LOG_BYTES 65536

static int log_fd = -1;

struct image
image_read(const char *path)
{
	struct image m = { NULL, 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		abort();
	m.len = (size_t)st.st_size;
	m.p = malloc(m.len + 1);
	if (m.p == NULL || read(fd, m.p, m.len) != (ssize_t)m.len)
		abort();
	close(fd);
	return m;
}

void
image_write(const char *path, const void *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	/* Not by O_TRUNC, after which ext4 waits for the disk. */
	if (fd == -1 || write(fd, p, len) != (ssize_t)len ||
	    ftruncate(fd, (off_t)len) == -1)
		abort();
	close(fd);
}

void
image_free(struct image *m)
{
	free(m->p);
	*m = (struct image){ NULL, 0 };
}

void
damage_each(const struct image *m, damage_cb *cb, void *arg)
{
	struct damage d = { .p = m->p, .len = m->len };

	for (d.at = 0; d.at < m->len; d.at++) {
		uint8_t was = m->p[d.at];

		m->p[d.at] = (uint8_t)(was ^ 0xff);
		cb(arg, &d);
		m->p[d.at] = (uint8_t)(was ^ 1u << d.at % 8);
		cb(arg, &d);
		m->p[d.at] = was;
	}
	d.is_cut = true;
	while (d.len-- > 0) {
		d.at = d.len;
		cb(arg, &d);
	}
}

void
logged_begin(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	if (log_fd == -1 || dup2(log_fd, STDERR_FILENO) == -1)
		abort();
}

const char *
logged(void)
{
	static char text[LOG_BYTES];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	if (n == -1 || ftruncate(log_fd, 0) == -1 ||
	    lseek(log_fd, 0, SEEK_SET) == -1)
		abort();
	text[n] = '\0';
	return text;
}

bool
log_names(
    const char *log, const char *name, const char *mark, size_t at, size_t span)
{
	char want[256];

	snprintf(want, sizeof(want), "%s: %s ", name, mark);
	for (; (log = strstr(log, want)) != NULL; log++) {
		char *end;
		size_t from = strtoul(log + strlen(want), &end, 10);

		if (end != log + strlen(want) && from <= at &&
		    at - from <= span)
			return true;
	}
	return false;
}
