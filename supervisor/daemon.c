/* Owns the order in which the daemon starts and ends. */
#include "common/compat.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "common/zones.h"
#include "supervisor/accounts.h"
#include "supervisor/auth.h"
#include "supervisor/catalogue.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/daemon.h"
#include "supervisor/http.h"
#include "supervisor/job.h"
#include "supervisor/node.h"
#include "supervisor/notify.h"
#include "supervisor/querypool.h"
#include "supervisor/oomkills.h"
#include "supervisor/retention.h"
#include "supervisor/route.h"
#include "supervisor/server.h"
#include "supervisor/upgrade.h"

#define TICK_S 1
#define STOP_POLL_US 20000	   /* between two looks whether all has ended */
#define ANSWERS_GRACE_US 2000000   /* for answers under way, at the end */
#define DESCRIPTORS_OWN 64	   /* listeners, other children and so on */
#define DESCRIPTORS_MOST (1 << 20) /* more than kernels give by default */

struct daemon {
	struct oomkills oom;
	struct server srv;
	struct event *tick;
	struct event *stop_poll;
	struct event *sigterm;
	struct event *sigint;
	struct event *sighup; /* NULL when it is ignored, as nohup(1) wants */
	int64_t stop_us;      /* when the end was asked for */
	int64_t quiet_us;     /* when the last job had ended */
	rlim_t nofile;	      /* descriptors that this process may have */
	bool watchdog;	      /* systemd wants signs of life */
	char shown[160];      /* to systemd, as the status */
	bool serving;
	int status;
};

/* ---- the end ---- */

static void
daemon_end(struct daemon *d, int status)
{
	d->status = status;
	event_base_loopbreak(d->srv.base);
}

static void
stop_poll_in(struct daemon *d, suseconds_t us)
{
	struct timeval tv = { .tv_usec = us };

	/* Without a timer nobody would ever look again. */
	if (evtimer_add(d->stop_poll, &tv) == -1)
		daemon_end(d, 1);
}

static void
stop_poll_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	int64_t now_us = clock_mono_us();
	int64_t limit_us = (int64_t)d->srv.conf->stop_timeout_s * 1000000;

	(void)fd;
	(void)what;
	if (now_us - d->stop_us > limit_us) {
		log_warnx("stop_timeout is over: %zu jobs are cut off, %zu "
			  "changes of the catalogue are not stored; all "
			  "journals are kept",
		    jobs_running(d->srv.jobs),
		    catalogue_pending(d->srv.catalogue));
		daemon_end(d, 1);
		return;
	}
	if (jobs_running(d->srv.jobs) > 0 ||
	    catalogue_pending(d->srv.catalogue) > 0)
		d->quiet_us = now_us;
	else if (http_active(d->srv.http) == 0 ||
	    now_us - d->quiet_us > ANSWERS_GRACE_US) {
		daemon_end(d, d->status);
		return;
	}
	stop_poll_in(d, STOP_POLL_US);
}

static void
stop_cb(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	if (d->srv.stopping)
		return;
	log_info("signal %d: closing all jobs", (int)sig);
	notify_state("STOPPING=1");
	d->srv.stopping = true;
	d->stop_us = d->quiet_us = clock_mono_us();
	if (!d->serving) {
		daemon_end(d, d->status);
		return;
	}
	http_stop(d->srv.http);
	retention_stop(d->srv.retention);
	jobs_stop(d->srv.jobs);
	stop_poll_in(d, 0);
}

/* ---- while it runs ---- */

/* "; replaying 3 of 12 jobs, 41%", or nothing. */
static void
replaying_text(const struct jobs_count *n, char *dst, size_t dstlen)
{
	double share = n->all_bytes == 0
	    ? 0.0
	    : 100.0 * (double)n->done_bytes / (double)n->all_bytes;

	dst[0] = '\0';
	if (n->replaying > 0)
		snprintf(dst, dstlen, "; replaying %zu of %zu jobs, %.0f%%",
		    n->replaying, n->all, share > 100.0 ? 100.0 : share);
}

static void
status_show(struct daemon *d)
{
	char text[sizeof(d->shown)], replaying[64], quarantined[64];
	struct jobs_count n;

	jobs_count(d->srv.jobs, &n);
	replaying_text(&n, replaying, sizeof(replaying));
	quarantined[0] = '\0';
	if (n.quarantined > 0)
		snprintf(quarantined, sizeof(quarantined),
		    "; %zu with entries in quarantine", n.quarantined);
	snprintf(text, sizeof(text),
	    "STATUS=%s: %zu jobs, %zu open, %zu failed%s%s",
	    d->srv.stopping ? "Closing" : "Serving", n.all, n.opened, n.failed,
	    replaying, quarantined);
	if (strcmp(text, d->shown) == 0)
		return;
	strlcpy(d->shown, text, sizeof(d->shown));
	notify_state(text);
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	jobs_tick(d->srv.jobs);
	retention_tick(d->srv.retention);
	catalogue_tick(d->srv.catalogue);
	querypool_tick(d->srv.queries);
	oomkills_tick(&d->oom, clock_mono_us());
	if (d->serving)
		status_show(d);
	/*
	 * That the loop turns, and no more: a keeper or a job in trouble is
	 * not mended by ending all the others.
	 */
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
keeper_setting(void *arg, const struct msg_keep_setting *m)
{
	struct daemon *d = arg;

	upgrade_load(&d->srv, m, !d->serving);
}

static void
keeper_job(void *arg, const struct msg_keep_job *m)
{
	struct daemon *d = arg;

	jobs_load(d->srv.jobs, m);
}

static void
keeper_user(void *arg, const struct msg_keep_user *m)
{
	struct daemon *d = arg;

	if (d->srv.auth != NULL)
		accounts_loaded_user(auth_accounts(d->srv.auth), m);
}

static void
keeper_key(void *arg, const struct msg_keep_key *m)
{
	struct daemon *d = arg;

	if (d->srv.auth != NULL)
		accounts_loaded_key(auth_accounts(d->srv.auth), m);
}

static void
keeper_loaded(void *arg)
{
	struct daemon *d = arg;
	struct jobs_count n;

	if (d->srv.auth != NULL)
		accounts_loaded(auth_accounts(d->srv.auth));
	jobs_loaded(d->srv.jobs);
	if (d->serving)
		return;
	if (listen_all(d) == -1) {
		daemon_end(d, 1);
		return;
	}
	d->serving = true;
	log_init("anomd", (enum log_level)d->srv.conf->log_level);
	jobs_reopen(d->srv.jobs);
	jobs_count(d->srv.jobs, &n);
	log_info("ready: %zu jobs", n.all);
	if (d->srv.auth != NULL)
		auth_ready(d->srv.auth);
	notify_state("READY=1");
	status_show(d);
}

static void
keeper_failed(void *arg, const char *why)
{
	struct daemon *d = arg;

	log_warnx("cannot start: the keeper of the catalogue %s", why);
	daemon_end(d, 1);
}

static const struct catalogue_handlers keeper_handlers = {
	.setting = keeper_setting,
	.job = keeper_job,
	.user = keeper_user,
	.key = keeper_key,
	.loaded = keeper_loaded,
	.failed = keeper_failed,
};

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
	snprintf(text, sizeof(text), "%s:%lld:%ld", srv->node_id,
	    (long long)clock_wall_ms(), (long)getpid());
	make_id(srv->ephemeral_id, "start", text);
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

/* As many descriptors as may be had: each open job takes one. */
static rlim_t
raise_limits(void)
{
	struct rlimit rl;
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1) {
		log_warn("RLIMIT_NOFILE");
		return RLIM_INFINITY;
	}
	before = rl.rlim_cur;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == 0)
		return rl.rlim_max;
	log_warn("RLIMIT_NOFILE");
	return before;
}

/* Clients leave half of the descriptors to the jobs. */
static unsigned
connections_max(const struct daemon *d)
{
	uint64_t wanted = d->srv.conf->max_connections;

	if (d->nofile == RLIM_INFINITY || wanted <= d->nofile / 2)
		return (unsigned)wanted;
	log_warnx("max_connections is %llu here: the limit of descriptors is "
		  "%llu",
	    (unsigned long long)d->nofile / 2, (unsigned long long)d->nofile);
	return (unsigned)(d->nofile / 2);
}

/* Each open job takes one descriptor of those that clients leave. */
static uint64_t
open_jobs_max(const struct daemon *d, unsigned connections)
{
	uint64_t all =
	    d->nofile < DESCRIPTORS_MOST ? d->nofile : DESCRIPTORS_MOST;
	uint64_t taken = (uint64_t)connections + DESCRIPTORS_OWN;

	return all > taken ? all - taken : 1;
}

static int
http_start(struct daemon *d)
{
	struct server *srv = &d->srv;
	const struct conf *c = srv->conf;
	unsigned connections = connections_max(d);
	struct http_config hc = {
		.limits = { .max_connections = connections,
		    .max_head_bytes = c->max_head_bytes,
		    .max_body_bytes = c->max_body_bytes,
		    .max_held_bytes = c->max_inflight_bytes,
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

	srv->max_open_jobs = open_jobs_max(d, connections);
	srv->http = http_new(srv->base, &hc);
	return srv->http == NULL ? -1 : 0;
}

/* Jobs that name no zone do without. */
static struct zones *
load_zones(void)
{
	const char *dir = zones_dir();
	struct zones *zones = zones_load(dir);

	if (zones == NULL)
		log_warn("%s: no time zones are known but UTC", dir);
	else if (zones_count(zones) == 0)
		log_warnx("%s: no time zones are known but UTC", dir);
	return zones;
}

static bool
is_ignored(int sig)
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
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
	if (!is_ignored(SIGHUP))
		d->sighup = evsignal_new(srv->base, SIGHUP, stop_cb, d);
	if (d->sighup != NULL && event_add(d->sighup, NULL) == -1)
		return -1;
	if (d->sigterm == NULL || d->sigint == NULL || d->tick == NULL ||
	    d->stop_poll == NULL || event_add(d->sigterm, NULL) == -1 ||
	    event_add(d->sigint, NULL) == -1 ||
	    event_add(d->tick, &every) == -1 || http_start(d) == -1)
		return -1;
	srv->start_ms = clock_wall_ms();
	srv->epoch = arc4random();
	oomkills_begin(&d->oom, NULL);
	srv->oom = &d->oom;
	srv->zones = load_zones();
	srv->jobs = jobs_new(srv);
	srv->queries = querypool_new(srv);
	srv->retention = retention_new(srv);
	if (srv->jobs == NULL || srv->queries == NULL || srv->retention == NULL)
		return -1;
	if (srv->conf->security && (srv->auth = auth_new(srv)) == NULL)
		return -1;
	d->watchdog = notify_watchdog_us() > 0;
	srv->catalogue = catalogue_new(srv, &keeper_handlers, d);
	return srv->catalogue == NULL ? -1 : 0;
}

static void
daemon_free(struct daemon *d)
{
	struct event *events[] = { d->tick, d->stop_poll, d->sigterm, d->sigint,
		d->sighup };

	http_free(d->srv.http);
	querypool_free(d->srv.queries);
	retention_free(d->srv.retention);
	jobs_free(d->srv.jobs);
	catalogue_free(d->srv.catalogue);
	zones_free(d->srv.zones);
	auth_free(d->srv.auth);
	child_cleanup();
	if (d->srv.oom != NULL)
		oomkills_end(d->srv.oom);
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

int
daemon_run(const struct conf *conf)
{
	struct daemon d = { .srv = { .conf = conf } };

	log_init("anomd", start_level(conf));
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	/* For the children too, whose sandboxes need it anyway. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_warn("no_new_privs");
	d.nofile = raise_limits();
	if (lock_state_dir(conf) == -1)
		return 1;
	identify(&d.srv);
	node_measure(&d.srv);
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
