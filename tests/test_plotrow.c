/* Rows of the model plot and of annotations: written, read, and damaged. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/plotrow.h"
#include "common/resultsdb_schema.h"
#include "common/sqlx.h"

struct base {
	sqlite3 *db;
	struct wbuf scratch;
	struct detector_row names;
};

static void
begin(struct base *b)
{
	memset(b, 0, sizeof(*b));
	wbuf_init(&b->scratch, 0);
	cr_assert_eq(sqlite3_open(":memory:", &b->db), SQLITE_OK);
	cr_assert_eq(resultsdb_schema_create(b->db), 0);
}

static void
end(struct base *b)
{
	wbuf_clear(&b->scratch);
	sqlite3_close(b->db);
}

static struct plot_result
some_plot(void)
{
	return (struct plot_result){
		.timestamp_ms = 1700000100000,
		.bucket_span_s = 300,
		.detector_index = 2,
		.model_feature = "'bucket sum by person'",
		.by_field_name = "url",
		.by_field_value = { "/", 1 },
		.lower = -0.0,
		.median = 2.5,
		.upper = 1e100,
		.has_actual = true,
		.actual = 3,
	};
}

static sqlite3_stmt *
stored(struct base *b, const char *sql)
{
	sqlite3_stmt *st = sqlx_prepare(b->db, sql);

	cr_assert_not_null(st);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	return st;
}

static void
put(struct base *b, const struct plot_result *r)
{
	sqlite3_stmt *st = sqlx_prepare(b->db, plotrow_insert_plot);

	plotrow_names(r, &b->names);
	cr_assert_eq(plotrow_bind_plot(st, 7, 1, r, &b->scratch), 0);
	cr_assert_eq(sqlx_run(st), 0);
	sqlite3_finalize(st);
}

#define READ_PLOT "SELECT " PLOT_COLUMNS " FROM plot"
#define READ_NOTE "SELECT " ANNOTATION_COLUMNS " FROM annotation"

Test(plotrow, what_is_written_is_read)
{
	struct plot_result r = some_plot(), back;
	sqlite3_stmt *st;
	struct base b;

	begin(&b);
	put(&b, &r);
	st = stored(&b, READ_PLOT);
	cr_expect_eq(plotrow_plot_detector(st), 1);
	cr_assert_eq(plotrow_read_plot(st, &b.names, &back, &b.scratch), 0);
	cr_expect_eq(back.timestamp_ms, r.timestamp_ms);
	cr_expect_eq(back.bucket_span_s, 300);
	cr_expect_eq(back.detector_index, 2);
	cr_expect_str_eq(back.model_feature, r.model_feature);
	cr_expect_str_eq(back.by_field_name, "url");
	cr_expect(span_eq(back.by_field_value, "/"));
	cr_expect_null(back.partition_field_value.p);
	cr_expect_eq(back.lower, 0);
	cr_expect_eq(back.median, 2.5);
	cr_expect_eq(back.upper, 1e100);
	cr_expect(back.has_actual);
	cr_expect_eq(back.actual, 3);
	sqlite3_finalize(st);
	end(&b);
}

Test(plotrow, a_value_that_is_missing_stays_missing)
{
	struct plot_result r = some_plot(), back;
	sqlite3_stmt *st;
	struct base b;

	begin(&b);
	r.has_actual = false;
	r.by_field_value = (struct span){ "", 0 };
	put(&b, &r);
	st = stored(&b, READ_PLOT);
	cr_assert_eq(plotrow_read_plot(st, &b.names, &back, &b.scratch), 0);
	cr_expect_not(back.has_actual);
	cr_expect_not_null(back.by_field_value.p, "empty is a value");
	sqlite3_finalize(st);
	end(&b);
}

Test(plotrow, a_number_that_is_none_is_refused)
{
	struct plot_result r = some_plot();
	sqlite3_stmt *st;
	struct base b;

	begin(&b);
	r.upper = INFINITY;
	st = sqlx_prepare(b.db, plotrow_insert_plot);
	cr_expect_eq(plotrow_bind_plot(st, 7, 1, &r, &b.scratch), -1);
	cr_expect_eq(errno, EINVAL);
	sqlite3_finalize(st);
	end(&b);
}

/* Each column is part of the sum. */
Test(plotrow, damage_of_any_column_is_seen)
{
	static const char *const changes[] = { "id = 8", "timestamp = 5",
		"bucket_span = 301", "detector = 2", "by_field_value = '/a'",
		"by_field_value = NULL", "over_field_value = ''",
		"partition_field_value = 'x'", "model_lower = 1",
		"model_upper = 9", "model_median = 2.25", "actual = 4",
		"actual = NULL", "crc = crc + 1" };

	for (size_t i = 0; i < NELEM(changes); i++) {
		struct plot_result r = some_plot(), back;
		sqlite3_stmt *st;
		struct base b;
		char sql[128];

		begin(&b);
		put(&b, &r);
		snprintf(sql, sizeof(sql), "UPDATE plot SET %s", changes[i]);
		cr_assert_eq(sqlx_exec(b.db, sql), 0);
		st = stored(&b, READ_PLOT);
		errno = 0;
		cr_expect_eq(plotrow_read_plot(st, &b.names, &back, &b.scratch),
		    -1, "%s", changes[i]);
		cr_expect_eq(errno, EBADMSG);
		sqlite3_finalize(st);
		end(&b);
	}
}

Test(plotrow, annotations)
{
	struct annotation_result r = {
		.timestamp_ms = 1700000100000,
		.create_ms = 1700000400000,
		.event = "model_change",
		.text = "Detected trend",
		.detector_index = -1,
	}, back;
	struct detector_row names;
	sqlite3_stmt *st;
	struct base b;

	begin(&b);
	cr_expect_not(plotrow_annotation_names(&r, &names), "of the whole job");
	st = sqlx_prepare(b.db, plotrow_insert_annotation);
	cr_assert_eq(plotrow_bind_annotation(st, 3, -1, &r, &b.scratch), 0);
	cr_assert_eq(sqlx_run(st), 0);
	sqlite3_finalize(st);
	st = stored(&b, READ_NOTE);
	cr_expect_eq(plotrow_annotation_detector(st), -1);
	cr_assert_eq(plotrow_read_annotation(st, NULL, &back, &b.scratch), 0);
	cr_expect_eq(back.detector_index, -1);
	cr_expect_eq(back.create_ms, r.create_ms);
	cr_expect_str_eq(back.event, r.event);
	cr_expect_str_eq(back.text, r.text);
	sqlite3_finalize(st);
	cr_assert_eq(sqlx_exec(b.db, "UPDATE annotation SET detector = 0"), 0);
	st = stored(&b, READ_NOTE);
	cr_expect_eq(plotrow_read_annotation(st, NULL, &back, &b.scratch), -1);
	sqlite3_finalize(st);
	end(&b);
}
