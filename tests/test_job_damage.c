/*
 * The files of a job, damaged in every way: what is read is a part of what was
 * written, and the log and verify say which file is damaged and where.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/snapmeta.h"
#include "tests/damage.h"
#include "tests/tmpdir.h"
#include "worker/aside.h"
#include "worker/journal.h"
#include "worker/mark.h"
#include "worker/segpack.h"
#include "worker/snapdir.h"
#include "worker/verify.h"

#define FIRST JOURNAL_DIR "/00000000000000000001.seg"
#define SECOND JOURNAL_DIR "/00000000000000000004.seg"
#define PACKED FIRST ".zst"
#define ENTRIES 6 /* three in each segment */

#define OLD_SNAPSHOT SNAPFILE_DIR "/00000000000000000003.snap"
#define NEW_SNAPSHOT SNAPFILE_DIR "/00000000000000000006.snap"
#define NEW_BASE SNAPFILE_DIR "/00000000000000000006.base"
#define META SNAPFILE_DIR "/00000000000000000006.meta"

static char dir[TMPDIR_BYTES];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_WARN);
	tmpdir_enter(dir);
	logged_begin();
}

static void
teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(dir);
}

TestSuite(job_damage, .init = setup, .fini = teardown, .timeout = 120);

/* ---- what verify says ---- */

struct report {
	unsigned n;
	size_t at;
};

static void
note_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	struct report *r = arg;

	cr_assert(path != NULL && what != NULL && what[0] != '\0');
	r->n++;
	r->at = (size_t)offset;
}

typedef int verify_fn(const char *, verify_report_cb *, void *);

/* One report, of a part that begins at most span bytes before the damage. */
static void
expect_verified(
    verify_fn *verify, const char *path, const struct damage *d, size_t span)
{
	struct report r = { 0 };

	cr_assert_eq(
	    verify(path, note_report, &r), 1, "%s, byte %zu", path, d->at);
	cr_assert_eq(r.n, 1);
	cr_assert(r.at <= d->at && d->at - r.at <= span,
	    "%s: byte %zu is reported as %zu", path, d->at, r.at);
}

static void
expect_whole(verify_fn *verify, const char *path)
{
	struct report r = { 0 };

	cr_assert_eq(verify(path, note_report, &r), 0);
	cr_assert_eq(r.n, 0);
}

/* ---- the journal ---- */

/* The content of an entry is that of its number alone. */
static size_t
content(char dst[64], uint64_t seq)
{
	return (size_t)snprintf(dst, 64, "{\"time\":%ju,\"value\":\"%ju\"}\n",
	    (uintmax_t)(1000 + seq), (uintmax_t)(seq * seq));
}

struct reading {
	bool has[ENTRIES + 1];
	unsigned n;
	uint64_t last;
	bool closed, doubtful;
};

static struct journal *
read_all(struct reading *r)
{
	struct journal *j = journal_open(0, SYNC_ALWAYS);
	struct journal_entry e;
	const char *data;
	int rc;

	*r = (struct reading){ .n = 0 };
	cr_assert_not_null(j);
	while ((rc = journal_read(j, &e, &data)) > 0) {
		char want[64];

		if (rc == 2)
			continue;
		/* Never another one, never in another order. */
		cr_assert(e.seq > r->last && e.seq <= ENTRIES);
		cr_assert_eq(
		    e.type, e.seq == ENTRIES ? JOURNAL_CLOSE : JOURNAL_UPLOAD);
		if (e.type == JOURNAL_UPLOAD) {
			cr_assert_eq(e.data_len, content(want, e.seq));
			cr_assert_arr_eq(data, want, e.data_len);
		}
		cr_assert_eq(e.receipt_ms, (int64_t)e.seq * 10);
		r->has[e.seq] = true;
		r->last = e.seq;
		r->n++;
	}
	cr_assert_eq(rc, 0, "%s", logged());
	r->closed = journal_is_closed(j);
	r->doubtful = journal_is_doubtful(j);
	return j;
}

static void
write_three(uint64_t from)
{
	struct reading r;
	struct journal *j = read_all(&r);

	for (uint64_t seq = from; seq < from + 3; seq++) {
		struct journal_entry e;
		char data[64];

		journal_entry_init(
		    &e, seq == ENTRIES ? JOURNAL_CLOSE : JOURNAL_UPLOAD);
		e.receipt_ms = (int64_t)seq * 10;
		if (e.type == JOURNAL_UPLOAD)
			e.data_len = content(data, seq);
		e.data_crc = crc32c(0, data, e.data_len);
		journal_append(j, &e, data);
		cr_assert_eq(e.seq, seq);
	}
	cr_assert_eq(journal_commit(j), 0);
	journal_free(j);
}

static void
make_journal(struct image *first, struct image *second)
{
	struct reading r;

	write_three(1);
	write_three(4);
	*first = image_read(FIRST);
	*second = image_read(SECOND);
	journal_free(read_all(&r));
	cr_assert_eq(r.n, ENTRIES);
	cr_assert(r.closed && !r.doubtful);
	cr_assert_str_eq(logged(), "");
}

struct trial {
	const char *path;	/* damaged */
	const char *other_path; /* of the other segment */
	const struct image *other;
	uint64_t first; /* entry in the damaged one */
	unsigned said, lost;
	unsigned whole; /* to verify, which knows of no other segment */
};

static void
empty(const char *path)
{
	cr_assert_eq(tmpdir_count(path) == -1, 0);
	tmpdir_purge(path);
	cr_assert_eq(mkdir(path, 0700), 0);
}

/*
 * All that can be missing is in the damaged segment, from the damage on, and
 * the log names it. A cut between two entries of the last segment shows in no
 * segment; then the results are asked, for the journal was not closed.
 */
static void
try_segment(void *arg, const struct damage *d)
{
	struct trial *t = arg;
	const char *log;
	struct reading r;
	bool is_last = t->first > 1;

	empty(JOURNAL_DIR);
	empty("quarantine");
	image_write(t->path, d->p, d->len);
	image_write(t->other_path, t->other->p, t->other->len);
	logged();
	journal_free(read_all(&r));
	log = logged();
	for (uint64_t seq = 1; seq <= ENTRIES; seq++)
		cr_assert(r.has[seq] || (seq >= t->first && seq < t->first + 3),
		    "byte %zu: entry %ju is not in the damaged segment", d->at,
		    (uintmax_t)seq);
	cr_assert(r.doubtful || (is_last && d->is_cut && !r.closed),
	    "byte %zu: nobody will ask", d->at);
	if (is_last && log[0] == '\0') {
		cr_assert(d->is_cut, "byte %zu: not said", d->at);
		return;
	}
	if (!is_last && r.n < ENTRIES)
		cr_assert_not_null(strstr(log, "are lost"));
	t->lost += r.n < ENTRIES;
	t->said++;
	cr_assert(log_names(log, t->path, "torn at byte", d->at, 200) ||
		log_names(log, t->path, "damaged at byte", d->at, 9999) ||
		(d->is_cut &&
		    log_names(log, t->path, "it ends at byte", d->at, 0)),
	    "byte %zu: %s", d->at, log);
}

static void
try_plain(void *arg, const struct damage *d)
{
	struct trial *t = arg;
	struct report r = { 0 };

	try_segment(arg, d);
	image_write(t->path, d->p, d->len);
	if (d->is_cut && verify_segment(t->path, note_report, &r) == 0)
		t->whole++;
	else
		expect_verified(verify_segment, t->path, d, 200);
}

static void
try_packed(void *arg, const struct damage *d)
{
	struct trial *t = arg;

	try_segment(arg, d);
	image_write(t->path, d->p, d->len);
	expect_verified(verify_segment, t->path, d, 9999);
}

Test(job_damage, segment_before_the_last)
{
	struct image first, second;
	struct trial t = { FIRST, SECOND, &second, 1, 0, 0, 0 };

	make_journal(&first, &second);
	expect_whole(verify_segment, FIRST);
	damage_each(&first, try_plain, &t);
	cr_expect_eq(t.said, 3 * first.len);
	cr_expect_eq(t.lost, t.said);
	cr_expect_eq(t.whole, 3);
	image_free(&first);
	image_free(&second);
}

Test(job_damage, last_segment)
{
	struct image first, second;
	struct trial t = { SECOND, FIRST, &first, 4, 0, 0, 0 };

	make_journal(&first, &second);
	damage_each(&second, try_plain, &t);
	/* Unsaid are the cuts in front of each entry, and those alone. */
	cr_expect_eq(t.said, 3 * second.len - 3);
	cr_expect_eq(t.whole, 3);
	image_free(&first);
	image_free(&second);
}

Test(job_damage, packed_segment)
{
	struct image first, second, packed;
	struct trial t = { PACKED, SECOND, &second, 1, 0, 0, 0 };
	struct segpack *pack;
	int rc;

	make_journal(&first, &second);
	pack = segpack_new(FIRST, PACKED);
	cr_assert_not_null(pack);
	while ((rc = segpack_step(pack)) == 1)
		;
	cr_assert_eq(rc, 0);
	segpack_free(pack);
	packed = image_read(PACKED);
	expect_whole(verify_segment, PACKED);
	damage_each(&packed, try_packed, &t);
	cr_expect_eq(t.said, 3 * packed.len);
	image_free(&first);
	image_free(&second);
	image_free(&packed);
}

/* ---- snapshots ---- */

#define ITEM_FIELDS(F, S)                                                      \
	F(S, U32, number, 0, 1000)                                             \
	F(S, STR, label, 0, 100)
SCHEMA_STRUCT(item, ITEM_FIELDS);
SCHEMA_DEFINE(item, ITEM_FIELDS);

static int
save_items(void *arg, struct snapshot_writer *w)
{
	static const uint32_t tags[] = { SNAPSHOT_INTAKE, SNAPSHOT_ENGINE };

	(void)arg;
	for (size_t i = 0; i < NELEM(tags); i++) {
		if (snapshot_section(w, tags[i]) == -1)
			return -1;
		for (uint32_t n = 0; n < 3; n++) {
			struct item it = { n, span_of("a model") };

			if (snapshot_put(w, &item_schema, &it) == -1)
				return -1;
		}
	}
	return 0;
}

static void
make_snapshot(uint64_t seq)
{
	struct snapshot_head head = { .applied_seq = seq,
		.job_id = span_of("j"),
		.description = span_of("Periodic background persist"),
		.min_version = span_of(SNAPHEAD_MIN_VERSION) };
	struct model_size size = { 0 };
	int fd = snapdir_begin();

	cr_assert_neq(fd, -1);
	cr_assert_eq(snapdir_fill(fd, &head, &size, save_items, NULL), 0);
	close(fd);
	cr_assert_eq(snapdir_finish(seq, SNAPFILE_SNAP), 0);
}

static uint64_t
newest(void)
{
	struct snapdir_file f;
	uint64_t seq;

	cr_assert_neq(snapdir_newest(&f, "j", UINT64_MAX), -1);
	seq = f.seq;
	snapdir_close(&f);
	return seq;
}

struct snapshots {
	const char *path; /* damaged */
	struct image old;
};

static void
try_snapshot(void *arg, const struct damage *d)
{
	const struct snapshots *s = arg;

	empty(SNAPFILE_DIR);
	empty("quarantine");
	image_write(OLD_SNAPSHOT, s->old.p, s->old.len);
	image_write(s->path, d->p, d->len);
	expect_verified(verify_snapshot, s->path, d, 200);
	logged();
	cr_assert_eq(newest(), 3, "byte %zu", d->at);
	cr_assert(log_names(logged(), s->path, "damaged at byte", d->at, 200),
	    "byte %zu", d->at);
	cr_assert_eq(tmpdir_count("quarantine"), 1);
}

/* Nothing older takes its place: that would undo the revert. */
static void
try_base(void *arg, const struct damage *d)
{
	const struct snapshots *s = arg;
	struct snapdir_file f;

	empty(SNAPFILE_DIR);
	empty("quarantine");
	image_write(OLD_SNAPSHOT, s->old.p, s->old.len);
	image_write(s->path, d->p, d->len);
	expect_verified(verify_snapshot, s->path, d, 200);
	logged();
	cr_assert_eq(
	    snapdir_newest(&f, "j", UINT64_MAX), -1, "byte %zu", d->at);
	cr_assert_eq(errno, EUCLEAN);
	cr_assert(log_names(logged(), NEW_BASE ": the state after a revert",
		      "damaged at byte", d->at, 200),
	    "byte %zu", d->at);
	cr_assert_eq(access(s->path, F_OK), 0, "it stays");
	cr_assert_eq(tmpdir_count("quarantine"), 0);
}

static void
damage_snapshot(const char *path, void (*try)(void *arg, const struct damage *))
{
	struct snapshots s = { .path = path };
	struct image m;

	make_snapshot(3);
	make_snapshot(6);
	cr_assert_eq(newest(), 6);
	s.old = image_read(OLD_SNAPSHOT);
	m = image_read(NEW_SNAPSHOT);
	expect_whole(verify_snapshot, NEW_SNAPSHOT);
	damage_each(&m, try, &s);
	image_free(&m);
	image_free(&s.old);
}

Test(job_damage, snapshot)
{
	damage_snapshot(NEW_SNAPSHOT, try_snapshot);
}

Test(job_damage, base_of_a_revert)
{
	damage_snapshot(NEW_BASE, try_base);
}

static void
try_meta(void *arg, const struct damage *d)
{
	struct snapmeta_file f;

	(void)arg;
	image_write(META, d->p, d->len);
	expect_verified(verify_meta, META, d, d->at);
	cr_assert_eq(snapmeta_read(NULL, 6, &f), -1, "byte %zu", d->at);
	cr_assert_eq(errno, EBADMSG);
	cr_assert(f.meta.retain);
}

Test(job_damage, what_a_user_says_of_a_snapshot)
{
	struct snapmeta said = { .described = true,
		.description = span_of("before the summer") };
	struct image m;

	cr_assert_eq(snapmeta_write(NULL, 6, &said), 0);
	m = image_read(META);
	expect_whole(verify_meta, META);
	damage_each(&m, try_meta, NULL);
	image_free(&m);
}

/* A hundred snapshots, and what is said of the oldest cannot be read. */
Test(job_damage, snapshot_of_which_too_little_is_known_is_kept)
{
	make_snapshot(1);
	for (uint64_t seq = 2; seq <= SNAPDIR_LISTED_MAX + 2; seq++) {
		char path[SNAPFILE_PATH_BYTES];

		image_write(
		    snapfile_path(path, NULL, seq, SNAPFILE_SNAP), "x", 1);
	}
	image_write(SNAPFILE_DIR "/00000000000000000001.meta", "x", 1);
	snapdir_bound(SNAPDIR_LISTED_MAX + 2);
	cr_expect(snapdir_is_listed(1));
	cr_expect_not(snapdir_is_listed(2));
	cr_expect_not_null(strstr(logged(),
	    "00000000000000000001.meta: damaged at byte 0: the snapshot"));
}

/* ---- put-aside ---- */

static void
put_aside(uint64_t seq)
{
	struct journal_entry e;
	struct aside a;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.seq = seq;
	e.token = seq + 7;
	e.receipt_ms = 1000;
	cr_assert_eq(aside_load(&a), 0);
	cr_assert_eq(aside_begin(&a, &e, ""), 0);
	cr_assert_eq(aside_step(&a, SIGSEGV, INT64_MAX), 0);
	aside_clear(&a);
}

static void
try_aside(void *arg, const struct damage *d)
{
	struct aside a;

	(void)arg;
	empty("quarantine");
	image_write(ASIDE_LIST, d->p, d->len);
	expect_verified(aside_verify, ASIDE_LIST, d, d->at);
	logged();
	cr_assert_eq(aside_load(&a), 0, "byte %zu", d->at);
	cr_assert_eq(a.list.n, 0, "byte %zu", d->at);
	cr_assert(
	    log_names(logged(), ASIDE_LIST, "damaged at byte", d->at, d->at));
	cr_assert_eq(access(ASIDE_LIST, F_OK), -1);
	cr_assert_eq(tmpdir_count("quarantine"), 1, "it is kept");
	aside_clear(&a);
}

Test(job_damage, list_of_what_was_put_aside)
{
	struct image m;

	put_aside(17);
	put_aside(18);
	m = image_read(ASIDE_LIST);
	expect_whole(aside_verify, ASIDE_LIST);
	damage_each(&m, try_aside, NULL);
	image_free(&m);
}

/* ---- in-hand ---- */

/* Entry 17 has killed once, 18 is in hand, and kills now. */
static void
make_mark(void)
{
	struct mark *m = mark_open(0);

	cr_assert_not_null(m);
	mark_take(m, 17, 1);
	mark_free(m);
	m = mark_open(SIGSEGV);
	cr_assert_not_null(m);
	mark_take(m, 18, 2);
	mark_free(m);
}

static void
try_mark(void *arg, const struct damage *d)
{
	struct report r = { 0 };
	struct mark *m;

	(void)arg;
	image_write(MARK_FILE, d->p, d->len);
	if (d->len > 0)
		expect_verified(mark_verify, MARK_FILE, d, d->at);
	else
		cr_assert_eq(mark_verify(MARK_FILE, note_report, &r), 0);
	logged();
	/* It counts as begun anew: nothing is condemned that should not be. */
	m = mark_open(SIGSEGV);
	cr_assert_not_null(m);
	cr_assert(d->len == 0 ||
		log_names(logged(), MARK_FILE, "damaged at byte", d->at, d->at),
	    "byte %zu", d->at);
	mark_take(m, 18, 2);
	mark_free(m);
	m = mark_open(SIGSEGV);
	cr_assert_eq(mark_condemns(m, 17, 1), 0, "byte %zu", d->at);
	cr_assert_eq(mark_condemns(m, 18, 2), 0, "byte %zu", d->at);
	mark_free(m);
}

Test(job_damage, what_is_in_hand)
{
	struct image m;
	struct mark *mark;

	make_mark();
	m = image_read(MARK_FILE);
	expect_whole(mark_verify, MARK_FILE);
	mark = mark_open(SIGSEGV);
	mark_take(mark, 18, 2);
	mark_free(mark);
	mark = mark_open(SIGSEGV);
	cr_expect_eq(mark_condemns(mark, 18, 2), SIGSEGV, "if it is whole");
	mark_free(mark);
	logged();
	damage_each(&m, try_mark, NULL);
	image_free(&m);
}
