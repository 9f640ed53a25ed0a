/* Owns making the copy of the catalogue follow it. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "common/wire.h"
#include "keeper/catalog.h"
#include "keeper/catalog_file.h"
#include "keeper/catalog_schema.h"
#include "keeper/twin.h"

#define PAUSE_US 10000000 /* between two attempts to make the copy */
#define BEGIN_SQL "BEGIN IMMEDIATE;"
#define COMMIT_SQL "COMMIT"

/*
 * The copy runs the same statements, with their values, once the catalogue has
 * committed them. They say nothing of the time or of chance, so that they do
 * the same; that the number of the last change is the same is looked at each
 * time, and all else at each start.
 */
struct twin {
	sqlite3 *db;	 /* borrowed: the catalogue */
	sqlite3 *copy;	 /* owned; NULL: it is to be made anew */
	struct wbuf sql; /* of the present transaction; empty: nothing yet */
	bool missed;	 /* a statement could not be noted */
	bool deaf;	 /* what runs now is none to follow */
	bool unfolded;	 /* the WAL has something */
	int64_t tried_us;
};

static void
forget(struct twin *t)
{
	wbuf_reset(&t->sql);
	t->missed = false;
}

static void
give_up(struct twin *t)
{
	log_warnx(CATALOG_COPY ": it could not take a change, and is made "
			       "anew later");
	catalog_file_close(t->copy);
	t->copy = NULL;
}

static void
note(struct twin *t, const char *sql)
{
	if (sql == NULL ||
	    (t->sql.len == 0 &&
		wire_put_bytes(&t->sql, BEGIN_SQL, strlen(BEGIN_SQL)) == -1) ||
	    wire_put_bytes(&t->sql, sql, strlen(sql)) == -1 ||
	    wire_put_bytes(&t->sql, ";", 1) == -1)
		t->missed = true;
}

/* A statement begins. What triggers do comes as a comment, and by itself. */
static int
trace_cb(unsigned type, void *arg, void *p, void *x)
{
	sqlite3_stmt *st = p;
	struct twin *t = arg;
	const char *sql = x;
	char *expanded;

	(void)type;
	if (t->copy == NULL || t->deaf || strncmp(sql, "--", 2) == 0 ||
	    strncmp(sql, "BEGIN", strlen("BEGIN")) == 0 ||
	    sqlite3_stmt_readonly(st) != 0)
		return 0;
	expanded = sqlite3_expanded_sql(st);
	note(t, expanded);
	sqlite3_free(expanded);
	return 0;
}

static void
rollback_cb(void *arg)
{
	forget(arg);
}

static bool
has_same_number(struct twin *t)
{
	int64_t a, b;

	return catalog_schema_change(t->db, &a) == 0 &&
	    catalog_schema_change(t->copy, &b) == 0 && a == b;
}

/* The values are not for the log: some are secret. */
static void
follow(struct twin *t)
{
	if (t->copy == NULL || (t->sql.len == 0 && !t->missed))
		return;
	if (wire_put_bytes(&t->sql, COMMIT_SQL, sizeof(COMMIT_SQL)) == -1)
		t->missed = true;
	if (t->missed)
		give_up(t);
	else if (sqlite3_exec(t->copy, (const char *)t->sql.data, NULL, NULL,
		     NULL) != SQLITE_OK) {
		sqlx_fail(t->copy, "follow");
		give_up(t);
	} else if (!has_same_number(t)) {
		give_up(t);
	}
}

/*
 * What was committed is folded into the file at once, and leaves the WAL empty,
 * where damage could take it away again; unless somebody reads.
 */
static void
fold(struct twin *t)
{
	int rc;

	/* A reader must not be waited for. */
	sqlite3_busy_timeout(t->db, 0);
	rc = sqlite3_wal_checkpoint_v2(
	    t->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY &&
	    (rc & 0xff) != SQLITE_LOCKED)
		sqlx_fail(t->db, "fold in");
	sqlite3_busy_timeout(t->db, CATALOG_BUSY_MS);
	t->unfolded = rc != SQLITE_OK;
}

static int
commit_cb(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct twin *t = arg;

	(void)db;
	(void)name;
	(void)pages;
	fold(t);
	follow(t);
	forget(t);
	return SQLITE_OK;
}

/* Is the copy that is there as the catalogue is? */
static bool
is_same(struct twin *t)
{
	uint32_t a, b;

	return has_same_number(t) && catalog_schema_sum(t->db, &a) == 0 &&
	    catalog_schema_sum(t->copy, &b) == 0 && a == b;
}

static void
make(struct twin *t)
{
	t->tried_us = clock_mono_us();
	t->deaf = true;
	if (catalog_file_copy(t->db) == 0)
		t->copy = catalog_file_open_copy();
	t->deaf = false;
}

static void
begin(struct twin *t)
{
	t->copy = catalog_file_open_copy();
	if (t->copy != NULL && is_same(t))
		return;
	if (t->copy != NULL || errno != ENOENT)
		log_info(
		    CATALOG_COPY ": not as " CATALOG_FILE ", and made anew");
	catalog_file_close(t->copy);
	t->copy = NULL;
	make(t);
}

struct twin *
twin_new(sqlite3 *db)
{
	struct twin *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->db = db;
	wbuf_init(&t->sql, 0);
	fold(t);
	begin(t);
	sqlite3_trace_v2(db, SQLITE_TRACE_STMT, trace_cb, t);
	sqlite3_rollback_hook(db, rollback_cb, t);
	sqlite3_wal_hook(db, commit_cb, t);
	return t;
}

void
twin_free(struct twin *t)
{
	if (t == NULL)
		return;
	sqlite3_trace_v2(t->db, 0, NULL, NULL);
	sqlite3_rollback_hook(t->db, NULL, NULL);
	sqlite3_wal_hook(t->db, NULL, NULL);
	catalog_file_close(t->copy);
	wbuf_clear(&t->sql);
	free(t);
}

void
twin_settle(struct twin *t)
{
	if (t->unfolded && sqlite3_get_autocommit(t->db) != 0)
		fold(t);
}

void
twin_idle(struct twin *t)
{
	twin_settle(t);
	if (t->copy == NULL && clock_mono_us() - t->tried_us >= PAUSE_US)
		make(t);
}
