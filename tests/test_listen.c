/* Listeners: Unix sockets, inherited ones, and running out of everything. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/http_fixture.h"

static char dir[64], path[96], spec[112];

static void
begin(void)
{
	fx_begin();
	strlcpy(dir, "/tmp/anomd-listen-XXXXXX", sizeof(dir));
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(spec, sizeof(spec), "unix:%s", path);
}

static void
end(void)
{
	fx_end();
	unlink(path);
	rmdir(dir);
}

TestSuite(listen, .init = begin, .fini = end);

static int
open_client(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	cr_assert_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void
listen_here(void)
{
	char where[128];
	const char *why = "";

	cr_assert_eq(http_listen(fx_http, spec, where, sizeof(where), &why), 0,
	    "%s", why);
	cr_assert_str_eq(where, spec);
}

static void
check_refused(const char *bad, int error)
{
	char where[128];
	const char *why = NULL;

	errno = 0;
	cr_expect_eq(http_listen(fx_http, bad, where, sizeof(where), &why), -1,
	    "%s", bad);
	cr_expect_eq(errno, error, "%s: %s", bad, strerror(errno));
	cr_expect_not_null(why, "%s", bad);
}

#define GET "GET / HTTP/1.1\r\nHost: any\r\n\r\n"

Test(listen, a_unix_socket_serves_local_users_and_goes_with_the_server)
{
	struct stat st;
	int fd;

	fx_start(fx_answer_at_once);
	listen_here();
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0666);
	fd = open_client();
	cr_expect_eq(fx_count(fx_talk(fd, GET), "200 OK"), 1);
	http_stop(fx_http);
	cr_expect_eq(stat(path, &st), -1);
	close(fd);
}

Test(listen, the_request_knows_where_it_came_from)
{
	int fd;

	fx_start(fx_keep);
	listen_here();
	fd = open_client();
	fx_say(fd, GET);
	cr_expect_str_eq(http_req_peer(fx_req), "unix");
	http_reply(fx_req, 200, NULL, NULL);
	fx_turn();
	close(fd);
}

Test(listen, a_stale_socket_file_is_replaced)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	fx_start(fx_answer_at_once);
	listen_here();
	close(open_client());
}

Test(listen, a_socket_in_use_is_left_alone)
{
	fx_start(fx_answer_at_once);
	listen_here();
	check_refused(spec, EADDRINUSE);
	close(open_client());
}

Test(listen, a_file_of_another_kind_is_left_alone)
{
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	fx_start(fx_answer_at_once);
	check_refused(spec, EEXIST);
	cr_expect_eq(stat(path, &st), 0);
}

Test(listen, a_successors_socket_is_not_unlinked)
{
	struct stat st;
	int fd;

	fx_start(fx_answer_at_once);
	listen_here();
	cr_assert_eq(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	http_stop(fx_http);
	cr_expect_eq(stat(path, &st), 0);
}

Test(listen, what_is_no_address_is_refused_with_a_reason)
{
	fx_start(fx_answer_at_once);
	check_refused("9200", EINVAL);
	check_refused(":9200", EINVAL);
	check_refused("127.0.0.1", EINVAL);
	check_refused("127.0.0.1:http", EINVAL);
	check_refused("127.0.0.1:65536", EINVAL);
	check_refused("::1:9200", EINVAL);
	check_refused("unix:", EINVAL);
	check_refused("fd:0x", EINVAL);
	check_refused("fd:9999", EBADF);
}

Test(listen, an_inherited_socket_must_listen)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client;
	char where[128], inherited[16];
	const char *why = "";

	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	snprintf(inherited, sizeof(inherited), "fd:%d", fd);
	fx_start(fx_answer_at_once);
	check_refused(inherited, EINVAL);
	cr_assert_eq(listen(fd, 5), 0);
	cr_assert_eq(
	    http_listen(fx_http, inherited, where, sizeof(where), &why), 0,
	    "%s", why);
	client = open_client();
	cr_expect_eq(fx_count(fx_talk(client, GET), "200 OK"), 1);
	close(client);
}

/* clang-format off */
static const struct {
	const char *spec;
	bool local;
} local_rows[] = {
	{ "127.0.0.1:0", true }, { "127.9.9.9:1", true }, { "[::1]:1", true },
	{ "unix:/x", true }, { "0.0.0.0:1", false }, { "[::]:1", false },
	{ "10.0.0.1:1", false }, { "[::ffff:127.0.0.1]:1", true },
	{ "fd:9999", false }, { "nonsense", false },
};
/* clang-format on */

Test(listen, who_can_reach_a_specification)
{
	for (size_t i = 0; i < NELEM(local_rows); i++)
		cr_expect_eq(http_spec_is_local(local_rows[i].spec),
		    local_rows[i].local, "%s", local_rows[i].spec);
}

Test(listen, connections_above_the_limit_wait_for_one_to_end)
{
	int fd[3];

	fx_conf.limits.max_connections = 2;
	fx_start(fx_keep);
	listen_here();
	for (size_t i = 0; i < NELEM(fd); i++)
		fd[i] = open_client();
	fx_say(fd[0], GET);
	fx_say(fd[1], GET);
	fx_say(fd[2], GET);
	cr_expect_eq(http_connections(fx_http), 2);
	cr_expect_eq(fx_heads, 2);
	close(fd[0]);
	http_reply(fx_req, 200, NULL, NULL);
	fx_turn();
	cr_expect_eq(http_connections(fx_http), 2,
	    "the client that left owes nothing but is not known to have left");
	close(fd[1]);
	fx_turn();
	cr_expect_eq(fx_heads, 3);
	http_reply(fx_req, 200, NULL, NULL);
	cr_expect_eq(fx_count(fx_hear(fd[2]), "200 OK"), 1);
	close(fd[2]);
}

Test(listen, the_silent_make_room_for_those_who_wait)
{
	int silent[2], fd;

	fx_conf.limits.max_connections = 2;
	fx_start(fx_answer_at_once);
	listen_here();
	silent[0] = open_client();
	silent[1] = open_client();
	fx_turn();
	fd = open_client();
	fx_say(fd, GET);
	cr_expect_eq(fx_heads, 0);
	fx_pass_ms(3000);
	cr_expect_eq(fx_count(fx_hear(fd), "200 OK"), 1);
	cr_expect(fx_is_closed(silent[0]));
	close(silent[0]);
	close(silent[1]);
	close(fd);
}

/* Forbid this process any descriptor above those that it has now. */
static struct rlimit
exhaust_descriptors(void)
{
	struct rlimit before, now;
	int next = dup(0);

	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)next;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

Test(listen, without_descriptors_one_is_told_and_the_others_wait)
{
	struct rlimit before;
	const char *answer;
	int fd[2];

	fx_start(fx_answer_at_once);
	listen_here();
	for (size_t i = 0; i < NELEM(fd); i++)
		fd[i] = open_client();
	before = exhaust_descriptors();
	answer = fx_talk(fd[0], GET);
	cr_expect_eq(fx_count(answer, "HTTP/1.1 503 "), 1);
	cr_expect_eq(fx_count(answer, "Retry-After: 1\r\n"), 1);
	cr_expect_str_empty(fx_talk(fd[1], GET));
	cr_expect_not(fx_is_closed(fd[1]));
	setrlimit(RLIMIT_NOFILE, &before);
	/* The rest of the listener is a timer: wait for it, not longer. */
	for (int i = 0; i < 20 && fx_heads == 0; i++)
		event_base_loop(fx_base, EVLOOP_ONCE);
	cr_expect_eq(fx_count(fx_hear(fd[1]), "200 OK"), 1);
	close(fd[0]);
	close(fd[1]);
}
