/* Owns the child that brings results.db in order. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/resultsdb.h"
#include "common/sqlvfs.h"
#include "worker/forked.h"
#include "worker/mend.h"
#include "worker/salvage.h"

#define WAL "results/" RESULTSDB_FILE "-wal"

/* SQLite walks through so much in about 10 ms, a turn of the loop. */
#define WAL_BYTES (8 * 1024 * 1024)

/* What the child says. */
struct shared {
	uint64_t calls; /* to the disk */
	bool is_salvaged;
	struct msg_salvaged salvaged;
};

struct mend {
	pid_t child;
	struct shared *shared;
	uint64_t seen; /* calls */
};

bool
mend_is_due(void)
{
	struct stat st;

	return salvage_is_marked() ||
	    (stat(WAL, &st) == 0 && st.st_size >= WAL_BYTES);
}

/* The opening walks through the WAL, and the closing folds it in. */
static int
open_once(void)
{
	struct sqlite3 *db = resultsdb_open_writer("results", false);

	if (db == NULL)
		return errno == ENOENT ? 0 : -1;
	resultsdb_close(db);
	return 0;
}

static int
bring_in_order(struct shared *shared)
{
	int rc;

	if (!salvage_is_marked()) {
		if (open_once() == 0)
			return 0;
		if (errno != EBADMSG)
			return -1;
	}
	rc = salvage_results(&shared->salvaged);
	shared->is_salvaged = rc == 1;
	return rc == -1 ? -1 : 0;
}

/* SQLite gives no file a number below 3, so these must be taken. */
static _Noreturn void
child_run(struct mend *m, pid_t parent, int lockfd)
{
	const int keep[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
		lockfd };

	forked_enter(parent, keep, NELEM(keep), 0);
	sqlvfs_count_calls(&m->shared->calls);
	forked_exit(bring_in_order(m->shared));
}

struct mend *
mend_begin(int lockfd)
{
	struct mend *m = calloc(1, sizeof(*m));
	pid_t parent = getpid();
	void *page;
	int saved;

	if (m == NULL)
		return NULL;
	page = mmap(NULL, sizeof(*m->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED) {
		m->shared = page;
		m->child = fork();
		if (m->child == 0)
			child_run(m, parent, lockfd);
		if (m->child != -1)
			return m;
	}
	saved = errno;
	mend_free(m);
	errno = saved;
	return NULL;
}

int
mend_step(struct mend *m, uint64_t *progress)
{
	uint64_t calls = __atomic_load_n(&m->shared->calls, __ATOMIC_RELAXED);

	if (calls != m->seen)
		(*progress)++;
	m->seen = calls;
	return forked_look(m->child, "results.db");
}

bool
mend_has_salvaged(const struct mend *m, struct msg_salvaged *salvaged)
{
	*salvaged = m->shared->salvaged;
	return m->shared->is_salvaged;
}

void
mend_free(struct mend *m)
{
	if (m == NULL)
		return;
	if (m->shared != NULL)
		munmap(m->shared, sizeof(*m->shared));
	free(m);
}
