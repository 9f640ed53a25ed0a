/*
 * What the keeper does about users and keys: it stores them, gives them out at
 * the load, and has passwords hashed while it goes on with other requests.
 */
#ifndef KEEPER_SECRETS_H
#define KEEPER_SECRETS_H

#include <stdbool.h>

#include "common/compat.h"
#include "common/serve.h"

struct secrets;
struct sqlite3;

/* Forks the hasher: before anything is opened. NULL with errno (logged). */
struct secrets *secrets_start(struct serve *);
/* 0, or -1 with errno. db: the open catalogue, borrowed. */
int secrets_open(struct secrets *, struct sqlite3 *db) MUST_CHECK;
void secrets_free(struct secrets *); /* NULL is fine */

/* Send all users and keys. 0, or -1: give up. */
int secrets_load(struct secrets *, uint32_t request) MUST_CHECK;
/* Answer what the hasher has done. Ends the process when it is gone. */
void secrets_idle(struct secrets *);

/* What the arg of the handlers has. */
struct secrets *keeper_secrets(void *arg);

serve_handler secrets_on_user_put;
serve_handler secrets_on_user_delete;
serve_handler secrets_on_key_put;
serve_handler secrets_on_hash;
serve_handler secrets_on_verify;

#endif
