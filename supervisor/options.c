/* Owns the reading of request options from query and body. */
#include "common/compat.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/objparse.h"
#include "common/timefmt.h"
#include "common/units.h"
#include "supervisor/call.h"
#include "supervisor/options.h"
#include "supervisor/warnings.h"

#define WINDOW_MAX 10000 /* from + size */

/* What a body may hold for each type; the conversion checks the value. */
static const struct {
	unsigned tokens;
	objparse_convert *convert;
} body_types[] = {
	[OPTION_BOOL] = { T_BOOLEAN, objparse_boolean },
	[OPTION_DATE_MS] = { T_NUMBER, objparse_string_or_null },
	[OPTION_DATE_TEXT] = { T_NUMBER, objparse_string_or_null },
	[OPTION_INT] = { T_NUMBER, objparse_long },
	[OPTION_DOUBLE] = { T_NUMBER, objparse_double },
	[OPTION_STRING] = { T_STRING, objparse_string_or_null },
	[OPTION_DURATION] = { T_STRING, objparse_duration },
};

static int
set_int(const char *name, const char *text, int64_t *v, struct apierr *e)
{
	const char *err;

	*v = strtonum(text, INT32_MIN, INT32_MAX, &err);
	if (err == NULL)
		return 0;
	return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
	    "Failed to parse int parameter [%s] with value [%s]", name, text);
}

static int
set_double(const char *name, const char *text, double *v, struct apierr *e)
{
	double d;

	if (number_parse(text, strlen(text), &d) == -1 || !isfinite(d))
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Failed to parse double parameter [%s] with value [%s]",
		    name, text);
	*v = d;
	return 0;
}

static int
option_set(
    const struct option *o, const char *text, void *target, struct apierr *e)
{
	void *at = (char *)target + o->offset;
	int64_t ns;

	switch (o->type) {
	case OPTION_BOOL:
		return units_bool(text, at, e);
	case OPTION_DATE_MS:
		if (*text == '\0')
			return 0;
		return units_date(o->name, text, clock_wall_ms(), at, e);
	case OPTION_INT:
		return set_int(o->name, text, at, e);
	case OPTION_DOUBLE:
		return set_double(o->name, text, at, e);
	case OPTION_DATE_TEXT:
	case OPTION_STRING:
		*(const char **)at = text;
		return 0;
	case OPTION_DURATION:
		if (units_duration(o->name, text, &ns, e) == -1)
			return -1;
		*(int64_t *)at = ns / 1000000;
		return 0;
	}
	return 0;
}

static int
option_take(struct options *os, size_t i, const char *text, void *target,
    struct apierr *e)
{
	os->given |= UINT64_C(1) << i;
	return option_set(&os->table->option[i], text, target, e);
}

/* Those options that have the flag; 0: all. */
static int
query_read(struct options *os, struct call *c, unsigned flag, void *target,
    struct apierr *e)
{
	for (size_t i = 0; i < os->table->n; i++) {
		const struct option *o = &os->table->option[i];
		const char *text = params_get(&c->params, o->name);

		if ((o->flags & flag) != flag)
			continue;
		if (text != NULL && option_take(os, i, text, target, e) == -1)
			return -1;
	}
	return 0;
}

/* ---- the body ---- */

/* The table of options as the reader of objects wants it. */
struct body_form {
	struct objparse_field top[OPTIONS_MAX + 2]; /* job_id, page */
	struct objparse_field page[OPTIONS_MAX];
	struct objparse_table top_table;
	struct objparse_table page_table;
};

static void
form_add(struct objparse_table *t, struct objparse_field *at, const char *name,
    unsigned tokens, objparse_convert *convert, const void *arg)
{
	at[t->nfields++] =
	    (struct objparse_field){ name, tokens, convert, arg, 0 };
}

static void
form_init(struct body_form *f, const struct option_table *t)
{
	f->top_table =
	    (struct objparse_table){ .parser = t->parser, .field = f->top };
	f->page_table =
	    (struct objparse_table){ .parser = "page", .field = f->page };
	form_add(
	    &f->top_table, f->top, "job_id", T_STRING, objparse_ignore, NULL);
	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->option[i];
		bool paged = (o->flags & OPTION_PAGED) != 0;

		form_add(paged ? &f->page_table : &f->top_table,
		    paged ? f->page : f->top, o->name,
		    body_types[o->type].tokens |
			((o->flags & OPTION_NULL) != 0 ? T_NULL : 0),
		    body_types[o->type].convert, NULL);
	}
	if (f->page_table.nfields > 0)
		form_add(&f->top_table, f->top, "page", T_OBJECT,
		    objparse_object, &f->page_table);
}

static int
body_parse(struct options *os, const struct call *c, struct apierr *e)
{
	struct objparse op = {
		.e = e, .old = c->old_path, .lenient = os->table->lenient
	};
	struct jsonx_value *tree = jsonx_parse(c->body, c->body_len, e);
	struct body_form form;

	if (tree == NULL) {
		if (op.old && strcmp(e->link[0].type, E_XCONTENT_PARSE) == 0)
			strlcpy(e->link[0].type, E_JSON_PARSE,
			    sizeof(e->link[0].type));
		return -1;
	}
	form_init(&form, os->table);
	os->body = objparse_run(&op, &form.top_table, tree);
	jsonx_free(tree);
	return os->body == NULL ? -1 : 0;
}

static int
body_read(struct options *os, void *target, struct apierr *e)
{
	struct json_object *page = NULL, *v;

	json_object_object_get_ex(os->body, "page", &page);
	for (size_t i = 0; i < os->table->n; i++) {
		const struct option *o = &os->table->option[i];
		bool paged = (o->flags & OPTION_PAGED) != 0;

		if (json_object_object_get_ex(
			paged ? page : os->body, o->name, &v) &&
		    option_take(os, i, json_object_get_string(v), target, e) ==
			-1)
			return -1;
	}
	return 0;
}

/* A comma list of what may be in the query beside a body; NULL: nothing. */
static const char *
beside_names(const struct option_table *t, char *list, size_t len)
{
	list[0] = '\0';
	for (size_t i = 0; i < t->n; i++) {
		if ((t->option[i].flags & OPTION_BESIDE) == 0)
			continue;
		if (list[0] != '\0')
			strlcat(list, ",", len);
		strlcat(list, t->option[i].name, len);
	}
	return list[0] == '\0' ? NULL : list;
}

int
options_read(struct options *os, const struct option_table *table,
    struct call *c, void *target, struct apierr *e)
{
	char beside[512];

	*os = (struct options){ .table = table };
	if (c->body != NULL && body_parse(os, c, e) == -1)
		return -1;
	/* Clients that always send a body send one without members. */
	if (c->body == NULL || json_object_object_length(os->body) == 0)
		return query_read(os, c, 0, target, e);
	/* What a route takes in the query, it takes in the body instead. */
	if (params_check(&c->params,
		beside_names(table, beside, sizeof(beside)),
		http_req_path(c->req), e) == -1 ||
	    query_read(os, c, OPTION_BESIDE, target, e) == -1 ||
	    body_read(os, target, e) == -1)
		return -1;
	if (options_given(os, "allow_no_jobs"))
		warnings_add_allow_no_jobs(c);
	return 0;
}

bool
options_given(const struct options *os, const char *name)
{
	for (size_t i = 0; i < os->table->n; i++)
		if (strcmp(os->table->option[i].name, name) == 0)
			return (os->given & UINT64_C(1) << i) != 0;
	return false;
}

void
options_clear(struct options *os)
{
	json_object_put(os->body);
	os->body = NULL;
}

int
options_page(int64_t from, int64_t size, struct apierr *e)
{
	if (from < 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Parameter [from] cannot be < 0");
	if (size < 0)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Parameter [size] cannot be < 0");
	if (from + size > WINDOW_MAX)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Result window is too large, from + size must be less "
		    "than or equal to: [%d] but was [%" PRId64 "]",
		    WINDOW_MAX, from + size);
	return 0;
}

int
options_seconds(
    const char *param, const char *text, int64_t *s, struct apierr *e)
{
	int64_t ms;

	*s = TIME_UNSET;
	if (text == NULL || *text == '\0')
		return 0;
	if (units_date(param, text, clock_wall_ms(), &ms, e) == -1)
		return -1;
	*s = ms / 1000;
	return 0;
}

int
options_time_range(const char *start, const char *end, int64_t *start_s,
    int64_t *end_s, struct apierr *e)
{
	if (options_seconds("start", start, start_s, e) == -1 ||
	    options_seconds("end", end, end_s, e) == -1)
		return -1;
	if (*start_s == TIME_UNSET)
		return 0;
	if (*end_s != TIME_UNSET && *end_s < *start_s)
		return apierr_set(e, 400, E_ILLEGAL_ARGUMENT,
		    "Invalid time range: end time '%s' is earlier than start "
		    "time '%s'.",
		    end, start);
	if (*end_s == TIME_UNSET || *end_s == *start_s)
		*end_s = *start_s + 1;
	return 0;
}
