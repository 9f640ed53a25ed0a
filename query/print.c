/* Owns the shape of buckets and records in answers. */
#include "common/compat.h"

#include <stdio.h>
#include <string.h>

#include "common/units.h"
#include "query/print.h"
#include "query/reserved.h"

/* The raw fields that a record echoes: by, over, partition, influencers. */
#define ECHO_MAX (3 + RESULT_MAX_INFLUENCERS)

struct echo {
	const char *name;
	size_t nparts; /* one value of a detector's field, an influencer's */
	struct {
		const struct span *value;
		size_t n;
	} part[ECHO_MAX];
};

void
print_time(struct jsonw *w, const struct print_context *c, int64_t ms)
{
	if (c->human) {
		char text[UNITS_ISO_BYTES];

		units_iso(text, ms);
		jsonw_key_str(w, "timestamp_string", text);
	}
	jsonw_key_i64(w, "timestamp", ms);
}

static void
print_doubles(struct jsonw *w, const char *name, const double *v, size_t n)
{
	jsonw_key(w, name);
	jsonw_begin(w, '[');
	for (size_t i = 0; i < n; i++)
		jsonw_f64(w, v[i]);
	jsonw_end(w, ']');
}

static void
print_name(struct jsonw *w, const char *name, const char *v)
{
	if (v != NULL)
		jsonw_key_str(w, name, v);
}

static void
print_influencers(struct jsonw *w, const struct record_result *r)
{
	if (r->ninfluencers == 0)
		return;
	jsonw_key(w, "influencers");
	jsonw_begin(w, '[');
	for (size_t i = 0; i < r->ninfluencers; i++) {
		const struct record_influencer *in = &r->influencer[i];

		jsonw_begin(w, '{');
		jsonw_key_str(w, "influencer_field_name", in->field_name);
		jsonw_key(w, "influencer_field_values");
		jsonw_begin(w, '[');
		for (size_t k = 0; k < in->nvalues; k++)
			jsonw_str(w, in->value[k]);
		jsonw_end(w, ']');
		jsonw_end(w, '}');
	}
	jsonw_end(w, ']');
}

static void
print_place(struct jsonw *w, const char *name, const double v[2])
{
	char text[64];

	snprintf(text, sizeof(text), "%.12f,%.12f", v[0], v[1]);
	jsonw_key_str(w, name, text);
}

/* What lat_long has two numbers of, once more for maps. */
static void
print_places(struct jsonw *w, size_t nvalues, const double *actual,
    const double *typical)
{
	if (nvalues != RESULT_MAX_VALUES)
		return;
	jsonw_key(w, "geo_results");
	jsonw_begin(w, '{');
	print_place(w, "actual_point", actual);
	print_place(w, "typical_point", typical);
	jsonw_end(w, '}');
}

/* In the order of AnomalyCause. */
static void
print_cause(struct jsonw *w, const struct record_result *r,
    const struct record_cause *c)
{
	jsonw_begin(w, '{');
	jsonw_key_f64(w, "probability", c->probability);
	print_name(w, "by_field_name", r->by_field_name);
	jsonw_key_span(w, "by_field_value", c->by_field_value);
	print_name(w, "partition_field_name", r->partition_field_name);
	jsonw_key_span(w, "partition_field_value", r->partition_field_value);
	print_name(w, "function", r->function);
	print_name(w, "function_description", r->function_description);
	if (c->nvalues > 0) {
		print_doubles(w, "typical", c->typical, c->nvalues);
		print_doubles(w, "actual", c->actual, c->nvalues);
	}
	print_name(w, "field_name", r->field_name);
	print_name(w, "over_field_name", r->over_field_name);
	jsonw_key_span(w, "over_field_value", r->over_field_value);
	print_places(w, c->nvalues, c->actual, c->typical);
	jsonw_end(w, '}');
}

static void
print_causes(struct jsonw *w, const struct record_result *r)
{
	if (r->ncauses == 0)
		return;
	jsonw_key(w, "causes");
	jsonw_begin(w, '[');
	for (size_t i = 0; i < r->ncauses; i++)
		print_cause(w, r, &r->cause[i]);
	jsonw_end(w, ']');
}

static void
print_u32(struct jsonw *w, const char *name, bool is_there, uint32_t v)
{
	if (is_there)
		jsonw_key_i64(w, name, v);
}

static void
print_why(struct jsonw *w, const struct explanation *x)
{
	if ((x->has & ~(unsigned)EXPLAINED_LEADER) == 0)
		return;
	jsonw_key(w, "anomaly_score_explanation");
	jsonw_begin(w, '{');
	if ((x->has & EXPLAINED_TYPE) != 0)
		jsonw_key_str(w, "anomaly_type", x->dip ? "dip" : "spike");
	print_u32(
	    w, "anomaly_length", x->has & EXPLAINED_LENGTH, x->anomaly_length);
	print_u32(w, "single_bucket_impact", x->has & EXPLAINED_SINGLE,
	    x->single_bucket_impact);
	print_u32(w, "multi_bucket_impact", x->has & EXPLAINED_MULTI,
	    x->multi_bucket_impact);
	if ((x->has & EXPLAINED_BOUNDS) != 0) {
		jsonw_key_f64(
		    w, "lower_confidence_bound", x->lower_confidence_bound);
		jsonw_key_f64(w, "typical_value", x->typical_value);
		jsonw_key_f64(
		    w, "upper_confidence_bound", x->upper_confidence_bound);
	}
	if ((x->has & EXPLAINED_FIRST) != 0)
		jsonw_key_bool(w, "by_field_first_occurrence", true);
	if ((x->has & EXPLAINED_RARITY) != 0)
		jsonw_key_f64(
		    w, "by_field_relative_rarity", x->relative_rarity);
	jsonw_end(w, '}');
}

static void
echo_add(struct echo *list, size_t *n, const char *name,
    const struct span *value, size_t nvalues)
{
	struct echo *e = list;

	if (name == NULL || nvalues == 0 || value[0].p == NULL ||
	    reserved_is(name))
		return;
	while (e < list + *n && strcmp(e->name, name) != 0)
		e++;
	if (e == list + *n) {
		*e = (struct echo){ .name = name };
		(*n)++;
	}
	e->part[e->nparts].value = value;
	e->part[e->nparts++].n = nvalues;
}

static bool
same_value(const struct span *a, const struct span *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* Did the value at [part][i] come up before? */
static bool
echo_seen(const struct echo *e, size_t part, size_t i)
{
	const struct span *v = &e->part[part].value[i];

	for (size_t p = 0; p <= part; p++) {
		size_t end = p == part ? i : e->part[p].n;

		for (size_t k = 0; k < end; k++)
			if (same_value(&e->part[p].value[k], v))
				return true;
	}
	return false;
}

static void
echo_print(struct jsonw *w, const struct echo *e)
{
	jsonw_key(w, e->name);
	jsonw_begin(w, '[');
	for (size_t p = 0; p < e->nparts; p++)
		for (size_t i = 0; i < e->part[p].n; i++)
			if (!echo_seen(e, p, i))
				jsonw_str(w, e->part[p].value[i]);
	jsonw_end(w, ']');
}

static void
print_echo(struct jsonw *w, const struct record_result *r)
{
	struct echo list[ECHO_MAX];
	size_t n = 0;

	echo_add(list, &n, r->by_field_name, &r->by_field_value, 1);
	echo_add(list, &n, r->over_field_name, &r->over_field_value, 1);
	echo_add(
	    list, &n, r->partition_field_name, &r->partition_field_value, 1);
	for (size_t i = 0; i < r->ninfluencers; i++)
		echo_add(list, &n, r->influencer[i].field_name,
		    r->influencer[i].value, r->influencer[i].nvalues);
	for (size_t i = 0; i < n; i++)
		echo_print(w, &list[i]);
}

void
print_record(struct jsonw *w, const struct print_context *c,
    const struct record_result *r)
{
	jsonw_begin(w, '{');
	jsonw_key_str(w, "job_id", c->job_id);
	jsonw_key_str(w, "result_type", "record");
	jsonw_key_f64(w, "probability", r->probability);
	jsonw_key_f64(w, "multi_bucket_impact", r->multi_bucket_impact);
	jsonw_key_f64(w, "record_score", r->record_score);
	jsonw_key_f64(w, "initial_record_score", r->initial_record_score);
	jsonw_key_i64(w, "bucket_span", r->bucket_span_s);
	jsonw_key_i64(w, "detector_index", r->detector_index);
	jsonw_key_bool(w, "is_interim", r->is_interim);
	print_time(w, c, r->timestamp_ms);
	print_name(w, "by_field_name", r->by_field_name);
	jsonw_key_span(w, "by_field_value", r->by_field_value);
	if ((r->why.has & EXPLAINED_LEADER) != 0)
		jsonw_key_span(w, "correlated_by_field_value", r->why.leader);
	print_name(w, "partition_field_name", r->partition_field_name);
	jsonw_key_span(w, "partition_field_value", r->partition_field_value);
	print_name(w, "function", r->function);
	print_name(w, "function_description", r->function_description);
	if (r->nvalues > 0) {
		print_doubles(w, "typical", r->typical, r->nvalues);
		print_doubles(w, "actual", r->actual, r->nvalues);
	}
	print_name(w, "field_name", r->field_name);
	print_name(w, "over_field_name", r->over_field_name);
	jsonw_key_span(w, "over_field_value", r->over_field_value);
	print_causes(w, r);
	print_influencers(w, r);
	print_places(w, r->nvalues, r->actual, r->typical);
	print_why(w, &r->why);
	print_echo(w, r);
	jsonw_end(w, '}');
}

void
print_influencer(struct jsonw *w, const struct print_context *c,
    const struct influencer_result *r)
{
	jsonw_begin(w, '{');
	jsonw_key_str(w, "job_id", c->job_id);
	jsonw_key_str(w, "result_type", "influencer");
	jsonw_key_str(w, "influencer_field_name", r->field_name);
	jsonw_key_span(w, "influencer_field_value", r->field_value);
	if (!reserved_is(r->field_name))
		jsonw_key_span(w, r->field_name, r->field_value);
	jsonw_key_f64(w, "influencer_score", r->influencer_score);
	jsonw_key_f64(
	    w, "initial_influencer_score", r->initial_influencer_score);
	jsonw_key_i64(w, "bucket_span", r->bucket_span_s);
	jsonw_key_f64(w, "probability", r->probability);
	jsonw_key_bool(w, "is_interim", r->is_interim);
	print_time(w, c, r->timestamp_ms);
	jsonw_end(w, '}');
}

void
print_bucket_head(struct jsonw *w, const struct print_context *c,
    const struct bucket_result *b)
{
	jsonw_begin(w, '{');
	jsonw_key_str(w, "job_id", c->job_id);
	print_time(w, c, b->timestamp_ms);
	jsonw_key_f64(w, "anomaly_score", b->anomaly_score);
	jsonw_key_i64(w, "bucket_span", b->bucket_span_s);
	jsonw_key_f64(w, "initial_anomaly_score", b->initial_anomaly_score);
}

static void
print_bucket_influencer(struct jsonw *w, const struct print_context *c,
    const struct bucket_result *b, const struct bucket_influencer *in)
{
	jsonw_begin(w, '{');
	jsonw_key_str(w, "job_id", c->job_id);
	jsonw_key_str(w, "result_type", "bucket_influencer");
	jsonw_key_str(w, "influencer_field_name", in->influencer_field_name);
	jsonw_key_f64(w, "initial_anomaly_score", in->initial_anomaly_score);
	jsonw_key_f64(w, "anomaly_score", in->anomaly_score);
	jsonw_key_f64(w, "raw_anomaly_score", in->raw_anomaly_score);
	jsonw_key_f64(w, "probability", in->probability);
	print_time(w, c, b->timestamp_ms);
	jsonw_key_i64(w, "bucket_span", b->bucket_span_s);
	jsonw_key_bool(w, "is_interim", b->is_interim);
	jsonw_end(w, '}');
}

void
print_bucket_tail(struct jsonw *w, const struct print_context *c,
    const struct bucket_result *b)
{
	jsonw_key(w, "event_count");
	jsonw_u64(w, b->event_count);
	jsonw_key_bool(w, "is_interim", b->is_interim);
	jsonw_key(w, "bucket_influencers");
	jsonw_begin(w, '[');
	for (size_t i = 0; i < b->ninfluencers; i++)
		print_bucket_influencer(w, c, b, &b->influencer[i]);
	jsonw_end(w, ']');
	jsonw_key(w, "processing_time_ms");
	jsonw_u64(w, b->processing_time_ms);
	jsonw_key_str(w, "result_type", "bucket");
	jsonw_end(w, '}');
}
