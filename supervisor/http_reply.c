/*
 * Owns the making of answers: status line, header fields, framing, gzip. The
 * output is only filled here; it leaves in the run of the connection.
 */
#include "common/compat.h"

#include <errno.h>
#include <event2/buffer.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "supervisor/http_conn.h"
#include "supervisor/http_encode.h"
#include "supervisor/http_hosts.h"
#include "supervisor/http_text.h"

#define GZIP_MIN_BYTES 1024	       /* below, the packet is not worth it */
#define GZIP_AT_ONCE_BYTES (64u << 10) /* about 1 ms; more goes in slices */
#define SLICE_BYTES (64u << 10)
#define OPAQUE_ID_MAX 1024

/* clang-format off */
static const struct {
	int status;
	const char *text;
} status_texts[] = {
	{ 100, "Continue" }, { 200, "OK" }, { 201, "Created" },
	{ 202, "Accepted" }, { 204, "No Content" }, { 304, "Not Modified" },
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" }, { 408, "Request Timeout" },
	{ 409, "Conflict" }, { 410, "Gone" }, { 411, "Length Required" },
	{ 413, "Content Too Large" }, { 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

/* Made here, and therefore not to be given by a handler. */
static const char *const own_headers[] = {
	"connection", "content-length", "content-type", "date", "server",
	"transfer-encoding", "content-encoding", "x-elastic-product",
	"x-opaque-id",
};
/* clang-format on */

const char *
http_status_text(int status)
{
	for (size_t i = 0; i < NELEM(status_texts); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "";
}

/* ---- header fields ---- */

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

static bool
header_is_allowed(const char *name, const char *value)
{
	if (*name == '\0')
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!http_is_token((unsigned char)*p))
			return false;
	for (size_t i = 0; i < NELEM(own_headers); i++)
		if (strcasecmp(name, own_headers[i]) == 0)
			return false;
	return is_printable(value);
}

int
http_reply_header(struct http_req *req, const char *name, const char *value)
{
	if (!header_is_allowed(name, value)) {
		errno = EINVAL;
		return -1;
	}
	if (req->headers == NULL && (req->headers = evbuffer_new()) == NULL)
		return -1;
	return evbuffer_add_printf(req->headers, "%s: %s\r\n", name, value) ==
		-1
	    ? -1
	    : 0;
}

void
http_reply_retry_after(struct http_req *req, unsigned s)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", s);
	if (s > 0 && http_reply_header(req, "Retry-After", text) == -1)
		log_debug("http: no Retry-After");
}

static void field(struct http_conn *, const char *, ...) PRINTF_LIKE(2, 3);

/* An answer that memory does not suffice for is cut off. */
static void
field(struct http_conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (evbuffer_add_vprintf(c->out, fmt, ap) == -1)
		c->cut = true;
	va_end(ap);
}

static void
put(struct http_conn *c, const void *data, size_t len)
{
	if (evbuffer_add(c->out, data, len) == -1)
		c->cut = true;
}

static void
put_buffer(struct http_conn *c, struct evbuffer *src)
{
	if (evbuffer_add_buffer(c->out, src) == -1)
		c->cut = true;
}

/* An allowed origin may see the answer; a preflight learns what it may send. */
static void
origin_fields(struct http_conn *c, const struct http_req *req)
{
	const char *origin = http_head_field(&req->head, "origin");

	if (origin == NULL || !is_printable(origin) ||
	    !http_origin_is_allowed(origin, c->http->config.allowed_origins))
		return;
	field(c, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", origin);
	if (req->head.method != HTTP_OPTIONS ||
	    http_head_field(&req->head, "access-control-request-method") ==
		NULL)
		return;
	field(c, "%s",
	    "Access-Control-Allow-Methods: "
	    "GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"
	    "Access-Control-Allow-Headers: Accept, Authorization, "
	    "Content-Encoding, Content-Type, X-Opaque-Id\r\n"
	    "Access-Control-Max-Age: 600\r\n");
}

static void
connection_field(struct http_conn *c, const struct http_req *req)
{
	if (!c->keep)
		field(c, "Connection: close\r\n");
	else if (req->head.minor == 0)
		field(c, "Connection: keep-alive\r\n");
}

/* Status line and fields up to those of the framing. */
static void
begin_head(struct http_req *req, int status, const char *type)
{
	struct http_conn *c = req->conn;
	const char *opaque = http_head_field(&req->head, "x-opaque-id");
	bool last = c->eof && evbuffer_get_length(c->in) == 0;

	if (c->http->stopping || last || !http_body_is_drainable(req))
		c->keep = false;
	field(c,
	    "HTTP/1.1 %d %s\r\nX-elastic-product: Elasticsearch\r\n"
	    "Date: %s\r\n",
	    status, http_status_text(status), http_date(c->http));
	if (c->http->config.server != NULL)
		field(c, "Server: %s\r\n", c->http->config.server);
	if (opaque != NULL && strlen(opaque) <= OPAQUE_ID_MAX &&
	    is_printable(opaque))
		field(c, "X-Opaque-Id: %s\r\n", opaque);
	origin_fields(c, req);
	connection_field(c, req);
	if (type != NULL)
		field(c, "Content-Type: %s\r\n", type);
	if (req->headers != NULL)
		put_buffer(c, req->headers);
}

static bool
status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* ---- chunks ---- */

static void
put_chunk_head(struct http_conn *c, size_t len)
{
	field(c, "%zx\r\n", len);
}

static void
put_chunk(struct http_conn *c, struct evbuffer *src)
{
	if (evbuffer_get_length(src) == 0)
		return;
	put_chunk_head(c, evbuffer_get_length(src));
	put_buffer(c, src);
	put(c, "\r\n", 2);
}

/* ---- compression ---- */

static bool
wants_gzip(const struct http_req *req, const char *type, size_t len)
{
	return len > GZIP_MIN_BYTES && type != NULL &&
	    http_head_accepts_gzip(&req->head);
}

static void
gzip_fields(struct http_conn *c)
{
	field(c, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
}

/* The body as gzip in place of itself. False: it stays as it is. */
static bool
gzip_at_once(struct http *http, struct evbuffer *body)
{
	struct evbuffer *packed = evbuffer_new();
	bool ok = false;

	if (http->encoder == NULL)
		http->encoder = http_encoder_new();
	if (http->encoder == NULL || packed == NULL)
		goto out;
	http_encoder_reset(http->encoder);
	if (http_encode(http->encoder, body, SIZE_MAX, packed, true) == -1)
		goto out;
	ok = evbuffer_add_buffer(body, packed) == 0;
out:
	if (packed != NULL)
		evbuffer_free(packed);
	return ok;
}

/* Compress up to max bytes of what waits in slices into a chunk. */
static void
put_packed(struct http_req *req, size_t max, bool last)
{
	struct evbuffer *packed = evbuffer_new();

	if (packed == NULL ||
	    http_encode(req->encoder, req->slices, max, packed, last) == -1)
		req->conn->cut = true;
	else
		put_chunk(req->conn, packed);
	if (packed != NULL)
		evbuffer_free(packed);
}

static bool
packer_new(struct http_req *req)
{
	req->slices = evbuffer_new();
	req->encoder = http_encoder_new();
	return req->slices != NULL && req->encoder != NULL;
}

/*
 * A large answer is compressed while it is sent, slice by slice: neither the
 * other connections nor the memory have to stand all of it at once.
 */
static void
begin_slices(struct http_req *req, struct evbuffer *body)
{
	if (!packer_new(req) || evbuffer_add_buffer(req->slices, body) == -1) {
		req->conn->cut = true;
		return;
	}
	field(req->conn, "Transfer-Encoding: chunked\r\n\r\n");
	req->answer = ANSWER_SLICES;
}

bool
http_reply_run(struct http_conn *c)
{
	struct http_req *req = c->req;

	if (req->answer != ANSWER_SLICES ||
	    evbuffer_get_length(c->out) >= HTTP_OUT_LOW)
		return false;
	c->work += HTTP_WORK_SLICE;
	put_packed(req, SLICE_BYTES, true);
	if (evbuffer_get_length(req->slices) == 0) {
		put(c, "0\r\n\r\n", 5);
		req->answer = ANSWER_DONE;
	}
	return true;
}

/* Parts are many bytes in all, else they would have come as one. */
static void
begin_packed_parts(struct http_req *req)
{
	if (!http_head_accepts_gzip(&req->head))
		return;
	if (packer_new(req))
		gzip_fields(req->conn);
	else
		req->conn->cut = true;
}

/* ---- whole answers ---- */

/* May the handler begin an answer? An orphan's is not sent to anyone. */
static bool
may_answer(struct http_req *req)
{
	if (req->dying)
		return false;
	if (req->answer == ANSWER_NONE)
		return true;
	log_warnx("http: %s %s is answered twice", http_req_method_name(req),
	    http_req_path(req));
	return false;
}

static void
free_orphan(struct http_req *req)
{
	TAILQ_REMOVE(&req->http->orphans, req, entry);
	http_req_free(req);
}

static void
send_whole(struct http_req *req, int status, const char *type,
    struct evbuffer *body, bool gzip)
{
	struct http_conn *c = req->conn;
	/* Of the packed form that HEAD asks about nobody knows the length. */
	bool length_is_known = status_has_body(status) &&
	    (!req->silent || !wants_gzip(req, type, evbuffer_get_length(body)));

	req->answer = ANSWER_DONE;
	if (gzip) {
		gzip_fields(c);
		if (evbuffer_get_length(body) > GZIP_AT_ONCE_BYTES) {
			begin_slices(req, body);
			return;
		}
		if (!gzip_at_once(c->http, body))
			c->cut = true;
	}
	if (length_is_known)
		field(c, "Content-Length: %zu\r\n", evbuffer_get_length(body));
	put(c, "\r\n", 2);
	if (!req->silent)
		put_buffer(c, body);
}

/* HEAD must not cost the packing of what is not sent. */
static bool
may_gzip(const struct http_req *req, const char *type, size_t len)
{
	return !req->silent && wants_gzip(req, type, len) &&
	    (len <= GZIP_AT_ONCE_BYTES || req->head.minor > 0);
}

static void
answer(
    struct http_req *req, int status, const char *type, struct evbuffer *body)
{
	size_t len = evbuffer_get_length(body);

	if (req->conn == NULL) {
		free_orphan(req);
		return;
	}
	req->silent = req->head.method == HTTP_HEAD || !status_has_body(status);
	begin_head(req, status, type);
	send_whole(req, status, type, body, may_gzip(req, type, len));
	http_conn_kick(req->conn);
}

void
http_reply(
    struct http_req *req, int status, const char *type, struct evbuffer *body)
{
	struct evbuffer *none = body == NULL ? evbuffer_new() : NULL;

	if (body == NULL)
		body = none;
	if (body == NULL) {
		http_reply_abort(req);
		return;
	}
	if (may_answer(req))
		answer(req, status, type, body);
	evbuffer_drain(body, evbuffer_get_length(body));
	if (none != NULL)
		evbuffer_free(none);
}

void
http_reply_bytes(struct http_req *req, int status, const char *type,
    const void *body, size_t len)
{
	struct evbuffer *buf = evbuffer_new();

	if (buf == NULL || evbuffer_add(buf, body, len) == -1)
		http_reply_abort(req);
	else
		http_reply(req, status, type, buf);
	if (buf != NULL)
		evbuffer_free(buf);
}

void
http_reply_error(struct http_req *req, const struct apierr *err)
{
	struct json_object *json = apierr_json(err);
	const char *text = json == NULL
	    ? NULL
	    : json_object_to_json_string_ext(json,
		  JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	http_reply_retry_after(req, err->retry_after_s);
	if (text == NULL) /* no memory for the reason: the status must do */
		http_reply(req, err->status, NULL, NULL);
	else
		http_reply_bytes(
		    req, err->status, "application/json", text, strlen(text));
	json_object_put(json);
}

/* ---- answers in parts ---- */

void
http_reply_begin(struct http_req *req, int status, const char *type)
{
	if (!may_answer(req))
		return;
	req->answer = ANSWER_PARTS;
	if (req->conn == NULL)
		return;
	req->silent = req->head.method == HTTP_HEAD || !status_has_body(status);
	req->chunked = req->head.minor > 0;
	if (!req->chunked)
		req->conn->keep = false;
	begin_head(req, status, type);
	if (req->chunked && status_has_body(status))
		field(req->conn, "Transfer-Encoding: chunked\r\n");
	if (req->chunked && type != NULL && !req->silent)
		begin_packed_parts(req);
	put(req->conn, "\r\n", 2);
	http_conn_kick(req->conn);
}

static void
put_part(struct http_req *req, const void *data, size_t len)
{
	struct http_conn *c = req->conn;

	if (req->encoder != NULL) {
		if (evbuffer_add(req->slices, data, len) == -1)
			c->cut = true;
		else
			put_packed(req, SIZE_MAX, false);
		return;
	}
	if (req->chunked)
		put_chunk_head(c, len);
	put(c, data, len);
	if (req->chunked)
		put(c, "\r\n", 2);
}

bool
http_reply_part(struct http_req *req, const void *data, size_t len,
    void (*drained)(struct http_req *, void *), void *arg)
{
	struct http_conn *c = req->conn;

	/* An empty chunk would be the last one. */
	if (c == NULL || req->dying || req->answer != ANSWER_PARTS ||
	    req->silent || len == 0)
		return false;
	put_part(req, data, len);
	http_conn_kick(c);
	if (evbuffer_get_length(c->out) <= HTTP_OUT_HIGH)
		return false;
	req->drained = drained;
	req->drained_arg = arg;
	return true;
}

void
http_reply_drained(struct http_conn *c)
{
	struct http_req *req = c->req;
	void (*drained)(struct http_req *, void *);

	if (req == NULL || req->drained == NULL || c->cut ||
	    evbuffer_get_length(c->out) > HTTP_OUT_LOW)
		return;
	drained = req->drained;
	req->drained = NULL;
	drained(req, req->drained_arg);
}

void
http_reply_end(struct http_req *req)
{
	if (req->dying || req->answer != ANSWER_PARTS)
		return;
	req->drained = NULL;
	if (req->conn == NULL) {
		free_orphan(req);
		return;
	}
	if (req->encoder != NULL)
		put_packed(req, 0, true);
	if (req->chunked && !req->silent)
		put(req->conn, "0\r\n\r\n", 5);
	req->answer = ANSWER_DONE;
	http_conn_kick(req->conn);
}

/* The handler is done with the request; the client sees the cut. */
void
http_reply_abort(struct http_req *req)
{
	if (req->dying || http_req_is_answered(req))
		return;
	if (req->conn == NULL) {
		free_orphan(req);
		return;
	}
	req->answer = ANSWER_DONE;
	req->conn->cut = true;
	http_conn_kick(req->conn);
}
