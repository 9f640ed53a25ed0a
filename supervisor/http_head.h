/*
 * Reader of a request's head, RFC 9112 sections 2 to 6, as strict as it can be:
 * whatever two readers could understand differently is refused. Bytes come in
 * pieces of any size, what is kept is bounded, nothing is read or written here.
 */
#ifndef SUPERVISOR_HTTP_HEAD_H
#define SUPERVISOR_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/http.h"
#include "supervisor/http_fault.h"
#include "supervisor/http_text.h"

#define HTTP_METHOD_MAX 32   /* longest method, bytes */
#define HTTP_TARGET_MAX 8192 /* RFC 9112 asks for 8000 at least */
#define HTTP_FIELDS_MAX 100  /* more than any client sends */
#define HTTP_EMPTY_LINES_MAX                                                   \
	2 /* CRLFs of old clients after their last body                        \
	   */

enum http_head_result { HTTP_HEAD_MORE, HTTP_HEAD_DONE, HTTP_HEAD_BAD };

enum http_head_state {
	HEAD_EMPTY,
	HEAD_EMPTY_LF,
	HEAD_METHOD,
	HEAD_TARGET,
	HEAD_VERSION,
	HEAD_LINE_LF,
	HEAD_FIELDS,
	HEAD_DONE
};

struct http_head {
	/* What the head says; valid once it is done. */
	enum http_method method;
	unsigned minor; /* 0 or 1 */
	int64_t length; /* of the body, 0 without one, -1 chunked */
	enum http_encoding encoding;
	bool keep_alive;
	bool expect_continue;
	/* A head that can be read but not served (415, 417): the reason. */
	enum http_fault refusal;

	enum http_fault fault; /* after HTTP_HEAD_BAD */

	/* Offsets into text of NUL-terminated strings; 0 for none. */
	struct {
		uint32_t name;
		uint32_t value;
	} field[HTTP_FIELDS_MAX];
	unsigned nfields;
	uint32_t uri, path, query, authority;

	/* The reader's own. */
	enum http_head_state state;
	enum http_field_state field_state;
	char *text; /* owned */
	size_t len, cap, max;
	uint32_t target_at, version_at;
	unsigned empty_lines;
	bool said_close, said_keep_alive, has_host, has_length, has_coding;
};

/* max: bytes of request line and fields together; more is 414 or 431. */
void http_head_init(struct http_head *, size_t max);
void http_head_clear(struct http_head *);

/*
 * Take bytes. used: how many of them belong to the head (all, unless it is
 * done). After HTTP_HEAD_BAD the fault is set and the head must not be fed.
 */
enum http_head_result http_head_read(
    struct http_head *, const void *bytes, size_t len, size_t *used);

/* True once a byte of it has come; empty lines before it do not count. */
bool http_head_is_begun(const struct http_head *);
bool http_head_is_done(const struct http_head *);

/* As sent; "" before the request line is whole. */
const char *http_head_method(const struct http_head *);
const char *http_head_uri(const struct http_head *);
const char *http_head_path(const struct http_head *);
const char *http_head_query(const struct http_head *); /* NULL: none */
/* The host that was asked: of an absolute target, else Host. NULL: none. */
const char *http_head_host(const struct http_head *);

/* First field of that name (any case), trimmed; NULL: none. */
const char *http_head_field(const struct http_head *, const char *name);
/* Each field of that name; *at begins as 0. NULL: no more. */
const char *http_head_field_next(
    const struct http_head *, const char *name, unsigned *at);

#endif
