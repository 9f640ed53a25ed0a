/*
 * A server in the test's own process, without a port: connections are socket
 * pairs, the clock is the test's, turns of the loop are counted out by hand.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <event2/buffer.h>
#include <event2/event.h>

#include "supervisor/http_conn.h"

/* Default configuration; change it between fx_begin and fx_start. */
extern struct http_config fx_conf;
extern struct http *fx_http;
extern struct event_base *fx_base;

/* What the handlers of the tests saw. */
extern unsigned fx_heads, fx_ends, fx_broken, fx_gone;
extern struct evbuffer *fx_body; /* of the last request */
extern struct http_req *fx_req;	 /* the last one given to on_head */

void fx_begin(void);
void fx_start(void (*on_head)(struct http_req *, void *));
void fx_end(void);

/* A client's side of a connection that comes from 127.0.0.1, or the socket. */
int fx_connect(void);
int fx_connect_unix(void);

/* Let the server do what it can do now. */
void fx_turn(void);
/* Move the clock, then look at the deadlines. */
void fx_pass_ms(int64_t ms);

/* Write it all, with turns of the loop between. */
void fx_send(int fd, const void *data, size_t len);
void fx_say(int fd, const char *text);
/* All that has come for the client so far, NUL-terminated; freed by fx_end. */
const char *fx_hear(int fd);
size_t fx_heard_len(void);
/* Say and hear. */
const char *fx_talk(int fd, const char *text);
/* The server has closed its side, as far as the client sees. */
bool fx_is_closed(int fd);

/* Handlers. */
void fx_answer_at_once(struct http_req *, void *); /* 200 with the URI */
void fx_keep(struct http_req *, void *);	   /* body ignored, no answer */
void fx_collect(struct http_req *, void *); /* up to 64 KB, answers it back */
void fx_stream(struct http_req *, void *);  /* to fx_body, then 200 "done" */
void fx_note_gone(struct http_req *, void *);
extern const struct http_sink fx_sink; /* as fx_stream uses it */

unsigned fx_count(const char *text, const char *word);

#endif
