/* Owns how faults are said and counted. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/faults.h"
#include "ctl/say.h"

static void
print_path(const struct faults *f, const char *path)
{
	say_text(stdout, f->dir);
	putchar('/');
	say_text(stdout, path);
	fputs(": ", stdout);
}

static void
print_what(const struct faults *f, const char *what)
{
	say_text(stdout, what);
	if (f->means != NULL)
		printf("; %s", f->means);
	putchar('\n');
}

void
faults_report(void *arg, const char *path, uint64_t offset, const char *what)
{
	struct faults *f = arg;

	f->nfaults++;
	print_path(f, path);
	printf("byte %" PRIu64 ": ", offset);
	print_what(f, what);
}

void
faults_add(struct faults *f, const char *path, const char *what)
{
	f->nfaults++;
	print_path(f, path);
	print_what(f, what);
}

void
faults_missing(struct faults *f, const char *path, const char *means)
{
	f->means = means;
	faults_add(f, path, "it is missing");
}

void
faults_pause(void)
{
	const struct timespec pause = { 0, 20 * 1000000 };

	nanosleep(&pause, NULL);
}

void
faults_looked(struct faults *f, const char *path, int rc)
{
	if (rc == -1 && errno == ENOENT)
		return;
	f->nfiles++;
	if (rc != -1)
		return;
	f->nunread++;
	say_error("verify: %s/%s: %s", f->dir, path, strerror(errno));
}
