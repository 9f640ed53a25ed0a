/*
 * Owns the calls for which the recorder has no note: whoever makes one ends
 * with a note that says so. Where such a call is wanted, it has to be recorded
 * first.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder.h"

/* What stdio writes comes by no call that could be seen. */
FILE *
fopen(const char *path, const char *mode)
{
	REAL(fopen, FILE *, const char *, const char *);

	if (ring != NULL && strpbrk(mode, "wa+") != NULL)
		hole("fopen");
	return real_fopen(path, mode);
}

FILE *
fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}

#define HOLE(type, name, fd, params, ...)                                      \
	type name params;                                                      \
	type name params                                                       \
	{                                                                      \
		static type(*real) params;                                     \
		if (real == NULL)                                              \
			*(void **)&real = dlsym(RTLD_NEXT, #name);             \
		if (is_noted(fd))                                              \
			hole(#name);                                           \
		return real(__VA_ARGS__);                                      \
	}

HOLE(ssize_t, pwritev2, fd,
    (int fd, const struct iovec *iov, int n, off_t at, int flags), fd, iov, n,
    at, flags)
HOLE(ssize_t, copy_file_range, fd,
    (int in, off_t *from, int fd, off_t *at, size_t len, unsigned flags), in,
    from, fd, at, len, flags)
HOLE(ssize_t, sendfile, fd, (int fd, int in, off_t *from, size_t len), fd, in,
    from, len)
HOLE(ssize_t, sendfile64, fd, (int fd, int in, off_t *from, size_t len), fd, in,
    from, len)
HOLE(ssize_t, splice, fd,
    (int in, off_t *from, int fd, off_t *at, size_t len, unsigned flags), in,
    from, fd, at, len, flags)

/* Writing to memory is seen by nobody. */
static void *
map(void *(*real)(void *, size_t, int, int, int, off_t), void *addr, size_t len,
    int prot, int flags, int fd, off_t at)
{
	if ((prot & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0 &&
	    (flags & MAP_ANONYMOUS) == 0 && is_noted(fd))
		hole("mmap");
	return real(addr, len, prot, flags, fd, at);
}

void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	REAL(mmap, void *, void *, size_t, int, int, int, off_t);

	return map(real_mmap, addr, len, prot, flags, fd, at);
}

void *
mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	REAL(mmap64, void *, void *, size_t, int, int, int, off_t);

	return map(real_mmap64, addr, len, prot, flags, fd, at);
}

int
symlink(const char *to, const char *path)
{
	REAL(symlink, int, const char *, const char *);

	if (ring != NULL)
		hole("symlink");
	return real_symlink(to, path);
}

int
symlinkat(const char *to, int d, const char *path)
{
	REAL(symlinkat, int, const char *, int, const char *);

	if (ring != NULL)
		hole("symlinkat");
	return real_symlinkat(to, d, path);
}
