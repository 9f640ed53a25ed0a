/* Owns the rows of users and API keys in catalog.db. */
#include "common/compat.h"

#include <endian.h>
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/schema.h"
#include "common/sqlx.h"
#include "keeper/catalog.h"
#include "keeper/userdb.h"

const char userdb_schema[] = "CREATE TABLE user ("
			     " name TEXT PRIMARY KEY,"
			     " hash TEXT NOT NULL,"
			     " revision INTEGER NOT NULL,"
			     " enabled INTEGER NOT NULL,"
			     " roles TEXT NOT NULL,"
			     " full_name TEXT NOT NULL,"
			     " email TEXT NOT NULL,"
			     " metadata TEXT NOT NULL,"
			     " crc INTEGER NOT NULL) WITHOUT ROWID;"
			     "CREATE TABLE api_key ("
			     " id TEXT PRIMARY KEY,"
			     " name TEXT NOT NULL,"
			     " hash BLOB NOT NULL,"
			     " owner TEXT NOT NULL,"
			     " realm TEXT NOT NULL,"
			     " creation_ms INTEGER NOT NULL,"
			     " expiration_ms INTEGER NOT NULL,"
			     " invalidated_ms INTEGER NOT NULL,"
			     " roles TEXT NOT NULL,"
			     " metadata TEXT NOT NULL,"
			     " crc INTEGER NOT NULL) WITHOUT ROWID;";

#define USER_COLUMNS                                                           \
	"name, hash, revision, enabled, roles, full_name, email, metadata, "   \
	"crc"
#define KEY_COLUMNS                                                            \
	"id, name, hash, owner, realm, creation_ms, expiration_ms,"            \
	" invalidated_ms, roles, metadata, crc"

enum stmt {
	ST_USER_PUT,
	ST_USER_FIND,
	ST_USER_DELETE,
	ST_USER_EACH,
	ST_KEY_PUT,
	ST_KEY_EACH,
	ST_KEY_PURGE,
	ST_MAX
};

static const char *const stmt_sql[ST_MAX] = {
	[ST_USER_PUT] = "INSERT OR REPLACE INTO user (" USER_COLUMNS ") VALUES"
			" (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[ST_USER_FIND] = "SELECT " USER_COLUMNS " FROM user WHERE name = ?1",
	[ST_USER_DELETE] = "DELETE FROM user WHERE name = ?1",
	[ST_USER_EACH] = "SELECT " USER_COLUMNS " FROM user ORDER BY name",
	/* ?12 is TIME_UNSET: what was revoked does not change any more. */
	[ST_KEY_PUT] = "INSERT INTO api_key (" KEY_COLUMNS ") VALUES"
		       " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
		       " ON CONFLICT (id) DO UPDATE SET"
		       " name = ?2, hash = ?3, owner = ?4, realm = ?5,"
		       " creation_ms = ?6, expiration_ms = ?7,"
		       " invalidated_ms = ?8, roles = ?9, metadata = ?10,"
		       " crc = ?11 WHERE invalidated_ms = ?12",
	[ST_KEY_EACH] = "SELECT " KEY_COLUMNS " FROM api_key ORDER BY id",
	/* TIME_UNSET is the least number: no time comes before it. */
	[ST_KEY_PURGE] = "DELETE FROM api_key WHERE"
			 " (invalidated_ms <> ?2 AND invalidated_ms < ?1) OR"
			 " (expiration_ms <> ?2 AND expiration_ms < ?1)",
};

struct userdb {
	sqlite3 *db; /* borrowed */
	sqlite3_stmt *st[ST_MAX];
};

struct userdb *
userdb_open(sqlite3 *db)
{
	struct userdb *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->db = db;
	for (size_t i = 0; i < ST_MAX; i++) {
		u->st[i] = sqlx_prepare(db, stmt_sql[i]);
		if (u->st[i] == NULL) {
			userdb_close(u);
			return NULL;
		}
	}
	return u;
}

void
userdb_close(struct userdb *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(u->st[i]);
	free(u);
}

/* Over the same bytes that carry the row between the processes. */
static int
row_crc(const struct schema *schema, const void *row, uint32_t *crc)
{
	struct wbuf wb;
	int rc;

	wbuf_init(&wb, 0);
	rc = schema_encode(schema, row, &wb);
	if (rc == 0)
		*crc = crc32c(0, wb.data, wb.len);
	wbuf_clear(&wb);
	return rc;
}

static int
damaged(const char *what, struct span name)
{
	char text[160];

	log_warnx(CATALOG_FILE ": %s %s: the row does not match its checksum",
	    what, log_escape(text, sizeof(text), name.p, name.len));
	errno = EBADMSG;
	return -1;
}

/* ---- users ---- */

static int
user_read(sqlite3_stmt *st, struct msg_keep_user *m)
{
	uint32_t crc;

	*m = (struct msg_keep_user){
		.name = sqlx_column_span(st, 0),
		.hash = sqlx_column_span(st, 1),
		.revision = (uint64_t)sqlite3_column_int64(st, 2),
		.enabled = sqlite3_column_int(st, 3) != 0,
		.roles = sqlx_column_span(st, 4),
		.full_name = sqlx_column_span(st, 5),
		.email = sqlx_column_span(st, 6),
		.metadata = sqlx_column_span(st, 7),
	};
	if (row_crc(&msg_keep_user_schema, m, &crc) == -1 ||
	    sqlite3_column_int64(st, 8) != crc)
		return damaged("user", m->name);
	return 0;
}

/* Stand on a row; the caller resets ST_USER_FIND. */
static int
user_find(struct userdb *u, struct span name, struct msg_keep_user *m)
{
	sqlite3_stmt *st = u->st[ST_USER_FIND];
	int rc;

	sqlx_bind_span(st, 1, name);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return user_read(st, m);
	if (rc == SQLITE_DONE)
		errno = ENOENT;
	else
		sqlx_fail(u->db, "look for a user");
	return -1;
}

static int
user_write(struct userdb *u, const struct msg_keep_user *m)
{
	sqlite3_stmt *st = u->st[ST_USER_PUT];
	uint32_t crc;

	if (row_crc(&msg_keep_user_schema, m, &crc) == -1)
		return -1;
	sqlx_bind_span(st, 1, m->name);
	sqlx_bind_span(st, 2, m->hash);
	sqlite3_bind_int64(st, 3, (int64_t)m->revision);
	sqlite3_bind_int(st, 4, m->enabled);
	sqlx_bind_span(st, 5, m->roles);
	sqlx_bind_span(st, 6, m->full_name);
	sqlx_bind_span(st, 7, m->email);
	sqlx_bind_span(st, 8, m->metadata);
	sqlite3_bind_int64(st, 9, crc);
	return sqlx_run(st);
}

int
userdb_put_user(struct userdb *u, const struct msg_keep_user *m)
{
	struct msg_keep_user row = *m, old;
	char hash[MSG_HASH_MAX + 1];
	int rc = 0;

	if (m->hash.len == 0) {
		rc = user_find(u, m->name, &old);
		if (rc == 0 && old.hash.len < sizeof(hash)) {
			memcpy(hash, old.hash.p, old.hash.len);
			row.hash = (struct span){ hash, old.hash.len };
		}
		sqlite3_reset(u->st[ST_USER_FIND]);
	}
	if (rc == 0)
		rc = user_write(u, &row);
	sodium_memzero(hash, sizeof(hash));
	return rc;
}

int
userdb_delete_user(struct userdb *u, struct span name)
{
	sqlx_bind_span(u->st[ST_USER_DELETE], 1, name);
	if (sqlx_run(u->st[ST_USER_DELETE]) == -1)
		return -1;
	if (sqlite3_changes(u->db) > 0)
		return 0;
	errno = ENOENT;
	return -1;
}

int
userdb_hash(struct userdb *u, struct span name, char hash[MSG_HASH_MAX + 1])
{
	struct msg_keep_user m;
	int rc = user_find(u, name, &m);

	if (rc == 0 && !m.enabled) {
		errno = ENOENT;
		rc = -1;
	}
	if (rc == 0) {
		memcpy(hash, m.hash.p, m.hash.len);
		hash[m.hash.len] = '\0';
	}
	sqlite3_reset(u->st[ST_USER_FIND]);
	return rc;
}

int
userdb_each_user(struct userdb *u,
    int (*cb)(void *, const struct msg_keep_user *), void *arg)
{
	sqlite3_stmt *st = u->st[ST_USER_EACH];
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct msg_keep_user m;

		if (user_read(st, &m) == -1)
			continue;
		m.hash = (struct span){ "", 0 };
		if (cb(arg, &m) == -1)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlx_fail(u->db, "read users");
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* ---- keys ---- */

static int
key_read(sqlite3_stmt *st, struct msg_keep_key *m)
{
	uint32_t crc;

	*m = (struct msg_keep_key){
		.id = sqlx_column_span(st, 0),
		.name = sqlx_column_span(st, 1),
		.hash = sqlx_column_span(st, 2),
		.owner = sqlx_column_span(st, 3),
		.realm = sqlx_column_span(st, 4),
		.creation_ms = sqlite3_column_int64(st, 5),
		.expiration_ms = sqlite3_column_int64(st, 6),
		.invalidated_ms = sqlite3_column_int64(st, 7),
		.roles = sqlx_column_span(st, 8),
		.metadata = sqlx_column_span(st, 9),
	};
	if (row_crc(&msg_keep_key_schema, m, &crc) == -1 ||
	    sqlite3_column_int64(st, 10) != crc)
		return damaged("key", m->id);
	return 0;
}

int
userdb_put_key(struct userdb *u, const struct msg_keep_key *m)
{
	sqlite3_stmt *st = u->st[ST_KEY_PUT];
	uint32_t crc;

	if (row_crc(&msg_keep_key_schema, m, &crc) == -1)
		return -1;
	sqlx_bind_span(st, 1, m->id);
	sqlx_bind_span(st, 2, m->name);
	sqlite3_bind_blob64(st, 3, m->hash.p, m->hash.len, SQLITE_STATIC);
	sqlx_bind_span(st, 4, m->owner);
	sqlx_bind_span(st, 5, m->realm);
	sqlite3_bind_int64(st, 6, m->creation_ms);
	sqlite3_bind_int64(st, 7, m->expiration_ms);
	sqlite3_bind_int64(st, 8, m->invalidated_ms);
	sqlx_bind_span(st, 9, m->roles);
	sqlx_bind_span(st, 10, m->metadata);
	sqlite3_bind_int64(st, 11, crc);
	sqlite3_bind_int64(st, 12, TIME_UNSET);
	return sqlx_run(st);
}

int
userdb_purge_keys(struct userdb *u, int64_t before_ms)
{
	sqlite3_bind_int64(u->st[ST_KEY_PURGE], 1, before_ms);
	sqlite3_bind_int64(u->st[ST_KEY_PURGE], 2, TIME_UNSET);
	return sqlx_run(u->st[ST_KEY_PURGE]);
}

int
userdb_each_key(
    struct userdb *u, int (*cb)(void *, const struct msg_keep_key *), void *arg)
{
	sqlite3_stmt *st = u->st[ST_KEY_EACH];
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct msg_keep_key m;

		if (key_read(st, &m) == 0 && cb(arg, &m) == -1)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlx_fail(u->db, "read keys");
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}
