/* Owns the table of configuration keys: reading, checking, printing. */
#include "common/compat.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/apierr.h"
#include "common/log.h"
#include "common/msg.h"
#include "common/units.h"
#include "supervisor/conf.h"
#include "supervisor/http.h"
#include "supervisor/http_hosts.h"
#include "supervisor/listen_open.h"

#define LINE_MAX_BYTES 4096

enum key_type {
	KEY_LIST,
	KEY_LISTEN, /* a list of listeners */
	KEY_PATH,
	KEY_WORD,
	KEY_SIZE,
	KEY_COUNT,
	KEY_SECONDS,
	KEY_ENUM,
	KEY_BOOL
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	const char *preset;	  /* default, in the form of the file */
	double lo, hi;		  /* range of numbers, in the stored unit */
	const char *const *words; /* of KEY_ENUM, NULL-terminated */
	/* What is wanted, when the value is not that; NULL when it is. */
	const char *(*fault)(const char *value);
};

static const char *const sync_words[] = { "always", "interval", "never", NULL };
static const char *const level_words[] = { "error", "warning", "info", "debug",
	NULL };

static const char *
host_fault(const char *value)
{
	return strcmp(value, "*") == 0 || http_host_is_valid(value)
	    ? NULL
	    : "a name, an address or * is wanted";
}

/* As browsers send it: one with a path, even "/", would match none. */
static const char *
origin_fault(const char *value)
{
	const char *host = strstr(value, "://");

	if (strcmp(value, "*") == 0 || strcmp(value, "null") == 0)
		return NULL;
	return host != NULL && host > value && http_host_is_valid(host + 3)
	    ? NULL
	    : "scheme://host or scheme://host:port is wanted";
}

/* Clients that cannot read it refuse the server without saying why. */
static const char *
version_fault(const char *value)
{
	static const char digits[] = "0123456789";
	const char *s = value;

	for (int i = 0; i < 3; i++) {
		size_t n = strspn(s, digits);

		if (n == 0 || n > 4 || s[n] != (i < 2 ? '.' : '\0'))
			return "three numbers are wanted, such as 8.19.2";
		s += n + 1;
	}
	return NULL;
}

/* It is shown to people, and by other programs without escapes. */
static const char *
name_fault(const char *value)
{
	for (const char *s = value; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || *s == ':')
			return "printable ASCII without blanks and colons is "
			       "wanted";
	return strlen(value) > 255 ? "at most 255 bytes are wanted" : NULL;
}

#define AT(member) offsetof(struct conf, member)
#define MB (1024.0 * 1024.0)

/* clang-format off */
static const struct key keys[] = {
	{ "listen", KEY_LISTEN, AT(listen), "127.0.0.1:9200", 0, 0, NULL, NULL },
	{ "state_dir", KEY_PATH, AT(state_dir), LOCALSTATEDIR "/lib/anomd", 0, 0, NULL, NULL },
	{ "libexec_dir", KEY_PATH, AT(libexec_dir), LIBEXECDIR, 0, 0, NULL, NULL },
	{ "max_body_size", KEY_SIZE, AT(max_body_bytes), "100mb", 1024, 1024 * 1024 * MB, NULL, NULL },
	{ "max_head_size", KEY_SIZE, AT(max_head_bytes), "16kb", 1024, MB, NULL, NULL },
	{ "max_inflight_size", KEY_SIZE, AT(max_inflight_bytes), "64mb", MB, 1024 * 1024 * MB, NULL, NULL },
	{ "min_free_size", KEY_SIZE, AT(min_free_bytes), "64mb", 0, 1024 * 1024 * MB, NULL, NULL },
	{ "reserve_size", KEY_SIZE, AT(reserve_bytes), "64mb", 0, 1024 * 1024 * MB, NULL, NULL },
	{ "max_model_memory_limit", KEY_SIZE, AT(max_model_memory_bytes), NULL, MB, 1024 * 1024 * MB, NULL, NULL },
	{ "journal_quota", KEY_SIZE, AT(journal_quota_bytes), "8gb", 0, 1024 * 1024 * MB, NULL, NULL },
	{ "default_results_retention_days", KEY_COUNT, AT(default_results_retention_days), "0", 0, 36500, NULL, NULL },
	{ "max_connections", KEY_COUNT, AT(max_connections), "1024", 1, 1000000, NULL, NULL },
	{ "max_query_processes", KEY_COUNT, AT(max_query_processes), "2", 1, 64, NULL, NULL },
	{ "max_opening", KEY_COUNT, AT(max_opening), "0", 0, 1024, NULL, NULL },
	{ "head_timeout", KEY_SECONDS, AT(head_timeout_s), "10s", 1, 3600, NULL, NULL },
	{ "body_timeout", KEY_SECONDS, AT(body_timeout_s), "30s", 1, 3600, NULL, NULL },
	{ "idle_timeout", KEY_SECONDS, AT(idle_timeout_s), "75s", 1, 86400, NULL, NULL },
	{ "watchdog_timeout", KEY_SECONDS, AT(watchdog_timeout_s), "30s", 1, 3600, NULL, NULL },
	{ "max_restart_delay", KEY_SECONDS, AT(max_restart_delay_s), "60s", 1, 3600, NULL, NULL },
	{ "stop_timeout", KEY_SECONDS, AT(stop_timeout_s), "60s", 1, 86400, NULL, NULL },
	{ "interim_interval", KEY_SECONDS, AT(interim_interval_s), "60s", 0, 86400, NULL, NULL },
	{ "allowed_host", KEY_LIST, AT(allowed_hosts), NULL, 0, 0, NULL, host_fault },
	{ "allowed_origin", KEY_LIST, AT(allowed_origins), NULL, 0, 0, NULL, origin_fault },
	{ "journal_sync", KEY_ENUM, AT(journal_sync), "always", 0, 0, sync_words, NULL },
	{ "log_level", KEY_ENUM, AT(log_level), "info", 0, 0, level_words, NULL },
	{ "reported_version", KEY_WORD, AT(reported_version), "8.19.2", 0, 0, NULL, version_fault },
	{ "cluster_name", KEY_WORD, AT(cluster_name), "anomd", 0, 0, NULL, name_fault },
	{ "deprecation_warnings", KEY_BOOL, AT(deprecation_warnings), "no", 0, 0, NULL, NULL },
	{ "security", KEY_BOOL, AT(security), "no", 0, 0, NULL, NULL },
	{ "insecure", KEY_BOOL, AT(insecure), "no", 0, 0, NULL, NULL },
};
/* clang-format on */

static const struct key *
key_find(const char *name)
{
	for (size_t i = 0; i < NELEM(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool
is_list(const struct key *k)
{
	return k->type == KEY_LIST || k->type == KEY_LISTEN;
}

static void
list_clear(struct conf_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i]);
	free(l->item);
	memset(l, 0, sizeof(*l));
}

/* The first value that is given replaces the default. */
static int
list_add(struct conf_list *l, const char *value)
{
	char **item;
	char *copy;

	if (l->is_default)
		list_clear(l);
	item = reallocarray(l->item, l->n + 2, sizeof(*item));
	if (item == NULL)
		return -1;
	l->item = item;
	copy = strdup(value);
	if (copy == NULL)
		return -1;
	item[l->n++] = copy;
	item[l->n] = NULL;
	return 0;
}

static int
set_string(char **dst, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -1;
	free(*dst);
	*dst = copy;
	return 0;
}

static int
set_number(
    const struct key *k, void *dst, const char *value, char *why, size_t whylen)
{
	struct apierr e;
	const char *err = NULL;
	uint64_t v = 0;
	int64_t ns;

	if (k->type == KEY_SIZE) {
		if (units_size(k->name, value, &v, &e) == -1) {
			strlcpy(why, e.link[0].reason, whylen);
			return -1;
		}
	} else if (k->type == KEY_SECONDS) {
		if (units_duration(k->name, value, &ns, &e) == -1) {
			strlcpy(why, e.link[0].reason, whylen);
			return -1;
		}
		if (ns < 0 || ns % 1000000000 != 0)
			err = "whole seconds are wanted, for example 30s";
		v = (uint64_t)(ns / 1000000000);
	} else {
		v = (uint64_t)strtonum(value, 0, INT64_MAX, &err);
	}
	if (err == NULL && ((double)v < k->lo || (double)v > k->hi))
		err = "out of range";
	if (err != NULL) {
		snprintf(why, whylen, "%s: %s: %s (%.0f to %.0f)", k->name,
		    value, err, k->lo, k->hi);
		return -1;
	}
	*(uint64_t *)dst = v;
	return 0;
}

static int
set_enum(
    const struct key *k, int *dst, const char *value, char *why, size_t whylen)
{
	for (int i = 0; k->words[i] != NULL; i++) {
		if (strcmp(k->words[i], value) == 0) {
			*dst = i;
			return 0;
		}
	}
	snprintf(why, whylen, "%s: %s: one of", k->name, value);
	for (int i = 0; k->words[i] != NULL; i++) {
		strlcat(why, i == 0 ? " " : ", ", whylen);
		strlcat(why, k->words[i], whylen);
	}
	strlcat(why, " is wanted", whylen);
	return -1;
}

static int
set_bool(
    const struct key *k, bool *dst, const char *value, char *why, size_t whylen)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
		snprintf(why, whylen, "%s: yes or no is wanted, not %s",
		    k->name, value);
		return -1;
	}
	*dst = value[0] == 'y';
	return 0;
}

/* 0, or -1 with a text for people in why. */
static int
key_set(struct conf *c, const struct key *k, const char *value, char *why,
    size_t whylen)
{
	void *dst = (char *)c + k->offset;
	const char *fault;
	int rc = 0;

	snprintf(why, whylen, "out of memory");
	if (*value == '\0') {
		snprintf(why, whylen, "%s: a value is wanted", k->name);
		return -1;
	}
	fault = k->fault == NULL ? NULL : k->fault(value);
	if (fault != NULL) {
		snprintf(why, whylen, "%s: %s: %s", k->name, value, fault);
		return -1;
	}
	switch (k->type) {
	case KEY_LISTEN:
		if (listen_spec_check(value, &fault) == -1) {
			snprintf(
			    why, whylen, "%s: %s: %s", k->name, value, fault);
			return -1;
		}
		return list_add(dst, value);
	case KEY_LIST:
		return list_add(dst, value);
	case KEY_PATH:
		if (value[0] != '/') {
			snprintf(why, whylen,
			    "%s: an absolute path is wanted, not %s", k->name,
			    value);
			return -1;
		}
		return set_string(dst, value);
	case KEY_WORD:
		return set_string(dst, value);
	case KEY_SIZE:
	case KEY_COUNT:
	case KEY_SECONDS:
		rc = set_number(k, dst, value, why, whylen);
		break;
	case KEY_ENUM:
		rc = set_enum(k, dst, value, why, whylen);
		break;
	case KEY_BOOL:
		rc = set_bool(k, dst, value, why, whylen);
		break;
	}
	return rc;
}

struct conf *
conf_new(void)
{
	struct conf *c = calloc(1, sizeof(*c));
	char why[APIERR_REASON_MAX + 64];

	if (c == NULL)
		return NULL;
	for (size_t i = 0; i < NELEM(keys); i++) {
		if (keys[i].preset == NULL)
			continue;
		if (key_set(c, &keys[i], keys[i].preset, why, sizeof(why)) ==
		    -1) {
			log_warnx("default of %s", why);
			conf_free(c);
			return NULL;
		}
		if (is_list(&keys[i]))
			((struct conf_list *)(void *)((char *)c +
			     keys[i].offset))
			    ->is_default = true;
	}
	return c;
}

void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < NELEM(keys); i++) {
		void *at = (char *)c + keys[i].offset;

		if (is_list(&keys[i]))
			list_clear(at);
		else if (keys[i].type == KEY_PATH || keys[i].type == KEY_WORD)
			free(*(char **)at);
	}
	free(c);
}

static char *
trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len > 0 && isspace((unsigned char)s[len - 1]))
		s[--len] = '\0';
	return s;
}

/* "key value"; an empty line and a comment are fine. */
static int
read_line(struct conf *c, char *line, char *why, size_t whylen)
{
	char *name = trim(line), *value = name;
	const struct key *k;

	if (*name == '\0' || *name == '#')
		return 0;
	while (*value != '\0' && !isspace((unsigned char)*value))
		value++;
	if (*value != '\0')
		*value++ = '\0';
	k = key_find(name);
	if (k == NULL) {
		snprintf(why, whylen, "unknown key %s", name);
		return -1;
	}
	return key_set(c, k, trim(value), why, whylen);
}

int
conf_read(struct conf *c, const char *path, bool optional)
{
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_BYTES], why[APIERR_REASON_MAX + 64], shown[512];
	unsigned lineno = 0;
	int rc = 0;

	if (f == NULL) {
		if (optional && errno == ENOENT)
			return 0;
		log_warn("%s", path);
		return -1;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		lineno++;
		if (strchr(line, '\n') == NULL && !feof(f)) {
			log_warnx("%s:%u: line is too long, or has a NUL byte",
			    path, lineno);
			rc = -1;
			break;
		}
		if (read_line(c, line, why, sizeof(why)) == -1) {
			log_warnx("%s:%u: %s", path, lineno,
			    log_escape(shown, sizeof(shown), why, strlen(why)));
			rc = -1;
		}
	}
	if (ferror(f)) {
		log_warn("%s", path);
		rc = -1;
	}
	fclose(f);
	return rc;
}

int
conf_set_option(struct conf *c, const char *option)
{
	char *copy = strdup(option), why[APIERR_REASON_MAX + 64];
	char *eq = copy == NULL ? NULL : strchr(copy, '=');
	const struct key *k;
	int rc = -1;

	if (eq == NULL) {
		log_warnx("-o %s: key=value is wanted", option);
		goto out;
	}
	*eq = '\0';
	k = key_find(trim(copy));
	if (k == NULL)
		log_warnx("-o %s: unknown key", option);
	else if (key_set(c, k, trim(eq + 1), why, sizeof(why)) == -1)
		log_warnx("-o %s", why);
	else
		rc = 0;
out:
	free(copy);
	return rc;
}

int
conf_check(const struct conf *c)
{
	int rc = 0;

	for (size_t i = 0; i < c->listen.n; i++) {
		const char *spec = c->listen.item[i];

		if (c->security || c->insecure || http_spec_is_local(spec))
			continue;
		log_warnx("listen %s: refused beyond loopback without "
			  "authentication; \"security yes\" asks for it, "
			  "\"insecure yes\" does without",
		    spec);
		rc = -1;
	}
	return rc;
}

bool
conf_reports(const struct conf *c, long major, long minor)
{
	char *dot; /* version_fault has seen that there is one */
	long have_major = strtol(c->reported_version, &dot, 10);
	long have_minor = strtol(dot + 1, NULL, 10);

	return have_major > major ||
	    (have_major == major && have_minor >= minor);
}

/* In the largest unit that keeps it exact. */
static void
print_size(const char *name, uint64_t bytes, FILE *f)
{
	static const char *const units[] = { "b", "kb", "mb", "gb" };
	size_t i = 0;

	while (i + 1 < NELEM(units) && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	fprintf(f, "%s %" PRIu64 "%s\n", name, bytes, units[i]);
}

static void
print_list(const struct key *k, const struct conf_list *l, FILE *f)
{
	for (size_t i = 0; i < l->n; i++)
		fprintf(f, "%s %s\n", k->name, l->item[i]);
}

void
conf_print(const struct conf *c, FILE *f)
{
	for (size_t i = 0; i < NELEM(keys); i++) {
		const struct key *k = &keys[i];
		const void *at = (const char *)c + k->offset;

		switch (k->type) {
		case KEY_LIST:
		case KEY_LISTEN:
			print_list(k, at, f);
			break;
		case KEY_PATH:
		case KEY_WORD:
			fprintf(
			    f, "%s %s\n", k->name, *(const char *const *)at);
			break;
		case KEY_SIZE:
			/* One without a default is not there when it is 0. */
			if (k->preset != NULL || *(const uint64_t *)at != 0)
				print_size(k->name, *(const uint64_t *)at, f);
			break;
		case KEY_COUNT:
			fprintf(f, "%s %" PRIu64 "\n", k->name,
			    *(const uint64_t *)at);
			break;
		case KEY_SECONDS:
			fprintf(f, "%s %" PRIu64 "s\n", k->name,
			    *(const uint64_t *)at);
			break;
		case KEY_ENUM:
			fprintf(
			    f, "%s %s\n", k->name, k->words[*(const int *)at]);
			break;
		case KEY_BOOL:
			fprintf(f, "%s %s\n", k->name,
			    *(const bool *)at ? "yes" : "no");
			break;
		}
	}
}
