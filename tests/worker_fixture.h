/*
 * The supervisor's part in the tests of a worker: the real program is started
 * on a job's directory of its own, and driven over its channel. What it does
 * that it must not do fails the test.
 */
#ifndef TESTS_WORKER_FIXTURE_H
#define TESTS_WORKER_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/frame.h"
#include "common/msg.h"
#include "common/totals.h"
#include "tests/tmpdir.h"

#define BASE_TIME 1455000000 /* of the records; a multiple of the span */
#define SPAN 3600
#define JOB_ID "job-1"

/* The supervisor's end of a worker. */
struct worker {
	pid_t pid;
	int fd;
	struct job_totals totals; /* last ones that came */
	struct wbuf payload;	  /* of the frame that came last */
	uint64_t kept[64];	  /* entries, by request; 0: not said */
};

extern char worker_dir[TMPDIR_BYTES]; /* also the current directory */
extern uint8_t worker_log_level;      /* of those to come; first, errors */

/* Make and enter the directory of a job; remove it; empty it. */
void worker_begin(void);
void worker_finish(void);
void worker_forget(void);

/* ---- the channel ---- */

void send_bytes(struct worker *, const void *data, size_t len);
void send_msg(struct worker *, uint16_t type, uint32_t request, const void *);
void send_raw(struct worker *, uint16_t type, uint32_t request,
    const void *data, size_t len);

/* The next frame that is not TOTALS; false at the end of the stream. */
bool recv_frame(struct worker *, struct frame_header *);
/* The next frame must be this one. */
void expect_msg(struct worker *, uint16_t type, uint32_t request, void *obj);

/* ---- its life: each worker ends with one of the last four ---- */

struct worker *worker_spawn(void);
/* Files may not grow past this. */
struct worker *worker_spawn_limited(rlim_t file_bytes);
/* Killed at a call (killpoint.h); pid is its tracer. */
struct worker *worker_spawn_doomed(unsigned kill_at);
/* The disk fails at a call (failpoint_exec); pid is its tracer. */
struct worker *worker_spawn_failing(unsigned fail_at, int error);
/* HELLO; max_bytes of a decoded body, 0: any. */
void worker_hello(struct worker *, uint64_t max_bytes);
/* It makes interim results by itself. */
void worker_hello_beating(struct worker *, uint32_t interval_s);
/* The same, and the configuration. */
void worker_greet(struct worker *, uint64_t max_bytes);
void worker_config(struct worker *);
/* The configuration, printed. The caller frees. */
char *worker_config_text(void);
/* READY, and the totals right behind it. */
void worker_ready(struct worker *);
/* All three. */
struct worker *worker_open(void);

/* Close in order. Returns whether a snapshot was written. */
bool worker_close_any(struct worker *);
/* The same, and expect that. */
void worker_close(struct worker *, bool has_snapshot);
void worker_kill(struct worker *);
void expect_exit(struct worker *, int code);
/* Wait for its end. Returns its wait status. */
int worker_end(struct worker *);

/* ---- uploads ---- */

/* n records, one a minute, from minute first on. The caller frees. */
char *records(int first, int n, size_t *len);

void upload_begin(struct worker *, uint32_t request, enum upload_encoding);
void upload_data(struct worker *, uint32_t request, const void *, size_t len);
void upload_seal(struct worker *, uint32_t request, const void *, size_t len);
/* All three. */
void upload(struct worker *, uint32_t request, enum upload_encoding,
    const void *, size_t len);

struct data_counts expect_counts(struct worker *, uint32_t request);
void expect_failed(struct worker *, uint32_t request, int status);

/* Post n records from minute first on and see them counted. */
void post(struct worker *, uint32_t request, int first, int n);
/* Interim results are wanted, too. TIME_UNSET: no advance. */
void flush(struct worker *, uint32_t request, int64_t advance_time_s);

/* All that results.db shows, but for wall time. The caller frees. */
char *results_dump(void);

#endif
