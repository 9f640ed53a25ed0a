/* Owns the SQL function behind sorting by echoed fields. */
#include "common/compat.h"

#include <sqlite3.h>
#include <string.h>

#include "common/resultrow.h"
#include "common/sqlx.h"
#include "query/echosort.h"
#include "query/reserved.h"

struct best {
	bool desc;
	struct span value; /* p is NULL: none yet */
};

static int
span_cmp(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static void
best_take(struct best *b, struct span v)
{
	if (v.p == NULL)
		return;
	if (b->value.p == NULL || (span_cmp(v, b->value) > 0) == b->desc)
		b->value = v;
}

static struct span
text_of(sqlite3_value *v)
{
	struct span s = { (const char *)sqlite3_value_text(v), 0 };

	if (s.p != NULL)
		s.len = (size_t)sqlite3_value_bytes(v);
	return s;
}

static void
take_influencers(struct best *b, const char *field, sqlite3_value *blob)
{
	struct record_result r;
	const void *p = sqlite3_value_blob(blob);

	/* A damaged row is found when it is read for the page. */
	if (p == NULL ||
	    resultrow_get_influencers(
		p, (size_t)sqlite3_value_bytes(blob), &r) == -1)
		return;
	for (size_t i = 0; i < r.ninfluencers; i++) {
		const struct record_influencer *in = &r.influencer[i];

		if (strcmp(in->field_name, field) != 0)
			continue;
		for (size_t k = 0; k < in->nvalues; k++)
			best_take(b, in->value[k]);
	}
}

static void
echo_value(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const char *field = (const char *)sqlite3_value_text(argv[0]);
	struct best b = { .desc = sqlite3_value_int(argv[1]) != 0 };

	for (int i = 2; i + 1 < argc; i += 2) {
		const char *name = (const char *)sqlite3_value_text(argv[i]);

		if (name != NULL && strcmp(name, field) == 0)
			best_take(&b, text_of(argv[i + 1]));
	}
	take_influencers(&b, field, argv[argc - 1]);
	if (b.value.p == NULL)
		sqlite3_result_null(ctx);
	else
		sqlite3_result_text64(
		    ctx, b.value.p, b.value.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

int
echosort_register(sqlite3 *db)
{
	if (sqlite3_create_function(db, ECHOSORT_FUNCTION, 9,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
		echo_value, NULL, NULL) != SQLITE_OK)
		return sqlx_fail(db, ECHOSORT_FUNCTION);
	return 0;
}

int
echosort_knows(sqlite3 *db, const char *field, bool *known)
{
	sqlite3_stmt *st;
	int rc = 0;

	*known = false;
	if (reserved_is(field))
		return 0;
	st = sqlx_prepare(db,
	    "SELECT EXISTS (SELECT 1 FROM influencer WHERE name = ?1) OR"
	    " EXISTS (SELECT 1 FROM detector WHERE ?1 IN (by_field_name,"
	    " over_field_name, partition_field_name))");
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, field, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW)
		*known = sqlite3_column_int(st, 0) != 0;
	else
		rc = sqlx_fail(db, "look for a field");
	sqlite3_finalize(st);
	return rc;
}
