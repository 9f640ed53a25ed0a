/*
 * Runs cases through the worker's reader, intake and engine, without daemon or
 * disk: for experiments with models, where only the scores matter.
 *
 * usage: run_cases [-b] outdir casedir...
 *
 * A case is a directory with job.json and data.ndjson; its results go to
 * outdir/<its name>/buckets.ndjson and records.ndjson, with the fields that
 * the scorers of the quality yardstick read. With -b, bounds.json counts how
 * many values were inside of the model's bounds, and annotations.ndjson has
 * what the model has noticed. Files are read whole.
 */
#include "common/compat.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/engine.h"
#include "worker/intake.h"

/* No wall clock: results do not depend on it. */
#define RECEIPT_MS 0

struct outputs {
	FILE *buckets;
	FILE *records;
	FILE *annotations; /* NULL: they are not wanted */
	/* Values that were beside the model's bounds, of all that have some. */
	uint64_t plotted;
	uint64_t below;
	uint64_t above;
	uint64_t low; /* below the median */
	double width; /* of bounds, in all */
};

static char *
read_file(const char *dir, const char *name, size_t *len)
{
	char path[PATH_MAX], *text;
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (f == NULL || fstat(fileno(f), &st) == -1)
		err(1, "%s", path);
	*len = (size_t)st.st_size;
	text = malloc(*len + 1);
	if (text == NULL || fread(text, 1, *len, f) != *len)
		err(1, "%s", path);
	text[*len] = '\0';
	fclose(f);
	return text;
}

static void
put_field(FILE *f, const char *kind, const char *name, struct span value)
{
	if (name == NULL || value.p == NULL)
		return;
	fprintf(f, ",\"%s_field_name\":\"%s\",\"%s_field_value\":\"%.*s\"",
	    kind, name, kind, (int)value.len, value.p);
}

static int
take_record(void *arg, const struct record_result *r)
{
	FILE *f = ((struct outputs *)arg)->records;

	fprintf(f,
	    "{\"timestamp\":%lld,\"initial_record_score\":%.6g,"
	    "\"record_score\":%.6g,\"probability\":%.6g,"
	    "\"multi_bucket_impact\":%.3g,\"typical\":[%.6g],"
	    "\"actual\":[%.6g],\"function\":\"%s\"",
	    (long long)r->timestamp_ms, r->initial_record_score,
	    r->record_score, r->probability, r->multi_bucket_impact,
	    r->typical[0], r->actual[0], r->function);
	put_field(f, "by", r->by_field_name, r->by_field_value);
	put_field(f, "over", r->over_field_name, r->over_field_value);
	put_field(
	    f, "partition", r->partition_field_name, r->partition_field_value);
	fprintf(f, "}\n");
	return 0;
}

static int
take_bucket(void *arg, const struct bucket_result *r)
{
	fprintf(((struct outputs *)arg)->buckets,
	    "{\"timestamp\":%lld,\"initial_anomaly_score\":%.6g,"
	    "\"anomaly_score\":%.6g,\"probability\":%.6g,"
	    "\"event_count\":%llu}\n",
	    (long long)r->timestamp_ms, r->initial_anomaly_score,
	    r->anomaly_score,
	    r->ninfluencers == 0 ? 1.0 : r->influencer[0].probability,
	    (unsigned long long)r->event_count);
	return 0;
}

static int
take_plot(void *arg, const struct plot_result *r)
{
	struct outputs *to = arg;

	if (!r->has_actual)
		return 0;
	to->plotted++;
	to->below += r->actual < r->lower;
	to->above += r->actual > r->upper;
	to->low += r->actual < r->median;
	to->width += r->upper - r->lower;
	return 0;
}

static int
take_annotation(void *arg, const struct annotation_result *r)
{
	fprintf(((struct outputs *)arg)->annotations,
	    "{\"timestamp\":%lld,\"annotation\":\"%s\"}\n",
	    (long long)r->timestamp_ms, r->text);
	return 0;
}

static int
take_drop(void *arg, int64_t from_ms)
{
	(void)arg;
	(void)from_ms;
	return 0;
}

static FILE *
create(const char *out, const char *name, const char *kind)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", out, name);
	if (mkdir(path, 0777) == -1 && errno != EEXIST)
		err(1, "%s", path);
	snprintf(path, sizeof(path), "%s/%s/%s.ndjson", out, name, kind);
	f = fopen(path, "w");
	if (f == NULL)
		err(1, "%s", path);
	return f;
}

static void
advance(struct engine *e, int64_t time_s)
{
	int more;

	engine_target(e, time_s);
	while ((more = engine_step(e)) == 1)
		;
	if (more == -1)
		err(1, "engine_step");
}

static void
feed(const struct jobconf *conf, struct engine *e, const char *data, size_t len)
{
	struct reader *reader = reader_new(conf);
	struct intake *intake = intake_new(conf);
	int64_t time_s, last_s = INT64_MIN;
	const struct record *rec;
	struct apierr ae;
	int rc;

	if (reader == NULL || intake == NULL)
		err(1, NULL);
	intake_begin(intake, RECEIPT_MS);
	reader_begin(reader, data, len);
	while ((rc = reader_next(reader, &rec, &ae)) > 0) {
		if (rc == 2 ||
		    intake_record(intake, rec, &time_s) != INTAKE_ACCEPTED)
			continue;
		advance(e, time_s);
		if (engine_add(e, time_s, rec) == -1)
			err(1, "engine_add");
		if (time_s > last_s)
			last_s = time_s;
	}
	if (rc == -1)
		errx(1, "%s", ae.link[0].reason);
	/* as a flush past the end does: the last bucket is final, too */
	advance(e, last_s + conf->bucket_span_s + conf->latency_s);
	intake_free(intake);
	reader_free(reader);
}

static void
put_bounds(const char *out, const char *name, const struct outputs *to)
{
	FILE *f = create(out, name, "bounds");

	fprintf(f,
	    "{\"values\":%llu,\"below\":%llu,\"above\":%llu,\"low\":%llu,"
	    "\"width\":%.6g}\n",
	    (unsigned long long)to->plotted, (unsigned long long)to->below,
	    (unsigned long long)to->above, (unsigned long long)to->low,
	    to->width);
	if (fclose(f) == EOF)
		err(1, "%s", out);
}

static void
run_case(const char *out, const char *dir, bool bounds)
{
	const char *slash = strrchr(dir, '/');
	const char *name = slash == NULL ? dir : slash + 1;
	struct outputs to = { create(out, name, "buckets"),
		create(out, name, "records"),
		bounds ? create(out, name, "annotations") : NULL, 0, 0, 0, 0,
		0 };
	struct result_sink sink = { .record = take_record,
		.bucket = take_bucket,
		.plot = take_plot,
		.annotation = take_annotation,
		.drop_interim = take_drop,
		.arg = &to };
	size_t conf_len, len;
	char *text = read_file(dir, "job.json", &conf_len);
	char *data = read_file(dir, "data.ndjson", &len);
	struct jobconf *conf;
	struct engine *e;
	struct apierr ae;

	conf = jobconf_parse("case", text, conf_len, NULL, &ae);
	if (conf == NULL)
		errx(1, "%s: %s", dir, ae.link[0].reason);
	conf->plot.enabled = conf->plot.annotations = bounds;
	e = engine_new(conf, &sink);
	if (e == NULL)
		err(1, NULL);
	feed(conf, e, data, len);
	engine_free(e);
	jobconf_free(conf);
	free(text);
	free(data);
	if (fclose(to.buckets) == EOF || fclose(to.records) == EOF ||
	    (bounds && fclose(to.annotations) == EOF))
		err(1, "%s", out);
	if (bounds)
		put_bounds(out, name, &to);
}

int
main(int argc, char **argv)
{
	bool bounds = argc > 1 && strcmp(argv[1], "-b") == 0;
	char **arg = argv + 1 + bounds;

	if (argc < 3 + bounds) {
		fprintf(stderr, "usage: run_cases [-b] outdir casedir...\n");
		return 1;
	}
	if (mkdir(*arg, 0777) == -1 && errno != EEXIST)
		err(1, "%s", *arg);
	for (int i = 1; arg[i] != NULL; i++)
		run_case(*arg, arg[i], bounds);
	return 0;
}
