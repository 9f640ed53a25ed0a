/* Owns the judgement of Host and Origin. */
#include "common/compat.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "supervisor/http_hosts.h"

#define HOST_NAME_MAX_BYTES 255 /* RFC 1035 */

static size_t
host_len(const char *host)
{
	const char *end;

	if (*host != '[')
		return strcspn(host, ":");
	end = strchr(host, ']');
	return end == NULL ? 0 : (size_t)(end + 1 - host);
}

/* The host without its port. False when it does not fit. */
static bool
host_copy(char *dst, size_t dstlen, const char *host)
{
	size_t len = host_len(host);

	if (len >= dstlen)
		return false;
	memcpy(dst, host, len);
	dst[len] = '\0';
	return true;
}

static bool
is_ipv6_literal(const char *name, struct in6_addr *addr)
{
	char inner[INET6_ADDRSTRLEN];
	size_t len = strlen(name);

	if (len < 4 || name[0] != '[' || len - 2 >= sizeof(inner))
		return false;
	memcpy(inner, name + 1, len - 2);
	inner[len - 2] = '\0';
	return inet_pton(AF_INET6, inner, addr) == 1;
}

/* Letters, digits and what names are made of; no escapes, no sub-delims. */
static bool
is_name(const char *name)
{
	return *name != '\0' &&
	    name[strspn(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-._~")] == '\0';
}

static bool
is_port(const char *port)
{
	return strlen(port) <= 5 && port[strspn(port, "0123456789")] == '\0';
}

bool
http_host_is_valid(const char *host)
{
	char name[HOST_NAME_MAX_BYTES + 1];
	struct in6_addr addr;
	const char *rest;

	if (!host_copy(name, sizeof(name), host))
		return false;
	rest = host + strlen(name);
	if (*rest != '\0' && (*rest != ':' || !is_port(rest + 1)))
		return false;
	return is_name(name) || is_ipv6_literal(name, &addr);
}

static bool
is_loopback(const char *name)
{
	static const char below[] = ".localhost";
	size_t len = strlen(name), blen = sizeof(below) - 1;
	struct in_addr v4;
	struct in6_addr v6;

	if (strcasecmp(name, "localhost") == 0)
		return true;
	if (len > blen && strcasecmp(name + len - blen, below) == 0)
		return true;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return is_ipv6_literal(name, &v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* An entry may be written with a port; it does not count either. */
static bool
entry_matches(const char *entry, const char *name)
{
	size_t len = host_len(entry);

	return strcmp(entry, "*") == 0 ||
	    (len == strlen(name) && strncasecmp(entry, name, len) == 0);
}

bool
http_host_is_allowed(const char *host, const char *const *allowed)
{
	char name[HOST_NAME_MAX_BYTES + 1];

	if (!host_copy(name, sizeof(name), host))
		return false;
	if (is_loopback(name))
		return true;
	for (; allowed != NULL && *allowed != NULL; allowed++)
		if (entry_matches(*allowed, name))
			return true;
	return false;
}

bool
http_origin_is_allowed(const char *origin, const char *const *allowed)
{
	for (; allowed != NULL && *allowed != NULL; allowed++)
		if (strcmp(*allowed, "*") == 0 ||
		    strcasecmp(*allowed, origin) == 0)
			return true;
	return false;
}
