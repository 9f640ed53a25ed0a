/*
 * Owns the process that hashes passwords, and the line before it. Packets of a
 * SOCK_SEQPACKET pair carry one request or answer each, so that nothing has to
 * be framed: both ends are of one build.
 */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/schema.h"
#include "keeper/hasher.h"

/* 64 MB, 100 ms: what the library calls interactive. */
#define OPSLIMIT crypto_pwhash_OPSLIMIT_INTERACTIVE
#define MEMLIMIT crypto_pwhash_MEMLIMIT_INTERACTIVE
#define CHILD_FD 3

_Static_assert(MSG_HASH_MAX >= crypto_pwhash_STRBYTES, "MSG_HASH_MAX");

/* Made with the limits above for random bytes that nobody has kept. */
static const char nobodys[] =
    "$argon2id$v=19$m=65536,t=2,p=1$S+GcWEGPJ7TQ8CjslxLE9A$"
    "DcpjlE5CwpNLQxWrWLCNEwauuXogIzVegBgGeRURooI";

#define HASHER_ASK_FIELDS(F, S)                                                \
	F(S, STR, hash, 0, MSG_HASH_MAX) /* empty: make one */                 \
	F(S, BYTES, password, 1, MSG_PASSWORD_MAX)
SCHEMA_STRUCT(hasher_ask, HASHER_ASK_FIELDS);
SCHEMA_DEFINE(hasher_ask, HASHER_ASK_FIELDS);

#define HASHER_ANSWER_FIELDS(F, S)                                             \
	F(S, BOOL, failed, 0, 1)                                               \
	F(S, BOOL, ok, 0, 1)                                                   \
	F(S, STR, hash, 0, MSG_HASH_MAX)
SCHEMA_STRUCT(hasher_answer, HASHER_ANSWER_FIELDS);
SCHEMA_DEFINE(hasher_answer, HASHER_ANSWER_FIELDS);

#define PACKET_MAX 1024 /* either, encoded */

struct waiting {
	TAILQ_ENTRY(waiting) entry;
	uint32_t request;
	bool nobody; /* the answer is no, whatever it comes to */
	char hash[MSG_HASH_MAX + 1];
	size_t len;
	char password[MSG_PASSWORD_MAX];
};

struct hasher {
	int fd;
	hasher_cb *cb;
	void *arg;
	TAILQ_HEAD(, waiting) line; /* the first one is being hashed */
	unsigned n;
	bool busy;
};

/* ---- the child ---- */

static void
answer(const struct hasher_ask *ask, struct hasher_answer *a, char *hash)
{
	if (ask->hash.len > 0) {
		memcpy(hash, ask->hash.p, ask->hash.len);
		hash[ask->hash.len] = '\0';
		a->ok = crypto_pwhash_str_verify(
			    hash, ask->password.p, ask->password.len) == 0;
		return;
	}
	a->failed = crypto_pwhash_str(hash, ask->password.p, ask->password.len,
			OPSLIMIT, MEMLIMIT) == -1;
	if (!a->failed) {
		a->ok = true;
		a->hash = span_of(hash);
	}
}

/* One packet in, one out. False at the end. */
static bool
serve_one(int fd)
{
	char hash[MSG_HASH_MAX + 1];
	struct hasher_answer a = { 0 };
	uint8_t in[PACKET_MAX];
	struct hasher_ask ask;
	struct wbuf wb;
	struct rbuf rb;
	bool ok = false;
	ssize_t n;

	do
		n = read(fd, in, sizeof(in));
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return false;
	rbuf_init(&rb, in, (size_t)n);
	wbuf_init(&wb, 0);
	if (schema_decode(&hasher_ask_schema, &rb, &ask, NULL) == 0) {
		answer(&ask, &a, hash);
		ok = schema_encode(&hasher_answer_schema, &a, &wb) == 0 &&
		    write(fd, wb.data, wb.len) == (ssize_t)wb.len;
	}
	sodium_memzero(in, sizeof(in));
	sodium_memzero(hash, sizeof(hash));
	wbuf_clear(&wb);
	return ok;
}

static NO_RETURN void
child_main(int fd)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || dup2(fd, CHILD_FD) == -1)
		_exit(1);
	closefrom(CHILD_FD + 1);
	log_init("anomd-keeper[hasher]", log_level());
	if (sandbox_enter(SANDBOX_HASHER, NULL, 0) == -1)
		_exit(1);
	while (serve_one(CHILD_FD))
		;
	_exit(0);
}

/* ---- the keeper ---- */

struct hasher *
hasher_start(hasher_cb *cb, void *arg)
{
	struct hasher *h = calloc(1, sizeof(*h));
	int sv[2];
	pid_t pid;

	if (h == NULL || sodium_init() == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1) {
		log_warn("password hashing");
		free(h);
		return NULL;
	}
	pid = fork();
	if (pid == 0)
		child_main(sv[1]);
	close(sv[1]);
	if (pid == -1 || fcntl(sv[0], F_SETFL, O_NONBLOCK) == -1) {
		log_warn("password hashing");
		close(sv[0]);
		free(h);
		return NULL;
	}
	h->fd = sv[0];
	h->cb = cb;
	h->arg = arg;
	TAILQ_INIT(&h->line);
	return h;
}

static void
waiting_free(struct waiting *w)
{
	sodium_memzero(w, sizeof(*w));
	free(w);
}

void
hasher_free(struct hasher *h)
{
	struct waiting *w;

	if (h == NULL)
		return;
	while ((w = TAILQ_FIRST(&h->line)) != NULL) {
		TAILQ_REMOVE(&h->line, w, entry);
		waiting_free(w);
	}
	close(h->fd);
	free(h);
}

int
hasher_fd(const struct hasher *h)
{
	return h->fd;
}

/* The first in the line to the child, which then is busy with it. */
static int
hand_out(struct hasher *h)
{
	struct waiting *w = TAILQ_FIRST(&h->line);
	struct hasher_ask ask;
	struct wbuf wb;
	int rc;

	if (h->busy || w == NULL)
		return 0;
	ask.hash = span_of(w->hash);
	ask.password = (struct span){ w->password, w->len };
	wbuf_init(&wb, 0);
	rc = schema_encode(&hasher_ask_schema, &ask, &wb);
	if (rc == 0 && write(h->fd, wb.data, wb.len) != (ssize_t)wb.len)
		rc = -1;
	if (wb.data != NULL)
		sodium_memzero(wb.data, wb.len);
	wbuf_clear(&wb);
	h->busy = rc == 0;
	return rc;
}

static int
enter(struct hasher *h, uint32_t request, const char *hash, bool nobody,
    struct span password)
{
	struct waiting *w;

	if (h->n >= HASHER_QUEUE_MAX || password.len > sizeof(w->password)) {
		errno = ENOSPC;
		return -1;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -1;
	w->request = request;
	w->nobody = nobody;
	strlcpy(w->hash, hash, sizeof(w->hash));
	w->len = password.len;
	memcpy(w->password, password.p, password.len);
	TAILQ_INSERT_TAIL(&h->line, w, entry);
	h->n++;
	/* A child that cannot be written to is noticed by hasher_run. */
	(void)hand_out(h);
	return 0;
}

int
hasher_hash(struct hasher *h, uint32_t request, struct span password)
{
	return enter(h, request, "", false, password);
}

int
hasher_verify(
    struct hasher *h, uint32_t request, const char *hash, struct span password)
{
	return enter(
	    h, request, hash == NULL ? nobodys : hash, hash == NULL, password);
}

static void
finish(struct hasher *h, const struct hasher_answer *a)
{
	struct waiting *w = TAILQ_FIRST(&h->line);

	TAILQ_REMOVE(&h->line, w, entry);
	h->n--;
	h->busy = false;
	h->cb(h->arg, w->request, a->failed, a->ok && !w->nobody, a->hash);
	waiting_free(w);
}

int
hasher_run(struct hasher *h)
{
	struct hasher_answer a;
	uint8_t in[PACKET_MAX];
	struct rbuf rb;
	ssize_t n;

	while ((n = read(h->fd, in, sizeof(in))) > 0) {
		rbuf_init(&rb, in, (size_t)n);
		if (!h->busy ||
		    schema_decode(&hasher_answer_schema, &rb, &a, NULL) == -1)
			return -1;
		finish(h, &a);
		sodium_memzero(in, sizeof(in));
		if (hand_out(h) == -1)
			return -1;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return hand_out(h);
	return -1;
}
