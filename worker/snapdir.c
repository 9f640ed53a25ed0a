/* Owns the files of snapshots/. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/disk.h"
#include "common/filemap.h"
#include "common/log.h"
#include "common/snapmeta.h"
#include "worker/quarantine.h"
#include "worker/snapdir.h"
#include "worker/snapthin.h"

#define NEW_FILE SNAPFILE_DIR "/new"
#define META_NEW_ENDING ".meta.new"

struct search {
	uint64_t limit;
	uint64_t seq; /* greatest number below limit so far; 0: none */
	enum snapfile kind;
};

static int
search_name(void *arg, const char *name)
{
	static const enum snapfile kinds[] = { SNAPFILE_SNAP, SNAPFILE_BASE,
		SNAPFILE_PREV };
	struct search *s = arg;

	for (size_t i = 0; i < NELEM(kinds); i++) {
		uint64_t n = snapfile_number(name, kinds[i]);

		if (n > s->seq && n < s->limit) {
			s->seq = n;
			s->kind = kinds[i];
		}
	}
	return 0;
}

/* The one with the greatest number below limit; f->seq 0: there is none. */
static int
file_before(uint64_t limit, struct snapdir_file *f)
{
	struct search s = { .limit = limit };

	f->seq = 0;
	if (disk_each(SNAPFILE_DIR, search_name, &s) == -1) {
		log_warn(SNAPFILE_DIR);
		return -1;
	}
	f->seq = s.seq;
	f->kind = s.kind;
	return 0;
}

/* Returns 0; or -1 with EUCLEAN: nothing older may take its place. */
static int
set_aside(const struct snapdir_file *f, const char *why)
{
	char path[SNAPFILE_PATH_BYTES];

	snapfile_path(path, NULL, f->seq, f->kind);
	if (f->kind == SNAPFILE_BASE) {
		log_warnx("%s: the state after a revert: %s", path, why);
		errno = EUCLEAN;
		return -1;
	}
	quarantine_move(path, "snapshot", f->seq, why);
	return 0;
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
		return "damaged at byte 0: the head";
	if (snapshot_verify(f->reader, &at) == -1) {
		snprintf(text, size,
		    "damaged at byte %zu of %zu, where the part begins", at,
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
snapdir_give_up(void)
{
	if (unlink(NEW_FILE) == -1 && errno != ENOENT)
		log_warn(NEW_FILE);
}

static int
clean_name(void *arg, const char *name)
{
	size_t len = strlen(name), tail = strlen(META_NEW_ENDING);
	char path[SNAPFILE_PATH_BYTES];

	(void)arg;
	if (len <= tail || strcmp(name + len - tail, META_NEW_ENDING) != 0)
		return 0;
	snprintf(path, sizeof(path), SNAPFILE_DIR "/%s", name);
	if (unlink(path) == -1)
		log_warn("%s", path);
	return 0;
}

void
snapdir_clean(void)
{
	snapdir_give_up();
	if (disk_each(SNAPFILE_DIR, clean_name, NULL) == -1)
		log_warn(SNAPFILE_DIR);
}

void
snapdir_close(struct snapdir_file *f)
{
	snapshot_reader_free(f->reader);
	filemap_close(f->map, f->maplen);
	memset(f, 0, sizeof(*f));
}

static int
file_open(struct snapdir_file *f, const char *path)
{
	if (disk_map(path, &f->map, &f->maplen) == -1) {
		log_warn("%s", path);
		return -1;
	}
	f->reader = snapshot_reader_memory(f->map, f->maplen);
	if (f->reader != NULL || errno != EPROTONOSUPPORT)
		return 0;
	log_warnx("%s: of another format; this program reads format %d", path,
	    SNAPHEAD_FORMAT);
	snapdir_close(f);
	errno = EPROTONOSUPPORT;
	return -1;
}

/* Is what looks like damage a page that the disk cannot read? Logged then. */
static bool
is_unread(const struct snapdir_file *f, const char *path)
{
	size_t at;

	if (!filemap_failed(f->map, &at))
		return false;
	errno = EIO;
	log_warn("%s: cannot be read at byte %zu", path, at);
	return true;
}

/*
 * Look at one. Returns 1: it is whole; 0: it is not, and was set aside, or
 * stays because it could not be read (*unread); -1 with errno.
 */
static int
file_look(struct snapdir_file *f, const char *job_id, bool *unread)
{
	char path[SNAPFILE_PATH_BYTES], text[96];
	const char *why = NULL;
	int rc = 0;

	snapfile_path(path, NULL, f->seq, f->kind);
	*unread = file_open(f, path) == -1;
	if (*unread && errno != EIO)
		return -1;
	if (!*unread) {
		why = file_judge(f, job_id, text, sizeof(text));
		if (why == NULL)
			return 1;
		*unread = is_unread(f, path);
	}
	if (!*unread)
		rc = set_aside(f, why);
	else if (f->kind == SNAPFILE_BASE)
		rc = -1;
	snapdir_close(f);
	if (rc == -1)
		errno = *unread ? EIO : EUCLEAN;
	return rc;
}

int
snapdir_newest(struct snapdir_file *f, const char *job_id, uint64_t limit)
{
	bool unread, passed = false;
	int rc;

	memset(f, 0, sizeof(*f));
	do {
		if (file_before(limit, f) == -1)
			return -1;
		limit = f->seq;
		rc = limit == 0 ? 1 : file_look(f, job_id, &unread);
		passed = passed || (rc == 0 && unread);
	} while (rc == 0);
	f->passed = passed;
	return rc == 1 && limit == 0 ? 0 : rc;
}

int
snapdir_refuse(struct snapdir_file *f)
{
	char path[SNAPFILE_PATH_BYTES];
	bool unread;
	int rc;

	unread = is_unread(f, snapfile_path(path, NULL, f->seq, f->kind));
	if (unread)
		rc = f->kind == SNAPFILE_BASE ? -1 : 1;
	else
		rc = set_aside(f, "its content was refused");
	snapdir_close(f);
	if (rc == -1)
		errno = unread ? EIO : EUCLEAN;
	return rc;
}

void
snapdir_leave_behind(uint64_t seq)
{
	char path[SNAPFILE_PATH_BYTES];
	struct snapdir_file f = { .seq = UINT64_MAX };

	while (file_before(f.seq, &f) == 0 && f.seq > seq)
		quarantine_move(snapfile_path(path, NULL, f.seq, f.kind),
		    "snapshot", f.seq,
		    "cannot be read, and what is older takes its place");
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
	int rc = -1, saved;

	if (w == NULL)
		return -1;
	if (save(arg, w) == 0 && snapshot_finish(w) == 0)
		rc = fsync(fd);
	saved = errno;
	snapshot_writer_free(w);
	errno = saved;
	return rc;
}

int
snapdir_finish(uint64_t seq, enum snapfile kind)
{
	char path[SNAPFILE_PATH_BYTES];

	snapfile_path(path, NULL, seq, kind);
	if (rename(NEW_FILE, path) == 0 && disk_sync_dir(SNAPFILE_DIR) == 0)
		return 0;
	log_warn("%s", path);
	return -1;
}

bool
snapdir_is_listed(uint64_t seq)
{
	char path[SNAPFILE_PATH_BYTES];

	return access(snapfile_path(path, NULL, seq, SNAPFILE_SNAP), F_OK) == 0;
}

static int
newest_name(void *arg, const char *name)
{
	uint64_t seq = snapfile_number(name, SNAPFILE_SNAP), *newest = arg;

	if (seq > *newest)
		*newest = seq;
	return 0;
}

int64_t
snapdir_newest_ms(void)
{
	char path[SNAPFILE_PATH_BYTES];
	struct snaphead_file f;
	uint64_t newest = 0;

	if (disk_each(SNAPFILE_DIR, newest_name, &newest) == -1) {
		log_warn(SNAPFILE_DIR);
		return TIME_UNSET;
	}
	if (newest == 0)
		return TIME_UNSET;
	snapfile_path(path, NULL, newest, SNAPFILE_SNAP);
	if (snaphead_read(path, &f) == 0)
		return f.head.created_ms;
	log_warn("%s", path);
	return TIME_UNSET;
}

static void
remove_file(uint64_t seq, enum snapfile kind)
{
	char path[SNAPFILE_PATH_BYTES];

	if (unlink(snapfile_path(path, NULL, seq, kind)) == -1 &&
	    errno != ENOENT)
		log_warn("%s", path);
}

struct listing {
	uint64_t below;	       /* only these may go */
	struct snapthin *item; /* owned */
	size_t n, cap;
};

static int
list_name(void *arg, const char *name)
{
	uint64_t base = snapfile_number(name, SNAPFILE_BASE);
	uint64_t prev = snapfile_number(name, SNAPFILE_PREV);
	uint64_t snap = snapfile_number(name, SNAPFILE_SNAP);
	struct listing *l = arg;

	if (base != 0 && base < l->below)
		remove_file(base, SNAPFILE_BASE);
	if (prev != 0 && prev < l->below)
		remove_file(prev, SNAPFILE_PREV);
	if (snap == 0)
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? SNAPDIR_LISTED_MAX + 8 : l->cap * 2;
		struct snapthin *item =
		    reallocarray(l->item, cap, sizeof(*item));

		if (item == NULL)
			return -1;
		l->item = item;
		l->cap = cap;
	}
	l->item[l->n++] = (struct snapthin){ .seq = snap };
	return 0;
}

static int
list_compare(const void *a, const void *b)
{
	const struct snapthin *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* What cannot be read says that the snapshot is to be kept. */
static bool
is_retained(uint64_t seq)
{
	char path[SNAPFILE_PATH_BYTES];
	struct snapmeta_file m;

	if (snapmeta_read(NULL, seq, &m) != -1)
		return m.meta.retain;
	snapfile_path(path, NULL, seq, SNAPFILE_META);
	if (errno == EBADMSG)
		log_warnx("%s: damaged at byte 0: the snapshot counts as one "
			  "to be kept",
		    path);
	else
		log_warn("%s", path);
	return m.meta.retain;
}

/* One whose head cannot be read counts as made with the one before it. */
static void
list_look(struct listing *l, const char *active)
{
	char path[SNAPFILE_PATH_BYTES], id[SNAPHEAD_ID_BYTES];
	struct snaphead_file f;
	int64_t ms = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct snapthin *t = &l->item[i];

		snapfile_path(path, NULL, t->seq, SNAPFILE_SNAP);
		t->stays = t->seq >= l->below || is_retained(t->seq);
		if (snaphead_read(path, &f) == 0) {
			ms = f.head.created_ms;
			snaphead_id(id, ms);
			t->stays = t->stays || strcmp(id, active) == 0;
		}
		t->ms = ms;
	}
}

static void
list_thin(struct listing *l)
{
	while (l->n > SNAPDIR_LISTED_MAX) {
		size_t i = snapthin_choose(l->item, l->n);

		if (i == l->n)
			return;
		log_info("snapshot %" PRIu64 " goes: there are more than %d",
		    l->item[i].seq, SNAPDIR_LISTED_MAX);
		remove_file(l->item[i].seq, SNAPFILE_SNAP);
		remove_file(l->item[i].seq, SNAPFILE_META);
		l->n--;
		memmove(l->item + i, l->item + i + 1,
		    (l->n - i) * sizeof(*l->item));
	}
}

void
snapdir_bound(uint64_t seq)
{
	struct listing l = { .below = seq };
	char active[SNAPHEAD_ID_BYTES];

	/* First: the listing removes what is known of it. */
	if (snapdir_reverted_id(active) == -1)
		log_warn("id of what the job was reverted to");
	if (disk_each(SNAPFILE_DIR, list_name, &l) == -1) {
		log_warn(SNAPFILE_DIR);
	} else if (l.n > SNAPDIR_LISTED_MAX) {
		qsort(l.item, l.n, sizeof(*l.item), list_compare);
		list_look(&l, active);
		list_thin(&l);
	}
	free(l.item);
}

/* Is it the last but one that can be loaded, and behind no base? */
static int
is_needed(uint64_t seq, bool *needed)
{
	struct snapdir_file newest, second = { .seq = 0 };

	if (file_before(UINT64_MAX, &newest) == -1 ||
	    (newest.seq != 0 && file_before(newest.seq, &second) == -1))
		return -1;
	*needed = second.seq == seq && newest.kind != SNAPFILE_BASE;
	return 0;
}

int
snapdir_remove(uint64_t seq)
{
	char path[SNAPFILE_PATH_BYTES], prev[SNAPFILE_PATH_BYTES];
	bool needed;
	int rc;

	if (is_needed(seq, &needed) == -1)
		return -1;
	snapfile_path(path, NULL, seq, SNAPFILE_SNAP);
	snapfile_path(prev, NULL, seq, SNAPFILE_PREV);
	rc = needed ? rename(path, prev) : unlink(path);
	if (rc == -1)
		return -1;
	remove_file(seq, SNAPFILE_META);
	return disk_sync_dir(SNAPFILE_DIR);
}

static int
undecided_name(void *arg, const char *name)
{
	uint64_t seq = snapfile_number(name, SNAPFILE_REVERT), *found = arg;

	if (seq != 0)
		*found = seq;
	return 0;
}

int
snapdir_undecided(uint64_t *seq)
{
	*seq = 0;
	if (disk_each(SNAPFILE_DIR, undecided_name, seq) == 0)
		return *seq != 0;
	log_warn(SNAPFILE_DIR);
	return -1;
}

int
snapdir_decide(uint64_t seq)
{
	char from[SNAPFILE_PATH_BYTES], to[SNAPFILE_PATH_BYTES];

	snapfile_path(from, NULL, seq, SNAPFILE_REVERT);
	snapfile_path(to, NULL, seq, SNAPFILE_BASE);
	if (rename(from, to) == 0 && disk_sync_dir(SNAPFILE_DIR) == 0)
		return 0;
	log_warn("%s", to);
	return -1;
}

int
snapdir_undo(uint64_t seq)
{
	char path[SNAPFILE_PATH_BYTES];

	snapfile_path(path, NULL, seq, SNAPFILE_REVERT);
	if (unlink(path) == 0 && disk_sync_dir(SNAPFILE_DIR) == 0)
		return 0;
	log_warn("%s", path);
	return -1;
}

int
snapdir_base_id(uint64_t seq, char dst[SNAPHEAD_ID_BYTES])
{
	char path[SNAPFILE_PATH_BYTES];
	struct snaphead_file f;

	snapfile_path(path, NULL, seq, SNAPFILE_BASE);
	if (snaphead_read(path, &f) == -1)
		return -1;
	if (f.head.description.len >= SNAPHEAD_ID_BYTES) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(dst, f.head.description.p, f.head.description.len);
	dst[f.head.description.len] = '\0';
	return 0;
}

static int
greatest_name(void *arg, const char *name)
{
	uint64_t *greatest = arg;

	for (int kind = 0; kind < SNAPFILE_NKINDS; kind++) {
		uint64_t seq = snapfile_number(name, (enum snapfile)kind);

		if (seq > *greatest)
			*greatest = seq;
	}
	return 0;
}

int
snapdir_greatest(uint64_t *seq)
{
	*seq = 0;
	if (disk_each(SNAPFILE_DIR, greatest_name, seq) == 0)
		return 0;
	log_warn(SNAPFILE_DIR);
	return -1;
}

static int
base_name(void *arg, const char *name)
{
	uint64_t seq = snapfile_number(name, SNAPFILE_BASE), *newest = arg;

	if (seq > *newest)
		*newest = seq;
	return 0;
}

int
snapdir_reverted_id(char dst[SNAPHEAD_ID_BYTES])
{
	uint64_t seq = 0;

	dst[0] = '\0';
	if (disk_each(SNAPFILE_DIR, base_name, &seq) == -1) {
		log_warn(SNAPFILE_DIR);
		return -1;
	}
	return seq == 0 ? 0 : snapdir_base_id(seq, dst);
}
