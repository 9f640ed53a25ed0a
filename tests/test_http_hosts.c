/* Who may ask. */
#include "common/compat.h"

#include <criterion/criterion.h>

#include "supervisor/http_hosts.h"

static const char *const listed[] = { "anomd.example.org", "10.1.2.3",
	"[fd00::1]:9200", NULL };
static const char *const all[] = { "*", NULL };

/* clang-format off */
static const struct {
	const char *host;
	bool valid, local, listed;
} host_rows[] = {
	{ "localhost", true, true, true },
	{ "LocalHost:9200", true, true, true },
	{ "app.localhost", true, true, true },
	{ "127.0.0.1", true, true, true },
	{ "127.255.3.4:80", true, true, true },
	{ "[::1]", true, true, true },
	{ "[::1]:9200", true, true, true },
	{ "[0:0:0:0:0:0:0:1]", true, true, true },
	{ "localhost:", true, true, true },
	{ "anomd.example.org", true, false, true },
	{ "ANOMD.example.org:443", true, false, true },
	{ "10.1.2.3:1", true, false, true },
	{ "[fd00::1]", true, false, true },
	{ "example.org", true, false, false },
	{ "evil.anomd.example.org", true, false, false },
	{ "anomd.example.org.evil", true, false, false },
	{ "localhost.evil.org", true, false, false },
	{ "evillocalhost", true, false, false },
	{ ".localhost", true, false, false },
	{ "127.0.0.1.evil.org", true, false, false },
	{ "127.1", true, false, false },
	{ "0x7f.0.0.1", true, false, false },
	{ "128.0.0.1", true, false, false },
	{ "0.0.0.0", true, false, false },
	{ "[::]", true, false, false },
	{ "[::2]", true, false, false },
	{ "", false, false, false },
	{ ":80", false, false, false },
	{ "::1", false, false, false },
	{ "[::1", false, false, false },
	{ "[]", false, false, false },
	{ "[::1]x", false, false, false },
	{ "a b", false, false, false },
	{ "a:8o", false, false, false },
	{ "a:123456", false, false, false },
	{ "a%20b", false, false, false },
	{ "a,b", false, false, false },
};
/* clang-format on */

Test(http_hosts, form_of_a_host)
{
	for (size_t i = 0; i < NELEM(host_rows); i++)
		cr_expect_eq(http_host_is_valid(host_rows[i].host),
		    host_rows[i].valid, "%s", host_rows[i].host);
}

Test(http_hosts, loopback_alone_is_allowed_without_a_list)
{
	for (size_t i = 0; i < NELEM(host_rows); i++)
		if (host_rows[i].valid)
			cr_expect_eq(
			    http_host_is_allowed(host_rows[i].host, NULL),
			    host_rows[i].local, "%s", host_rows[i].host);
}

Test(http_hosts, listed_hosts_are_allowed_beside_it)
{
	for (size_t i = 0; i < NELEM(host_rows); i++)
		if (host_rows[i].valid)
			cr_expect_eq(
			    http_host_is_allowed(host_rows[i].host, listed),
			    host_rows[i].listed, "%s", host_rows[i].host);
}

Test(http_hosts, a_star_allows_all)
{
	cr_expect(http_host_is_allowed("evil.org:1", all));
	cr_expect(http_host_is_allowed("", all));
	cr_expect(http_origin_is_allowed("null", all));
}

Test(http_hosts, a_host_too_long_for_a_name_is_refused)
{
	char host[300];

	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = 'a';
	host[sizeof(host) - 1] = '\0';
	cr_expect_not(http_host_is_valid(host));
	cr_expect_not(http_host_is_allowed(host, listed));
}

Test(http_hosts, only_listed_origins_are_allowed)
{
	static const char *const origins[] = { "https://ui.example.org",
		"http://localhost:3000", NULL };

	cr_expect(http_origin_is_allowed("https://ui.example.org", origins));
	cr_expect(http_origin_is_allowed("HTTP://localhost:3000", origins));
	cr_expect_not(http_origin_is_allowed("http://ui.example.org", origins));
	cr_expect_not(http_origin_is_allowed("http://localhost", origins));
	cr_expect_not(http_origin_is_allowed("null", origins));
	cr_expect_not(http_origin_is_allowed("http://localhost", NULL));
}
