/* Owns the file in-hand, which outlives the process that maps it. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/log.h"
#include "worker/mark.h"

#define MARK_MAGIC UINT64_C(0x414e4f4d4d41524b) /* "ANOMMARK" */

/* Whoever looks may come between two stores. */
#define READS_MAX 5

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
	uint64_t check; /* of both */
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
sum(const struct suspect suspect[SUSPECTS], uint32_t next)
{
	uint32_t crc = crc32c(0, suspect, SUSPECTS * sizeof(*suspect));

	return crc32c(crc, &next, sizeof(next));
}

/* Cheap, for it is stored with each entry; a flip in one of the two shows. */
static uint64_t
check_of(uint64_t seq, uint64_t token)
{
	return ~(seq + (token << 32 | token >> 32));
}

/* What is wrong with a page; NULL: nothing. */
static const char *
page_judge(const struct page *page, size_t *at)
{
	*at = 0;
	if (page->magic != MARK_MAGIC)
		return "no file of this kind";
	*at = offsetof(struct page, seq);
	if (page->check != check_of(page->seq, page->token))
		return "what was in hand does not match its checksum";
	*at = offsetof(struct page, suspect);
	if (page->next >= SUSPECTS ||
	    page->crc != sum(page->suspect, page->next))
		return "the deaths do not match their checksum";
	return NULL;
}

/*
 * Written, not only mapped: a hole in the file would be a SIGBUS on a full
 * disk. Returns 0, or -1 with errno.
 */
static int
write_page(struct mark *m)
{
	struct page page = {
		.magic = MARK_MAGIC, .check = check_of(0, 0), .next = m->next
	};

	memcpy(page.suspect, m->suspect, sizeof(page.suspect));
	page.crc = sum(m->suspect, m->next);
	if (disk_write_at(m->fd, &page, sizeof(page), 0) == -1)
		return -1;
	return fdatasync(m->fd);
}

/*
 * Returns 1: *page is set; 0: the file is new, or of no use; -1 with errno.
 * What is damaged is forgotten: then an entry that kills has to do so again.
 */
static int
read_page(struct mark *m, struct page *page)
{
	ssize_t n = pread(m->fd, page, sizeof(*page), 0);
	const char *why;
	size_t at;

	if (n == -1)
		return -1;
	if (n == 0)
		return 0;
	if (n == (ssize_t)sizeof(*page)) {
		why = page_judge(page, &at);
	} else {
		at = (size_t)n;
		why = "it ends there";
	}
	if (why != NULL) {
		log_warnx(
		    MARK_FILE ": damaged at byte %zu: %s: begun anew", at, why);
		return 0;
	}
	memcpy(m->suspect, page->suspect, sizeof(m->suspect));
	m->next = page->next;
	return 1;
}

int
mark_verify(const char *path, verify_report_cb *report, void *arg)
{
	const char *why = "it ends there";
	struct page page;
	size_t at = 0;

	for (int i = 0; why != NULL && i < READS_MAX; i++) {
		ssize_t n = disk_read_start(path, &page, sizeof(page));

		if (n == -1)
			return -1;
		at = (size_t)n;
		if (n == 0)
			why = NULL; /* one that is being made */
		else if (n == (ssize_t)sizeof(page))
			why = page_judge(&page, &at);
	}
	if (why == NULL)
		return 0;
	report(arg, path, at, why);
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
	m->page->check = check_of(seq, token);
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
