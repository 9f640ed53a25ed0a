/* Owns the looking over of a job's directory. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/asidelist.h"
#include "common/resultsdb.h"
#include "common/snapfile.h"
#include "common/snaphead.h"
#include "common/verify.h"
#include "ctl/backup.h"
#include "ctl/copy.h"
#include "ctl/dbcopy.h"
#include "ctl/inspect.h"
#include "ctl/verify_job.h"
#include "worker/aside.h"
#include "worker/journal.h"
#include "worker/mark.h"
#include "worker/verify.h"

#define PATH_BYTES 256
#define NUMBER_DIGITS 20 /* that names of segments begin with */
#define RESULTS_MARK "damaged"

#define ENTRIES_CURE                                                           \
	"restore a backup, or post again what came then; what is left is "     \
	"used all the same"

struct list {
	char **name; /* owned */
	int n;
};

struct jobcheck {
	struct faults *f;
	const char *name; /* borrowed */
	int jobs, dir;
	int journal_dir, snapshots_dir; /* -1: it is not there */
	struct list journal, snapshots;
	uint64_t applied;  /* last entry with results; 0: not known */
	uint64_t state;	   /* entry of the newest whole state; 0: none */
	uint64_t greatest; /* of any name in snapshots/ */
	bool has_results;  /* by that state */
};

/* ---- lists ---- */

static void
list_clear(struct list *l)
{
	copy_free_names(l->name, l->n);
	*l = (struct list){ 0 };
}

/* Returns 0, or -1 with errno. */
static int
list_read(struct list *l, int dirfd)
{
	int n;

	list_clear(l);
	if (dirfd == -1)
		return 0;
	n = copy_names(dirfd, &l->name);
	l->n = n == -1 ? 0 : n;
	return n == -1 ? -1 : 0;
}

/* The number of a segment of this name, 0 when it is none. */
static uint64_t
number_of(const char *name)
{
	return strspn(name, "0123456789") == NUMBER_DIGITS &&
		(strcmp(name + NUMBER_DIGITS, ".seg") == 0 ||
		    strcmp(name + NUMBER_DIGITS, ".seg.zst") == 0)
	    ? strtoull(name, NULL, 10)
	    : 0;
}

/* A state of the job that can be loaded; returns its number, or 0. */
static uint64_t
state_number(const char *name, enum snapfile *kind)
{
	static const enum snapfile kinds[] = { SNAPFILE_SNAP, SNAPFILE_BASE,
		SNAPFILE_PREV, SNAPFILE_REVERT };

	for (size_t i = 0; i < NELEM(kinds); i++) {
		uint64_t seq = snapfile_number(name, kinds[i]);

		*kind = kinds[i];
		if (seq != 0)
			return seq;
	}
	return 0;
}

static uint64_t
greatest_state(const struct list *l)
{
	enum snapfile kind;
	uint64_t most = 0;

	for (int i = 0; i < l->n; i++) {
		uint64_t seq = state_number(l->name[i], &kind);

		if (seq > most)
			most = seq;
	}
	return most;
}

/* That of the next segment: another form of the same one has the same. */
static uint64_t
next_number(const struct list *l, int i)
{
	uint64_t seq = number_of(l->name[i]);

	while (++i < l->n)
		if (number_of(l->name[i]) > seq)
			return number_of(l->name[i]);
	return 0;
}

static const char *
path_in(const struct jobcheck *c, char path[PATH_BYTES], const char *dir,
    const char *name)
{
	snprintf(path, PATH_BYTES, BACKUP_JOBS "/%.100s/%s%s%.100s", c->name,
	    dir, dir[0] == '\0' || name[0] == '\0' ? "" : "/", name);
	return path;
}

/* A job that is being deleted loses its files one after the other. */
static bool
is_same_dir(const struct jobcheck *c)
{
	struct stat a, b;

	return fstat(c->dir, &a) == 0 &&
	    fstatat(c->jobs, c->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void
lacks(struct jobcheck *c, const char *dir, const char *name, const char *what,
    const char *means)
{
	char path[PATH_BYTES];

	if (!is_same_dir(c))
		return;
	c->f->means = means;
	faults_add(c->f, path_in(c, path, dir, name), what);
}

static int
open_dir(struct jobcheck *c, const char *dir, const char *means)
{
	int fd = copy_open_dir(c->dir, dir);
	char path[PATH_BYTES];

	if (fd == -1 && errno == ENOENT)
		lacks(c, dir, "", "the directory is missing", means);
	else if (fd == -1)
		faults_looked(c->f, path_in(c, path, dir, ""), -1);
	return fd;
}

static int
look(struct jobcheck *c, inspect_look *fn, int dirfd, const char *dir,
    const char *name, const char *means)
{
	char path[PATH_BYTES];
	int rc;

	path_in(c, path, dir, name);
	c->f->means = means;
	rc = inspect_file(fn, dirfd, name, path, faults_report, c->f);
	faults_looked(c->f, path, rc);
	return rc;
}

/* ---- snapshots ---- */

static const char *
state_means(enum snapfile kind)
{
	switch (kind) {
	case SNAPFILE_BASE:
	case SNAPFILE_REVERT:
		return "the job cannot be opened until it is reverted again, "
		       "to the same snapshot or another one";
	case SNAPFILE_SNAP:
	case SNAPFILE_PREV:
	case SNAPFILE_META:
	case SNAPFILE_NKINDS:
		break;
	}
	return "no data are lost while an older one and the journal behind it "
	       "are whole, from which the job starts then; nothing can be "
	       "reverted to this one";
}

static void
note_state(struct jobcheck *c, uint64_t seq, const char *name)
{
	struct snaphead_file head;
	char path[PATH_MAX];

	if (seq <= c->state)
		return;
	c->state = seq;
	c->has_results = dbcopy_path(path, c->snapshots_dir, name) == 0 &&
	    snaphead_read(path, &head) == 0 &&
	    head.head.latest_result_ms != TIME_UNSET;
}

/* A base that is damaged counts: nothing older may take its place. */
static void
verify_snapshots(struct jobcheck *c)
{
	for (int i = 0; i < c->snapshots.n; i++) {
		const char *name = c->snapshots.name[i];
		enum snapfile kind;
		uint64_t seq = state_number(name, &kind);

		if (seq != 0) {
			int rc = look(c, verify_snapshot, c->snapshots_dir,
			    SNAPFILE_DIR, name, state_means(kind));

			if (rc == 0 || kind == SNAPFILE_BASE)
				note_state(c, seq, name);
		} else if (snapfile_number(name, SNAPFILE_META) != 0) {
			(void)look(c, verify_meta, c->snapshots_dir,
			    SNAPFILE_DIR, name,
			    "its description is lost, and it is retained: say "
			    "both again with _update of that snapshot");
		}
	}
}

/* ---- the journal ---- */

/* Entries that are in no state. to 0: nobody knows how far they went. */
static void
lost(struct jobcheck *c, const char *file, const char *where, uint64_t from,
    uint64_t to)
{
	char what[160];

	if (to == 0)
		snprintf(what, sizeof(what),
		    "entries from %" PRIu64 " on are lost", from);
	else
		snprintf(what, sizeof(what),
		    "entries %" PRIu64 " to %" PRIu64 " are lost%s", from, to,
		    where);
	lacks(c, JOURNAL_DIR, file, what, ENTRIES_CURE);
}

static void
report_segment(struct jobcheck *c, const char *name, const struct inspected *in,
    bool harmless)
{
	char path[PATH_BYTES];

	c->f->means = harmless ? "nothing is lost while the newest snapshot is "
				 "whole, which has these entries"
			       : "see the next line for what is lost";
	faults_report(
	    c->f, path_in(c, path, JOURNAL_DIR, name), in->at, in->what);
}

/*
 * One segment. *have: all entries up to it are known, in a state or in the
 * journal; what lies between it and the segment's first is lost.
 */
static void
verify_segment_at(struct jobcheck *c, int i, uint64_t *have)
{
	const char *name = c->journal.name[i];
	uint64_t first = number_of(name), next = next_number(&c->journal, i);
	struct inspected in;
	char path[PATH_BYTES];
	int rc = inspect_segment(c->journal_dir, name, next, &in);
	uint64_t to;
	bool loses;

	faults_looked(c->f, path_in(c, path, JOURNAL_DIR, name), rc);
	if (first > *have + 1)
		lost(c, name, ", which came before byte 0 of it", *have + 1,
		    first - 1);
	if (*have < first - 1)
		*have = first - 1;
	/* It went away: compressed, or not needed any more. */
	if (rc == -1)
		in.next_seq = next;
	if (in.next_seq > *have + 1)
		*have = in.next_seq - 1;
	if (!in.damaged)
		return;
	loses = next != 0 ? *have < next - 1
			  : c->applied == 0 || c->applied > *have;
	report_segment(c, name, &in, !loses);
	if (!loses)
		return;
	to = next != 0 ? next - 1 : c->applied;
	lost(c, name, "", *have + 1, to);
	if (*have < to)
		*have = to;
}

static void
verify_journal(struct jobcheck *c)
{
	uint64_t have = c->state;

	for (int i = 0; i < c->journal.n; i++)
		if (number_of(c->journal.name[i]) != 0)
			verify_segment_at(c, i, &have);
	if (have < c->greatest)
		have = c->greatest;
	if (c->applied > have)
		lost(c, "", " at its end, whose results are there", have + 1,
		    c->applied);
}

/*
 * Newer snapshots that come between the two lists let the worker remove
 * segments that the first list would want.
 */
static void
read_lists(struct jobcheck *c)
{
	char path[PATH_BYTES];
	int rc = 0;

	for (int i = 0; rc == 0 && i < FAULTS_LOOKS_MAX; i++) {
		struct list again = { 0 };

		if (list_read(&c->snapshots, c->snapshots_dir) == -1 ||
		    list_read(&c->journal, c->journal_dir) == -1 ||
		    list_read(&again, c->snapshots_dir) == -1)
			rc = -1;
		c->greatest = greatest_state(&c->snapshots);
		if (rc == 0 && greatest_state(&again) == c->greatest)
			i = FAULTS_LOOKS_MAX;
		list_clear(&again);
	}
	if (rc == -1)
		faults_looked(c->f, path_in(c, path, "", ""), -1);
}

/* ---- results ---- */

/* 0: not known. What is wrong with it is found elsewhere. */
static uint64_t
applied_seq(int fd)
{
	sqlite3 *db = dbcopy_open(fd, RESULTSDB_FILE);
	uint64_t seq = 0;

	if (db != NULL && resultsdb_get_seq(db, &seq) == -1)
		seq = 0;
	sqlite3_close(db);
	return seq;
}

/* The number is read first: the journal has an entry before its results. */
static int
begin_results(struct jobcheck *c)
{
	int fd = open_dir(c, BACKUP_RESULTS,
	    "the results are lost, and the job cannot be opened: restore a "
	    "backup");
	char path[PATH_BYTES];
	int rc;

	if (fd == -1 ||
	    faccessat(fd, RESULTSDB_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == -1)
		return fd;
	path_in(c, path, BACKUP_RESULTS, RESULTSDB_FILE);
	c->f->means =
	    "the opening after a query has met it keeps the rows that can be "
	    "read, and what came after the last but one snapshot is made again "
	    "from the journal; the rest is lost: restore a backup if it is "
	    "wanted";
	rc = inspect_file(
	    verify_database, fd, RESULTSDB_FILE, path, faults_report, c->f);
	faults_looked(c->f, path, rc);
	if (rc == 0)
		c->applied = applied_seq(fd);
	return fd;
}

/* A job that has had no result yet has no database. */
static void
end_results(struct jobcheck *c, int fd)
{
	if (fd == -1)
		return;
	if (c->has_results &&
	    faccessat(fd, RESULTSDB_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT)
		lacks(c, BACKUP_RESULTS, RESULTSDB_FILE,
		    "it is missing, and a snapshot says that there were "
		    "results",
		    "those up to the newest snapshot are lost, later ones are "
		    "made again from the journal: restore a backup");
	if (faccessat(fd, RESULTS_MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		lacks(c, BACKUP_RESULTS, RESULTS_MARK,
		    "the worker has met damage in results.db",
		    "close and open the job: what can be read is kept, and "
		    "the journal is replayed");
	close(fd);
}

/* ---- what was put aside ---- */

static bool
list_has(const struct asidelist *l, uint64_t seq)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->record[i].seq == seq)
			return true;
	return false;
}

/*
 * A worker makes the file first, then the list; a death between them leaves the
 * entry condemned all the same, and its successor makes the list.
 */
static bool
is_listed(struct jobcheck *c, uint64_t seq)
{
	char path[PATH_MAX];

	for (int i = 0; i < FAULTS_LOOKS_MAX; i++) {
		struct asidelist l;
		bool found;

		if (dbcopy_path(path, c->dir, ASIDE_LIST) == -1 ||
		    asidelist_read(&l, path) == -1)
			return true; /* said already */
		found = list_has(&l, seq);
		asidelist_clear(&l);
		if (found)
			return true;
		faults_pause();
	}
	return false;
}

static void
verify_entry(struct jobcheck *c, int dir, const char *name)
{
	uint64_t seq = strtoull(name + strlen(ASIDE_FILE), NULL, 10);
	char path[PATH_BYTES];
	struct inspected in;
	int rc = inspect_segment(dir, name, seq + 1, &in);

	faults_looked(c->f, path_in(c, path, ASIDE_DIR, name), rc);
	if (rc == 0 && in.damaged) {
		c->f->means =
		    "what was posted with it is lost: drop it with \"anomctl "
		    "quarantine drop\", and post it again from where it came";
		faults_report(c->f, path, in.at, in.what);
	}
	if (rc == 0 && !is_listed(c, seq))
		lacks(c, "", ASIDE_LIST,
		    "it does not name an entry that "
		    "is in quarantine",
		    "nothing is lost: the next opening tries the entry again "
		    "if the journal has it, and puts it aside when workers "
		    "die of it");
}

static void
verify_aside(struct jobcheck *c)
{
	int dir = open_dir(c, ASIDE_DIR,
	    "what was put aside is lost, and nothing can be put aside: make "
	    "it, for the user that anomd runs as");
	struct list l = { 0 };
	char path[PATH_BYTES];

	(void)look(c, aside_verify, c->dir, "", ASIDE_LIST,
	    "no data are lost: what it names is tried again at the next "
	    "opening, and put aside when workers die of it");
	if (list_read(&l, dir) == -1)
		faults_looked(c->f, path_in(c, path, ASIDE_DIR, ""), -1);
	for (int i = 0; i < l.n; i++)
		if (strncmp(l.name[i], ASIDE_FILE, strlen(ASIDE_FILE)) == 0)
			verify_entry(c, dir, l.name[i]);
	list_clear(&l);
	if (dir != -1)
		close(dir);
}

/* ---- the whole ---- */

static void
verify_files(struct jobcheck *c)
{
	int results;

	verify_aside(c);
	(void)look(c, mark_verify, c->dir, "", MARK_FILE,
	    "nothing is lost: the next opening begins it anew, and an entry "
	    "that kills workers has to do so twice again");
	results = begin_results(c);
	c->snapshots_dir = open_dir(c, SNAPFILE_DIR,
	    "the models are lost but for what the journal has, and the job "
	    "cannot be opened: restore a backup");
	c->journal_dir = open_dir(c, JOURNAL_DIR,
	    "what came after the newest snapshot is lost, and the job cannot "
	    "be opened: restore a backup");
	read_lists(c);
	verify_snapshots(c);
	end_results(c, results);
	if (c->journal_dir != -1)
		verify_journal(c);
}

void
verify_job(struct faults *f, int jobs, const char *name)
{
	struct jobcheck c = { .f = f,
		.name = name,
		.jobs = jobs,
		.journal_dir = -1,
		.snapshots_dir = -1 };
	char path[PATH_BYTES];

	c.dir = copy_open_dir(jobs, name);
	if (c.dir == -1) {
		if (errno != ENOENT && errno != ENOTDIR)
			faults_looked(f, path_in(&c, path, "", ""), -1);
		return;
	}
	verify_files(&c);
	f->means = NULL;
	list_clear(&c.journal);
	list_clear(&c.snapshots);
	if (c.journal_dir != -1)
		close(c.journal_dir);
	if (c.snapshots_dir != -1)
		close(c.snapshots_dir);
	close(c.dir);
}
