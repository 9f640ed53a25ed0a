/*
 * Inside of the HTTP layer, for its own files and their tests: the server, its
 * connections, and the one request that a connection is busy with.
 *
 * Two rules keep this simple. The functions of http.h only change the state of
 * a request and ask for a run of its connection (http_conn_kick); callbacks
 * are made by that run alone, so a handler may call anything from anywhere and
 * is never entered twice. And a connection that was closed is unlinked at once
 * but freed after the turn of the loop, for libevent may still mention it.
 */
#ifndef SUPERVISOR_HTTP_CONN_H
#define SUPERVISOR_HTTP_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "common/compat.h"
#include "supervisor/http.h"
#include "supervisor/http_chunk.h"
#include "supervisor/http_head.h"
#include "supervisor/listen.h"

struct conn;
struct http_conn;
struct http_decoder;
struct http_encoder;

#define HTTP_LISTENERS_MAX 16
#define HTTP_OUT_HIGH (1u << 20)  /* above: no next request, parts wait */
#define HTTP_OUT_LOW (256u << 10) /* parts go on */
/*
 * Read from one connection a turn; with many of them less, so that all
 * together stay below: about 10 ms.
 */
#define HTTP_TURN_BYTES (256u << 10)
#define HTTP_TURNS_BYTES (16u << 20)
#define HTTP_HELD_SMALL (16u << 10) /* bodies below find room always */
#define HTTP_DRAIN_MAX (256u << 10) /* of a body that nobody wants any more */
#define HTTP_LINGER_S 30	    /* lingering close: in all, */
#define HTTP_LINGER_QUIET_S 5	    /* without a byte, */
#define HTTP_LINGER_BYTES (UINT64_C(1) << 30)
/*
 * Work that one connection may have done before it is the others' turn: an
 * answered request is 1, a compressed slice of an answer (about 0.5 ms) is 16.
 */
#define HTTP_WORK_TURN 64
#define HTTP_WORK_SLICE 16
#define HTTP_SWEEP_US 250000 /* deadlines are looked at this often */

enum http_body_mode { BODY_UNDECIDED, BODY_COLLECT, BODY_STREAM, BODY_IGNORE };

struct http_body {
	enum http_body_mode mode;
	bool whole; /* its last byte was read */
	bool ended; /* and the handler was told */
	bool paused;
	uint64_t left; /* of a Content-Length */
	struct http_chunk chunk;
	uint64_t received; /* data bytes so far */
	uint64_t unwanted; /* data bytes that came after the answer */
	size_t collect_max;
	struct evbuffer *collected;   /* owned */
	size_t held;		      /* its share of http->held */
	struct http_decoder *decoder; /* owned */
	void (*collect_done)(struct http_req *, struct evbuffer *, void *);
	void (*ignore_done)(struct http_req *, void *);
	struct http_sink sink;
	void *arg;
	/* Monotonic clock, microseconds. */
	int64_t start_us, progress_us, pause_us;
	int64_t rested_us; /* spent paused since the start */
};

enum http_answer {
	ANSWER_NONE,
	ANSWER_PARTS,  /* begun, the handler will give more */
	ANSWER_SLICES, /* given in full, still being compressed */
	ANSWER_DONE
};

struct http_req {
	struct http *http;
	struct http_conn *conn;	     /* NULL: the client has left */
	TAILQ_ENTRY(http_req) entry; /* in http->orphans */
	struct http_head head;
	bool given; /* on_head was called, or the answer needs no handler */
	bool dying; /* in its last callback: nothing may be done with it */
	struct http_body body;
	enum http_answer answer;
	bool chunked;		  /* the answer's parts are chunks */
	bool silent;		  /* the answer has no body */
	struct evbuffer *headers; /* of the coming answer; owned; may be NULL */
	struct evbuffer *slices;  /* rest of the answer; owned */
	struct http_encoder *encoder; /* owned */
	void (*drained)(struct http_req *, void *);
	void *drained_arg;
	void (*gone)(struct http_req *, void *);
	void *gone_arg;
	void *data;
	char peer[LISTEN_NAME_MAX];
	int peer_uid;
};

enum http_conn_state {
	HC_OPEN,
	HC_CLOSING, /* last answer goes out, what comes in is thrown away */
	HC_DEAD
};

struct http_conn {
	struct http *http;
	TAILQ_ENTRY(http_conn) entry;
	struct http_conn *next_dead;
	enum http_conn_state state;
	struct conn *conn; /* owned; NULL once dead */
	struct event rd, wr, kick;
	bool rd_on, wr_on;
	bool running, again;
	bool eof;      /* the client sends no more */
	bool keep;     /* another request may follow this answer */
	bool cut;      /* close without any more ado */
	bool linger;   /* close in a way that lets the client read */
	bool finished; /* our side was closed */
	struct evbuffer *in, *out; /* owned */
	struct http_req *req;	   /* owned; NULL between requests */
	struct listen_peer peer;
	uint64_t thrown_away;
	unsigned work; /* done in this turn; see HTTP_WORK_TURN */
	/* Monotonic clock, microseconds. */
	int64_t idle_us;	    /* since when it waits for a request */
	int64_t head_us;	    /* first byte of the present head */
	int64_t write_us;	    /* last progress of writing */
	int64_t close_us, quiet_us; /* lingering: begun, last byte */
};

TAILQ_HEAD(http_conns, http_conn);
TAILQ_HEAD(http_reqs, http_req);

struct http {
	struct event_base *base;
	struct http_config config;
	struct listener *listener[HTTP_LISTENERS_MAX]; /* owned */
	unsigned nlisteners;
	struct http_conns conns;
	size_t nconns;
	struct http_reqs orphans; /* an answer will come, but no client waits */
	struct http_conn *dead;
	struct event sweep, reap;
	bool full;    /* accepting rests: too many connections */
	bool pressed; /* it rests, for want of descriptors too */
	bool stopping;
	struct evbuffer *piece; /* of a body on its way to its handler; owned */
	size_t held;		/* bytes of collected bodies */
	struct http_encoder *encoder; /* of small answers; owned; NULL first */
	int64_t full_logged_us, unserved_logged_us; /* see log_is_due */
	int64_t date_s;				    /* of date[] */
	char date[32];
	uint64_t refused[HTTP_FAULT_COUNT];
};

/* ---- http.c ---- */

/* Requests refused for that reason since the start. */
uint64_t http_refused(const struct http *, enum http_fault);
/* Look at every deadline now. */
void http_sweep(struct http *);
/* A connection was closed: free it later, let another one in. */
void http_bury(struct http *, struct http_conn *);
/* HTTP-date of now. */
const char *http_date(struct http *);

/* ---- http_conn.c ---- */

/*
 * Serve a connected socket. Owns fd, also on failure. NULL with ENOMEM.
 */
struct http_conn *http_conn_new(
    struct http *, int fd, const struct listen_peer *);
/* Free one that is dead. */
void http_conn_free(struct http_conn *);
/* Run it: at once after the present callback, or when it runs, once more. */
void http_conn_kick(struct http_conn *);
/* Answer the fault as far as possible, and close so that it can be read. */
void http_conn_refuse(struct http_conn *, enum http_fault, const char *detail);
/* Close now; the request, if any, is told. */
void http_conn_close(struct http_conn *);

/* ---- http_deadline.c ---- */

/* Nothing of a request has come, nothing is to be written. */
bool http_conn_is_idle(const struct http_conn *);
/* Close it if a deadline has passed. */
void http_conn_sweep(struct http_conn *, int64_t now_us);

/* ---- http_req.c ---- */

struct http_req *http_req_new(struct http_conn *);
void http_req_free(struct http_req *);
/* The handler has nothing more to say about it. */
bool http_req_is_answered(const struct http_req *);
/* The client is gone: tell the handler, or keep it as an orphan. */
void http_req_drop(struct http_req *);

/* ---- http_body.c ---- */

/* Called once the head is done. */
void http_body_begin(struct http_req *);
void http_body_clear(struct http_req *);
/* Read on, hand over, tell the end. False when nothing could be done. */
bool http_body_run(struct http_conn *);
/* Bytes from the socket would be of use now. */
bool http_body_wants_input(const struct http_req *);
/* What is left of it can be read away within bounds. */
bool http_body_is_drainable(const struct http_req *);
/* A stalled body, or one below the least rate. */
bool http_body_is_slow(const struct http_req *, int64_t now_us);
/* First block of a buffer that is not empty. */
const unsigned char *http_front(struct evbuffer *, size_t *len);

/* ---- http_reply.c ---- */

/* Go on with an answer in slices. False when it waits or there is none. */
bool http_reply_run(struct http_conn *);
/* Call drained when the output is low. */
void http_reply_drained(struct http_conn *);

#endif
