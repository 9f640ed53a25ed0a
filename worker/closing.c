/* Owns the order of steps when a job is closed. */
#include "common/compat.h"

#include "common/clock.h"
#include "common/snaphead.h"
#include "worker/closing.h"

void
closing_begin(struct journal *j, struct journal_entry *e)
{
	journal_entry_init(e, JOURNAL_CLOSE);
	e->receipt_ms = clock_wall_ms();
	journal_append(j, e, NULL);
	if (journal_commit(j) == -1)
		e->seq = 0;
}

int
closing_write(struct analysis *a, struct snapper *snapper, char *id)
{
	id[0] = '\0';
	/* A snapshot must not know more than the results do. */
	if (results_commit(a->results, a->applied_seq, true) == -1)
		return -1;
	if (snapper_close(snapper) == 1)
		snaphead_id(id, snapper_created_ms(snapper));
	return 0;
}
