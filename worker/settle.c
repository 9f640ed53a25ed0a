/* Owns the decision whether a revert that was cut off has happened. */
#include "common/compat.h"

#include <inttypes.h>

#include "common/log.h"
#include "worker/settle.h"
#include "worker/snapdir.h"

int
settle_reverts(struct results *results)
{
	uint64_t seq, applied;
	int rc;

	while ((rc = snapdir_undecided(&seq)) == 1) {
		if (results_applied_seq(results, &applied) == -1)
			return -1;
		if (applied >= seq) {
			log_info("revert %" PRIu64 " is finished", seq);
			rc = snapdir_decide(seq);
		} else {
			log_info("revert %" PRIu64 " was cut off: it is undone",
			    seq);
			rc = snapdir_undo(seq);
		}
		if (rc == -1)
			break;
	}
	return rc;
}
