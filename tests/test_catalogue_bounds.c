/* What waits for a keeper: answered in time, bounded, in order. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/catalogue.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/server.h"

static int64_t now_us;

static int64_t
fake_mono_us(void)
{
	return now_us;
}

struct seen {
	unsigned answers;
	int status; /* of the last error */
	unsigned failed;
};

static void
answered(void *arg, const struct apierr *e, uint64_t incarnation)
{
	struct seen *s = arg;

	(void)incarnation;
	s->answers++;
	s->status = e == NULL ? 0 : e->status;
}

static void
ignore_setting(void *arg, const struct msg_keep_setting *m)
{
	(void)arg;
	(void)m;
}

static void
ignore_job(void *arg, const struct msg_keep_job *m)
{
	(void)arg;
	(void)m;
}

static void
ignore_loaded(void *arg)
{
	(void)arg;
}

static void
note_failed(void *arg, const char *why)
{
	(void)why;
	((struct seen *)arg)->failed++;
}

static const struct catalogue_handlers handlers = { .setting = ignore_setting,
	.job = ignore_job,
	.loaded = ignore_loaded,
	.failed = note_failed };

struct fixture {
	struct conf conf;
	struct server srv;
	struct catalogue *cat;
	struct seen seen;
};

/* A catalogue whose keeper never comes. */
static void
setup(struct fixture *f)
{
	static char nowhere[] = "/nonexistent";

	memset(f, 0, sizeof(*f));
	log_init("test", LOG_LEVEL_ERROR);
	now_us = 1000000;
	clock_fake(NULL, fake_mono_us);
	f->conf.state_dir = f->conf.libexec_dir = nowhere;
	f->srv.conf = &f->conf;
	f->srv.base = event_base_new();
	cr_assert_eq(child_init(f->srv.base), 0);
	f->cat = catalogue_new(&f->srv, &handlers, &f->seen);
	cr_assert_not_null(f->cat);
}

static void
teardown(struct fixture *f)
{
	catalogue_free(f->cat);
	child_cleanup();
	event_base_free(f->srv.base);
	clock_fake(NULL, NULL);
}

static void
ask_state(struct fixture *f)
{
	struct msg_keep_state m = { .job_id = span_of("j"), .incarnation = 1 };

	catalogue_state(f->cat, &m, answered, &f->seen);
}

Test(catalogue_bounds, first_keeper_that_cannot_start_is_told)
{
	struct fixture f;

	setup(&f);
	cr_expect_eq(f.seen.failed, 1);
	teardown(&f);
}

Test(catalogue_bounds, request_without_a_keeper_is_answered_after_a_minute)
{
	struct fixture f;

	setup(&f);
	ask_state(&f);
	now_us += 60000000;
	catalogue_tick(f.cat);
	cr_expect_eq(f.seen.answers, 0);
	cr_expect_eq(catalogue_pending(f.cat), 1);
	now_us += 1;
	catalogue_tick(f.cat);
	cr_expect_eq(f.seen.answers, 1);
	cr_expect_eq(f.seen.status, 503);
	cr_expect_eq(catalogue_pending(f.cat), 0);
	teardown(&f);
}

/* Clients that leave do not take their jobs with them. */
Test(catalogue_bounds, jobs_that_wait_to_be_created_are_bounded)
{
	size_t len = 512 * 1024, n = 0;
	char *config = malloc(len);
	struct msg_keep_create m = { .job_id = span_of("j") };
	struct fixture f;

	setup(&f);
	cr_assert_not_null(config);
	memset(config, ' ', len);
	m.config = (struct span){ config, len };
	while (f.seen.answers == 0 && n++ < 100)
		catalogue_create(f.cat, &m, answered, &f.seen);
	cr_expect_eq(f.seen.status, 503);
	cr_expect_leq(n, 34, "%zu were taken", n);
	ask_state(&f);
	cr_expect_eq(f.seen.answers, 1, "states are stored all the same");
	free(config);
	teardown(&f);
}
