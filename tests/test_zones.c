/* The names of time zones, read from directories made for the test. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/zones.h"
#include "tests/tmpdir.h"

static char top[TMPDIR_BYTES];

static void
setup(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	snprintf(top, sizeof(top), "/tmp/anomd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	cr_assert_eq(chdir(top), 0);
}

static void
teardown(void)
{
	cr_assert_eq(chdir("/"), 0);
	tmpdir_purge(top);
}

TestSuite(zones, .init = setup, .fini = teardown);

static void
make(const char *path, const char *data)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, data, strlen(data)), (ssize_t)strlen(data));
	close(fd);
}

static struct zones *
load(void)
{
	struct zones *z = zones_load(top);

	cr_assert_not_null(z);
	return z;
}

Test(zones, compiled_files_are_zones_by_their_path)
{
	struct zones *z;

	mkdir("Europe", 0700);
	mkdir("America", 0700);
	mkdir("America/Argentina", 0700);
	make("Europe/Berlin", "TZif2....");
	make("America/Argentina/Buenos_Aires", "TZif2....");
	make("Etc+1", "TZif");
	make("zone.tab", "TZif");
	make("README", "text");
	make("short", "TZ");
	make("-00", "TZif");
	z = load();
	cr_expect_eq(zones_count(z), 4);
	cr_expect(zones_has(z, "Europe/Berlin"));
	cr_expect(zones_has(z, "America/Argentina/Buenos_Aires"));
	cr_expect(zones_has(z, "Etc+1"));
	cr_expect_not(zones_has(z, "zone.tab"), "no zone has a dot");
	cr_expect_not(zones_has(z, "README"));
	cr_expect_not(zones_has(z, "short"));
	zones_free(z);
}

Test(zones, names_are_taken_as_they_are)
{
	static const char *const bad[] = { "", "europe/berlin", "Europe",
		"Europe/", "/Europe/Berlin", "Europe//Berlin",
		"../zoneinfo/Europe/Berlin", "Europe/../Europe/Berlin",
		"Europe/Berlin ", "Berlin" };
	struct zones *z;

	mkdir("Europe", 0700);
	make("Europe/Berlin", "TZif");
	z = load();
	for (size_t i = 0; i < NELEM(bad); i++)
		cr_expect_not(zones_has(z, bad[i]), "%s", bad[i]);
	zones_free(z);
}

Test(zones, what_is_not_of_the_database_is_left_out)
{
	struct zones *z;

	mkdir("posix", 0700);
	mkdir("right", 0700);
	make("posix/UCT", "TZif");
	make("right/UCT", "TZif");
	make("localtime", "TZif");
	make("posixrules", "TZif");
	make("UCT", "TZif");
	z = load();
	cr_expect_eq(zones_count(z), 1);
	cr_expect(zones_has(z, "UCT"));
	zones_free(z);
}

Test(zones, links_are_names_too_and_lead_nowhere_else)
{
	struct zones *z;

	mkdir("Etc", 0700);
	make("Etc/GMT", "TZif");
	cr_assert_eq(symlink("Etc/GMT", "GMT"), 0);
	cr_assert_eq(symlink("nothing", "Broken"), 0);
	cr_assert_eq(symlink(".", "Circle"), 0);
	cr_assert_eq(mkfifo("Pipe", 0600), 0);
	z = load();
	cr_expect(zones_has(z, "GMT"));
	cr_expect_not(zones_has(z, "Broken"));
	cr_expect_not(zones_has(z, "Pipe"));
	cr_expect_lt(zones_count(z), 20, "the circle ends");
	zones_free(z);
}

Test(zones, there_are_never_more_than_the_most)
{
	struct zones *z;
	char name[32];

	for (int i = 0; i < ZONES_MAX + 5; i++) {
		snprintf(name, sizeof(name), "Z%d", i);
		make(name, "TZif");
	}
	z = load();
	cr_expect_eq(zones_count(z), ZONES_MAX);
	zones_free(z);
}

Test(zones, without_data_there_is_utc)
{
	struct zones *z = load();

	cr_expect_eq(zones_count(z), 0);
	cr_expect(zones_has(z, "UTC"));
	cr_expect_not(zones_has(z, "Europe/Berlin"));
	zones_free(z);
	cr_expect_null(zones_load("/nonexistent"));
	cr_expect_eq(zones_count(NULL), 0);
	cr_expect(zones_has(NULL, "UTC"));
	cr_expect_not(zones_has(NULL, "Europe/Berlin"));
}
