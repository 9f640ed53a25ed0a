/*
 * Random lives: clients, workers and the keeper do what they may, in any order
 * and at any time, deaths included. In the end every call has been answered
 * once, and every job has come to rest.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/totals.h"
#include "tests/random.h"
#include "tests/supervisor_fixture.h"

#define SEEDS 80
#define STEPS 600
#define NJOBS 2
#define CALLS_MAX STEPS
#define SETTLE_S 300 /* longer than any delay of restarts and requests */

static struct random dice;
static uint64_t seed;

static unsigned
roll(unsigned n)
{
	return (unsigned)(random_uniform(&dice) * n);
}

/* ---- the keeper: what the real one stores ---- */

struct stored {
	uint64_t incarnation; /* 0: there is none */
	char *config;
	int64_t create_time_ms;
	bool wanted_open;
};

static struct stored stored[NJOBS];
static char upgrade_setting[8];
static uint64_t last_incarnation;
static bool mischief; /* children fail and die */

static struct stored *
stored_job(struct span id)
{
	cr_assert(id.len == 2 && id.p[0] == 'j' && id.p[1] < '0' + NJOBS);
	return &stored[id.p[1] - '0'];
}

static void
stored_forget(struct stored *s)
{
	free(s->config);
	*s = (struct stored){ 0 };
}

static void
keeper_loads(struct child *c)
{
	struct msg_keep_done done = { 0 };
	uint32_t request = c->head.request;

	if (upgrade_setting[0] != '\0') {
		struct msg_keep_setting m = { span_of("upgrade_mode"),
			span_of(upgrade_setting) };

		fake_say(c, MSG_KEEP_SETTING, request, &m);
	}
	for (int i = 0; i < NJOBS; i++) {
		char id[3] = { 'j', (char)('0' + i), '\0' };
		struct msg_keep_job m = { .job_id = span_of(id),
			.incarnation = stored[i].incarnation,
			.config = span_of(stored[i].config),
			.create_time_ms = stored[i].create_time_ms,
			.finished_time_ms = TIME_UNSET,
			.wanted_open = stored[i].wanted_open };

		if (stored[i].incarnation != 0)
			fake_say(c, MSG_KEEP_JOB, request, &m);
	}
	fake_say(c, MSG_KEEP_DONE, request, &done);
}

/* Do as asked; the status of the answer, 0: done. */
static int
keeper_create(struct child *c, uint64_t *incarnation)
{
	struct msg_keep_create m;
	struct stored *s;

	fake_decode(c, &m);
	s = stored_job(m.job_id);
	if (s->incarnation != 0)
		return 400;
	s->incarnation = *incarnation = ++last_incarnation;
	s->config = span_dup(m.config);
	s->create_time_ms = m.create_time_ms;
	return 0;
}

static int
keeper_state(struct child *c)
{
	struct msg_keep_state m;
	struct stored *s;

	fake_decode(c, &m);
	s = stored_job(m.job_id);
	if (s->incarnation != m.incarnation)
		return 404;
	s->wanted_open = m.wanted_open;
	return 0;
}

static int
keeper_delete(struct child *c)
{
	struct msg_keep_delete m;
	struct stored *s;

	fake_decode(c, &m);
	s = stored_job(m.job_id);
	if (s->incarnation != m.incarnation)
		return 404;
	stored_forget(s);
	return 0;
}

static int
keeper_reset(struct child *c, uint64_t *incarnation)
{
	struct msg_keep_reset m;
	struct stored *s;

	fake_decode(c, &m);
	s = stored_job(m.job_id);
	if (s->incarnation < m.incarnation)
		return 404;
	if (s->incarnation == m.incarnation)
		s->incarnation = ++last_incarnation;
	s->wanted_open = false;
	*incarnation = s->incarnation;
	return 0;
}

static int
keeper_update(struct child *c)
{
	struct msg_keep_update m;
	struct stored *s;

	fake_decode(c, &m);
	s = stored_job(m.job_id);
	if (s->incarnation != m.incarnation)
		return 404;
	free(s->config);
	s->config = span_dup(m.config);
	return 0;
}

static int
keeper_setting(struct child *c)
{
	struct msg_keep_setting m;

	fake_decode(c, &m);
	snprintf(upgrade_setting, sizeof(upgrade_setting), "%.*s",
	    (int)m.value.len, m.value.p);
	return 0;
}

static int
keeper_obeys(struct child *c, uint16_t type, uint64_t *incarnation)
{
	switch (type) {
	case MSG_KEEP_CREATE:
		return keeper_create(c, incarnation);
	case MSG_KEEP_STATE:
		return keeper_state(c);
	case MSG_KEEP_DELETE:
		return keeper_delete(c);
	case MSG_KEEP_RESET:
		return keeper_reset(c, incarnation);
	case MSG_KEEP_UPDATE:
		return keeper_update(c);
	case MSG_KEEP_SETTING:
		return keeper_setting(c);
	default:
		cr_assert(false, "keeper got %s", msg_name(type));
		return 500;
	}
}

static void
keeper_takes(struct child *c, uint16_t type)
{
	struct msg_ready ready = { .version = MSG_VERSION };
	struct msg_keep_done done = { 0 };
	int status = 0;

	if (type == MSG_HELLO) {
		fake_say(c, MSG_READY, 0, &ready);
		return;
	}
	if (type == MSG_KEEP_LOAD) {
		keeper_loads(c);
		return;
	}
	if (mischief && roll(10) == 0) {
		fake_exit(c, 9); /* before it did anything */
		return;
	}
	if (mischief && roll(10) == 0)
		status = 500;
	else
		status = keeper_obeys(c, type, &done.incarnation);
	if (mischief && roll(10) == 0)
		fake_exit(c, 9); /* before it said so */
	else if (status != 0)
		fake_say_failed(c, c->head.request, status, E_EXCEPTION, "no");
	else
		fake_say(c, MSG_KEEP_DONE, c->head.request, &done);
}

/* ---- workers ---- */

static bool configured[FAKE_MAX]; /* it does not only trim */

static void
worker_counts(struct child *c, uint32_t request)
{
	struct data_counts counts;
	struct msg_counts m;
	struct wbuf wb;

	data_counts_init(&counts);
	wbuf_init(&wb, 0);
	cr_assert_eq(schema_encode(&data_counts_schema, &counts, &wb), 0);
	m.counts = (struct span){ (const char *)wb.data, wb.len };
	fake_say(c, MSG_COUNTS, request, &m);
	wbuf_clear(&wb);
}

/* One that trims ends when nothing is left; mostly, here. */
static void
worker_expires(struct child *c, uint32_t request)
{
	struct msg_expired m = { .rows = roll(5),
		.more = mischief && roll(2) == 0 };

	if (mischief && roll(6) == 0)
		fake_say_failed(c, request, 500, E_EXCEPTION, "damaged");
	else
		fake_say(c, MSG_EXPIRED, request, &m);
	if (!configured[c - fake_at(0)] && !m.more && roll(8) > 0)
		fake_exit(c, 0);
}

static void
worker_takes(struct child *c, uint16_t type)
{
	struct msg_ready ready = { .version = MSG_VERSION };
	struct msg_flushed flushed = { TIME_UNSET };
	struct msg_closed closed = { span_of("1") };
	uint32_t request = c->head.request;
	struct msg_pong pong = { 0 };
	struct msg_ping ping;

	switch (type) {
	case MSG_JOB_CONFIG:
		configured[c - fake_at(0)] = true;
		fake_say(c, MSG_READY, 0, &ready);
		break;
	case MSG_EXPIRE:
		worker_expires(c, request);
		break;
	case MSG_FLUSH:
		fake_say(c, MSG_FLUSHED, request, &flushed);
		break;
	case MSG_UPLOAD_SEAL:
		worker_counts(c, request);
		break;
	case MSG_PING:
		fake_decode(c, &ping);
		pong.token = ping.token;
		fake_say(c, MSG_PONG, 0, &pong);
		break;
	case MSG_CLOSE:
		fake_say(c, MSG_CLOSED, 0, &closed);
		fake_exit(c, 0);
		break;
	default: /* HELLO, and what is to be sealed or dropped */
		break;
	}
}

/* One frame of one child. Returns whether there was anything to do. */
static bool
child_lives(struct child *c)
{
	uint16_t type;

	if (c->ended)
		return false;
	if (c->killed) {
		fake_exit(c, 9);
		return true;
	}
	if (mischief && roll(60) == 0) {
		fake_exit(c, (int)roll(2));
		return true;
	}
	type = fake_next(c);
	if (type == 0)
		return false;
	if (c->from == FROM_KPR)
		keeper_takes(c, type);
	else
		worker_takes(c, type);
	return true;
}

/* One of those that live still, as many as there are tries. */
static void
one_child_lives(void)
{
	for (int tries = 0; tries < 50; tries++) {
		struct child *c = fake_at(roll(fake_count(NULL)));

		if (c->ended)
			continue;
		(void)child_lives(c);
		return;
	}
}

/* ---- clients ---- */

static int calls[CALLS_MAX];
static char asked[CALLS_MAX][96];
static unsigned ncalls;

#define JOB "/_ml/anomaly_detectors/j%u"
#define CONFIG                                                                 \
	"\"analysis_config\":{\"detectors\":[{\"function\":\"count\"}]},"      \
	"\"data_description\":{}"
static const struct {
	unsigned weight; /* they make 100 */
	const char *method, *path, *body;
} requests[] = {
	{ 10, "PUT", JOB, "{" CONFIG ",\"results_retention_days\":1}" },
	{ 2, "PUT", JOB, "{" CONFIG "}" },
	{ 20, "POST", JOB "/_open", NULL },
	{ 3, "POST", JOB "/_open?timeout=2s", NULL },
	{ 6, "POST", JOB "/_close", NULL },
	{ 3, "POST", JOB "/_close?timeout=2s", NULL },
	{ 4, "POST", JOB "/_close?force=true", NULL },
	{ 2, "POST", "/_ml/anomaly_detectors/_all/_close?force=true", NULL },
	{ 2, "DELETE", JOB, NULL },
	{ 1, "DELETE", JOB "?force=true", NULL },
	{ 1, "DELETE", JOB "?force=true&wait_for_completion=false", NULL },
	{ 4, "POST", JOB "/_reset", NULL },
	{ 1, "POST", JOB "/_reset?wait_for_completion=false", NULL },
	{ 7, "POST", JOB "/_flush", NULL },
	{ 7, "POST", JOB "/_data", "{\"time\":1}" },
	{ 2, "POST", JOB "/_update", "{\"description\":\"a\"}" },
	{ 2, "POST", JOB "/_update", "{\"results_retention_days\":3}" },
	{ 1, "POST", JOB "/_update", "{\"results_retention_days\":2}" },
	{ 9, "DELETE", "/_ml/_delete_expired_data", NULL },
	{ 3, "DELETE", "/_ml/_delete_expired_data/j%u?timeout=2s", NULL },
	{ 3, "DELETE", "/_ml/_delete_expired_data?requests_per_second=1",
	    NULL },
	{ 2, "POST", "/_ml/set_upgrade_mode?enabled=true", NULL },
	{ 4, "POST", "/_ml/set_upgrade_mode?enabled=false", NULL },
	{ 1, "GET", "/_ml/anomaly_detectors/_stats", NULL },
};

static void
ask(void)
{
	unsigned n = roll(100), i = 0;
	char *at = asked[ncalls];
	size_t room = sizeof(asked[0]);
	const char *var;

	while (n >= requests[i].weight)
		n -= requests[i++].weight;
	var = strstr(requests[i].path, "%u");
	if (var == NULL)
		strlcpy(at, requests[i].path, room);
	else
		snprintf(at, room, "%.*s%u%s", (int)(var - requests[i].path),
		    requests[i].path, roll(NJOBS), var + 2);
	calls[ncalls++] = sv_ask(requests[i].method, at, requests[i].body);
}

/* What has come; one that has no answer yet stays. */
static unsigned
hear_all(void)
{
	unsigned open = 0;

	for (unsigned i = 0; i < ncalls; i++) {
		const char *heard;

		if (calls[i] == -1)
			continue;
		heard = fx_hear(calls[i]);
		if (heard[0] == '\0') {
			open++;
			continue;
		}
		cr_assert_eq(fx_count(heard, "HTTP/1.1 "), 1,
		    "seed %ju: %s: %s", (uintmax_t)seed, asked[i], heard);
		close(calls[i]);
		calls[i] = -1;
	}
	return open;
}

static void
client_leaves(void)
{
	unsigned i = ncalls == 0 ? 0 : roll(ncalls);

	if (ncalls == 0 || calls[i] == -1)
		return;
	close(calls[i]);
	calls[i] = -1;
	fx_turn();
}

/* ---- the life ---- */

static void
step(void)
{
	unsigned what = roll(20);

	if (what < 4 && ncalls < CALLS_MAX)
		ask();
	else if (what == 4)
		client_leaves();
	else if (what == 5)
		sv_tick(1 + roll(3));
	else
		one_child_lives();
}

static void
settle(void)
{
	for (unsigned s = 0; s < SETTLE_S; s++) {
		bool busy;

		do {
			busy = false;
			for (unsigned i = 0; i < fake_count(NULL); i++)
				busy |= child_lives(fake_at(i));
		} while (busy);
		sv_tick(1);
	}
}

static void
expect_at_rest(const char *when, bool closed)
{
	for (struct job *job = jobs_first(sv.jobs, ""); job != NULL;
	     job = job_next(job)) {
		bool runs = job->state == JOB_OPENED ||
		    job->state == JOB_PAUSED || job->state == JOB_FAILED;

		cr_assert(job->state == JOB_CLOSED || (!closed && runs),
		    "seed %ju, %s: job %s is in state %d: %s", (uintmax_t)seed,
		    when, job->id, job->state, job->cause);
		cr_assert_null(job->retention);
		cr_assert_eq(job->nline, 0);
	}
}

static void
expect_answered(const char *when)
{
	if (hear_all() == 0)
		return;
	for (unsigned i = 0; i < ncalls; i++)
		cr_assert_eq(calls[i], -1, "seed %ju, %s: %s was not answered",
		    (uintmax_t)seed, when, asked[i]);
}

/* What the keeper has is what the supervisor knows. */
static void
expect_same(const struct job *job, const struct stored *s)
{
	char *config = jobconf_print(job->conf);

	cr_assert_eq(job->wanted_open, s->wanted_open,
	    "seed %ju: job %s, open: %d %d", (uintmax_t)seed, job->id,
	    job->wanted_open, s->wanted_open);
	cr_assert_str_eq(config, s->config, "seed %ju: job %s: %s %s",
	    (uintmax_t)seed, job->id, config, s->config);
	free(config);
}

static void
expect_known(void)
{
	cr_assert_eq(sv.upgrade_mode, strcmp(upgrade_setting, "true") == 0,
	    "seed %ju", (uintmax_t)seed);
	for (int i = 0; i < NJOBS; i++) {
		char id[3] = { 'j', (char)('0' + i), '\0' };
		struct job *job = jobs_find(sv.jobs, id);

		cr_assert_eq(job == NULL ? 0 : job->incarnation,
		    stored[i].incarnation, "seed %ju: job %s", (uintmax_t)seed,
		    id);
		if (job != NULL)
			expect_same(job, &stored[i]);
	}
}

static void
finish(const char *method, const char *path)
{
	int fd = sv_ask(method, path, NULL);

	settle();
	sv_expect(fx_hear(fd), 200, "");
	close(fd);
}

static void
live(void)
{
	dice = random_seed(seed);
	ncalls = 0;
	last_incarnation = 0;
	upgrade_setting[0] = '\0';
	mischief = true;
	memset(configured, 0, sizeof(configured));
	sv_start();
	for (unsigned i = 0; i < STEPS; i++)
		step();
	mischief = false;
	settle();
	expect_answered("in the end");
	expect_at_rest("in the end", false);
	expect_known();
	finish("POST", "/_ml/set_upgrade_mode?enabled=false");
	finish("POST", "/_ml/anomaly_detectors/_all/_close?force=true");
	expect_at_rest("closed", true);
	expect_known();
	sv_end();
	for (int i = 0; i < NJOBS; i++)
		stored_forget(&stored[i]);
}

Test(job_random, every_call_is_answered_and_every_job_comes_to_rest,
    .timeout = 300)
{
	log_init("test", LOG_LEVEL_ERROR);
	for (seed = 0; seed < SEEDS; seed++)
		live();
}
