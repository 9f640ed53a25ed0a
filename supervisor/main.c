/* Owns the command line. */
#include "common/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stdfds.h"
#include "supervisor/conf.h"
#include "supervisor/daemon.h"
#include "supervisor/route.h"

static NO_RETURN void
usage(void)
{
	fputs("usage: anomd [-nRvV] [-f file] [-o key=value] ...\n", stderr);
	exit(1);
}

/* What the command line asks for. */
struct request {
	const char *file; /* NULL: the usual one, if it is there */
	bool check, print;
	char **option; /* owned; what -o was given, in its order */
	size_t noptions;
};

static void
request_read(struct request *r, int argc, char *argv[])
{
	int ch;

	r->option = calloc((size_t)argc, sizeof(*r->option));
	if (r->option == NULL)
		fatal("start");
	while ((ch = getopt(argc, argv, "f:no:RvV")) != -1) {
		switch (ch) {
		case 'f':
			r->file = optarg;
			break;
		case 'n':
			r->check = true;
			break;
		case 'o':
			r->option[r->noptions++] = optarg;
			break;
		case 'R':
			route_print(stdout);
			exit(fflush(stdout) == 0 ? 0 : 1);
		case 'v':
			r->print = true;
			break;
		case 'V':
			printf("anomd %s\n", PACKAGE_VERSION);
			exit(fflush(stdout) == 0 ? 0 : 1);
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

/* All that is wrong is said, not the first fault only. */
static int
configure(struct conf *conf, const struct request *r)
{
	const char *file =
	    r->file != NULL ? r->file : SYSCONFDIR "/anomd/anomd.conf";
	int rc = conf_read(conf, file, r->file == NULL);

	for (size_t i = 0; i < r->noptions; i++)
		if (conf_set_option(conf, r->option[i]) == -1)
			rc = -1;
	return conf_check(conf) == -1 ? -1 : rc;
}

/* -n: the exit status is the answer. */
static int
show(const struct conf *conf, bool print)
{
	if (!print) {
		fputs("configuration is valid\n", stderr);
		return 0;
	}
	conf_print(conf, stdout);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	log_warn("the configuration was not printed");
	return 1;
}

int
main(int argc, char *argv[])
{
	struct request req = { 0 };
	struct conf *conf;
	int status = -1;

	stdfds_fill();
	log_init("anomd", LOG_LEVEL_INFO);
	request_read(&req, argc, argv);
	conf = conf_new();
	if (conf == NULL)
		fatalx("no configuration");
	if (configure(conf, &req) == 0)
		status = req.check ? show(conf, req.print) : daemon_run(conf);
	conf_free(conf);
	free(req.option);
	/* Of the level that the service manager's tools look for. */
	if (status != 0)
		fatalx(status == -1 ? "the configuration is not valid"
				    : "ended with status 1");
	return 0;
}
