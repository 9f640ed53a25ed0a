/* Owns the start: the command line, who asks, and the end. */
#include "common/compat.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/apierr.h"
#include "common/stdfds.h"
#include "common/units.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/say.h"

static int
usage(const char *what)
{
	say_error("%s; see anomctl help", what);
	return CTL_USAGE;
}

/* ---- who asks ---- */

/* The password of -U, from -P or the terminal. */
static int
login_user(struct client *client, const struct args *a)
{
	const char *user = args_value(a, "login");
	const char *file = args_value(a, "login-file");
	struct secret password = { 0 };
	char why[512], prompt[160];
	int rc;

	snprintf(prompt, sizeof(prompt), "Password of %.100s: ", user);
	rc = file != NULL ? secret_read(&password, file, why, sizeof(why))
			  : secret_ask(&password, prompt, why, sizeof(why));
	if (rc == -1)
		say_error("the password of -U: %s%s", why,
		    file == NULL ? "; or use -P" : "");
	else if ((rc = client_set_user(
		      client, user, &password, why, sizeof(why))) == -1)
		say_error("%s", why);
	secret_clear(&password);
	return rc;
}

static int
login_key(struct client *client, struct secret *key, const char *from)
{
	char why[512];

	if (client_set_key(client, key, why, sizeof(why)) == 0)
		return 0;
	say_error("the API key of %s: %s", from, why);
	return -1;
}

static int
login_key_file(struct client *client, const char *file)
{
	struct secret key = { 0 };
	char why[512];
	int rc = secret_read(&key, file, why, sizeof(why));

	if (rc == -1)
		say_error("the API key of -K: %s", why);
	else
		rc = login_key(client, &key, "-K");
	secret_clear(&key);
	return rc;
}

/* The environment can be read as long as the process lives: it is emptied. */
static int
login_key_environment(struct client *client)
{
	char *value = getenv("ANOMD_API_KEY");
	struct secret key = { 0 };
	int rc;

	if (value == NULL || value[0] == '\0')
		return 0;
	rc = secret_add_text(&key, value);
	explicit_bzero(value, strlen(value));
	if (rc == -1)
		say_error("out of memory");
	else
		rc = login_key(client, &key, "ANOMD_API_KEY");
	secret_clear(&key);
	return rc;
}

static int
login(struct client *client, const struct args *a)
{
	int rc;

	if (args_has(a, "login"))
		rc = login_user(client, a);
	else if (args_has(a, "key-file"))
		rc = login_key_file(client, args_value(a, "key-file"));
	else
		rc = login_key_environment(client);
	if (rc == 0 && client_is_exposed(client))
		say_error("warning: what proves who you are goes over the "
			  "network in the clear");
	return rc;
}

static int
set_timeout(struct client *client, const char *text)
{
	struct apierr e;
	int64_t ns;

	if (text == NULL)
		return 0;
	if (units_duration("timeout", text, &ns, &e) == -1 ||
	    ns < UNITS_NS_PER_S / 1000 || ns / UNITS_NS_PER_S > 86400)
		return -1;
	client_set_timeout(client, ns / (UNITS_NS_PER_S / 1000));
	return 0;
}

/* The client, or NULL with the status that ends the program. */
static struct client *
connect_to(const struct args *a, int *status)
{
	const char *url = args_value(a, "url"), *ca = args_value(a, "cacert");
	struct client *client;
	char why[512];

	*status = CTL_USAGE;
	if (args_has(a, "login") && args_has(a, "key-file")) {
		usage("-U and -K say both who you are: give one of them");
		return NULL;
	}
	if (args_has(a, "login-file") && !args_has(a, "login")) {
		usage("-P wants -U, whose password it is");
		return NULL;
	}
	if (url == NULL)
		url = getenv("ANOMD_URL");
	client = client_new(
	    url == NULL || url[0] == '\0' ? NULL : url, why, sizeof(why));
	if (client == NULL) {
		usage(why);
		return NULL;
	}
	*status = CTL_FAILED;
	if (set_timeout(client, args_value(a, "timeout")) == -1) {
		*status = CTL_USAGE;
		usage("-t wants a time from 1ms to 1d, such as 30s");
	} else if (ca != NULL &&
	    client_set_cacert(client, ca, why, sizeof(why)) == -1) {
		say_error("%s", why);
	} else if (login(client, a) == 0) {
		return client;
	}
	client_free(client);
	return NULL;
}

/* ---- which command ---- */

/*
 * When the first words are no command: what they ask for instead, or what is
 * wrong with them. name: the first word, or NULL. Returns the exit status.
 */
static int
no_command(const struct args *a, const char *name)
{
	bool is_group = name != NULL && command_is_group(name);
	char names[512];

	if (args_has(a, "version")) {
		printf("anomctl %s\n", PACKAGE_VERSION);
		return CTL_OK;
	}
	if (args_has(a, "help") && is_group) {
		command_help_group(stdout, name);
		return CTL_OK;
	}
	if (name == NULL) {
		command_help_all(args_has(a, "help") ? stdout : stderr);
		return args_has(a, "help") ? CTL_OK : CTL_USAGE;
	}
	command_names(is_group ? name : NULL, names, sizeof(names));
	if (is_group)
		say_error("%s wants one of %s; see anomctl help %s", name,
		    names, name);
	else
		say_error("there is no command %s, but %s; see anomctl help",
		    name, names);
	return CTL_USAGE;
}

/*
 * Reads the words that name the command, with the common options before and
 * between them. Returns how many words were used, or -1 with *status.
 */
static int
find_command(struct args *a, const char *const *words, size_t n,
    const struct command **command, int *status)
{
	const struct args_form *const forms[] = { command_common_options,
		NULL };
	const char *name[2] = { NULL, NULL };
	size_t at = 0;

	for (size_t i = 0; i < NELEM(name); i++) {
		int used = args_read(a, forms, words + at, n - at, true);

		if (used == -1) {
			*status = usage(a->why);
			return -1;
		}
		at += (size_t)used;
		if (at == n)
			break;
		name[i] = words[at++];
		*command = command_find(name, i + 1);
		if (*command != NULL)
			return (int)at;
		if (i == 0 && !command_is_group(name[0]))
			break;
	}
	*status = no_command(a, name[0]);
	return -1;
}

static int
check_operands(const struct command *c, const struct args *a)
{
	const char *group = c->group != NULL ? c->group : "";
	const char *gap = c->group != NULL ? " " : "";

	if (a->noperands >= c->min && a->noperands <= c->max)
		return 0;
	say_error("usage: anomctl %s%s%s %s; see anomctl help %s%s%s", group,
	    gap, c->name, c->operands, group, gap, c->name);
	return -1;
}

static int
run(struct args *a, const char *const *words, size_t n)
{
	const struct args_form *forms[] = { command_common_options, NULL,
		NULL };
	struct ctl ctl = { .args = a };
	int status = CTL_USAGE, used;

	used = find_command(a, words, n, &ctl.command, &status);
	if (used == -1)
		return status;
	forms[1] = ctl.command->options;
	if (args_read(a, forms, words + used, n - (size_t)used, false) == -1)
		return usage(a->why);
	if (args_has(a, "help")) {
		command_help(stdout, ctl.command);
		return CTL_OK;
	}
	if (args_has(a, "version")) {
		printf("anomctl %s\n", PACKAGE_VERSION);
		return CTL_OK;
	}
	if (args_has(a, "quiet"))
		say_quiet();
	if (check_operands(ctl.command, a) == -1)
		return CTL_USAGE;
	if (!ctl.command->local) {
		ctl.client = connect_to(a, &status);
		if (ctl.client == NULL)
			return status;
	}
	status = ctl.command->run(&ctl);
	client_free(ctl.client);
	return status;
}

int
main(int argc, char *argv[])
{
	const struct rlimit no_core = { 0, 0 };
	struct args args;
	int status;

	stdfds_fill();
	/* A core file would have the secrets in it. */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	setlocale(LC_CTYPE, "");
	if (argc < 1 || args_init(&args, (size_t)argc) == -1) {
		say_error("out of memory");
		return CTL_FAILED;
	}
	status = run(&args, (const char *const *)argv + 1, (size_t)argc - 1);
	args_clear(&args);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_OK) {
		say_error(
		    "what was asked could not be written: %s", strerror(errno));
		status = CTL_FAILED;
	}
	return status;
}
