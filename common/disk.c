/* Owns the calls that must not stop half-way. */
#include "common/compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/filemap.h"

int
disk_write_at(int fd, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n == -1 && errno == EINTR)
			continue;
		/* The data is a mapping of a file that cannot be read. */
		if (n == -1 && errno == EFAULT)
			errno = EIO;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static void
close_keeping_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

int
disk_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close_keeping_errno(fd);
	return rc;
}

ssize_t
disk_read_start(const char *path, void *data, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t at = 0;
	ssize_t n = 0;

	if (fd == -1)
		return -1;
	while (at < len) {
		n = pread(fd, (char *)data + at, len - at, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	close_keeping_errno(fd);
	return n == -1 ? -1 : (ssize_t)at;
}

int
disk_map(const char *path, void **map, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc;

	*map = NULL;
	*len = 0;
	if (fd == -1)
		return -1;
	rc = fstat(fd, &st);
	if (rc == 0)
		rc = filemap_open(fd, (size_t)st.st_size, map);
	if (rc == 0)
		*len = (size_t)st.st_size;
	close_keeping_errno(fd);
	return rc;
}

int
disk_each(const char *path, disk_each_cb *cb, void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	int rc = 0, saved;

	if (dir == NULL)
		return -1;
	/* The end and a failure look alike but for errno. */
	while (rc == 0 && (errno = 0, de = readdir(dir)) != NULL)
		if (de->d_name[0] != '.')
			rc = cb(arg, de->d_name);
	if (rc == 0 && errno != 0)
		rc = -1;
	saved = errno;
	closedir(dir);
	errno = saved;
	return rc;
}
