/*
 * Owns the way of a request through libcurl. A client is one handle of
 * libcurl, so that the requests of a command share a connection.
 */
#include "common/compat.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/apierr.h"
#include "common/jsonx.h"
#include "ctl/client.h"
#include "ctl/target.h"
#include "ctl/wipe.h"

#define CONNECT_TIMEOUT_MS 10000 /* or less, when a whole request has less */

struct client {
	CURL *curl;
	struct curl_slist *headers; /* owned: of every request */
	struct target target;
	int64_t timeout_ms;
	bool has_user, has_key;
	bool (*is_over)(void);	      /* NULL: nobody is asked */
	bool too_long;		      /* the last answer, which was cut off */
	char detail[CURL_ERROR_SIZE]; /* libcurl's words */
	char error[1024];
};

/* ---- life ---- */

static void
wipe_json(struct jsonx_value *v)
{
	for (; v != NULL; v = v->next) {
		if (v->text != NULL)
			explicit_bzero(v->text, strlen(v->text));
		wipe_json(v->child);
	}
}

void
answer_clear(struct answer *a)
{
	secret_clear(&a->body);
	wipe_json(a->json);
	jsonx_free(a->json);
	memset(a, 0, sizeof(*a));
}

/* libcurl is given memory that forgets, for it keeps copies of credentials. */
static int
library_init(void)
{
	static bool done;

	if (!done &&
	    curl_global_init_mem(CURL_GLOBAL_DEFAULT, wipe_malloc, wipe_free,
		wipe_realloc, wipe_strdup, wipe_calloc) != CURLE_OK)
		return -1;
	done = true;
	return 0;
}

static int
add_header(struct client *c, const char *line)
{
	struct curl_slist *headers = curl_slist_append(c->headers, line);

	if (headers == NULL)
		return -1;
	c->headers = headers;
	return 0;
}

struct client *
client_new(const char *url, char *why, size_t whylen)
{
	struct client *c = calloc(1, sizeof(*c));

	strlcpy(why, "out of memory", whylen);
	if (c == NULL || library_init() == -1)
		goto bad;
	c->timeout_ms = CLIENT_DEFAULT_TIMEOUT_MS;
	if (target_parse(&c->target, url != NULL ? url : CLIENT_DEFAULT_URL,
		why, whylen) == -1)
		goto bad;
	c->curl = curl_easy_init();
	if (c->curl == NULL || add_header(c, "Accept: application/json") == -1)
		goto bad;
	return c;
bad:
	client_free(c);
	return NULL;
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	free(c);
}

void
client_set_stop(struct client *c, bool (*is_over)(void))
{
	c->is_over = is_over;
}

void
client_set_timeout(struct client *c, int64_t ms)
{
	c->timeout_ms = ms;
}

int
client_set_cacert(struct client *c, const char *path, char *why, size_t whylen)
{
	if (curl_easy_setopt(c->curl, CURLOPT_CAINFO, path) == CURLE_OK)
		return 0;
	strlcpy(why, "out of memory", whylen);
	return -1;
}

int
client_set_user(struct client *c, const char *user,
    const struct secret *password, char *why, size_t whylen)
{
	if (user[0] == '\0' || strchr(user, ':') != NULL) {
		snprintf(why, whylen,
		    "-U %.100s: the name of a user is not empty and has no "
		    "colon",
		    user);
		return -1;
	}
	if (curl_easy_setopt(c->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) ==
		CURLE_OK &&
	    curl_easy_setopt(c->curl, CURLOPT_USERNAME, user) == CURLE_OK &&
	    curl_easy_setopt(c->curl, CURLOPT_PASSWORD, password->text) ==
		CURLE_OK) {
		c->has_user = true;
		return 0;
	}
	strlcpy(why, "out of memory", whylen);
	return -1;
}

bool
client_is_key(const struct secret *encoded)
{
	static const char signs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				    "qrstuvwxyz0123456789+/=";

	return encoded->len > 0 && strspn(encoded->text, signs) == encoded->len;
}

int
client_set_key(
    struct client *c, const struct secret *encoded, char *why, size_t whylen)
{
	struct secret line = { 0 };
	int rc = -1;

	if (!client_is_key(encoded)) {
		snprintf(why, whylen,
		    "it is no encoded API key, which has letters, digits, +, / "
		    "and = only");
		return -1;
	}
	if (secret_add_text(&line, "Authorization: ApiKey ") == 0 &&
	    secret_add(&line, encoded->text, encoded->len) == 0)
		rc = add_header(c, line.text);
	secret_clear(&line);
	if (rc == -1)
		strlcpy(why, "out of memory", whylen);
	c->has_key = rc == 0;
	return rc;
}

bool
client_is_exposed(const struct client *c)
{
	return c->target.is_exposed && (c->has_user || c->has_key);
}

const char *
client_error(const struct client *c)
{
	return c->error;
}

/* ---- paths ---- */

static void
put_escaped(FILE *f, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				    "qrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			fputc(*text, f);
		else
			fprintf(f, "%%%02X", (unsigned char)*text);
	}
}

char *
client_path(const char *form, ...)
{
	char *path = NULL;
	size_t len;
	va_list ap;
	FILE *f = open_memstream(&path, &len);

	if (f == NULL)
		return NULL;
	va_start(ap, form);
	for (; *form != '\0'; form++) {
		if (form[0] == '{' && form[1] == '}') {
			put_escaped(f, va_arg(ap, const char *));
			form++;
		} else {
			fputc(*form, f);
		}
	}
	va_end(ap);
	if (ferror(f) | fclose(f)) {
		free(path);
		return NULL;
	}
	return path;
}

/* ---- what went wrong ---- */

static int PRINTF_LIKE(2, 3) fail(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return -1;
}

static int
fail_connect(struct client *c)
{
	long number = 0;
	const char *reason = "";

	(void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &number);
	if (number != 0)
		reason = strerror((int)number);
	if (number == EACCES || number == EPERM)
		return fail(c,
		    "cannot connect to %s: %s; be root or the user that anomd "
		    "runs as, or try -u",
		    c->target.name, reason);
	return fail(c, "cannot connect to %s%s%s: is anomd running? Try -u",
	    c->target.name, reason[0] != '\0' ? ": " : "", reason);
}

/* Did it come to the request? Otherwise a deadline was that of connecting. */
static bool
was_connected(const struct client *c)
{
	curl_off_t begun_us = 0;

	(void)curl_easy_getinfo(
	    c->curl, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
	return begun_us > 0;
}

/* What libcurl reports, and whether the request may have been carried out. */
static int
fail_transfer(struct client *c, CURLcode code, bool changes)
{
	const char *name = c->target.name;
	const char *after =
	    changes ? "; it may have been done all the same" : "";

	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		return fail_connect(c);
	case CURLE_COULDNT_RESOLVE_HOST:
		return fail(
		    c, "there is no host of that name: %s; see -u", name);
	case CURLE_OPERATION_TIMEDOUT:
		if (!was_connected(c))
			return fail(c,
			    "cannot connect to %s: it did not answer in time: "
			    "is anomd running? Try -u",
			    name);
		return fail(c, "%s did not answer in %g s (-t)%s", name,
		    (double)c->timeout_ms / 1000.0, after);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return fail(c, "the answer of %s broke off%s", name, after);
	case CURLE_WRITE_ERROR:
		if (!c->too_long)
			return fail(c, "out of memory%s", after);
		return fail(c,
		    "the answer of %s is longer than %zu MB: is it anomd?%s",
		    name, CLIENT_ANSWER_MAX_BYTES >> 20, after);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return fail(c, "%s does not speak HTTP: is it anomd?", name);
	case CURLE_OUT_OF_MEMORY:
		return fail(c, "out of memory%s", after);
	default:
		return fail(c, "%s: %s%s", name,
		    c->detail[0] != '\0' ? c->detail : curl_easy_strerror(code),
		    after);
	}
}

/* The reason that an error of the interface gives, or NULL. */
static const char *
reason_of(const struct jsonx_value *json)
{
	const struct jsonx_value *error, *reason;

	if (json == NULL)
		return NULL;
	error = jsonx_get(json, "error");
	if (error == NULL)
		return NULL;
	if (error->type == JSONX_STRING)
		return error->text;
	reason = jsonx_get(error, "reason");
	return reason != NULL && reason->type == JSONX_STRING ? reason->text
							      : NULL;
}

static int
fail_status(struct client *c, const struct answer *a)
{
	const char *reason = reason_of(a->json), *cure = "";

	if (a->status == 401 && (c->has_user || c->has_key))
		cure = c->has_user ? "; is the password right?"
				   : "; is the API key right, and still valid?";
	else if (a->status == 401)
		cure = "; say who you are with -U or -K";
	if (reason != NULL)
		return fail(c, "%s%s", reason, cure);
	if (a->status >= 300 && a->status < 400)
		return fail(c,
		    "%s sends elsewhere (status %d), where your credentials "
		    "are not sent: is it anomd?",
		    c->target.name, a->status);
	if (a->json == NULL)
		return fail(c, "%s answered with status %d: is it anomd?%s",
		    c->target.name, a->status, cure);
	return fail(
	    c, "%s answered with status %d%s", c->target.name, a->status, cure);
}

/* ---- requests ---- */

/* Where the bytes of an answer go. */
struct receiver {
	struct answer *answer;
	bool too_long;
};

static size_t
received_cb(char *data, size_t size, size_t n, void *arg)
{
	struct receiver *r = arg;
	struct secret *body = &r->answer->body;
	size_t len = size * n;

	r->too_long = len > CLIENT_ANSWER_MAX_BYTES - body->len;
	/* Less than there was ends the transfer. */
	if (r->too_long || secret_add(body, data, len) == -1)
		return 0;
	return len;
}

/* Options of libcurl in turn; the first that fails is the result. */
#define SET(option, value)                                                     \
	do {                                                                   \
		if (code == CURLE_OK)                                          \
			code = curl_easy_setopt(                               \
			    c->curl, CURLOPT_##option, value);                 \
	} while (0)

static int
progress_cb(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
    curl_off_t ulnow)
{
	const struct client *c = arg;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	(void)ulnow;
	return c->is_over != NULL && c->is_over();
}

static CURLcode
set_connection(struct client *c)
{
	CURLcode code = CURLE_OK;
	int64_t connect_ms = c->timeout_ms < CONNECT_TIMEOUT_MS
	    ? c->timeout_ms
	    : CONNECT_TIMEOUT_MS;

	SET(PROTOCOLS_STR, "http,https");
	SET(PROXY, "");
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	SET(FOLLOWLOCATION, 0L);
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(PATH_AS_IS, 1L);
	SET(TIMEOUT_MS, (long)c->timeout_ms);
	SET(CONNECTTIMEOUT_MS, (long)connect_ms);
	SET(USERAGENT, "anomctl/" PACKAGE_VERSION);
	SET(ERRORBUFFER, c->detail);
	SET(NOPROGRESS, c->is_over == NULL ? 1L : 0L);
	SET(XFERINFOFUNCTION, progress_cb);
	SET(XFERINFODATA, c);
	if (c->target.path[0] != '\0')
		SET(UNIX_SOCKET_PATH, c->target.path);
	return code;
}

static CURLcode
set_request(struct client *c, const char *method, const char *url,
    const struct span *body, struct curl_slist *headers)
{
	CURLcode code = CURLE_OK;

	SET(URL, url);
	SET(HTTPHEADER, headers);
	SET(HTTPGET, 1L); /* undoes what an earlier body set */
	SET(CUSTOMREQUEST, method);
	if (body != NULL) {
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
		SET(POSTFIELDS, body->p);
		SET(CUSTOMREQUEST, method);
	}
	SET(WRITEFUNCTION, received_cb);
	return code;
}

static void
read_headers(struct client *c, struct answer *a)
{
	curl_off_t after = 0;
	struct curl_header *h;
	long status = 0;

	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &after);
	a->status = (int)status;
	a->retry_after_s = after;
	a->is_repeat = curl_easy_header(c->curl, "Idempotent-Replayed", 0,
			   CURLH_HEADER, -1, &h) == CURLHE_OK;
}

/* headers: more than those of every request, which end in them. */
static CURLcode
perform(struct client *c, const char *method, const char *path,
    const struct span *body, struct curl_slist *headers, struct answer *a)
{
	struct receiver receiver = { a, false };
	CURLcode code = CURLE_OUT_OF_MEMORY;
	size_t len = strlen(c->target.base) + strlen(path) + 1;
	char *url = malloc(len);

	if (url == NULL)
		return code;
	strlcpy(url, c->target.base, len);
	strlcat(url, path, len);
	code = set_connection(c);
	if (code == CURLE_OK)
		code = set_request(c, method, url, body, headers);
	SET(WRITEDATA, &receiver);
	c->detail[0] = '\0';
	if (code == CURLE_OK)
		code = curl_easy_perform(c->curl);
	read_headers(c, a);
	c->too_long = receiver.too_long;
	/* Nothing of ours may stay with the handle. */
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, NULL);
	free(url);
	return code;
}

/* What an answer, or the want of one, means. Returns as client_call. */
static int
judge(struct client *c, CURLcode code, bool changes, struct answer *a)
{
	struct apierr e;

	if (code != CURLE_OK)
		return fail_transfer(c, code, changes);
	if (a->body.len > 0)
		a->json = jsonx_parse(a->body.text, a->body.len, &e);
	if (a->status < 200 || a->status > 299)
		return fail_status(c, a);
	if (a->json == NULL)
		return fail(c, "%s answered, but not with JSON: is it anomd?%s",
		    c->target.name,
		    changes ? " It may have been done all the same" : "");
	return 0;
}

int
client_call(struct client *c, const char *method, const char *path,
    const struct secret *body, struct answer *a)
{
	char content[] = "Content-Type: application/json";
	struct curl_slist type = { content, c->headers };
	struct span text = { NULL, 0 };
	CURLcode code;

	if (body != NULL)
		text = (struct span){ body->text, body->len };
	code = perform(c, method, path, body != NULL ? &text : NULL,
	    body != NULL ? &type : c->headers, a);
	return judge(c, code, strcmp(method, "GET") != 0, a);
}

int
client_upload(
    struct client *c, const struct client_upload *up, struct answer *a)
{
	char content[] = "Content-Type: application/json";
	char encoding[] = "Content-Encoding: gzip";
	char expect[] = "Expect:"; /* it would only wait */
	char key[320];
	struct curl_slist list[] = { { expect, c->headers },
		{ content, &list[0] }, { key, &list[1] },
		{ encoding, &list[2] } };
	struct span body = { up->data, up->len };

	snprintf(key, sizeof(key), "Idempotency-Key: %s", up->key);
	return judge(c,
	    perform(c, "POST", up->path, &body, &list[up->gzip ? 3 : 2], a),
	    false, a);
}
