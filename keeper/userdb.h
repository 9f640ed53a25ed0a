/*
 * The tables of catalog.db that tell who may use the daemon: users with the
 * hashes of their passwords, and API keys with those of their secrets. Every
 * change is on disk when its function returns. Rows carry a CRC-32C.
 */
#ifndef KEEPER_USERDB_H
#define KEEPER_USERDB_H

#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"

struct sqlite3;
struct userdb;

/* What version 2 of the catalogue has more than version 1. */
extern const char userdb_schema[];

/* On the open catalogue, which must outlive it. NULL with errno (logged). */
struct userdb *userdb_open(struct sqlite3 *);
void userdb_close(struct userdb *); /* NULL is fine */

/*
 * Store a user, in place of one of that name. An empty hash leaves the one
 * that is there. 0, or -1 with errno; ENOENT: there is none to leave.
 */
int userdb_put_user(struct userdb *, const struct msg_keep_user *) MUST_CHECK;
/* 0, or -1 with errno; ENOENT: no such user. */
int userdb_delete_user(struct userdb *, struct span name) MUST_CHECK;
/*
 * The hash of the password of a user who is enabled, as text. 0, or -1 with
 * errno; ENOENT: there is no such user.
 */
int userdb_hash(
    struct userdb *, struct span name, char hash[MSG_HASH_MAX + 1]) MUST_CHECK;

/* Store a key, in place of one of that id. 0, or -1 with errno. */
int userdb_put_key(struct userdb *, const struct msg_keep_key *) MUST_CHECK;
/* Drop keys that were invalidated, or have expired, before that time. */
int userdb_purge_keys(struct userdb *, int64_t before_ms) MUST_CHECK;

/*
 * Walk over all rows; damaged ones are logged and left out: nobody gets in
 * with them. Spans live until the callback returns; hash is left empty for
 * users. Returns 0, or -1 with errno, also when the callback returned -1.
 */
int userdb_each_user(struct userdb *,
    int (*cb)(void *arg, const struct msg_keep_user *), void *arg) MUST_CHECK;
int userdb_each_key(struct userdb *,
    int (*cb)(void *arg, const struct msg_keep_key *), void *arg) MUST_CHECK;

#endif
