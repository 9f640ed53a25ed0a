/* Owns the forms that the address of the daemon may have. */
#include "common/compat.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctl/target.h"

#define FORMS "unix:/path, http://host:port or https://host:port"

static int
refuse(char *why, size_t whylen, const char *text, const char *what)
{
	/* What stands before an @ may be a password. */
	bool hidden = strchr(text, '@') != NULL;

	snprintf(why, whylen, "-u %.200s: %s", hidden ? "..." : text, what);
	return -1;
}

static int
parse_unix(
    struct target *t, const char *text, const char *path, char *why, size_t len)
{
	if (path[0] != '/')
		return refuse(
		    why, len, text, "the path of the socket must begin with /");
	if (strlcpy(t->path, path, sizeof(t->path)) >= sizeof(t->path))
		return refuse(
		    why, len, text, "the path of the socket is too long");
	/* A name of loopback: the daemon looks at the Host header. */
	strlcpy(t->base, "http://localhost", sizeof(t->base));
	return 0;
}

static bool
is_loopback(const char *host)
{
	struct in_addr a;

	if (inet_pton(AF_INET, host, &a) == 1)
		return ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET;
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

static bool
has_part(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

/* What is wrong with it, or NULL. */
static const char *
url_fault(struct target *t, CURLU *u, const char *text)
{
	char *scheme = NULL, *host = NULL;
	const char *fault = NULL;

	if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		fault = FORMS " is wanted";
	else if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
		fault = "no user or password may be in it, use -U";
	else if (has_part(u, CURLUPART_QUERY) ||
	    has_part(u, CURLUPART_FRAGMENT))
		fault = FORMS " is wanted, and nothing behind it";
	else
		t->is_exposed =
		    strcmp(scheme, "http") == 0 && !is_loopback(host);
	curl_free(scheme);
	curl_free(host);
	return fault;
}

int
target_parse(struct target *t, const char *text, char *why, size_t whylen)
{
	const char *fault;
	size_t len;
	CURLU *u;

	memset(t, 0, sizeof(*t));
	if (strlcpy(t->name, text, sizeof(t->name)) >= sizeof(t->name))
		return refuse(why, whylen, text, "it is too long");
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(t, text, text + 5, why, whylen);
	u = curl_url();
	if (u == NULL)
		return refuse(why, whylen, text, "out of memory");
	fault = url_fault(t, u, text);
	curl_url_cleanup(u);
	if (fault != NULL)
		return refuse(why, whylen, text, fault);
	strlcpy(t->base, text, sizeof(t->base));
	for (len = strlen(t->base); len > 0 && t->base[len - 1] == '/';)
		t->base[--len] = '\0';
	return 0;
}
