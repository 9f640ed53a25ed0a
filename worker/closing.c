/* Owns the order of steps when a job is closed. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/closing.h"
#include "worker/snapdir.h"

/* The entry says that the next start is an opening, not a restart. */
static void
write_entry(struct analysis *a, struct journal *j)
{
	struct journal_entry e;

	journal_entry_init(&e, JOURNAL_CLOSE);
	e.receipt_ms = clock_wall_ms();
	journal_append(j, &e, NULL);
	if (journal_commit(j) == 0)
		a->applied_seq = e.seq;
}

/* Ids are seconds; two closes within one second must not share theirs. */
static int64_t
created_ms(const char *job_id)
{
	int64_t now = clock_wall_ms();
	struct snapdir_file f;

	if (snapdir_newest(&f, job_id, UINT64_MAX) == 1) {
		int64_t before = snapshot_reader_head(f.reader)->created_ms;

		if (now / 1000 <= before / 1000)
			now = (before / 1000 + 1) * 1000;
		snapdir_close(&f);
	}
	return now;
}

static int
save(void *arg, struct snapshot_writer *w)
{
	return analysis_save(arg, w);
}

int
closing_write(
    struct analysis *a, struct journal *j, const char *job_id, char *id)
{
	struct snapshot_head head = { .job_id = span_of(job_id) };

	id[0] = '\0';
	write_entry(a, j);
	/* A snapshot must not know more than the results do. */
	if (results_commit(a->results, a->applied_seq, true) == -1)
		return -1;
	head.applied_seq = a->applied_seq;
	head.created_ms = created_ms(job_id);
	if (snapdir_write(&head, save, a) == -1)
		return 0;
	journal_trim(j, snapdir_prune(job_id));
	if (!analysis_is_blank(a))
		snprintf(
		    id, CLOSING_ID_BYTES, "%" PRId64, head.created_ms / 1000);
	return 0;
}
