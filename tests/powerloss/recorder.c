/*
 * Owns the record of what a process asks the file system for: loaded into it
 * with LD_PRELOAD, it notes each call that changes files or names, and each
 * sync, in the order in which they were made by all processes together.
 *
 * The notes go into one file (ANOMD_RECORD), mapped shared by all before their
 * sandbox closes: to take room is one atomic addition, so that no system call
 * is made that a filter might refuse, and a child that is killed loses nothing.
 *
 * Writes and names are noted before they are made: whatever is noted may be on
 * the disk. Syncs are noted when they have returned: only then do they
 * promise anything. Names are noted when the call
 * has succeeded; between two processes no name is shared.
 *
 * A note: u32 length of all, u32 complete, then a line of text, a newline, and
 * data. Memory that SQLite maps (the -shm file) is not noted: after a loss of
 * power it is made anew from the -wal file, whatever is in it. Nor is the file
 * in-hand, which is about processes that died, and begins anew with the next
 * one.
 *
 * A call that changes a file in a way for which there is no note would be a
 * hole in the proof: it leaves a note of its own, "hole", and ends the process.
 * sync_file_range, sync and syncfs are let be: what they have made last need
 * not be known, for the disk may have forgotten it as well.
 *
 * ANOMD_DROP_SYNC plants a fault: files and directories with this text in the
 * path by which they were opened, or at its end when the text ends with "$",
 * are never synced, and the caller is told that they were.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder.h"

#define RING_BYTES                                                             \
	((size_t)1 << 30) /* sparse; what is not used costs nothing */
#define HEAD_BYTES 16

/* Files of a process that are treated differently; inodes, 0 at the end. */
#define SPECIAL_MAX 4096
static unsigned long dropped[SPECIAL_MAX], unnoted[SPECIAL_MAX];

uint8_t *ring;
static const char *drop; /* NULL: no fault is planted */

__attribute__((constructor)) static void
recorder_begin(void)
{
	const char *path = getenv("ANOMD_RECORD");
	int fd;

	if (path == NULL)
		return;
	drop = getenv("ANOMD_DROP_SYNC");
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR, 0);
	if (fd == -1)
		abort();
	ring =
	    mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		abort();
	close(fd);
}

static void
note(const void *data, size_t len, const char *fmt, ...)
{
	char line[2 * PATH_MAX];
	uint8_t *at;
	uint64_t offset;
	uint32_t size;
	va_list ap;
	int n;

	if (ring == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(line) - 1)
		abort();
	line[n++] = '\n';
	size = (uint32_t)(8 + (size_t)n + len);
	offset = atomic_fetch_add(
	    (_Atomic uint64_t *)(void *)ring, (size + 7) & ~7u);
	if (HEAD_BYTES + offset + size > RING_BYTES)
		abort();
	at = ring + HEAD_BYTES + offset;
	memcpy(at + 8, line, (size_t)n);
	if (len > 0)
		memcpy(at + 8 + n, data, len);
	memcpy(at, &size, sizeof(size));
	atomic_store((_Atomic uint32_t *)(void *)(at + 4), 1);
}

/* What a client has been told, from the test. */
void
recorder_note(const char *text)
{
	note(NULL, 0, "ack %s", text);
}

_Noreturn void
hole(const char *name)
{
	note(NULL, 0, "hole %s", name);
	abort();
}

static int
is_special(const unsigned long *list, unsigned long ino)
{
	for (size_t i = 0; i < SPECIAL_MAX && list[i] != 0; i++)
		if (list[i] == ino)
			return 1;
	return 0;
}

/* An inode may come again under a name that is none of these. */
static void
set_special(unsigned long *list, unsigned long ino, int wanted)
{
	size_t i = 0;

	while (i < SPECIAL_MAX && list[i] != 0 && list[i] != ino)
		i++;
	if (i == SPECIAL_MAX)
		abort();
	if (wanted)
		list[i] = ino;
	else if (list[i] == ino)
		list[i] = ULONG_MAX;
}

static int
ends_with(const char *path, const char *end)
{
	size_t len = strlen(path), n = strlen(end);

	return len >= n && strcmp(path + len - n, end) == 0;
}

static int
is_dropped(const char *path)
{
	char end[PATH_MAX];
	size_t len = drop == NULL ? 0 : strlen(drop);

	if (len == 0)
		return 0;
	if (drop[len - 1] != '$')
		return strstr(path, drop) != NULL;
	snprintf(end, sizeof(end), "%.*s", (int)len - 1, drop);
	return ends_with(path, end);
}

/* An absolute path; dst takes PATH_MAX * 2. errno is kept. */
static const char *
absolute(char *dst, int dirfd, const char *path)
{
	char link[64];
	int saved = errno;
	ssize_t n;

	if (path[0] == '/')
		return path;
	if (dirfd == AT_FDCWD) {
		if (getcwd(dst, PATH_MAX) == NULL)
			abort();
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
		n = readlink(link, dst, PATH_MAX - 1);
		if (n <= 0)
			abort();
		dst[n] = '\0';
	}
	strcat(dst, "/");
	strncat(dst, path, PATH_MAX - 1);
	errno = saved;
	return dst;
}

/* Device and inode, which name a file while it is open. */
static int
inode_of(int fd, unsigned long *ino)
{
	int saved = errno;
	struct stat st;
	int rc = fstat(fd, &st);

	errno = saved;
	if (rc == -1 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return -1;
	*ino = (unsigned long)st.st_ino;
	return 0;
}

static int
opened(int fd, int dirfd, const char *path, int flags, int existed)
{
	char buf[2 * PATH_MAX];
	const char *full;
	unsigned long ino;

	if (ring == NULL || fd == -1 || inode_of(fd, &ino) == -1)
		return fd;
	full = absolute(buf, dirfd, path);
	set_special(dropped, ino, is_dropped(full));
	set_special(unnoted, ino,
	    ends_with(full, "-shm") || ends_with(full, "/in-hand"));
	note(NULL, 0, "open %lu %d %d %s", ino, !existed,
	    (flags & O_TRUNC) != 0, full);
	return fd;
}

static int
exists(int dirfd, const char *path)
{
	int saved = errno;
	struct stat st;
	int rc = fstatat(dirfd, path, &st, 0);

	errno = saved;
	return rc == 0;
}

static int
open_at(int dirfd, const char *path, int flags, mode_t mode)
{
	REAL(openat, int, int, const char *, int, ...);
	int existed = ring == NULL || exists(dirfd, path);

	return opened(
	    real_openat(dirfd, path, flags, mode), dirfd, path, flags, existed);
}

#define MODE(flags)                                                            \
	mode_t mode = 0;                                                       \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                          \
		va_list ap;                                                    \
		va_start(ap, flags);                                           \
		mode = va_arg(ap, mode_t);                                     \
		va_end(ap);                                                    \
	}

int
open(const char *path, int flags, ...)
{
	MODE(flags)
	return open_at(AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	MODE(flags)
	return open_at(AT_FDCWD, path, flags, mode);
}

int
openat(int dirfd, const char *path, int flags, ...)
{
	MODE(flags)
	return open_at(dirfd, path, flags, mode);
}

int
openat64(int dirfd, const char *path, int flags, ...)
{
	MODE(flags)
	return open_at(dirfd, path, flags, mode);
}

/* With _FORTIFY_SOURCE these stand for open and openat. */
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);

int
__open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int
__open64_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int
__openat_2(int dirfd, const char *path, int flags)
{
	return open_at(dirfd, path, flags, 0);
}

int
__openat64_2(int dirfd, const char *path, int flags)
{
	return open_at(dirfd, path, flags, 0);
}

int
creat(const char *path, mode_t mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int
is_noted(int fd)
{
	unsigned long ino;

	return ring != NULL && inode_of(fd, &ino) == 0 &&
	    !is_special(unnoted, ino);
}

/* ---- data ---- */

static void
wrote(int fd, const void *data, size_t len, off_t at)
{
	unsigned long ino;

	if (ring != NULL && inode_of(fd, &ino) == 0)
		note(data, len, "write %lu %lld", ino, (long long)at);
}

static off_t
position(int fd, int *error)
{
	int saved = errno;
	int flags = fcntl(fd, F_GETFL);
	off_t at = lseek(
	    fd, 0, flags != -1 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);

	*error = at == -1;
	errno = saved;
	return at;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	REAL(write, ssize_t, int, const void *, size_t);
	unsigned long ino;
	int error;
	off_t at;

	if (ring != NULL && inode_of(fd, &ino) == 0) {
		at = position(fd, &error);
		if (!error)
			wrote(fd, data, len, at);
	}
	return real_write(fd, data, len);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	REAL(pwrite, ssize_t, int, const void *, size_t, off_t);

	wrote(fd, data, len, at);
	return real_pwrite(fd, data, len, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off_t at)
{
	REAL(pwrite64, ssize_t, int, const void *, size_t, off_t);

	wrote(fd, data, len, at);
	return real_pwrite64(fd, data, len, at);
}

static void
wrote_all(int fd, const struct iovec *iov, int n, off_t at)
{
	for (int i = 0; i < n; i++) {
		wrote(fd, iov[i].iov_base, iov[i].iov_len, at);
		at += (off_t)iov[i].iov_len;
	}
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	REAL(writev, ssize_t, int, const struct iovec *, int);
	unsigned long ino;
	int error = 1;
	off_t at = 0;

	if (ring != NULL && inode_of(fd, &ino) == 0)
		at = position(fd, &error);
	if (!error)
		wrote_all(fd, iov, n, at);
	return real_writev(fd, iov, n);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	REAL(pwritev, ssize_t, int, const struct iovec *, int, off_t);

	wrote_all(fd, iov, n, at);
	return real_pwritev(fd, iov, n, at);
}

ssize_t
pwritev64(int fd, const struct iovec *iov, int n, off_t at)
{
	return pwritev(fd, iov, n, at);
}

static void
cut(int fd, off_t len)
{
	unsigned long ino;

	if (ring != NULL && inode_of(fd, &ino) == 0)
		note(NULL, 0, "truncate %lu %lld", ino, (long long)len);
}

int
ftruncate(int fd, off_t len)
{
	REAL(ftruncate, int, int, off_t);

	cut(fd, len);
	return real_ftruncate(fd, len);
}

int
ftruncate64(int fd, off_t len)
{
	REAL(ftruncate64, int, int, off_t);

	cut(fd, len);
	return real_ftruncate64(fd, len);
}

int
truncate(const char *path, off_t len)
{
	REAL(truncate, int, const char *, off_t);
	struct stat st;

	if (ring != NULL && stat(path, &st) == 0)
		note(NULL, 0, "truncate %lu %lld", (unsigned long)st.st_ino,
		    (long long)len);
	return real_truncate(path, len);
}

static void
grown(int fd, int mode, off_t end)
{
	unsigned long ino;

	/* FALLOC_FL_KEEP_SIZE changes nothing that can be read. */
	if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0 && is_noted(fd))
		hole("fallocate");
	if (ring != NULL && mode == 0 && inode_of(fd, &ino) == 0)
		note(NULL, 0, "grow %lu %lld", ino, (long long)end);
}

int
fallocate(int fd, int mode, off_t at, off_t len)
{
	REAL(fallocate, int, int, int, off_t, off_t);

	grown(fd, mode, at + len);
	return real_fallocate(fd, mode, at, len);
}

int
posix_fallocate(int fd, off_t at, off_t len)
{
	REAL(posix_fallocate, int, int, off_t, off_t);

	grown(fd, 0, at + len);
	return real_posix_fallocate(fd, at, len);
}

/* ---- syncs ---- */

/* The fault that is planted: 1 when this one is to be left out. */
static int
left_out(int fd)
{
	unsigned long ino;

	return drop != NULL && inode_of(fd, &ino) == 0 &&
	    is_special(dropped, ino);
}

static int
synced(int fd, int rc)
{
	unsigned long ino;

	if (ring != NULL && rc == 0 && inode_of(fd, &ino) == 0)
		note(NULL, 0, "sync %lu", ino);
	return rc;
}

int
fsync(int fd)
{
	REAL(fsync, int, int);

	return left_out(fd) ? 0 : synced(fd, real_fsync(fd));
}

int
fdatasync(int fd)
{
	REAL(fdatasync, int, int);

	return left_out(fd) ? 0 : synced(fd, real_fdatasync(fd));
}

/* ---- names ---- */

static int
named(int rc, const char *what, int dirfd, const char *a, int dirfd2,
    const char *b)
{
	char one[2 * PATH_MAX], two[2 * PATH_MAX];

	if (ring != NULL && rc == 0)
		note(NULL, 0, "%s %s%s%s", what, absolute(one, dirfd, a),
		    b != NULL ? "\t" : "",
		    b != NULL ? absolute(two, dirfd2, b) : "");
	return rc;
}

int
rename(const char *a, const char *b)
{
	REAL(rename, int, const char *, const char *);

	return named(real_rename(a, b), "rename", AT_FDCWD, a, AT_FDCWD, b);
}

int
renameat(int d, const char *a, int e, const char *b)
{
	REAL(renameat, int, int, const char *, int, const char *);

	return named(real_renameat(d, a, e, b), "rename", d, a, e, b);
}

int
renameat2(int d, const char *a, int e, const char *b, unsigned flags)
{
	REAL(renameat2, int, int, const char *, int, const char *, unsigned);

	if (ring != NULL && (flags & ~RENAME_NOREPLACE) != 0)
		hole("renameat2");
	return named(real_renameat2(d, a, e, b, flags), "rename", d, a, e, b);
}

int
linkat(int d, const char *a, int e, const char *b, int flags)
{
	REAL(linkat, int, int, const char *, int, const char *, int);

	if (ring != NULL && flags != 0)
		hole("linkat");
	return named(real_linkat(d, a, e, b, flags), "link", d, a, e, b);
}

int
link(const char *a, const char *b)
{
	REAL(link, int, const char *, const char *);

	return named(real_link(a, b), "link", AT_FDCWD, a, AT_FDCWD, b);
}

int
unlink(const char *a)
{
	REAL(unlink, int, const char *);

	return named(real_unlink(a), "unlink", AT_FDCWD, a, 0, NULL);
}

int
unlinkat(int d, const char *a, int flags)
{
	REAL(unlinkat, int, int, const char *, int);

	return named(real_unlinkat(d, a, flags), "unlink", d, a, 0, NULL);
}

int
rmdir(const char *a)
{
	REAL(rmdir, int, const char *);

	return named(real_rmdir(a), "unlink", AT_FDCWD, a, 0, NULL);
}

int
mkdir(const char *a, mode_t mode)
{
	REAL(mkdir, int, const char *, mode_t);

	return named(real_mkdir(a, mode), "mkdir", AT_FDCWD, a, 0, NULL);
}

int
mkdirat(int d, const char *a, mode_t mode)
{
	REAL(mkdirat, int, int, const char *, mode_t);

	return named(real_mkdirat(d, a, mode), "mkdir", d, a, 0, NULL);
}
