/*
 * Entries that are put aside because workers died of them: each is a file of
 * its own, quarantine/entry-<number>, in the form of a journal's segment with
 * one entry; and a list of all of them, which replay passes over. The list
 * lasts when a file has been taken away.
 *
 * Paths are relative: the job's directory is the current one.
 */
#ifndef WORKER_ASIDE_H
#define WORKER_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/asidelist.h"
#include "common/compat.h"
#include "common/verify.h"
#include "worker/journal.h"

struct aside {
	struct asidelist list;

	/* The file that is being made. */
	int fd; /* -1: none */
	struct journal_entry entry;
	const char *data; /* borrowed */
	uint64_t written; /* of data */
};

void aside_init(struct aside *);
/*
 * Read the list. 0, or -1 with errno (logged); a damaged one goes to
 * quarantine/, and is as an empty one.
 */
int aside_load(struct aside *) MUST_CHECK;
void aside_clear(struct aside *);

/* The list in a file, as those of worker/verify.h. */
int aside_verify(const char *path, verify_report_cb *, void *arg) MUST_CHECK;

/*
 * NULL: it is none of them. By number, token and receipt: where syncs are not
 * waited for, a loss of power lets another entry have the number.
 */
const struct aside_record *aside_find(
    const struct aside *, const struct journal_entry *);
/* Its file is there. */
bool aside_has_file(const struct aside_record *);

/*
 * Begin the file of an entry; step until it returns 0: then it is there, and
 * in the list, and both last. data must stay until then.
 *
 * signal  that the workers died of
 *
 * Each returns -1 with errno (logged): it is not put aside; aside_step also 1:
 * call again.
 */
int aside_begin(
    struct aside *, const struct journal_entry *, const char *data) MUST_CHECK;
int aside_step(struct aside *, unsigned signal, int64_t deadline_us) MUST_CHECK;

/*
 * An entry that is there, to be posted again or dropped; newest of its number.
 * NULL: there is none.
 */
struct aside_record *aside_find_kept(struct aside *, uint64_t seq);
/*
 * It is about to be journaled again, with this token: from now on whoever
 * finds an entry with it has to remove the file. 0, or -1 with errno (logged).
 */
int aside_post(
    struct aside *, struct aside_record *, uint64_t token) MUST_CHECK;
/* What was posted with this token, and is still there; NULL: nothing is. */
const struct aside_record *aside_find_posted(
    const struct aside *, uint64_t token);
/* Remove its file, for good. 0, or -1 with errno (logged). */
int aside_remove(const struct aside_record *) MUST_CHECK;

#endif
