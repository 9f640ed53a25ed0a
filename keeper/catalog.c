/* Owns the rows of catalog.db, and its transactions. */
#include "common/compat.h"

#include <endian.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/sqlx.h"
#include "keeper/catalog.h"
#include "keeper/catalog_file.h"
#include "keeper/catalog_schema.h"
#include "keeper/twin.h"

#define JOB_COLUMNS                                                            \
	"incarnation, job_id, config, create_time_ms, finished_time_ms,"       \
	" model_snapshot_id, wanted_open, totals, deleted, crc"

enum stmt {
	ST_META,
	ST_SET_META,
	ST_ADD,
	ST_FIND,
	ST_FIND_ID,
	ST_UPDATE,
	ST_REMOVE,
	ST_EACH,
	ST_MAX
};

static const char *const stmt_sql[ST_MAX] = {
	[ST_META] = "SELECT version, last_incarnation, crc FROM meta",
	[ST_SET_META] = "UPDATE meta SET last_incarnation = ?1, crc = ?2",
	[ST_ADD] = "INSERT INTO job (" JOB_COLUMNS ") VALUES"
		   " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ST_FIND] = "SELECT " JOB_COLUMNS " FROM job WHERE incarnation = ?1",
	[ST_FIND_ID] =
	    "SELECT incarnation FROM job WHERE job_id = ?1 AND deleted = 0",
	[ST_UPDATE] = "UPDATE job SET config = ?3, finished_time_ms = ?5,"
		      " model_snapshot_id = ?6, wanted_open = ?7, totals = ?8,"
		      " deleted = ?9, crc = ?10 WHERE incarnation = ?1",
	[ST_REMOVE] = "DELETE FROM job WHERE incarnation = ?1",
	[ST_EACH] = "SELECT " JOB_COLUMNS " FROM job ORDER BY job_id",
};

struct catalog {
	sqlite3 *db;	   /* owned */
	struct twin *twin; /* owned: the copy */
	sqlite3_stmt *st[ST_MAX];
};

static uint32_t
sum_u64(uint32_t crc, uint64_t v)
{
	v = htobe64(v);
	return crc32c(crc, &v, sizeof(v));
}

static uint32_t
sum_span(uint32_t crc, struct span s)
{
	return crc32c(sum_u64(crc, s.len), s.p, s.len);
}

static uint32_t
job_crc(const struct msg_keep_job *j, bool deleted)
{
	uint32_t crc = sum_u64(0, j->incarnation);

	crc = sum_span(crc, j->job_id);
	crc = sum_span(crc, j->config);
	crc = sum_u64(crc, (uint64_t)j->create_time_ms);
	crc = sum_u64(crc, (uint64_t)j->finished_time_ms);
	crc = sum_span(crc, j->model_snapshot_id);
	crc = sum_u64(crc, j->wanted_open);
	crc = sum_span(crc, j->totals);
	return sum_u64(crc, deleted);
}

/* The parameters of ST_ADD; ST_UPDATE has some of them. */
static void
job_bind(sqlite3_stmt *st, const struct msg_keep_job *j, bool deleted)
{
	sqlite3_bind_int64(st, 1, (int64_t)j->incarnation);
	sqlx_bind_span(st, 2, j->job_id);
	sqlx_bind_span(st, 3, j->config);
	sqlite3_bind_int64(st, 4, j->create_time_ms);
	sqlite3_bind_int64(st, 5, j->finished_time_ms);
	sqlx_bind_span(st, 6, j->model_snapshot_id);
	sqlite3_bind_int(st, 7, j->wanted_open);
	sqlite3_bind_blob64(st, 8, j->totals.p == NULL ? "" : j->totals.p,
	    j->totals.len, SQLITE_STATIC);
	sqlite3_bind_int(st, 9, deleted);
	sqlite3_bind_int64(st, 10, job_crc(j, deleted));
}

/* 0, or -1 with EBADMSG when the row is damaged. */
static int
job_read(sqlite3_stmt *st, struct msg_keep_job *j, bool *deleted)
{
	*j = (struct msg_keep_job){
		.incarnation = (uint64_t)sqlite3_column_int64(st, 0),
		.job_id = sqlx_column_span(st, 1),
		.config = sqlx_column_span(st, 2),
		.create_time_ms = sqlite3_column_int64(st, 3),
		.finished_time_ms = sqlite3_column_int64(st, 4),
		.model_snapshot_id = sqlx_column_span(st, 5),
		.wanted_open = sqlite3_column_int(st, 6) != 0,
		.totals = sqlx_column_span(st, 7),
	};
	*deleted = sqlite3_column_int(st, 8) != 0;
	if (sqlite3_column_int64(st, 9) != job_crc(j, *deleted)) {
		char id[128];

		log_warnx(CATALOG_FILE ": job %s, incarnation %ju: the row "
				       "does not match its checksum",
		    log_escape(id, sizeof(id), j->job_id.p, j->job_id.len),
		    (uintmax_t)j->incarnation);
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

static int
meta_read(struct catalog *c, uint64_t *last)
{
	sqlite3_stmt *st = c->st[ST_META];
	uint64_t version;
	bool ok;

	if (sqlite3_step(st) != SQLITE_ROW) {
		sqlx_fail(c->db, "read meta");
		sqlite3_reset(st);
		return -1;
	}
	version = (uint64_t)sqlite3_column_int64(st, 0);
	*last = (uint64_t)sqlite3_column_int64(st, 1);
	ok = sqlite3_column_int64(st, 2) == catalog_meta_crc(version, *last);
	sqlite3_reset(st);
	if (ok)
		return 0;
	log_warnx(CATALOG_FILE ": meta: checksum mismatch");
	errno = EBADMSG;
	return -1;
}

static int
meta_write(struct catalog *c, uint64_t last)
{
	sqlite3_bind_int64(c->st[ST_SET_META], 1, (int64_t)last);
	sqlite3_bind_int64(
	    c->st[ST_SET_META], 2, catalog_meta_crc(CATALOG_VERSION, last));
	return sqlx_run(c->st[ST_SET_META]);
}

struct catalog *
catalog_open(void)
{
	struct catalog *c = calloc(1, sizeof(*c));
	int saved;

	if (c == NULL)
		return NULL;
	c->db = catalog_file_open();
	if (c->db == NULL)
		goto fail;
	for (size_t i = 0; i < ST_MAX; i++) {
		c->st[i] = sqlx_prepare(c->db, stmt_sql[i]);
		if (c->st[i] == NULL)
			goto fail;
	}
	c->twin = twin_new(c->db);
	if (c->twin != NULL)
		return c;
fail:
	saved = errno;
	catalog_close(c);
	errno = saved;
	return NULL;
}

void
catalog_close(struct catalog *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(c->st[i]);
	twin_free(c->twin);
	catalog_file_close(c->db);
	free(c);
}

void
catalog_idle(struct catalog *c)
{
	twin_idle(c->twin);
}

sqlite3 *
catalog_db(struct catalog *c)
{
	return c->db;
}

static int
begin(struct catalog *c)
{
	return sqlx_exec(c->db, "BEGIN IMMEDIATE");
}

/* Some failures end the transaction by themselves. */
static int
rollback(struct catalog *c)
{
	int saved = errno;

	if (!sqlite3_get_autocommit(c->db) &&
	    sqlx_exec(c->db, "ROLLBACK") == -1)
		log_warnx(CATALOG_FILE ": a change could not be undone");
	errno = saved;
	return -1;
}

static int
commit(struct catalog *c)
{
	return sqlx_exec(c->db, "COMMIT") == -1 ? rollback(c) : 0;
}

/* The live job of this id: 1 with its number, 0: none, -1 with errno. */
static int
id_find(struct catalog *c, struct span job_id, uint64_t *incarnation)
{
	sqlite3_stmt *st = c->st[ST_FIND_ID];
	int rc;

	sqlx_bind_span(st, 1, job_id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*incarnation = (uint64_t)sqlite3_column_int64(st, 0);
	else if (rc != SQLITE_DONE)
		sqlx_fail(c->db, "look for a job");
	sqlite3_reset(st);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Within a transaction. */
static int
number_take(struct catalog *c, uint64_t *incarnation)
{
	uint64_t last;

	if (meta_read(c, &last) == -1 || meta_write(c, last + 1) == -1)
		return -1;
	*incarnation = last + 1;
	return 0;
}

int
catalog_reserve(struct catalog *c, struct span job_id, uint64_t *incarnation)
{
	uint64_t live;
	int rc;

	if (begin(c) == -1)
		return -1;
	rc = id_find(c, job_id, &live);
	if (rc == 1)
		errno = EEXIST;
	if (rc != 0 || number_take(c, incarnation) == -1)
		return rollback(c);
	return 0;
}

int
catalog_reset_reserve(
    struct catalog *c, struct span job_id, uint64_t incarnation, uint64_t *next)
{
	uint64_t live;
	int rc;

	if (begin(c) == -1)
		return -1;
	rc = id_find(c, job_id, &live);
	if (rc == -1)
		return rollback(c);
	if (rc == 1 && live == incarnation)
		return number_take(c, next) == -1 ? rollback(c) : 0;
	errno = ENOENT;
	if (rc == 1 && live > incarnation) {
		*next = live;
		errno = EALREADY;
	}
	return rollback(c);
}

int
catalog_add(
    struct catalog *c, const struct msg_keep_create *m, uint64_t incarnation)
{
	struct msg_keep_job j = {
		.job_id = m->job_id,
		.incarnation = incarnation,
		.config = m->config,
		.create_time_ms = m->create_time_ms,
		.finished_time_ms = TIME_UNSET,
	};

	job_bind(c->st[ST_ADD], &j, false);
	if (sqlx_run(c->st[ST_ADD]) == -1)
		return rollback(c);
	return commit(c);
}

void
catalog_cancel(struct catalog *c)
{
	rollback(c);
}

int
catalog_skip_to(struct catalog *c, uint64_t incarnation)
{
	uint64_t last;

	if (meta_read(c, &last) == -1)
		return -1;
	return incarnation <= last ? 0 : meta_write(c, incarnation);
}

/* Stand on a row; the caller resets ST_FIND. -1: ENOENT, EBADMSG, ... */
static int
job_find(struct catalog *c, uint64_t incarnation, struct msg_keep_job *j,
    bool *deleted)
{
	sqlite3_stmt *st = c->st[ST_FIND];
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)incarnation);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return job_read(st, j, deleted);
	if (rc == SQLITE_DONE)
		errno = ENOENT;
	else
		sqlx_fail(c->db, "look for a job");
	return -1;
}

static bool
same_span(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* What becomes of a live row; one of them. */
struct change {
	const struct msg_keep_state *state;
	const struct msg_keep_update *update;
	bool delete;
};

/*
 * Change a live row: read, so that a damaged one is not given a new checksum,
 * and written back with what change has put into it.
 */
static int
job_change(struct catalog *c, struct span job_id, uint64_t incarnation,
    const struct change *change)
{
	const struct msg_keep_state *state = change->state;
	struct msg_keep_job j;
	bool deleted;
	int rc = job_find(c, incarnation, &j, &deleted);

	if (rc == 0 && (deleted || !same_span(j.job_id, job_id))) {
		errno = ENOENT;
		rc = -1;
	}
	if (rc == 0 && state != NULL) {
		j.finished_time_ms = state->finished_time_ms;
		j.model_snapshot_id = state->model_snapshot_id;
		j.wanted_open = state->wanted_open;
		j.totals = state->totals;
	}
	if (rc == 0 && change->update != NULL)
		j.config = change->update->config;
	if (rc == 0) {
		job_bind(c->st[ST_UPDATE], &j, change->delete);
		rc = sqlx_run(c->st[ST_UPDATE]);
	}
	sqlite3_reset(c->st[ST_FIND]);
	twin_settle(c->twin);
	return rc;
}

int
catalog_set_state(struct catalog *c, const struct msg_keep_state *m)
{
	struct change change = { .state = m };

	return job_change(c, m->job_id, m->incarnation, &change);
}

int
catalog_set_config(struct catalog *c, const struct msg_keep_update *m)
{
	struct change change = { .update = m };

	return job_change(c, m->job_id, m->incarnation, &change);
}

int
catalog_mark_deleted(
    struct catalog *c, struct span job_id, uint64_t incarnation)
{
	struct change change = { .delete = true };

	return job_change(c, job_id, incarnation, &change);
}

/* The old row is marked first: two live ones of an id cannot be. */
static int
job_renew(
    struct catalog *c, struct span job_id, uint64_t incarnation, uint64_t next)
{
	struct change change = { .delete = true };
	sqlite3_stmt *st = c->st[ST_FIND];
	struct msg_keep_job old, j;
	bool deleted;
	int rc;

	if (job_change(c, job_id, incarnation, &change) == -1)
		return -1;
	rc = job_find(c, incarnation, &old, &deleted);
	if (rc == 0) {
		j = (struct msg_keep_job){
			.job_id = old.job_id,
			.incarnation = next,
			.config = old.config,
			.create_time_ms = old.create_time_ms,
			.finished_time_ms = TIME_UNSET,
		};
		job_bind(c->st[ST_ADD], &j, false);
		rc = sqlx_run(c->st[ST_ADD]);
	}
	sqlite3_reset(st);
	return rc;
}

int
catalog_reset(
    struct catalog *c, struct span job_id, uint64_t incarnation, uint64_t next)
{
	if (job_renew(c, job_id, incarnation, next) == -1)
		return rollback(c);
	return commit(c);
}

int
catalog_remove(struct catalog *c, uint64_t incarnation)
{
	sqlite3_bind_int64(c->st[ST_REMOVE], 1, (int64_t)incarnation);
	return sqlx_run(c->st[ST_REMOVE]);
}

int
catalog_has(struct catalog *c, uint64_t incarnation, bool *has)
{
	sqlite3_stmt *st = c->st[ST_FIND];
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)incarnation);
	rc = sqlite3_step(st);
	*has = rc == SQLITE_ROW;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlx_fail(c->db, "look for a job");
	sqlite3_reset(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int
catalog_each(struct catalog *c, catalog_each_cb *cb, void *arg)
{
	sqlite3_stmt *st = c->st[ST_EACH];
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct msg_keep_job j;
		bool deleted;

		if (job_read(st, &j, &deleted) == 0 &&
		    cb(arg, &j, deleted) == -1)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlx_fail(c->db, "read jobs");
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

struct sqlite3 *
catalog_database(struct catalog *c)
{
	return c->db;
}
