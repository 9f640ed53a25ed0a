/*
 * HTTP/1.1 over libevent for the supervisor: listeners, connections, strict
 * reading of requests, exactly one answer each. What a request means is the
 * business of the handler (route.h); this file's side knows no job.
 *
 * Life of a request: the head is read and checked (RFC 9112, Host, Origin),
 * then http_config.on_head is called once. It must, before it returns, either
 * answer (http_reply, http_reply_error) or say what is to happen to the body
 * (http_body_collect, http_body_stream, http_body_ignore). A request without a
 * body gives an empty one at once. The answer may come at any later time, but
 * answers of one connection leave in the order of their requests; the next
 * pipelined request is not given to on_head before the last one is answered.
 * Callbacks come from the event loop alone, never from inside a function of
 * this file, all of which may therefore be called from any callback (but
 * http_free, which may be called from none).
 * After the answer, or after the gone callback, the request must not be
 * touched again.
 */
#ifndef SUPERVISOR_HTTP_H
#define SUPERVISOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"

struct event_base;
struct evbuffer;
struct http;
struct http_req;

enum http_method {
	HTTP_GET = 1 << 0,
	HTTP_HEAD = 1 << 1,
	HTTP_POST = 1 << 2,
	HTTP_PUT = 1 << 3,
	HTTP_DELETE = 1 << 4,
	HTTP_OPTIONS = 1 << 5,
	HTTP_PATCH = 1 << 6,
	HTTP_OTHER = 1 << 7, /* a token that is no method known here */
};

enum http_encoding { HTTP_IDENTITY, HTTP_GZIP, HTTP_ZSTD };

struct http_limits {
	unsigned max_connections;
	size_t max_head_bytes;
	uint64_t max_body_bytes;  /* as it comes in, before decoding */
	uint64_t max_held_bytes;  /* of all collected bodies; 0: no limit */
	unsigned head_timeout_s;  /* absolute, from the first byte of a head */
	unsigned body_timeout_s;  /* a body must make progress within */
	unsigned idle_timeout_s;  /* kept-alive connection without a request */
	unsigned write_timeout_s; /* an answer must make progress within */
	uint64_t min_body_rate;	  /* bytes/s below which a body is too slow,
				     judged after body_timeout_s; 0: none */
};

struct http_config {
	struct http_limits limits;
	/* Beside loopback names and addresses; NULL-terminated; may be NULL. */
	const char *const *allowed_hosts;
	/* Beside none: any Origin that is not listed is 403. "*": all. */
	const char *const *allowed_origins;
	const char *server; /* value of the Server header, NULL: none */
	void (*on_head)(struct http_req *, void *arg);
	void *arg;
};

/* Borrows the configuration's strings. NULL with errno. */
struct http *http_new(struct event_base *, const struct http_config *);
/*
 * Add a listener: "127.0.0.1:9200", "[::1]:0", "localhost:9200",
 * "unix:/path", "fd:3" (inherited, already listening). Port 0 takes a free
 * one.
 *
 * where  receives what it listens on, for example "127.0.0.1:40001"
 *
 * Returns 0, or -1 with errno, and a text for the log in *why.
 */
int http_listen(struct http *, const char *spec, char *where, size_t wherelen,
    const char **why);
/* True when every address the listener can be reached at is loopback/unix. */
bool http_spec_is_local(const char *spec);
/* No new connections, idle ones closed; running requests go on. */
void http_stop(struct http *);
/* Requests given to on_head and not yet answered in full. */
size_t http_active(const struct http *);
size_t http_connections(const struct http *);
/* Closes everything; who waits is told (gone, broken) before it returns. */
void http_free(struct http *);

/* ---- reading a request ---- */

enum http_method http_req_method(const struct http_req *);
const char *http_req_method_name(const struct http_req *); /* as sent */
/* Raw request target with the query; "*" and absolute form reduced to path. */
const char *http_req_uri(const struct http_req *);
/* Raw path, still percent-encoded; raw query without "?", NULL when none. */
const char *http_req_path(const struct http_req *);
const char *http_req_query(const struct http_req *);
/* First field of that name, trimmed; NULL when absent. Case-insensitive. */
const char *http_req_header(const struct http_req *, const char *name);
/* Each field of that name; *at begins as 0. NULL: no more. */
const char *http_req_header_next(
    const struct http_req *, const char *name, unsigned *at);
bool http_req_has_body(const struct http_req *);
enum http_encoding http_req_encoding(const struct http_req *);
/* Content-Length, or -1 when chunked. */
int64_t http_req_length(const struct http_req *);
/* "127.0.0.1:53211", "unix" for the log. */
const char *http_req_peer(const struct http_req *);
/* The user at the other end of a Unix socket; -1: of another, or not known. */
int http_req_peer_uid(const struct http_req *);

void http_req_set_data(struct http_req *, void *);
void *http_req_data(const struct http_req *);
/*
 * Called at most once, when the request can no longer be answered because the
 * client left or broke the rules, never after an answer was given in full.
 * A client that closed only its own half may still read: that is noticed no
 * earlier than when writing fails.
 *
 * Without it a request whose body is still awaited (collect, ignore) vanishes
 * silently, and one whose answer is owed stays valid until it is answered.
 */
void http_req_on_gone(
    struct http_req *, void (*gone)(struct http_req *, void *), void *arg);

/* ---- the body ---- */

/*
 * Collect up to max bytes (decoded: gzip and zstd are undone here, bounded by
 * max too), then call done. More than that, or a broken encoding, is answered
 * here (413, 400) and done is not called.
 */
void http_body_collect(struct http_req *, size_t max,
    void (*done)(struct http_req *, struct evbuffer *body, void *arg),
    void *arg);

struct http_sink {
	/* Some more of the body as sent (not decoded); take it all. */
	void (*data)(struct http_req *, struct evbuffer *, void *arg);
	/* The last byte has come, all is well. */
	void (*end)(struct http_req *, void *arg);
	/*
	 * The body will never be whole: the client left, stalled, or sent what
	 * is no chunk. The request is gone (no gone callback follows).
	 */
	void (*broken)(struct http_req *, void *arg);
};
/*
 * Stream the body. A body over limits.max_body_bytes is answered 413 here and
 * ends in broken. Answering while the body still comes is allowed: what is
 * left of it is read and thrown away for a bounded time (lingering close).
 */
void http_body_stream(struct http_req *, const struct http_sink *, void *arg);
/*
 * Stop reading the body from the socket, and go on: back-pressure. A handler
 * that has not decided about the request yet pauses it and decides later.
 */
void http_body_pause(struct http_req *);
void http_body_resume(struct http_req *);
/* Read it to its end and throw it away, then call done (may be NULL). */
void http_body_ignore(
    struct http_req *, void (*done)(struct http_req *, void *arg), void *arg);

/* ---- the answer ---- */

/* A header of the coming answer; name and value are copied. 0 or -1. */
int http_reply_header(struct http_req *, const char *name, const char *value);
/* The header Retry-After, in seconds; 0: none. */
void http_reply_retry_after(struct http_req *, unsigned s);
/*
 * The whole answer. body: taken empty (may be NULL). type: Content-Type, NULL
 * without a body. Content-Length, Date, Connection, gzip (when asked for and
 * worth it) and the silence of HEAD are seen to here.
 */
void http_reply(
    struct http_req *, int status, const char *type, struct evbuffer *body);
void http_reply_bytes(struct http_req *, int status, const char *type,
    const void *body, size_t len);
/*
 * An answer in parts, chunked (to 1.0: until close), with gzip when asked for.
 * http_reply_part returns true when the output is above its high mark: wait
 * for drained, which is called once when it is low again. http_reply_abort
 * cuts the connection so that the client can see that the answer is not whole.
 */
void http_reply_begin(struct http_req *, int status, const char *type);
bool http_reply_part(struct http_req *, const void *data, size_t len,
    void (*drained)(struct http_req *, void *arg), void *arg);
void http_reply_end(struct http_req *);
void http_reply_abort(struct http_req *);

/* JSON error of the API with its headers (Retry-After). */
void http_reply_error(struct http_req *, const struct apierr *);

/* "OK", "Not Found", ...; "" for a status that is not known. */
const char *http_status_text(int status);

#endif
