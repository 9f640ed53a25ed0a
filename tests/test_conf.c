/* The configuration: files of tests/conf, name.in with name.ok or name.err. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/conf.h"

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	cr_assert_not_null(f, "%s", path);
	text[fread(text, 1, 65535, f)] = '\0';
	fclose(f);
	return text;
}

static char *
printed(const struct conf *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	conf_print(c, f);
	fclose(f);
	return text;
}

static void
expect_ok(const char *in, const char *ok)
{
	struct conf *c = conf_new(), *again = conf_new();
	char *want = slurp(ok), *got, *back;
	char copy[] = "/tmp/anomd-conf-XXXXXX";
	FILE *f = fdopen(mkstemp(copy), "w");

	cr_assert_eq(conf_read(c, in, false), 0, "%s", in);
	got = printed(c);
	cr_expect_str_eq(got, want);
	fputs(got, f);
	fclose(f);
	cr_expect_eq(conf_read(again, copy, false), 0);
	back = printed(again);
	cr_expect_str_eq(back, got);
	unlink(copy);
	conf_free(c);
	conf_free(again);
	free(want);
	free(got);
	free(back);
}

/* Each line of name.err must stand in what is logged. */
static void
expect_err(const char *in, const char *err)
{
	struct conf *c = conf_new();
	char path[] = "/tmp/anomd-conf-XXXXXX";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	char *want = slurp(err), *got, *line;

	dup2(fd, STDERR_FILENO);
	cr_expect_eq(conf_read(c, in, false), -1, "%s", in);
	dup2(saved, STDERR_FILENO);
	got = slurp(path);
	for (line = strtok(want, "\n"); line != NULL; line = strtok(NULL, "\n"))
		cr_expect_not_null(
		    strstr(got, line), "%s: no \"%s\" in %s", in, line, got);
	unlink(path);
	close(fd);
	close(saved);
	conf_free(c);
	free(want);
	free(got);
}

Test(conf, files_are_taken_or_refused_as_written)
{
	const char *dir = getenv("srcdir");
	char pattern[512];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/tests/conf/*.in",
	    dir == NULL ? "." : dir);
	cr_assert_eq(glob(pattern, 0, NULL, &g), 0, "%s", pattern);
	cr_assert_geq(g.gl_pathc, 4);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char other[512];
		size_t stem = strlen(g.gl_pathv[i]) - 3;

		snprintf(
		    other, sizeof(other), "%.*s.ok", (int)stem, g.gl_pathv[i]);
		if (access(other, R_OK) == 0) {
			expect_ok(g.gl_pathv[i], other);
			continue;
		}
		snprintf(
		    other, sizeof(other), "%.*s.err", (int)stem, g.gl_pathv[i]);
		expect_err(g.gl_pathv[i], other);
	}
	globfree(&g);
}

Test(conf, options_override_and_are_checked)
{
	struct conf *c = conf_new();

	cr_expect_eq(conf_set_option(c, "max_body_size=1mb"), 0);
	cr_expect_eq(c->max_body_bytes, 1024 * 1024);
	cr_expect_eq(conf_set_option(c, "listen=[::1]:0"), 0);
	cr_expect_eq(c->listen.n, 1);
	cr_expect_str_eq(c->listen.item[0], "[::1]:0");
	cr_expect_eq(conf_set_option(c, "listen=unix:/tmp/x"), 0);
	cr_expect_eq(c->listen.n, 2);
	cr_expect_eq(conf_set_option(c, "nonsense=1"), -1);
	cr_expect_eq(conf_set_option(c, "max_connections"), -1);
	cr_expect_eq(conf_set_option(c, "max_connections=0"), -1);
	conf_free(c);
}

Test(conf, open_listeners_need_a_word)
{
	struct conf *c = conf_new();

	cr_expect_eq(conf_check(c), 0);
	cr_assert_eq(conf_set_option(c, "listen=0.0.0.0:9200"), 0);
	cr_expect_eq(conf_check(c), -1);
	cr_assert_eq(conf_set_option(c, "insecure=yes"), 0);
	cr_expect_eq(conf_check(c), 0);
	conf_free(c);
}

Test(conf, a_missing_file_is_a_fault_unless_it_is_the_default)
{
	struct conf *c = conf_new();

	cr_expect_eq(conf_read(c, "/nonexistent/anomd.conf", true), 0);
	cr_expect_eq(conf_read(c, "/nonexistent/anomd.conf", false), -1);
	conf_free(c);
}

Test(conf, reported_version_is_compared_by_its_numbers)
{
	struct conf *c = conf_new();

	cr_assert_not_null(c);
	cr_expect_eq(conf_set_option(c, "reported_version=7.10.2"), 0);
	cr_expect(conf_reports(c, 7, 10));
	cr_expect(conf_reports(c, 7, 9));
	cr_expect(conf_reports(c, 6, 99));
	cr_expect_not(conf_reports(c, 7, 11));
	cr_expect_not(conf_reports(c, 8, 0));
	conf_free(c);
}
