/* Owns the schema of results.db. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/resultsdb.h"
#include "common/resultsdb_schema.h"
#include "common/sqlx.h"

/* What version 3 has. */
static const char schema_sql[] =
    "CREATE TABLE meta ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " version INTEGER NOT NULL,"
    " applied_seq INTEGER NOT NULL,"
    " crc INTEGER NOT NULL);"

    /* What uploads that may be repeated were answered (worker/answers.h). */
    "CREATE TABLE answer ("
    " seq INTEGER PRIMARY KEY," /* of the journal's entry */
    " key BLOB NOT NULL,"	/* 16 bytes, like the digest */
    " digest BLOB NOT NULL,"
    " receipt_ms INTEGER NOT NULL,"
    " failed INTEGER NOT NULL,"
    " body BLOB NOT NULL," /* counts, or the error when it failed */
    " crc INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX answer_by_key ON answer (key);"

    "CREATE TABLE bucket ("
    " timestamp INTEGER PRIMARY KEY," /* ms */
    " bucket_span INTEGER NOT NULL,"  /* s */
    " anomaly_score REAL NOT NULL,"
    " initial_anomaly_score REAL NOT NULL,"
    " event_count INTEGER NOT NULL,"
    " is_interim INTEGER NOT NULL,"
    " processing_time_ms INTEGER NOT NULL,"
    " record_count INTEGER NOT NULL,"	  /* rows of record */
    " influencer_count INTEGER NOT NULL," /* rows of influence */
    " influencers BLOB,"		  /* resultrow.h */
    " crc INTEGER NOT NULL);"
    /* The rowid behind the score is the time: the second sort key. */
    "CREATE INDEX bucket_by_score ON bucket (anomaly_score);"
    /* Counts the records of a range of time without reading them. */
    "CREATE INDEX bucket_records ON"
    " bucket (timestamp, record_count, is_interim) WHERE record_count > 0;"
    "CREATE INDEX bucket_influencers ON"
    " bucket (timestamp, influencer_count, is_interim)"
    " WHERE influencer_count > 0;"
    "CREATE INDEX bucket_interim ON bucket (timestamp) WHERE is_interim = 1;"

    /* The names that records share: one row for each set of them. */
    "CREATE TABLE detector ("
    " id INTEGER PRIMARY KEY,"
    " detector_index INTEGER NOT NULL,"
    " function TEXT,"
    " function_description TEXT,"
    " field_name TEXT,"
    " by_field_name TEXT,"
    " over_field_name TEXT,"
    " partition_field_name TEXT,"
    " crc INTEGER NOT NULL);"
    /* Names of influencers that occur in records. */
    "CREATE TABLE influencer (name TEXT PRIMARY KEY) WITHOUT ROWID;"

    "CREATE TABLE record ("
    " id INTEGER PRIMARY KEY,"
    " timestamp INTEGER NOT NULL,"   /* ms */
    " bucket_span INTEGER NOT NULL," /* s */
    " detector INTEGER NOT NULL,"
    " is_interim INTEGER NOT NULL,"
    " probability REAL NOT NULL,"
    " multi_bucket_impact REAL NOT NULL,"
    " record_score REAL NOT NULL,"
    " initial_record_score REAL NOT NULL,"
    " by_field_value TEXT,"
    " over_field_value TEXT,"
    " partition_field_value TEXT,"
    " typical REAL,"
    " actual REAL,"
    " typical_2 REAL," /* lat_long */
    " actual_2 REAL,"
    " influencers BLOB," /* resultrow.h */
    " explanation BLOB," /* explanation.h */
    " crc INTEGER NOT NULL);"
    "CREATE INDEX record_by_time ON record (timestamp);"
    "CREATE INDEX record_interim ON record (timestamp) WHERE is_interim = 1;"

    /* Values of influencer fields: by far fewer than records, as a rule. */
    "CREATE TABLE influence ("
    " id INTEGER PRIMARY KEY,"
    " timestamp INTEGER NOT NULL,"   /* ms */
    " bucket_span INTEGER NOT NULL," /* s */
    " is_interim INTEGER NOT NULL,"
    " probability REAL NOT NULL,"
    " influencer_score REAL NOT NULL,"
    " initial_influencer_score REAL NOT NULL,"
    " influencer_field_name TEXT NOT NULL,"
    " influencer_field_value TEXT NOT NULL,"
    " crc INTEGER NOT NULL);"
    "CREATE INDEX influence_by_time ON influence (timestamp, probability);"
    /* Counts those of a score and a time without reading them. */
    "CREATE INDEX influence_by_score ON"
    " influence (influencer_score, timestamp, is_interim);"
    "CREATE INDEX influence_interim ON influence (timestamp)"
    " WHERE is_interim = 1;"

    /* Bounds are NULL when a run has no final row. */
    "CREATE TABLE run ("
    " run INTEGER PRIMARY KEY,"
    " first_ms INTEGER,"
    " last_ms INTEGER,"
    " min_score REAL,"
    " max_score REAL,"
    " min_probability REAL,"
    " max_probability REAL);"
    "CREATE TABLE record_by_score ("
    " run INTEGER, record_score REAL, id INTEGER,"
    " PRIMARY KEY (run, record_score, id)) WITHOUT ROWID;"
    "CREATE TABLE record_by_probability ("
    " run INTEGER, probability REAL, id INTEGER,"
    " PRIMARY KEY (run, probability, id)) WITHOUT ROWID;"
    "CREATE TRIGGER record_forget AFTER DELETE ON record"
    " WHEN old.is_interim = 0 BEGIN"
    " DELETE FROM record_by_score WHERE run = old.id >> 12 AND"
    "  record_score = old.record_score AND id = old.id;"
    " DELETE FROM record_by_probability WHERE run = old.id >> 12 AND"
    "  probability = old.probability AND id = old.id;"
    "END;";

_Static_assert(RESULTSDB_RUN_SHIFT == 12, "the trigger knows the shift");

/* What came with version 4. */
static const struct {
	const char *name;
	const char *columns;
} added[] = {
	/* Of records of populations. */
	{ "cause",
	    " record INTEGER PRIMARY KEY," /* id */
	    " causes BLOB NOT NULL,"	   /* resultrow.h */
	    " crc INTEGER NOT NULL" },
	{ "plot",
	    " id INTEGER PRIMARY KEY,"
	    " timestamp INTEGER NOT NULL,"   /* ms */
	    " bucket_span INTEGER NOT NULL," /* s */
	    " detector INTEGER NOT NULL,"    /* names, as records have them */
	    " by_field_value TEXT,"
	    " over_field_value TEXT,"
	    " partition_field_value TEXT,"
	    " model_lower REAL NOT NULL,"
	    " model_upper REAL NOT NULL,"
	    " model_median REAL NOT NULL,"
	    " actual REAL,"
	    " crc INTEGER NOT NULL" },
	{ "annotation",
	    " id INTEGER PRIMARY KEY,"
	    " timestamp INTEGER NOT NULL,"     /* ms */
	    " end_timestamp INTEGER NOT NULL," /* ms */
	    " create_time INTEGER NOT NULL,"   /* ms */
	    " event TEXT NOT NULL,"
	    " annotation TEXT NOT NULL,"
	    " detector INTEGER," /* names; NULL: of the whole job */
	    " by_field_value TEXT,"
	    " over_field_value TEXT,"
	    " partition_field_value TEXT,"
	    " crc INTEGER NOT NULL" },
	/* One row for each request, and the points it has made. */
	{ "forecast",
	    " id INTEGER PRIMARY KEY,"
	    " forecast_id TEXT NOT NULL UNIQUE,"
	    " timestamp INTEGER NOT NULL," /* ms, like the next four */
	    " start_timestamp INTEGER NOT NULL,"
	    " end_timestamp INTEGER NOT NULL,"
	    " create_timestamp INTEGER NOT NULL,"
	    " expiry_timestamp INTEGER," /* NULL: never */
	    " status INTEGER NOT NULL,"
	    " progress REAL NOT NULL," /* 0..1 */
	    " record_count INTEGER NOT NULL,"
	    " memory_bytes INTEGER NOT NULL,"
	    " processing_time_ms INTEGER NOT NULL,"
	    " messages BLOB,"
	    " crc INTEGER NOT NULL" },
	{ "forecast_point",
	    " id INTEGER PRIMARY KEY,"
	    " forecast INTEGER NOT NULL,"    /* id */
	    " timestamp INTEGER NOT NULL,"   /* ms */
	    " bucket_span INTEGER NOT NULL," /* s */
	    " detector INTEGER NOT NULL,"
	    " by_field_value TEXT,"
	    " partition_field_value TEXT,"
	    " forecast_lower REAL NOT NULL,"
	    " forecast_upper REAL NOT NULL,"
	    " forecast_prediction REAL NOT NULL,"
	    " crc INTEGER NOT NULL" },
};

/* They find rows only: a table that is empty needs none. */
static const char added_indexes[] =
    "CREATE TRIGGER cause_forget AFTER DELETE ON record BEGIN"
    " DELETE FROM cause WHERE record = old.id;"
    "END;"
    "CREATE INDEX plot_by_time ON plot (timestamp);"
    "CREATE INDEX annotation_by_time ON annotation (timestamp);"
    "CREATE INDEX forecast_point_by_time ON"
    " forecast_point (forecast, timestamp);";

static int
add_tables(sqlite3 *db, const char *create)
{
	char sql[1024];

	for (size_t i = 0; i < NELEM(added); i++) {
		int n = snprintf(sql, sizeof(sql), "%s %s (%s)", create,
		    added[i].name, added[i].columns);

		if (n < 0 || (size_t)n >= sizeof(sql)) {
			errno = EINVAL;
			return -1;
		}
		if (sqlx_exec(db, sql) == -1)
			return -1;
	}
	return 0;
}

int
resultsdb_schema_add(sqlite3 *db)
{
	if (add_tables(db, "CREATE TABLE") == -1)
		return -1;
	return sqlx_exec(db, added_indexes);
}

int
resultsdb_schema_create(sqlite3 *db)
{
	if (sqlx_exec(db, schema_sql) == -1)
		return -1;
	return resultsdb_schema_add(db);
}

int
resultsdb_schema_pretend(sqlite3 *db)
{
	return add_tables(db, "CREATE TEMP TABLE");
}
