/* Addresses of the daemon, paths of requests, and who asks. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/target.h"

static void
expect_target(const char *text, const char *base, const char *path, bool open)
{
	struct target t;
	char why[512] = "";

	cr_assert_eq(
	    target_parse(&t, text, why, sizeof(why)), 0, "%s: %s", text, why);
	cr_expect_str_eq(t.name, text);
	cr_expect_str_eq(t.base, base);
	cr_expect_str_eq(t.path, path);
	cr_expect_eq(t.is_exposed, open, "%s", text);
}

Test(ctl_client, addresses_have_these_forms)
{
	expect_target(
	    "unix:/run/a.sock", "http://localhost", "/run/a.sock", false);
	expect_target(
	    "http://127.0.0.1:9200", "http://127.0.0.1:9200", "", false);
	expect_target("http://localhost/", "http://localhost", "", false);
	expect_target("http://[::1]:9200", "http://[::1]:9200", "", false);
	expect_target(
	    "https://a.example/anomd//", "https://a.example/anomd", "", false);
	expect_target(
	    "http://a.example:9200", "http://a.example:9200", "", true);
	expect_target("http://127.a.example", "http://127.a.example", "", true);
}

static void
expect_no_target(const char *text, const char *want)
{
	struct target t;
	char why[512] = "";

	cr_expect_eq(target_parse(&t, text, why, sizeof(why)), -1, "%s", text);
	cr_expect_not_null(strstr(why, want), "%s", why);
}

Test(ctl_client, other_addresses_are_refused_with_the_reason)
{
	char path[300];

	expect_no_target("", "is wanted");
	expect_no_target("127.0.0.1:9200", "http://host:port");
	expect_no_target("localhost:9200", "http://host:port");
	expect_no_target("ftp://a.example", "http://host:port");
	expect_no_target("http://", "http://host:port");
	expect_no_target("http://a:99999", "http://host:port");
	expect_no_target("http://a?x=1", "nothing behind it");
	expect_no_target("http://a#x", "nothing behind it");
	expect_no_target("http://me@a", "use -U");
	expect_no_target("http://me:secret@a", "use -U");
	expect_no_target("unix:run/a.sock", "must begin with /");
	expect_no_target("unix:", "must begin with /");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	memcpy(path, "unix:/", 6);
	expect_no_target(path, "too long");
}

Test(ctl_client, a_password_in_an_address_is_not_repeated)
{
	struct target t;
	char why[512];

	cr_expect_eq(
	    target_parse(&t, "http://me:hidden@a", why, sizeof(why)), -1);
	cr_expect_null(strstr(why, "hidden"), "%s", why);
}

static void
expect_path(char *got, const char *want)
{
	cr_expect_str_eq(got, want);
	free(got);
}

Test(ctl_client, names_in_paths_are_escaped)
{
	expect_path(client_path("/_security/user"), "/_security/user");
	expect_path(client_path("/u/{}/_password", "a.b-c_d~E9"),
	    "/u/a.b-c_d~E9/_password");
	expect_path(client_path("/u/{}", "../x?y#z"), "/u/..%2Fx%3Fy%23z");
	expect_path(
	    client_path("/{}/{}", "a b", "\xc3\xbc\n"), "/a%20b/%C3%BC%0A");
}

static void
expect_key(const char *text, bool good)
{
	char why[512];
	struct client *c = client_new("unix:/nowhere", why, sizeof(why));
	struct secret key = { 0 };

	cr_assert_not_null(c);
	cr_assert_eq(secret_add_text(&key, text), 0);
	cr_expect_eq(client_set_key(c, &key, why, sizeof(why)), good ? 0 : -1,
	    "%s", text);
	secret_clear(&key);
	client_free(c);
}

Test(ctl_client, keys_and_users_cannot_change_the_request)
{
	struct secret password = { 0 };
	char why[512];
	struct client *c = client_new(NULL, why, sizeof(why));

	expect_key("QWxhZGRpbjpvcGVuK3Nlc2FtZS8=", true);
	expect_key("id:secret", false);
	expect_key("QWxh\r\nHost: x", false);
	cr_assert_eq(secret_add_text(&password, "p"), 0);
	cr_expect_eq(
	    client_set_user(c, "a:b", &password, why, sizeof(why)), -1);
	cr_expect_not_null(strstr(why, "colon"));
	cr_expect_eq(client_set_user(c, "", &password, why, sizeof(why)), -1);
	cr_expect_eq(client_set_user(c, "a", &password, why, sizeof(why)), 0);
	secret_clear(&password);
	client_free(c);
}

Test(ctl_client, a_daemon_that_is_not_there_is_named_with_the_cure)
{
	struct answer answer = { 0 };
	char why[512];
	struct client *c = client_new("unix:/nowhere", why, sizeof(why));

	cr_expect_eq(client_call(c, "GET", "/", NULL, &answer), -1);
	cr_expect_str_eq(client_error(c),
	    "cannot connect to unix:/nowhere: No such file or directory: is "
	    "anomd running? Try -u");
	cr_expect_eq(answer.status, 0);
	answer_clear(&answer);
	client_free(c);
}
