/*
 * The catalogue and its copy, damaged in every way: what was answered is there,
 * and the log says which file is damaged and where. All damage must be found;
 * with ANOMD_FLIP_ALL in the environment a start is made after each, too
 * (minutes).
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "common/sqlvfs.h"
#include "common/verify.h"
#include "keeper/catalog.h"
#include "keeper/catalog_file.h"
#include "keeper/catalog_schema.h"
#include "keeper/settings.h"
#include "tests/damage.h"
#include "tests/tmpdir.h"

#define WAL CATALOG_FILE "-wal"
#define COPY_WAL CATALOG_COPY "-wal"
#define PAGE 512 /* small, so that there are few bytes */
#define DAMAGED_AT "damaged at byte"

static char dir[TMPDIR_BYTES];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_INFO);
	tmpdir_enter(dir);
	logged_begin();
}

static void
teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(dir);
}

TestSuite(catalogue_damage, .init = setup, .fini = teardown, .timeout = 600);

static void
sql(const char *path, const char *text)
{
	sqlite3 *db;

	cr_assert_eq(
	    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, sqlvfs_name()),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s",
	    sqlite3_errmsg(db));
	sqlite3_close(db);
}

static struct catalog *
catalog(void)
{
	struct catalog *c = catalog_open();

	cr_assert_not_null(c, "%s", logged());
	return c;
}

static uint64_t
add_job(struct catalog *c, const char *id)
{
	struct msg_keep_create m = { span_of(id),
		span_of("{\"description\":\"it's \\\"a\\\" job\"}"), 1234 };
	uint64_t incarnation;

	cr_assert_eq(catalog_reserve(c, m.job_id, &incarnation), 0);
	cr_assert_eq(catalog_add(c, &m, incarnation), 0);
	return incarnation;
}

static void
put_setting(struct catalog *c, const char *value)
{
	struct msg_keep_setting m = { span_of("mode"), span_of(value) };

	cr_assert_eq(settings_put(catalog_db(c), &m), 0);
}

static void
set_state(struct catalog *c, const char *id, uint64_t incarnation)
{
	struct msg_keep_state m = { .job_id = span_of(id),
		.incarnation = incarnation,
		.wanted_open = true,
		.finished_time_ms = 77,
		.model_snapshot_id = span_of("17"),
		.totals = { "\0\x01'", 3 } };

	cr_assert_eq(catalog_set_state(c, &m), 0);
}

/* What it says, in one number. */
static uint32_t
content(struct catalog *c)
{
	uint32_t sum;

	cr_assert_eq(catalog_schema_sum(catalog_db(c), &sum), 0);
	return sum;
}

static uint32_t
content_found(void)
{
	struct catalog *c = catalog();
	uint32_t sum = content(c);

	catalog_close(c);
	return sum;
}

/* A catalogue of few pages, and a copy like it. Returns what it says. */
static uint32_t
make_small(void)
{
	struct catalog *c = catalog();
	uint64_t a = add_job(c, "a");

	add_job(c, "b");
	set_state(c, "a", a);
	put_setting(c, "true");
	catalog_close(c);
	sql(CATALOG_FILE, "PRAGMA page_size=512; VACUUM INTO 'small'");
	tmpdir_remove(CATALOG_FILE);
	cr_assert_eq(rename("small", CATALOG_FILE), 0);
	return content_found();
}

/* What lies on the disk. */
struct files {
	struct image db, wal, copy, copy_wal;
};

static struct image
read_if_there(const char *path)
{
	struct image none = { NULL, 0 };

	return access(path, F_OK) == 0 ? image_read(path) : none;
}

static struct files
files_read(void)
{
	return (struct files){ image_read(CATALOG_FILE), read_if_there(WAL),
		image_read(CATALOG_COPY), read_if_there(COPY_WAL) };
}

static void
files_write(const struct files *f)
{
	tmpdir_remove(CATALOG_FILE);
	image_write(CATALOG_FILE, f->db.p, f->db.len);
	image_write(CATALOG_COPY, f->copy.p, f->copy.len);
	if (f->wal.p != NULL)
		image_write(WAL, f->wal.p, f->wal.len);
	if (f->copy_wal.p != NULL)
		image_write(COPY_WAL, f->copy_wal.p, f->copy_wal.len);
	logged();
}

static void
files_free(struct files *f)
{
	image_free(&f->db);
	image_free(&f->wal);
	image_free(&f->copy);
	image_free(&f->copy_wal);
}

/* Of how many damages one is followed to the end: a prime, or all. */
static unsigned
step(void)
{
	return getenv("ANOMD_FLIP_ALL") == NULL ? 29 : 1;
}

struct trial {
	unsigned n;
	const struct files *files;
	const char *path; /* of the one that is damaged */
	uint32_t want;
	size_t span; /* of a damaged part */
	unsigned said;
};

/* Is the place in the part that is reported? */
struct found {
	size_t at, span;
	bool said;
};

static void
find_place(void *arg, const char *path, uint64_t offset, const char *what)
{
	struct found *f = arg;

	(void)path;
	(void)what;
	f->said |= offset <= f->at && f->at - offset <= f->span;
}

static void
try_open(struct trial *t, const struct damage *d)
{
	files_write(t->files);
	image_write(t->path, d->p, d->len);
	cr_assert_eq(content_found(), t->want, "%s, %s byte %zu", t->path,
	    d->is_cut ? "cut at" : "flipped", d->at);
	t->said += log_names(logged(), t->path, DAMAGED_AT, d->at, t->span);
	/* It is mended by now. */
	cr_assert_eq(content_found(), t->want);
	cr_assert_null(strstr(logged(), DAMAGED_AT));
}

static void
try_wal(void *arg, const struct damage *d)
{
	struct trial *t = arg;

	if (t->n++ % step() == 0)
		try_open(t, d);
}

/* A damage that is found is the end for a file, so all of them must be. */
static void
try_database(void *arg, const struct damage *d)
{
	struct trial *t = arg;
	struct found f = { .at = d->at, .span = t->span };
	unsigned before = t->said;

	image_write(t->path, d->p, d->len);
	f.said = sqlvfs_probe(t->path) == -1 &&
	    sqlvfs_damage()->offset + t->span >= d->at;
	if (!f.said)
		cr_assert_gt(verify_checksums(t->path, find_place, &f), 0,
		    "byte %zu", d->at);
	cr_assert(f.said, "%s, %s byte %zu: not said", t->path,
	    d->is_cut ? "cut at" : "flipped", d->at);
	if (t->n++ % step() != 0)
		return;
	try_open(t, d);
	cr_assert_eq(t->said, before + 1, "byte %zu", d->at);
}

Test(catalogue_damage, damaged_one_is_taken_from_its_copy)
{
	struct trial t = {
		.path = CATALOG_FILE, .want = make_small(), .span = PAGE - 1
	};
	struct files f = files_read();

	t.files = &f;
	damage_each(&f.db, try_database, &t);
	cr_expect_gt(t.n, 3 * 4000);
	files_free(&f);
}

Test(catalogue_damage, damaged_copy_is_made_anew)
{
	struct trial t = {
		.path = CATALOG_COPY, .want = make_small(), .span = PAGE - 1
	};
	struct files f = files_read();

	t.files = &f;
	damage_each(&f.copy, try_database, &t);
	cr_expect_gt(t.n, 3 * 4000);
	files_free(&f);
}

/*
 * Changes are committed, and not yet folded in, as when the machine stops right
 * then: somebody reads, so that they cannot be. Returns what it says.
 */
static uint32_t
change_unfolded(void (*change)(struct catalog *), struct files *f)
{
	struct catalog *c = catalog();
	sqlite3_stmt *st;
	sqlite3 *reader;
	uint32_t sum;

	cr_assert_eq(sqlite3_open_v2(CATALOG_FILE, &reader,
			 SQLITE_OPEN_READONLY, sqlvfs_name()),
	    SQLITE_OK);
	cr_assert_eq(
	    sqlite3_prepare_v2(reader, "SELECT * FROM job", -1, &st, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	change(c);
	sum = content(c);
	*f = files_read();
	cr_assert_gt(f->wal.len, 0, "it is folded in");
	cr_assert_gt(f->copy_wal.len, 0);
	sqlite3_finalize(st);
	sqlite3_close(reader);
	catalog_close(c);
	return sum;
}

static void
add_one(struct catalog *c)
{
	add_job(c, "c");
}

static void
change_twice(struct catalog *c)
{
	put_setting(c, "false");
	add_one(c);
}

static uint32_t
make_unfolded(struct files *f)
{
	make_small();
	return change_unfolded(change_twice, f);
}

/*
 * The power was lost while a commit was being synced: any part of it may be
 * there, and the copy, which is not synced, may know nothing of it.
 */
Test(catalogue_damage, commit_that_a_loss_of_power_tore_is_no_damage)
{
	uint32_t want = make_small();
	struct files before = files_read(), f;

	change_unfolded(add_one, &f);
	image_free(&f.copy);
	image_free(&f.copy_wal);
	f.copy = before.copy;
	f.copy_wal = before.copy_wal;
	cr_assert_gt(f.wal.len, 3 * (PAGE + 24), "too few frames");
	for (size_t at = 32; at < f.wal.len; at += PAGE) {
		size_t n = f.wal.len - at < PAGE ? f.wal.len - at : PAGE;
		uint8_t was[PAGE];

		memcpy(was, f.wal.p + at, n);
		memset(f.wal.p + at, 0, n);
		files_write(&f);
		cr_expect_eq(content_found(), want, "byte %zu", at);
		cr_expect_null(strstr(logged(), "damaged"), "byte %zu", at);
		memcpy(f.wal.p + at, was, n);
	}
	image_free(&before.db);
	image_free(&before.wal);
	files_free(&f);
}

/* The end of a WAL may be lost without a trace in it: the copy knows better. */
Test(catalogue_damage, changes_that_were_not_folded_in_are_not_lost)
{
	struct files f;
	struct trial t = { .path = WAL,
		.want = make_unfolded(&f),
		.files = &f,
		.span = PAGE + 23 };

	damage_each(&f.wal, try_wal, &t);
	cr_expect_gt(t.said, 1000 / step());
	t.path = COPY_WAL;
	t.said = 0;
	damage_each(&f.copy_wal, try_wal, &t);
	cr_expect_gt(t.said, 1000 / step());
	files_free(&f);
}

Test(catalogue_damage, what_is_no_file_is_not_waited_for)
{
	struct found f = { .at = 0 };

	make_small();
	tmpdir_remove(WAL);
	cr_assert_eq(mkfifo(WAL, 0600), 0);
	cr_expect_eq(verify_wal(CATALOG_FILE, find_place, &f), -1);
	cr_expect_eq(errno, EINVAL);
}

Test(catalogue_damage, changes_that_a_wal_has_lost_are_counted)
{
	struct files f;
	uint32_t want = make_unfolded(&f);

	f.wal.len -= PAGE + 24; /* the frame that ends the last commit */
	files_write(&f);
	cr_expect_eq(content_found(), want);
	cr_expect_not_null(
	    strstr(logged(), "catalog.db: its last changes are lost"));
	files_free(&f);
}

/* Death at this moment: the copy has it already, and is not behind. */
Test(catalogue_damage, copy_has_each_change_at_once)
{
	struct catalog *c = catalog();
	struct files f;
	uint64_t a = add_job(c, "a"), next;

	for (int i = 0; i < 7; i++) {
		uint32_t want;

		if (i == 0)
			set_state(c, "a", a);
		else if (i == 1)
			put_setting(c, "true");
		else if (i == 2)
			cr_assert_eq(
			    catalog_reset_reserve(c, span_of("a"), a, &next),
			    0);
		else if (i == 3)
			cr_assert_eq(
			    catalog_reset(c, span_of("a"), a, next), 0);
		else if (i == 4)
			cr_assert_eq(
			    catalog_mark_deleted(c, span_of("a"), next), 0);
		else if (i == 5)
			cr_assert_eq(catalog_remove(c, next), 0);
		else
			cr_assert_eq(catalog_skip_to(c, 4711), 0);
		if (i == 2)
			continue; /* in a transaction */
		want = content(c);
		f = files_read();
		catalog_close(c);
		files_write(&f);
		cr_assert_eq(unlink(CATALOG_FILE), 0);
		cr_expect_eq(content_found(), want, "change %d", i);
		cr_expect_not_null(
		    strstr(logged(), "catalog.db: made from catalog.db.copy"));
		files_free(&f);
		c = catalog();
	}
	catalog_close(c);
}

Test(catalogue_damage, change_that_was_given_up_is_in_no_copy)
{
	struct catalog *c = catalog();
	uint64_t incarnation;
	uint32_t want;

	add_job(c, "a");
	want = content(c);
	cr_assert_eq(catalog_reserve(c, span_of("b"), &incarnation), 0);
	catalog_cancel(c);
	put_setting(c, "true");
	cr_assert_neq(content(c), want);
	want = content(c);
	catalog_close(c);
	cr_assert_eq(unlink(CATALOG_FILE), 0);
	cr_expect_eq(content_found(), want);
}

Test(catalogue_damage, two_damaged_ones_end_the_start_and_stay)
{
	struct image db, copy, now;

	make_small();
	db = image_read(CATALOG_FILE);
	copy = image_read(CATALOG_COPY);
	db.p[700] ^= 1;
	copy.p[1700] ^= 1;
	image_write(CATALOG_FILE, db.p, db.len);
	image_write(CATALOG_COPY, copy.p, copy.len);
	logged();
	cr_expect_null(catalog_open());
	cr_expect_eq(errno, EBADMSG);
	cr_expect_not_null(strstr(logged(), "there is no whole"));
	now = image_read(CATALOG_FILE);
	cr_expect_eq(now.len, db.len);
	cr_expect_arr_eq(now.p, db.p, db.len);
	image_free(&now);
	now = image_read(CATALOG_COPY);
	cr_expect_arr_eq(now.p, copy.p, copy.len);
	image_free(&now);
	image_free(&db);
	image_free(&copy);
}

Test(catalogue_damage, what_was_damaged_is_kept_up_to_a_number)
{
	struct files f;
	uint32_t want = make_small();

	f = files_read();
	f.db.p[700] ^= 1;
	for (int i = 0; i < 12; i++) {
		image_write(CATALOG_FILE, f.db.p, f.db.len);
		cr_assert_eq(content_found(), want);
	}
	cr_expect(access(CATALOG_DAMAGED, F_OK) == 0);
	cr_expect(access(CATALOG_DAMAGED ".9", F_OK) == 0);
	cr_expect(access(CATALOG_DAMAGED ".10", F_OK) == -1);
	files_free(&f);
}

static int64_t fake_us;

static int64_t
later(void)
{
	return fake_us;
}

/* Somebody holds a lock that nobody should: the catalogue goes on. */
Test(catalogue_damage, copy_that_cannot_follow_is_made_anew_later)
{
	struct catalog *c;
	uint32_t want;
	sqlite3 *db;

	clock_fake(NULL, later);
	c = catalog();
	cr_assert_eq(sqlite3_open_v2(CATALOG_COPY, &db, SQLITE_OPEN_READWRITE,
			 sqlvfs_name()),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	logged();
	add_job(c, "a");
	cr_expect_not_null(
	    strstr(logged(), "catalog.db.copy: it could not take a change"));
	sqlite3_close(db);
	add_job(c, "b");
	cr_expect_str_eq(logged(), "", "said once");
	want = content(c);
	fake_us = 1000000000;
	catalog_idle(c);
	put_setting(c, "true");
	cr_assert_neq(content(c), want);
	want = content(c);
	catalog_close(c);
	cr_assert_eq(unlink(CATALOG_FILE), 0);
	cr_expect_eq(content_found(), want);
	clock_fake(NULL, NULL);
}

static void
no_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	(void)arg;
	cr_expect_fail("%s: %ju: %s", path, (uintmax_t)offset, what);
}

/* Folding in was cut off: the page is half written, and whole in the WAL. */
Test(catalogue_damage, page_that_the_wal_has_is_not_missed_in_the_file)
{
	struct files f;
	uint32_t want = make_unfolded(&f);

	for (size_t i = 0; i + 8 <= f.wal.len; i++) {
		/* Of each frame the number of its page. */
		size_t at = 32 + i * (24 + PAGE), page;

		if (at + 24 > f.wal.len)
			break;
		page = (size_t)f.wal.p[at + 2] << 8 | f.wal.p[at + 3];
		if (page * PAGE <= f.db.len)
			memset(f.db.p + (page - 1) * PAGE + 200, 0xee, 100);
	}
	files_write(&f);
	cr_expect_eq(verify_database(CATALOG_FILE, no_report, NULL), 0);
	cr_expect_eq(content_found(), want);
	cr_expect_null(strstr(logged(), "damaged"));
	files_free(&f);
}

/* ---- what it says of itself ---- */

Test(catalogue_damage, row_of_the_catalogue_itself_is_taken_from_the_copy)
{
	uint32_t want = make_small();

	sql(CATALOG_FILE, "UPDATE meta SET last_incarnation = 0");
	cr_expect_eq(content_found(), want);
	cr_expect_not_null(strstr(logged(), "meta: checksum mismatch"));
}

Test(catalogue_damage, later_version_is_refused_and_stays)
{
	uint64_t v[2] = { htobe64(99), htobe64(7) };
	struct image was, now;
	char text[128];

	make_small();
	snprintf(text, sizeof(text),
	    "UPDATE meta SET version = 99, last_incarnation = 7, crc = %u",
	    crc32c(0, v, sizeof(v)));
	sql(CATALOG_FILE, text);
	was = image_read(CATALOG_FILE);
	cr_expect_null(catalog_open());
	cr_expect_eq(errno, EPROTONOSUPPORT);
	cr_expect_not_null(
	    strstr(logged(), "version 99, this program reads 4"));
	now = image_read(CATALOG_FILE);
	cr_expect_eq(now.len, was.len);
	cr_expect_arr_eq(now.p, was.p, was.len);
	image_free(&was);
	image_free(&now);
}

/* One that was made before there were settings. */
Test(catalogue_damage, settings_find_their_place_in_an_old_catalogue)
{
	struct catalog *c;
	uint32_t without, with;

	make_small();
	sql(CATALOG_FILE, "DROP TABLE setting");
	c = catalog();
	without = content(c);
	put_setting(c, "true");
	with = content(c);
	cr_expect_neq(with, without);
	catalog_close(c);
	c = catalog();
	cr_expect_eq(content(c), with);
	catalog_close(c);
}
