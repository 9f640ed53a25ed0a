/*
 * Password hashing in a process of its own: argon2id takes 100 ms and 64 MB,
 * for which nobody else may wait. The keeper forks it at its start; it has no
 * files, no channel but the one to the keeper, and hashes one password at a
 * time. What waits is held by the keeper, in order, within a bound.
 */
#ifndef KEEPER_HASHER_H
#define KEEPER_HASHER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/msg.h"

struct hasher;

/* Of passwords that wait; the supervisor asks for fewer at a time. */
#define HASHER_QUEUE_MAX 128

/*
 * What has become of a request. ok: it was possible, or the password is the
 * right one; hash: of hasher_hash.
 */
typedef void hasher_cb(
    void *arg, uint32_t request, bool failed, bool ok, struct span hash);

/*
 * Forks, so it must be called before anything is opened that the child may not
 * have, and before the sandbox. NULL with errno (logged).
 */
struct hasher *hasher_start(hasher_cb *, void *arg);
void hasher_free(struct hasher *); /* the child ends; NULL is fine */
/* Readable when there is something for hasher_run. */
int hasher_fd(const struct hasher *);

/*
 * Ask for the hash of a password, or whether hash is that of the password;
 * hash NULL: of nobody, which takes as long and is never right. The password
 * is copied. 0, or -1 with ENOSPC: too many wait.
 */
int hasher_hash(
    struct hasher *, uint32_t request, struct span password) MUST_CHECK;
int hasher_verify(struct hasher *, uint32_t request, const char *hash,
    struct span password) MUST_CHECK;

/* Take what the child has answered, give it more. 0, or -1: it has ended. */
int hasher_run(struct hasher *) MUST_CHECK;

#endif
