/*
 * Writes what fuzzers and tests read of the formats of files: seeds of
 * fuzz_journal and fuzz_snapshot, and a journal as a fixture.
 *
 *	make_seeds seeds TOP/tests/fuzz/corpus
 *	make_seeds fixtures TOP/tests/fixtures
 *
 * Seeds are made anew with each format. Fixtures are made once for each, by
 * the version that had it first, and are never written again: they show that
 * later versions read it.
 */
#include "common/compat.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/log.h"
#include "tests/fuzz/snapshot_job.h"
#include "tests/worker_fixture.h"
#include "worker/analysis.h"
#include "worker/entry.h"
#include "worker/journal.h"
#include "worker/snapshot.h"

#define SEGMENT JOURNAL_DIR "/00000000000000000001.seg"
#define SEED_RECORDS 3
#define FIXTURE_RECORDS 600
#define PACKED_RECORDS 40000 /* more than the least that is compressed */
#define FILE_BYTES ((size_t)4 << 20)

static char top[PATH_MAX]; /* where files go */
static uint8_t file[FILE_BYTES];

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
write_file(const char *name, const void *data, size_t len)
{
	char path[2 * PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	if (fd == -1 || disk_write_at(fd, data, len, 0) == -1 ||
	    close(fd) == -1)
		die(path);
	printf("%s: %zu bytes\n", path, len);
}

/* Seeds begin with a byte of flags: 1 has the fuzzer repair checksums. */
static void
write_seed(const char *name, uint8_t flags, const void *data, size_t len)
{
	if (len >= FILE_BYTES)
		die(name);
	memmove(file + 1, data, len);
	file[0] = flags;
	write_file(name, file, len + 1);
}

static size_t
read_file(const char *path)
{
	ssize_t n = disk_read_start(path, file, sizeof(file));

	if (n <= 0 || (size_t)n == sizeof(file))
		die(path);
	return (size_t)n;
}

/* ---- journals ---- */

static struct journal *
journal_begin(void)
{
	struct journal *j = journal_open(0, SYNC_NEVER);
	struct journal_entry e;
	const char *data;

	if (j == NULL)
		die(JOURNAL_DIR);
	while (journal_read(j, &e, &data) > 0)
		;
	return j;
}

static void
append(struct journal *j, struct journal_entry *e, const char *data)
{
	e->receipt_ms = INT64_C(1700000000000);
	e->data_len = data == NULL ? 0 : strlen(data);
	e->data_crc = crc32c(0, data, (size_t)e->data_len);
	journal_append(j, e, data);
}

static void
append_plain(struct journal *j, enum journal_type type)
{
	struct journal_entry e;

	journal_entry_init(&e, type);
	append(j, &e, NULL);
}

/* The records of tests/worker_fixture.c, which are a minute apart. */
static char *
record_lines(int n)
{
	char *text = malloc((size_t)n * 64);
	size_t len = 0;

	if (text == NULL)
		die("memory");
	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 64,
		    "{\"time\":%d,\"value\":%d.5}\n", BASE_TIME + 60 * i,
		    i % 100);
	return text;
}

/* Every type of entry, and every field of the header in use. */
static void
journal_write(int n)
{
	struct journal *j = journal_begin();
	struct journal_entry e;
	char *text = record_lines(n);

	append_plain(j, JOURNAL_OPEN);
	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.token = 7;
	e.key_hi = 1;
	e.key_lo = 2;
	e.digest_hi = 3;
	e.digest_lo = 4;
	append(j, &e, text);
	journal_entry_init(&e, JOURNAL_FLUSH);
	e.calc_interim = true;
	e.advance_time_s = BASE_TIME + 60 * n;
	append(j, &e, NULL);
	append_plain(j, JOURNAL_CLOSE);
	if (journal_commit(j) == -1)
		die("journal");
	journal_free(j);
	free(text);
}

static void
journal_seeds(void)
{
	size_t len;

	journal_write(SEED_RECORDS);
	len = read_file(SEGMENT);
	write_seed("journal/whole", 0, file, len);
	len = read_file(SEGMENT);
	write_seed("journal/torn", 0, file, len - JOURNAL_HEADER_BYTES / 2);
	/* Only with the checksums mended is more seen than the door. */
	len = read_file(SEGMENT);
	file[JOURNAL_HEAD_BYTES + JOURNAL_HEADER_BYTES + 5]++;
	file[len - 1]++;
	write_seed("journal/repaired", 1, file, len);
}

static void
journal_fixtures(void)
{
	char name[64];
	struct journal *j;

	journal_write(FIXTURE_RECORDS);
	snprintf(name, sizeof(name), "journal-format-%d", JOURNAL_FORMAT);
	write_file(name, file, read_file(SEGMENT));
	if (unlink(SEGMENT) == -1)
		die(SEGMENT);
	journal_write(PACKED_RECORDS);
	j = journal_begin();
	while (journal_packs(j))
		journal_pack(j);
	journal_free(j);
	snprintf(name, sizeof(name), "journal-format-%d.zst", JOURNAL_FORMAT);
	write_file(name, file, read_file(SEGMENT ".zst"));
}

/* ---- snapshots ---- */

static void
feed(struct analysis *a, const char *text, uint64_t seq)
{
	struct journal_entry e;
	struct entry_run run;
	uint64_t progress = 0;

	journal_entry_init(&e, JOURNAL_UPLOAD);
	e.seq = seq;
	e.data_len = strlen(text);
	entry_begin(&run, a, &e, text);
	if (entry_step(&run, INT64_MAX, &progress) != 0)
		die("entry");
}

/* A few buckets of a few series: what is large keeps a fuzzer slow. */
static struct analysis *
analysis_make(void)
{
	struct apierr e;
	struct analysis *a = analysis_new(
	    jobconf_parse("job", snapshot_job, strlen(snapshot_job), NULL, &e));
	char line[128];

	if (a == NULL)
		die("analysis");
	analysis_mute(a, true);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(line, sizeof(line),
		    "{\"time\":%u,\"value\":%u.5,\"who\":\"w%u\"}\n",
		    1700000000u + i * 600, i * 37 % 100, i % 3);
		feed(a, line, i + 1);
	}
	return a;
}

static void
snapshot_seeds(void)
{
	struct analysis *a = analysis_make();
	struct snapshot_writer *w = snapshot_writer_memory();
	const uint8_t *data;
	size_t len;

	if (w == NULL || analysis_save(a, w) == -1 ||
	    snapshot_memory(w, &data, &len) == -1)
		die("snapshot");
	write_seed("snapshot/whole", 0, data, len);
	write_seed("snapshot/repaired", 1, data, len);
	memcpy(file, data, len);
	file[len / 2] ^= 0x10;
	write_seed("snapshot/engine", 1, file, len);
	snapshot_writer_free(w);
	analysis_free(a);
}

int
main(int argc, char **argv)
{
	char temp[] = "/tmp/anomd-seeds-XXXXXX";
	static const char *const dirs[] = { JOURNAL_DIR, "spool", "quarantine",
		"results" };

	log_init("make_seeds", LOG_LEVEL_WARN);
	if (argc != 3 || realpath(argv[2], top) == NULL) {
		fprintf(stderr, "usage: make_seeds seeds|fixtures DIR\n");
		return 2;
	}
	if (mkdtemp(temp) == NULL || chdir(temp) == -1)
		die(temp);
	for (size_t i = 0; i < NELEM(dirs); i++)
		if (mkdir(dirs[i], 0700) == -1)
			die(dirs[i]);
	if (strcmp(argv[1], "fixtures") == 0) {
		journal_fixtures();
	} else {
		journal_seeds();
		snapshot_seeds();
	}
	return 0;
}
