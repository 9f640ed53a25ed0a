/*
 * How a query is answered: which SQL, with which bounds. No text of a client
 * ever becomes part of the SQL.
 *
 * All statements share their numbered parameters, so one function binds any.
 */
#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/apierr.h"
#include "common/compat.h"
#include "query/request.h"

struct sqlite3;
struct sqlite3_stmt;

/* clang-format off */
#define P_START "?1"	   /* ms, included */
#define P_END "?2"	   /* ms, excluded */
#define P_MAX_INTERIM "?3" /* greatest is_interim: 0 or 1 */
#define P_SCORE "?4"	   /* least score */
#define P_TAIL "?5"	   /* first id that is in no run */
#define P_LO "?6"	   /* least and greatest value of the order's column */
#define P_HI "?7"
#define P_LIMIT "?8"
#define P_OFFSET "?9"
#define P_SORT "?10" /* an echoed field */
#define P_DESC "?11"
#define P_RUN "?12" /* bound by the search for a cutoff */
#define P_DETECTOR "?13" /* index and 1; 0: any */
#define P_BY "?14" /* NULL: any value */
#define P_PARTITION "?15"

enum plan_parameter {
	PAR_START = 1,
	PAR_END,
	PAR_MAX_INTERIM,
	PAR_SCORE,
	PAR_TAIL,
	PAR_LO,
	PAR_HI,
	PAR_LIMIT,
	PAR_OFFSET,
	PAR_SORT,
	PAR_DESC,
	PAR_RUN,
	PAR_DETECTOR,
	PAR_BY,
	PAR_PARTITION
};
/* clang-format on */

/* The rows of a record query, as r. */
#define WHERE_RECORD                                                           \
	"r.timestamp >= " P_START " AND r.timestamp < " P_END                  \
	" AND r.is_interim <= " P_MAX_INTERIM                                  \
	" AND r.record_score >= " P_SCORE

/* Ids of final records that are in no run, and of interim ones. */
#define SELECT_TAIL                                                            \
	"SELECT id FROM record WHERE id >= " P_TAIL " AND is_interim = 0"
#define SELECT_INTERIM                                                         \
	"SELECT id FROM record INDEXED BY record_interim WHERE is_interim = 1"
#define SELECT_REST SELECT_TAIL " UNION ALL " SELECT_INTERIM

/* An order of records that results.db keeps in runs. */
struct run_order {
	const char *table;
	const char *column; /* of the table and of record */
	const char *min;    /* columns of run */
	const char *max;
};

struct sort_field;

struct plan {
	const struct request *req; /* borrowed */
	const struct sort_field *sort;
	const struct run_order *order; /* runs to read from; NULL: none */
	bool by_score; /* no records: from the index over scores */
	int64_t tail;
	double lo, hi; /* of order's column */
	char sql[4096];
};

/*
 * Find what to sort by. db may be NULL (no results yet). Returns 0, or -1 with
 * *e set: 400 when there is no such field, 500.
 */
int plan_init(struct plan *, const struct request *, struct sqlite3 *db,
    struct apierr *e) MUST_CHECK;

/* Each makes plan->sql: one number, how many rows match. */
const char *plan_count(struct plan *);
/*
 * The same without regard to the score: what a walk by time would read. The
 * same pointer when it is the same statement.
 */
const char *plan_count_range(struct plan *);

/*
 * Choose where to read from.
 *
 * matches   what plan_count gave
 * in_range  what plan_count_range gave
 */
void plan_choose(struct plan *, uint64_t matches, uint64_t in_range);
/* Should the cutoff of plan->order be looked for first? */
bool plan_wants_cutoff(const struct plan *, uint64_t matches);

/* The page: rows of the columns that belong to the kind of query. */
const char *plan_page(struct plan *);
/* The bucket of one time, and the records of one time for expand. */
const char *plan_one_bucket(void);
const char *plan_bucket_records(struct plan *);

/* Bind the parameters that the statement has. */
void plan_bind(const struct plan *, struct sqlite3_stmt *);
void plan_bind_time(struct sqlite3_stmt *, int64_t timestamp_ms);

#endif
