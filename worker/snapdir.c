/* Owns the files of snapshots/. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/log.h"
#include "worker/quarantine.h"
#include "worker/snapdir.h"

#define SNAPDIR "snapshots"
#define NEW_FILE SNAPDIR "/new"
#define SUFFIX ".snap"
#define DIGITS 20
#define PATH_BYTES (sizeof(SNAPDIR) + DIGITS + sizeof(SUFFIX) + 8)

static const char *
file_path(char *dst, uint64_t seq)
{
	snprintf(dst, PATH_BYTES, SNAPDIR "/%0*" PRIu64 SUFFIX, DIGITS, seq);
	return dst;
}

/* The number in a file's name; 0 for any other name. */
static uint64_t
file_number(const char *name)
{
	if (strspn(name, "0123456789") != DIGITS ||
	    strcmp(name + DIGITS, SUFFIX) != 0)
		return 0;
	return strtoull(name, NULL, 10);
}

struct search {
	uint64_t limit;
	uint64_t seq; /* greatest number below limit so far; 0: none */
};

static int
search_name(void *arg, const char *name)
{
	uint64_t n = file_number(name);
	struct search *s = arg;

	if (n > s->seq && n < s->limit)
		s->seq = n;
	return 0;
}

/* *seq: the greatest number below limit, 0 for none. */
static int
file_before(uint64_t limit, uint64_t *seq)
{
	struct search s = { .limit = limit };

	*seq = 0;
	if (disk_each(SNAPDIR, search_name, &s) == -1) {
		log_warn(SNAPDIR);
		return -1;
	}
	*seq = s.seq;
	return 0;
}

static void
set_aside(uint64_t seq, const char *why)
{
	char path[PATH_BYTES];

	quarantine_move(file_path(path, seq), "snapshot", seq, why);
}

/*
 * NULL when it is whole and this job's, else what is wrong. text: room for it.
 */
static const char *
file_judge(struct snapdir_file *f, const char *job_id, char *text, size_t size)
{
	const struct snapshot_head *head;
	size_t at;

	if (f->reader == NULL)
		return "damaged head";
	if (snapshot_verify(f->reader, &at) == -1) {
		snprintf(text, size,
		    "damaged in the part that begins at byte %zu of %zu", at,
		    f->maplen);
		return text;
	}
	head = snapshot_reader_head(f->reader);
	if (!span_eq(head->job_id, job_id))
		return "of another job";
	if (head->applied_seq != f->seq)
		return "its name is not its number";
	return NULL;
}

void
snapdir_clean(void)
{
	if (unlink(NEW_FILE) == -1 && errno != ENOENT)
		log_warn(NEW_FILE);
}

int
snapdir_newest(struct snapdir_file *f, const char *job_id, uint64_t limit)
{
	char path[PATH_BYTES], text[96];

	memset(f, 0, sizeof(*f));
	for (;;) {
		const char *why;

		if (file_before(limit, &f->seq) == -1)
			return -1;
		if (f->seq == 0)
			return 0;
		if (disk_map(file_path(path, f->seq), &f->map, &f->maplen) ==
		    -1) {
			log_warn("%s", path);
			return -1;
		}
		f->reader = snapshot_reader_memory(f->map, f->maplen);
		if (f->reader == NULL && errno == EPROTONOSUPPORT) {
			log_warnx("%s: of another format; this program reads "
				  "format %d",
			    path, SNAPHEAD_FORMAT);
			snapdir_close(f);
			errno = EPROTONOSUPPORT;
			return -1;
		}
		why = file_judge(f, job_id, text, sizeof(text));
		if (why == NULL)
			return 1;
		limit = f->seq;
		set_aside(f->seq, why);
		snapdir_close(f);
	}
}

void
snapdir_close(struct snapdir_file *f)
{
	snapshot_reader_free(f->reader);
	if (f->map != NULL)
		munmap(f->map, f->maplen);
	memset(f, 0, sizeof(*f));
}

void
snapdir_refuse(struct snapdir_file *f)
{
	set_aside(f->seq, "its content was refused");
	snapdir_close(f);
}

int
snapdir_begin(void)
{
	return open(NEW_FILE, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
}

int
snapdir_fill(int fd, const struct snapshot_head *head,
    const struct model_size *size, snapdir_save *save, void *arg)
{
	struct snapshot_writer *w = snapshot_writer_file(fd, head, size);
	int rc = -1;

	if (w == NULL)
		return -1;
	if (save(arg, w) == 0 && snapshot_finish(w) == 0)
		rc = fsync(fd);
	snapshot_writer_free(w);
	return rc;
}

int
snapdir_finish(uint64_t seq)
{
	char path[PATH_BYTES];

	if (rename(NEW_FILE, file_path(path, seq)) == 0 &&
	    disk_sync_dir(SNAPDIR) == 0)
		return 0;
	log_warn("%s", path);
	return -1;
}

void
snapdir_give_up(void)
{
	snapdir_clean();
}

void
snapdir_keep_from(uint64_t seq)
{
	char path[PATH_BYTES];
	uint64_t old = seq;

	while (file_before(old, &old) == 0 && old != 0)
		if (unlink(file_path(path, old)) == -1)
			log_warn("%s", path);
}
