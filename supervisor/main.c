/* Owns the daemon's options, the order of its start and of its end. */
#include "common/compat.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "supervisor/catalogue.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/http.h"
#include "supervisor/job.h"
#include "supervisor/notify.h"
#include "supervisor/querypool.h"
#include "supervisor/route.h"
#include "supervisor/server.h"

#define TICK_S 1
#define STOP_POLL_US 20000	 /* between two looks whether all has ended */
#define ANSWERS_GRACE_US 2000000 /* for answers under way, at the end */

struct daemon {
	struct server srv;
	struct event *tick;
	struct event *stop_poll;
	struct event *sigterm;
	struct event *sigint;
	int64_t stop_us;  /* when the end was asked for */
	int64_t quiet_us; /* when the last job had ended */
	bool watchdog;	  /* systemd wants signs of life */
	bool serving;
	int status;
};

static NO_RETURN void
usage(void)
{
	fputs("usage: anomd [-nvV] [-f file] [-o key=value] ...\n", stderr);
	exit(1);
}

/* ---- the end ---- */

static void
stop_poll_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct timeval again = { .tv_usec = STOP_POLL_US };
	int64_t now_us = clock_mono_us();
	int64_t limit_us = (int64_t)d->srv.conf->stop_timeout_s * 1000000;

	(void)fd;
	(void)what;
	if (now_us - d->stop_us > limit_us) {
		log_warnx("stop_timeout is over, %zu jobs are cut off; their "
			  "journals are kept",
		    jobs_running(d->srv.jobs));
		d->status = 1;
		event_base_loopbreak(d->srv.base);
		return;
	}
	if (jobs_running(d->srv.jobs) > 0 ||
	    catalogue_pending(d->srv.catalogue) > 0)
		d->quiet_us = now_us;
	else if (http_active(d->srv.http) == 0 ||
	    now_us - d->quiet_us > ANSWERS_GRACE_US) {
		event_base_loopbreak(d->srv.base);
		return;
	}
	evtimer_add(d->stop_poll, &again);
}

static void
stop_cb(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;
	struct timeval now = { 0 };

	(void)what;
	if (d->srv.stopping)
		return;
	log_info("signal %d: closing all jobs", (int)sig);
	notify_state("STOPPING=1");
	d->srv.stopping = true;
	d->stop_us = d->quiet_us = clock_mono_us();
	if (!d->serving) {
		event_base_loopbreak(d->srv.base);
		return;
	}
	http_stop(d->srv.http);
	jobs_stop(d->srv.jobs);
	evtimer_add(d->stop_poll, &now);
}

/* ---- while it runs ---- */

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	jobs_tick(d->srv.jobs);
	catalogue_tick(d->srv.catalogue);
	querypool_tick(d->srv.queries);
	if (d->watchdog)
		notify_state("WATCHDOG=1");
}

/* ---- the start ---- */

static int
listen_on(struct daemon *d, const char *spec)
{
	char where[sizeof(d->srv.address)];
	const char *why = NULL;

	if (http_listen(d->srv.http, spec, where, sizeof(where), &why) == -1) {
		log_warn("listen %s%s%s", spec, why == NULL ? "" : ": ",
		    why == NULL ? "" : why);
		return -1;
	}
	log_info("listening on %s", where);
	if (d->srv.address[0] == '\0')
		strlcpy(d->srv.address, where, sizeof(d->srv.address));
	return 0;
}

static int
listen_all(struct daemon *d)
{
	const struct conf *conf = d->srv.conf;
	int inherited = notify_listen_fds();
	char spec[32];

	for (int i = 0; i < inherited; i++) {
		snprintf(spec, sizeof(spec), "fd:%d", 3 + i);
		if (listen_on(d, spec) == -1)
			return -1;
	}
	/* Sockets from the service manager stand in for the default. */
	if (inherited > 0 && conf->listen.is_default)
		return 0;
	for (size_t i = 0; i < conf->listen.n; i++)
		if (listen_on(d, conf->listen.item[i]) == -1)
			return -1;
	return 0;
}

static void
keeper_job(void *arg, const struct msg_keep_job *m)
{
	struct daemon *d = arg;

	jobs_load(d->srv.jobs, m);
}

static void
keeper_loaded(void *arg)
{
	struct daemon *d = arg;

	if (d->serving)
		return;
	if (listen_all(d) == -1) {
		d->status = 1;
		event_base_loopbreak(d->srv.base);
		return;
	}
	d->serving = true;
	log_init("anomd", (enum log_level)d->srv.conf->log_level);
	jobs_reopen(d->srv.jobs);
	log_info("ready");
	notify_state("READY=1\nSTATUS=Serving");
}

static void
keeper_failed(void *arg, const char *why)
{
	struct daemon *d = arg;

	log_warnx("cannot start: the keeper of the catalogue %s", why);
	d->status = 1;
	event_base_loopbreak(d->srv.base);
}

static const struct catalogue_handlers keeper_handlers = { keeper_job,
	keeper_loaded, keeper_failed };

/* 22 characters, as the ids of the API's nodes, from what does not change. */
static void
make_id(char dst[23], const char *salt, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
				     "klmnopqrstuvwxyz0123456789-_";
	uint32_t crc = crc32c(0, salt, strlen(salt));

	for (int i = 0; i < 22; i++) {
		crc = crc32c(crc, text, strlen(text) + 1);
		dst[i] = digits[crc % 64];
	}
	dst[22] = '\0';
}

static void
identify(struct server *srv)
{
	char text[MSG_PATH_MAX + 128];

	if (gethostname(srv->node_name, sizeof(srv->node_name) - 1) == -1)
		strlcpy(srv->node_name, "anomd", sizeof(srv->node_name));
	snprintf(
	    text, sizeof(text), "%s:%s", srv->node_name, srv->conf->state_dir);
	make_id(srv->node_id, "node", text);
	make_id(srv->cluster_uuid, "cluster", text);
}

/* The lock is held for the life of the process. */
static int
lock_state_dir(const struct conf *conf)
{
	char path[MSG_PATH_MAX];
	int fd;

	if (mkdir(conf->state_dir, 0700) == -1 && errno != EEXIST) {
		log_warn("state_dir %s", conf->state_dir);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/lock", conf->state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1) {
		log_warn("%s", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			log_warnx("state_dir %s: another anomd uses it",
			    conf->state_dir);
		else
			log_warn("%s", path);
		close(fd);
		return -1;
	}
	return 0;
}

static void
raise_limits(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		log_warn("RLIMIT_NOFILE");
}

static int
http_start(struct server *srv)
{
	const struct conf *c = srv->conf;
	struct http_config hc = {
		.limits = { .max_connections = (unsigned)c->max_connections,
		    .max_head_bytes = c->max_head_bytes,
		    .max_body_bytes = c->max_body_bytes,
		    .head_timeout_s = (unsigned)c->head_timeout_s,
		    .body_timeout_s = (unsigned)c->body_timeout_s,
		    .idle_timeout_s = (unsigned)c->idle_timeout_s,
		    .write_timeout_s = (unsigned)c->body_timeout_s,
		    .min_body_rate = 256 }, /* a modem is faster */
		.allowed_hosts = (const char *const *)c->allowed_hosts.item,
		.allowed_origins = (const char *const *)c->allowed_origins.item,
		.on_head = route_request,
		.arg = srv,
	};

	srv->http = http_new(srv->base, &hc);
	return srv->http == NULL ? -1 : 0;
}

static int
daemon_start(struct daemon *d)
{
	struct timeval every = { .tv_sec = TICK_S };
	struct server *srv = &d->srv;

	srv->base = event_base_new();
	if (srv->base == NULL || child_init(srv->base) == -1)
		return -1;
	d->sigterm = evsignal_new(srv->base, SIGTERM, stop_cb, d);
	d->sigint = evsignal_new(srv->base, SIGINT, stop_cb, d);
	d->tick = event_new(srv->base, -1, EV_PERSIST, tick_cb, d);
	d->stop_poll = evtimer_new(srv->base, stop_poll_cb, d);
	if (d->sigterm == NULL || d->sigint == NULL || d->tick == NULL ||
	    d->stop_poll == NULL || event_add(d->sigterm, NULL) == -1 ||
	    event_add(d->sigint, NULL) == -1 ||
	    event_add(d->tick, &every) == -1 || http_start(srv) == -1)
		return -1;
	srv->start_ms = clock_wall_ms();
	srv->jobs = jobs_new(srv);
	srv->queries = querypool_new(srv);
	if (srv->jobs == NULL || srv->queries == NULL)
		return -1;
	d->watchdog = notify_watchdog_us() > 0;
	srv->catalogue = catalogue_new(srv, &keeper_handlers, d);
	return srv->catalogue == NULL ? -1 : 0;
}

static void
daemon_free(struct daemon *d)
{
	struct event *events[] = { d->tick, d->stop_poll, d->sigterm,
		d->sigint };

	http_free(d->srv.http);
	querypool_free(d->srv.queries);
	jobs_free(d->srv.jobs);
	catalogue_free(d->srv.catalogue);
	child_cleanup();
	for (size_t i = 0; i < NELEM(events); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (d->srv.base != NULL)
		event_base_free(d->srv.base);
}

/* What keeps the daemon from starting is shown whatever log_level says. */
static enum log_level
start_level(const struct conf *conf)
{
	return conf->log_level < LOG_LEVEL_WARN
	    ? LOG_LEVEL_WARN
	    : (enum log_level)conf->log_level;
}

static int
serve(const struct conf *conf)
{
	struct daemon d = { .srv = { .conf = conf } };

	log_init("anomd", start_level(conf));
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	raise_limits();
	if (lock_state_dir(conf) == -1)
		return 1;
	identify(&d.srv);
	if (daemon_start(&d) == -1) {
		log_warn("cannot start");
		d.status = 1;
	} else if (d.status == 0) {
		event_base_dispatch(d.srv.base);
	}
	daemon_free(&d);
	if (d.status == 0)
		log_info("ended with status 0");
	return d.status;
}

int
main(int argc, char *argv[])
{
	const char *file = SYSCONFDIR "/anomd/anomd.conf";
	bool file_given = false, check = false, print = false;
	char **options = calloc((size_t)argc + 1, sizeof(*options));
	size_t noptions = 0;
	struct conf *conf;
	int ch, rc = 0;
	bool valid;

	log_init("anomd", LOG_LEVEL_INFO);
	if (options == NULL)
		fatal("start");
	while ((ch = getopt(argc, argv, "f:no:vV")) != -1) {
		switch (ch) {
		case 'f':
			file = optarg;
			file_given = true;
			break;
		case 'n':
			check = true;
			break;
		case 'o':
			options[noptions++] = optarg;
			break;
		case 'v':
			print = true;
			break;
		case 'V':
			printf("anomd %s\n", PACKAGE_VERSION);
			free(options);
			return 0;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	conf = conf_new();
	if (conf == NULL)
		fatalx("no configuration");
	rc = conf_read(conf, file, !file_given);
	for (size_t i = 0; i < noptions; i++)
		if (conf_set_option(conf, options[i]) == -1)
			rc = -1;
	free(options);
	if (conf_check(conf) == -1)
		rc = -1;
	valid = rc == 0;
	if (valid && check && print)
		conf_print(conf, stdout);
	else if (valid && check)
		fputs("configuration is valid\n", stderr);
	else if (valid)
		rc = serve(conf);
	conf_free(conf);
	/* Of the level that the service manager's tools look for. */
	if (rc != 0)
		fatalx(valid ? "ended with status 1"
			     : "the configuration is not valid");
	return 0;
}
