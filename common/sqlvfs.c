/* Owns the VFS that puts checksums at the ends of pages and compares them. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/sqlvfs.h"
#include "common/sqlvfs_wal.h"
#include "common/sqlx.h"

#define NAME "anomd"
#define NAME_UNCHECKED "anomd-unchecked"

#define PAGE_LEAST 512
#define PAGE_MOST 65536

/* Positions in the first page of a database. */
#define MAGIC "SQLite format 3"
#define AT_PAGE_SIZE 16 /* u16, where 1 stands for 65536 */
#define AT_RESERVED 20
#define HEADER_BYTES 100

/* The file of the VFS below stands behind it. */
struct file {
	sqlite3_file base;
	const char *path; /* SQLite's; lives as long as the file */
	bool checked;
	struct wal *wal; /* owned; NULL: not a WAL */
	uint8_t *page;	 /* owned; what is written, PAGE_MOST bytes */
};

static struct sqlvfs_damage damage;
static uint64_t *calls; /* borrowed; NULL: nobody counts */

static sqlite3_file *
below(sqlite3_file *f)
{
	return (sqlite3_file *)(void *)((struct file *)(void *)f + 1);
}

void
sqlvfs_count_calls(uint64_t *counter)
{
	calls = counter;
}

/* Another process may read it meanwhile, and nobody else writes. */
static void
call_count(void)
{
	if (calls != NULL)
		__atomic_store_n(calls, *calls + 1, __ATOMIC_RELAXED);
}

/* Checksums */

static uint32_t
page_sum(const uint8_t *page, size_t len, uint32_t number)
{
	uint32_t n = htobe32(number);

	return crc32c(crc32c(0, &n, sizeof(n)), page, len - SQLVFS_SUM_BYTES);
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

bool
sqlvfs_page_is_right(const void *page, size_t len, uint32_t number)
{
	const uint8_t *p = page;
	uint32_t sum;

	memcpy(&sum, p + len - SQLVFS_SUM_BYTES, sizeof(sum));
	return be32toh(sum) == page_sum(p, len, number) || is_zero(p, len);
}

static bool
is_page(int len, sqlite3_int64 at)
{
	return len >= PAGE_LEAST && (len & (len - 1)) == 0 && at % len == 0;
}

static void
note_place(const struct file *f, uint64_t offset)
{
	strlcpy(damage.path, f->path, sizeof(damage.path));
	damage.offset = offset;
}

static int
damaged(const struct file *f, uint64_t offset, const char *what)
{
	note_place(f, offset);
	log_warnx(
	    "%s: damaged at byte %ju: %s", f->path, (uintmax_t)offset, what);
	return SQLITE_IOERR_DATA;
}

/*
 * SQLite takes it for damage, as it does a page with a wrong checksum, and so
 * do those who mend files: what cannot be read will not be by waiting, and of
 * what is mended the file is kept.
 */
static int
unread(const struct file *f, uint64_t offset)
{
	note_place(f, offset);
	log_warnx("%s: cannot be read at byte %ju: %s", f->path,
	    (uintmax_t)offset, strerror(EIO));
	return SQLITE_IOERR_CORRUPTFS;
}

const struct sqlvfs_damage *
sqlvfs_damage(void)
{
	return &damage;
}

void
sqlvfs_forget_damage(void)
{
	memset(&damage, 0, sizeof(damage));
}

/* The methods of a file */

static int
file_close(sqlite3_file *file)
{
	struct file *f = (struct file *)(void *)file;

	wal_free(f->wal);
	free(f->page);
	return below(file)->pMethods->xClose(below(file));
}

static int
file_read(sqlite3_file *file, void *buf, int len, sqlite3_int64 at)
{
	struct file *f = (struct file *)(void *)file;
	sqlite3_file *b = below(file);
	int rc = b->pMethods->xRead(b, buf, len, at);

	call_count();
	if (rc == SQLITE_IOERR_CORRUPTFS && f->checked)
		return unread(f, (uint64_t)at);
	/* A short read is how SQLite learns where a file ends. */
	if (rc != SQLITE_OK || !f->checked)
		return rc;
	if (f->wal != NULL) {
		if (!wal_is_page(len, at) ||
		    wal_page_is_right(f->wal, b, buf, (size_t)len, at))
			return SQLITE_OK;
		return damaged(
		    f, (uint64_t)at, "a frame does not match its checksum");
	}
	if (!is_page(len, at) ||
	    sqlvfs_page_is_right(buf, (size_t)len, (uint32_t)(at / len) + 1))
		return SQLITE_OK;
	return damaged(f, (uint64_t)at, "a page does not match its checksum");
}

static int
file_write(sqlite3_file *file, const void *buf, int len, sqlite3_int64 at)
{
	struct file *f = (struct file *)(void *)file;
	sqlite3_file *b = below(file);
	uint32_t sum;

	call_count();
	if (f->wal != NULL) {
		int rc = b->pMethods->xWrite(b, buf, len, at);

		if (rc == SQLITE_OK && wal_is_page(len, at))
			wal_note(f->wal, buf, (size_t)len, at);
		return rc;
	}
	if (!is_page(len, at) || len > PAGE_MOST)
		return b->pMethods->xWrite(b, buf, len, at);
	/* Not in SQLite's own memory, which it has given for reading. */
	memcpy(f->page, buf, (size_t)len);
	sum = htobe32(page_sum(f->page, (size_t)len, (uint32_t)(at / len) + 1));
	memcpy(f->page + len - SQLVFS_SUM_BYTES, &sum, sizeof(sum));
	return b->pMethods->xWrite(b, f->page, len, at);
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return below(f)->pMethods->xTruncate(below(f), size);
}

static int
file_sync(sqlite3_file *f, int flags)
{
	int rc = below(f)->pMethods->xSync(below(f), flags);

	call_count();
	return rc;
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return below(f)->pMethods->xFileSize(below(f), size);
}

static int
file_lock(sqlite3_file *f, int level)
{
	return below(f)->pMethods->xLock(below(f), level);
}

static int
file_unlock(sqlite3_file *f, int level)
{
	return below(f)->pMethods->xUnlock(below(f), level);
}

static int
file_reserved(sqlite3_file *f, int *out)
{
	return below(f)->pMethods->xCheckReservedLock(below(f), out);
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
	return below(f)->pMethods->xFileControl(below(f), op, arg);
}

static int
file_sector(sqlite3_file *f)
{
	return below(f)->pMethods->xSectorSize(below(f));
}

static int
file_device(sqlite3_file *f)
{
	return below(f)->pMethods->xDeviceCharacteristics(below(f));
}

static int
shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **p)
{
	return below(f)->pMethods->xShmMap(below(f), region, size, extend, p);
}

static int
shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return below(f)->pMethods->xShmLock(below(f), offset, n, flags);
}

static void
shm_barrier(sqlite3_file *f)
{
	below(f)->pMethods->xShmBarrier(below(f));
}

static int
shm_unmap(sqlite3_file *f, int delete)
{
	return below(f)->pMethods->xShmUnmap(below(f), delete);
}

/* Version 2: without xFetch no page is ever mapped, past our eyes. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_device,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* The methods of the VFS */

static sqlite3_vfs *
vfs_below(sqlite3_vfs *v)
{
	return v->pAppData;
}

/* What is not a database or a WAL is opened by the VFS below alone. */
static int
vfs_open(
    sqlite3_vfs *v, const char *path, sqlite3_file *file, int flags, int *out)
{
	struct file *f = (struct file *)(void *)file;
	sqlite3_vfs *b = vfs_below(v);
	int rc;

	if (path == NULL ||
	    (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
		return b->xOpen(b, path, file, flags, out);
	memset(f, 0, sizeof(*f));
	f->path = path;
	f->checked = strcmp(v->zName, NAME) == 0;
	if ((flags & SQLITE_OPEN_WAL) != 0)
		f->wal = wal_new();
	else
		f->page = malloc(PAGE_MOST);
	if (f->wal == NULL && f->page == NULL)
		return SQLITE_NOMEM;
	rc = b->xOpen(b, path, below(file), flags, out);
	if (rc == SQLITE_OK) {
		f->base.pMethods = &methods;
		return SQLITE_OK;
	}
	/* SQLite closes what has methods, and nothing else. */
	if (below(file)->pMethods != NULL)
		below(file)->pMethods->xClose(below(file));
	wal_free(f->wal);
	free(f->page);
	f->base.pMethods = NULL;
	return rc;
}

static int
vfs_delete(sqlite3_vfs *v, const char *path, int sync)
{
	return vfs_below(v)->xDelete(vfs_below(v), path, sync);
}

static int
vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
	return vfs_below(v)->xAccess(vfs_below(v), path, flags, out);
}

static int
vfs_full_path(sqlite3_vfs *v, const char *path, int len, char *out)
{
	return vfs_below(v)->xFullPathname(vfs_below(v), path, len, out);
}

static int
vfs_randomness(sqlite3_vfs *v, int len, char *out)
{
	return vfs_below(v)->xRandomness(vfs_below(v), len, out);
}

static int
vfs_sleep(sqlite3_vfs *v, int us)
{
	return vfs_below(v)->xSleep(vfs_below(v), us);
}

static int
vfs_time(sqlite3_vfs *v, double *out)
{
	return vfs_below(v)->xCurrentTime(vfs_below(v), out);
}

static int
vfs_error(sqlite3_vfs *v, int len, char *out)
{
	return vfs_below(v)->xGetLastError(vfs_below(v), len, out);
}

static int
vfs_time_ms(sqlite3_vfs *v, sqlite3_int64 *out)
{
	return vfs_below(v)->xCurrentTimeInt64(vfs_below(v), out);
}

static sqlite3_vfs checked = { .zName = NAME };
static sqlite3_vfs unchecked = { .zName = NAME_UNCHECKED };

static const char *
vfs_register(sqlite3_vfs *v)
{
	sqlite3_vfs *b;

	if (v->pAppData != NULL)
		return v->zName;
	b = sqlite3_vfs_find(NULL);
	if (b == NULL)
		goto fail;
	v->iVersion = 2;
	v->szOsFile = (int)sizeof(struct file) + b->szOsFile;
	v->mxPathname = b->mxPathname;
	v->xOpen = vfs_open;
	v->xDelete = vfs_delete;
	v->xAccess = vfs_access;
	v->xFullPathname = vfs_full_path;
	v->xRandomness = vfs_randomness;
	v->xSleep = vfs_sleep;
	v->xCurrentTime = vfs_time;
	v->xGetLastError = vfs_error;
	v->xCurrentTimeInt64 = vfs_time_ms;
	v->pAppData = b;
	if (sqlite3_vfs_register(v, 0) == SQLITE_OK)
		return v->zName;
	v->pAppData = NULL;
fail:
	errno = ENOMEM;
	return NULL;
}

const char *
sqlvfs_name(void)
{
	return vfs_register(&checked);
}

const char *
sqlvfs_name_unchecked(void)
{
	return vfs_register(&unchecked);
}

sqlite3 *
sqlvfs_open(const char *name, int flags)
{
	const char *vfs = sqlvfs_name();
	sqlite3 *db = NULL;

	if (vfs == NULL)
		return NULL;
	if (sqlite3_open_v2(name, &db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
		vfs) == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		return db;
	}
	if (db == NULL)
		errno = ENOMEM;
	else
		sqlx_fail(db, name);
	sqlite3_close(db);
	return NULL;
}

int
sqlvfs_reserve(sqlite3 *db)
{
	int bytes = SQLVFS_SUM_BYTES;

	if (sqlite3_file_control(
		db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes) != SQLITE_OK)
		return sqlx_fail(db, "room for checksums");
	return 0;
}

/*
 * Is this the first page of one with checksums, but for the byte that says so?
 * One bit makes the difference.
 */
static bool
has_lost_its_room(int fd, const uint8_t *head)
{
	size_t size = (size_t)head[AT_PAGE_SIZE] << 8 | head[AT_PAGE_SIZE + 1];
	uint8_t *page;
	bool lost;

	if (size == 1)
		size = PAGE_MOST;
	page = calloc(1, PAGE_MOST);
	if (page == NULL || size < PAGE_LEAST ||
	    pread(fd, page, size, 0) != (ssize_t)size) {
		free(page);
		return false;
	}
	page[AT_RESERVED] = SQLVFS_SUM_BYTES;
	lost = sqlvfs_page_is_right(page, size, 1);
	free(page);
	return lost;
}

static int
probe(const char *path, int fd)
{
	uint8_t head[HEADER_BYTES];
	ssize_t n = read(fd, head, sizeof(head));

	if (n == -1)
		return -1;
	if (n == HEADER_BYTES && memcmp(head, MAGIC, sizeof(MAGIC)) == 0) {
		if (head[AT_RESERVED] == SQLVFS_SUM_BYTES)
			return 0;
		if (head[AT_RESERVED] == 0 && !has_lost_its_room(fd, head))
			return 1;
	}
	log_warnx("%s: damaged at byte 0: not the head of a database", path);
	strlcpy(damage.path, path, sizeof(damage.path));
	damage.offset = 0;
	errno = EBADMSG;
	return -1;
}

int
sqlvfs_probe(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc, saved;

	if (fd == -1)
		return -1;
	rc = probe(path, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}
