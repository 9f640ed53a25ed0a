/* Owns what becomes of a page that cannot be read. */
#include "common/compat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/filemap.h"
#include "common/log.h"

struct filemap {
	struct filemap *next;
	uintptr_t start;
	size_t len;
	bool in_use;
	bool failed;
	size_t failed_at;
	char name[FILEMAP_NAME_BYTES];
};

/* Read by the handler, whose signal comes only from an access to a mapping. */
static struct filemap *volatile all;
static struct sigaction before;
static uintptr_t page_bytes; /* 0: the handler is not there yet */

static struct filemap *
find(uintptr_t at)
{
	struct filemap *f = all;

	/* The last page is a whole one. */
	while (f != NULL &&
	    (at < f->start ||
		(at - f->start) / page_bytes > (f->len - 1) / page_bytes))
		f = f->next;
	return f;
}

static bool
give_zeros(uintptr_t page)
{
	return mmap((void *)page, page_bytes, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) != MAP_FAILED;
}

/*
 * It was the access of a reader that has brought this about, so nothing of the
 * C library was interrupted that must not be called again.
 */
static void
bus_cb(int sig, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr / page_bytes * page_bytes;
	struct filemap *f = info->si_code > 0 ? find(page) : NULL;
	int saved = errno;

	(void)context;
	if (f != NULL && f->in_use) {
		log_warnx("%s: cannot be read at byte %zu: %s", f->name,
		    (size_t)(page - f->start), strerror(EIO));
		_exit(1);
	}
	if (f != NULL && give_zeros(page)) {
		if (!f->failed || page - f->start < f->failed_at)
			f->failed_at = (size_t)(page - f->start);
		f->failed = true;
		errno = saved;
		return;
	}
	/* Not ours: the process ends as it would without this. */
	if (sigaction(sig, &before, NULL) == 0)
		raise(sig);
}

static int
handler_set(void)
{
	struct sigaction sa = { .sa_sigaction = bus_cb,
		.sa_flags = SA_SIGINFO };

	if (page_bytes != 0)
		return 0;
	sigemptyset(&sa.sa_mask);
	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	if (sigaction(SIGBUS, &sa, &before) == 0)
		return 0;
	page_bytes = 0;
	return -1;
}

int
filemap_open(int fd, size_t len, void **map)
{
	struct filemap *f;
	void *p;

	*map = NULL;
	if (len == 0)
		return 0;
	if (handler_set() == -1 || (f = calloc(1, sizeof(*f))) == NULL)
		return -1;
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		int saved = errno;

		free(f);
		errno = saved;
		return -1;
	}
	f->start = (uintptr_t)p;
	f->len = len;
	f->next = all;
	all = f;
	*map = p;
	return 0;
}

/* NULL: it is not in the list. *prev: the one before it; NULL: it is first. */
static struct filemap *
of_map(const void *map, struct filemap **prev)
{
	struct filemap *f = all;

	*prev = NULL;
	while (f != NULL && f->start != (uintptr_t)map) {
		*prev = f;
		f = f->next;
	}
	return f;
}

void
filemap_close(void *map, size_t len)
{
	struct filemap *prev, *f = of_map(map, &prev);
	int saved = errno;

	if (map == NULL)
		return;
	munmap(map, len);
	if (f != NULL && prev == NULL)
		all = f->next;
	else if (f != NULL)
		prev->next = f->next;
	free(f);
	errno = saved;
}

bool
filemap_failed(const void *map, size_t *at)
{
	struct filemap *prev;
	const struct filemap *f = of_map(map, &prev);

	if (f == NULL || !f->failed)
		return false;
	*at = f->failed_at;
	return true;
}

void
filemap_set_name(const void *map, const char *name)
{
	struct filemap *prev, *f = of_map(map, &prev);

	if (f != NULL)
		strlcpy(f->name, name, sizeof(f->name));
}

void
filemap_set_in_use(const void *map, bool in_use)
{
	struct filemap *prev, *f = of_map(map, &prev);

	if (f != NULL)
		f->in_use = in_use;
}
