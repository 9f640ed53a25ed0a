/* Owns the file in-hand, which outlives the process that maps it. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/log.h"
#include "worker/mark.h"

#define MARK_MAGIC UINT64_C(0x414e4f4d4d41524b) /* "ANOMMARK" */

/* As many are under suspicion at a time; more make the oldest go. */
#define SUSPECTS 8

struct suspect {
	uint64_t seq; /* both 0: none */
	uint64_t token;
	uint32_t deaths;
	uint32_t signal; /* of the last one */
};

/*
 * As it is in the file. Only programs of this machine share it, and only one
 * at a time: a struct will do. What is in hand may be torn by a loss of power,
 * but it is asked for only by the same life of the supervisor.
 */
struct page {
	uint64_t magic;
	uint64_t seq;
	uint64_t token;
	struct suspect suspect[SUSPECTS];
	uint32_t next; /* to be replaced */
	uint32_t crc;  /* of suspect and next */
};

struct mark {
	int fd;
	volatile struct page *page; /* the stores must not wait */
	struct suspect suspect[SUSPECTS];
	uint32_t next;
};

static uint32_t
sum(const struct mark *m)
{
	uint32_t crc = crc32c(0, m->suspect, sizeof(m->suspect));

	return crc32c(crc, &m->next, sizeof(m->next));
}

/*
 * Written, not only mapped: a hole in the file would be a SIGBUS on a full
 * disk. Returns 0, or -1 with errno.
 */
static int
write_page(struct mark *m)
{
	struct page page = { .magic = MARK_MAGIC, .next = m->next };

	memcpy(page.suspect, m->suspect, sizeof(page.suspect));
	page.crc = sum(m);
	if (disk_write_at(m->fd, &page, sizeof(page), 0) == -1)
		return -1;
	return fdatasync(m->fd);
}

/* Returns 1: *page is set; 0: the file is new, or of no use; -1 with errno. */
static int
read_page(struct mark *m, struct page *page)
{
	ssize_t n = pread(m->fd, page, sizeof(*page), 0);

	if (n == -1)
		return -1;
	if (n != (ssize_t)sizeof(*page) || page->magic != MARK_MAGIC) {
		if (n != 0)
			log_warnx(MARK_FILE ": damaged, and begun anew");
		return 0;
	}
	memcpy(m->suspect, page->suspect, sizeof(m->suspect));
	m->next = page->next % SUSPECTS;
	if (page->crc == sum(m) && page->next < SUSPECTS)
		return 1;
	log_warnx(MARK_FILE ": wrong checksum: earlier deaths are forgotten");
	memset(m->suspect, 0, sizeof(m->suspect));
	m->next = 0;
	return 1;
}

/*
 * By both: where syncs are not waited for, a loss of power lets another entry
 * have the number.
 */
static int
find(const struct mark *m, uint64_t seq, uint64_t token)
{
	for (int i = 0; i < SUSPECTS; i++) {
		const struct suspect *s = &m->suspect[i];

		if (s->deaths > 0 && s->seq == seq && s->token == token)
			return i;
	}
	return -1;
}

static void
count_death(struct mark *m, const struct page *page, unsigned crash)
{
	struct suspect *s;
	int i;

	if (page->seq == 0 && page->token == 0)
		return;
	i = find(m, page->seq, page->token);
	s = &m->suspect[i != -1 ? i : (int)m->next];
	if (i == -1) {
		m->next = (m->next + 1) % SUSPECTS;
		*s = (struct suspect){ page->seq, page->token, 0, 0 };
	}
	s->deaths++;
	s->signal = crash;
	if (s->seq != 0)
		log_warnx("entry %" PRIu64 ": a worker died in it by signal %u,"
			  " %" PRIu32 " so far",
		    s->seq, crash, s->deaths);
	else
		log_warnx("a worker died by signal %u in a request that is "
			  "not in the journal, %" PRIu32 " so far",
		    crash, s->deaths);
}

static int
map_page(struct mark *m, unsigned crash)
{
	struct page page;
	int rc = read_page(m, &page);
	void *map;

	if (rc == -1)
		return -1;
	if (rc == 1 && crash != 0)
		count_death(m, &page, crash);
	if (write_page(m) == -1)
		return -1;
	map = mmap(
	    NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (map == MAP_FAILED)
		return -1;
	m->page = map;
	return 0;
}

struct mark *
mark_open(unsigned crash)
{
	struct mark *m = calloc(1, sizeof(*m));
	int saved;

	if (m == NULL)
		return NULL;
	m->fd =
	    open(MARK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->fd != -1 && map_page(m, crash) == 0)
		return m;
	saved = errno;
	log_warn(MARK_FILE);
	mark_free(m);
	errno = saved;
	return NULL;
}

void
mark_free(struct mark *m)
{
	if (m == NULL)
		return;
	if (m->page != NULL)
		munmap((void *)(uintptr_t)m->page, sizeof(*m->page));
	if (m->fd != -1)
		close(m->fd);
	free(m);
}

void
mark_take(struct mark *m, uint64_t seq, uint64_t token)
{
	if (m == NULL)
		return;
	m->page->seq = seq;
	m->page->token = token;
}

void
mark_drop(struct mark *m)
{
	mark_take(m, 0, 0);
}

unsigned
mark_condemns(const struct mark *m, uint64_t seq, uint64_t token)
{
	int i;

	if (m == NULL || (seq == 0 && token == 0))
		return 0;
	i = find(m, seq, token);
	return i != -1 && m->suspect[i].deaths >= MARK_DEATHS
	    ? m->suspect[i].signal
	    : 0;
}

int
mark_forget(struct mark *m, uint64_t seq, uint64_t token)
{
	int i = find(m, seq, token);

	if (i == -1)
		return 0;
	m->suspect[i] = (struct suspect){ 0, 0, 0, 0 };
	return write_page(m);
}
