/* What the files share that read the engine's state. */
#ifndef WORKER_ENGINE_STATE_H
#define WORKER_ENGINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/engine_int.h"
#include "worker/snapshot.h"

/* What is being loaded. */
struct loading {
	struct engine *e;
	struct snapshot_reader *r;
	bool old;		   /* format 2 */
	bool has_roles;		   /* from format 5 on */
	int64_t forward_s;	   /* by which the job's clocks have been put */
	struct siblings *siblings; /* of the series at hand */
};

/* What was read cannot be: -1 with EBADMSG. */
int engine_state_bad(void);

/* engine_rows.c: all partitions and series. 0, or -1 with errno. */
int rows_save(const struct series_table *, struct snapshot_writer *) MUST_CHECK;
/* The next one; when there are no more of either, rows_loaded. */
int rows_load_partition(struct loading *) MUST_CHECK;
int rows_load_series(struct loading *) MUST_CHECK;
int rows_loaded(struct loading *) MUST_CHECK;

#endif
