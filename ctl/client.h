/*
 * Requests to the daemon's HTTP interface, one at a time, and what went wrong
 * with them in words that name the cure.
 *
 * Nothing of the environment has a say (proxies, .netrc): credentials go to
 * whom the user named and to nobody else. Redirects are not followed.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "ctl/secret.h"

struct jsonx_value;

#define CLIENT_DEFAULT_URL "unix:/run/anomd/anomd.sock"
#define CLIENT_DEFAULT_TIMEOUT_MS 30000
#define CLIENT_ANSWER_MAX_BYTES ((size_t)16 << 20)

struct client;

/* Zeroed before the first use; answer_clear() before the next one. */
struct answer {
	int status;		  /* of HTTP; 0: there was no answer */
	int64_t retry_after_s;	  /* 0: it does not say */
	bool is_repeat;		  /* of an upload that was answered before */
	struct secret body;	  /* as it came */
	struct jsonx_value *json; /* owned; the body, NULL when it is no JSON */
};

/* What is in it may be a secret: it is overwritten. */
void answer_clear(struct answer *);

/*
 * url  of target.h; NULL: CLIENT_DEFAULT_URL
 *
 * NULL with why: the form of url, memory. Connects to nothing.
 */
struct client *client_new(const char *url, char *why, size_t whylen);
void client_free(struct client *); /* NULL is fine */

/* For a whole request; 1 ms or more. */
void client_set_timeout(struct client *, int64_t ms);
/* Certificates of authorities for https, a file in PEM form. */
int client_set_cacert(
    struct client *, const char *path, char *why, size_t whylen) MUST_CHECK;

/*
 * Who asks: a user with a password, or an encoded API key. Copied. Returns 0,
 * or -1 with why: memory, a colon in the user's name, or a key that is none.
 */
int client_set_user(struct client *, const char *user,
    const struct secret *password, char *why, size_t whylen) MUST_CHECK;
int client_set_key(struct client *, const struct secret *encoded, char *why,
    size_t whylen) MUST_CHECK;

/* Has it the form that an encoded key has: base64, and not empty? */
bool client_is_key(const struct secret *encoded);

/* True when credentials would go over a network in the clear. */
bool client_is_exposed(const struct client *);

/*
 * The path of a request. Each "{}" of form stands for the next text, all of
 * which is escaped that is not a letter, digit or one of "-._~". Returns what
 * the caller frees, or NULL when memory is out.
 *
 *	client_path("/_security/user/{}/_password", name)
 */
char *client_path(const char *form, ...);

/*
 * Make a request and wait for its answer.
 *
 * method  "GET"
 * path    escaped, with the query if there is one
 * body    JSON, or NULL
 * a       empty
 *
 * Returns 0 with a->json when the answer has a status of 2xx and JSON in its
 * body. Otherwise -1: client_error() says why, and a has what came.
 */
int client_call(struct client *, const char *method, const char *path,
    const struct secret *body, struct answer *a) MUST_CHECK;

struct client_upload {
	const char *path; /* escaped */
	const char *key;  /* of Idempotency-Key */
	const void *data; /* borrowed */
	size_t len;
	bool gzip; /* data is packed */
};

/* Post records. Returns as client_call. */
int client_upload(
    struct client *, const struct client_upload *, struct answer *) MUST_CHECK;

/*
 * Ask now and then during requests whether to go on; one that is given up
 * fails with status 0.
 */
void client_set_stop(struct client *, bool (*is_over)(void));

/* Of the last call that failed. May have bytes of the server in it. */
const char *client_error(const struct client *);

#endif
