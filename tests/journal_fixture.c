/* Owns the journal of a test, and the syncs that it makes. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "tests/journal_fixture.h"
#include "tests/tmpdir.h"

static char dir[TMPDIR_BYTES];

char synced[SYNCED_MAX][64];
size_t names_at_sync[SYNCED_MAX];
size_t nsynced;
const char *sync_fails_for;

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int
sync_noted(int fd, long call)
{
	char link[64], path[256] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	cr_assert_gt(readlink(link, path, sizeof(path) - 1), 0);
	if (nsynced < NELEM(synced)) {
		names_at_sync[nsynced] = (size_t)tmpdir_count(JOURNAL_DIR);
		strlcpy(synced[nsynced++], path + strlen(dir) + 1,
		    sizeof(synced[0]));
	}
	if (sync_fails_for != NULL && ends_with(path, sync_fails_for)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(call, fd);
}

int
fdatasync(int fd)
{
	return sync_noted(fd, SYS_fdatasync);
}

int
fsync(int fd)
{
	return sync_noted(fd, SYS_fsync);
}

bool
was_synced(const char *path)
{
	for (size_t i = 0; i < nsynced; i++)
		if (strcmp(synced[i], path) == 0)
			return true;
	return false;
}

void
journal_setup(void)
{
	/* Damage is logged a thousand times here. */
	log_init("journal", LOG_LEVEL_ERROR);
	tmpdir_enter(dir);
}

void
journal_teardown(void)
{
	tmpdir_purge(dir);
}

struct journal *
read_all(uint64_t base_seq, struct reading *r)
{
	struct journal *j = journal_open(base_seq, SYNC_ALWAYS);
	struct journal_entry e;
	const char *data;
	int rc;

	cr_assert_not_null(j);
	memset(r, 0, sizeof(*r));
	while ((rc = journal_read(j, &e, &data)) > 0) {
		if (rc == 2)
			continue;
		if (r->n++ == 0)
			r->first = e.seq;
		r->bytes += e.data_len;
		r->last = e;
		cr_assert_eq(crc32c(0, data, e.data_len), e.data_crc);
	}
	cr_assert_eq(rc, 0);
	return j;
}

struct journal *
read_end(void)
{
	struct reading r;

	return read_all(0, &r);
}

void
append(struct journal *j, const char *data, size_t len)
{
	struct journal_entry e;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.receipt_ms = 1000;
	e.data_len = len;
	e.data_crc = crc32c(0, data, len);
	journal_append(j, &e, data);
}

void
append_text(struct journal *j, const char *text)
{
	append(j, text, strlen(text));
}

void
write_three(void)
{
	struct journal *j = read_end();

	append_text(j, "one");
	append_text(j, "");
	append_text(j, "the third");
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
}

size_t
slurp(const char *path, uint8_t *buf, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, cap);

	cr_assert_gt(n, 0);
	close(fd);
	return (size_t)n;
}

void
spew(const char *path, const uint8_t *buf, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, buf, len), (ssize_t)len);
	close(fd);
}

/* The data of an upload of n bytes, larger than memory may hold. */
struct spool *
large_spool(size_t n)
{
	struct spool *s = spool_new(7, 0, true);
	char block[4096];

	memset(block, 'd', sizeof(block));
	while (spool_bytes(s) < n)
		cr_assert_eq(spool_write(s, block, sizeof(block)), 0);
	cr_assert(spool_is_file(s));
	return s;
}
