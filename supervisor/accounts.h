/*
 * Users and API keys as the supervisor knows them: the copy of what the keeper
 * has stored, without the hashes of passwords. Those of the secrets of keys
 * are here, so that to check a key asks nobody.
 */
#ifndef SUPERVISOR_ACCOUNTS_H
#define SUPERVISOR_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/tree.h>

#include "common/compat.h"
#include "common/msg.h"
#include "supervisor/authcache.h"
#include "supervisor/principal.h"

struct user {
	RB_ENTRY(user) entry;
	char *name;
	char *roles;		 /* comma list */
	char *full_name, *email; /* "": none */
	char *metadata;		 /* JSON */
	bool enabled;
	uint64_t revision;
	unsigned rights;
	struct authcache cache;
	uint64_t load; /* the last one that brought it */
};

struct apikey {
	RB_ENTRY(apikey) entry;
	char *id, *name, *owner;
	enum realm realm; /* of the owner */
	uint8_t hash[MSG_KEY_HASH];
	int64_t creation_ms, expiration_ms, invalidated_ms; /* or unset */
	char *roles;					    /* descriptors */
	char *metadata;
	bool inherits; /* without descriptors: what its owner may */
	unsigned rights;
	struct grants *grants;
	bool changing; /* another one is on its way to take its place */
	uint64_t load;
};

RB_HEAD(user_tree, user);
RB_PROTOTYPE(user_tree, user, entry, user_compare)
RB_HEAD(apikey_tree, apikey);
RB_PROTOTYPE(apikey_tree, apikey, entry, apikey_compare)

#define ACCOUNTS_USERS_MAX 10000
#define ACCOUNTS_KEYS_MAX 10000 /* of one owner, dead ones too */
/* Of the same, descriptors and metadata: all are held in memory. */
#define ACCOUNTS_KEYS_MAX_BYTES (8 * 1024 * 1024)

struct accounts;

struct accounts *accounts_new(void); /* NULL with ENOMEM */
void accounts_free(struct accounts *);

/*
 * From what was stored, or is to be. NULL: out of memory, or what it says is
 * not valid (logged); EINVAL then.
 */
struct user *user_new(const struct msg_keep_user *);
void user_free(struct user *); /* NULL is fine */
struct apikey *apikey_new(const struct msg_keep_key *);
void apikey_free(struct apikey *);
/* The message that stores it; borrows. hash: of a new password, or NULL. */
void user_message(
    const struct user *, struct span hash, struct msg_keep_user *);
void apikey_message(const struct apikey *, struct msg_keep_key *);

/* Owned from here on, in place of one of that name. */
void accounts_put_user(struct accounts *, struct user *);
void accounts_put_key(struct accounts *, struct apikey *);
void accounts_delete_user(struct accounts *, const char *name);
/*
 * A load is over: what it did not bring is gone. What it brought was put with
 * accounts_loaded_user and _key, which leave alone what has not changed.
 */
void accounts_loaded_user(struct accounts *, const struct msg_keep_user *);
void accounts_loaded_key(struct accounts *, const struct msg_keep_key *);
void accounts_loaded(struct accounts *);

struct user *accounts_user(struct accounts *, const char *name);
struct apikey *accounts_key(struct accounts *, const char *id);
/* By name, or id; NULL behind the last. */
struct user *accounts_first_user(struct accounts *);
struct user *accounts_next_user(struct user *);
struct apikey *accounts_first_key(struct accounts *);
struct apikey *accounts_next_key(struct apikey *);
size_t accounts_users(const struct accounts *);
size_t accounts_key_bytes(struct accounts *, enum realm, const char *owner);
size_t accounts_keys_of(struct accounts *, enum realm, const char *owner);

/* Neither revoked nor over. */
bool apikey_is_live(const struct apikey *, int64_t now_ms);
/* Hash the secret of a key: see accounts.c for why this is enough. */
void apikey_hash(
    uint8_t hash[MSG_KEY_HASH], const char *id, const char *secret);

/* The one that this user is, this peer, or the bearer of this key. */
void principal_of_user(struct principal *, const struct user *);
void principal_of_peer(struct principal *, const char *name);
/* 0, or -1: its owner is not there, or disabled. */
int principal_of_key(
    struct principal *, struct accounts *, const struct apikey *) MUST_CHECK;
/* Is it still the same one, who still may the same? */
bool principal_holds(
    const struct principal *, struct accounts *, int64_t now_ms);

#endif
