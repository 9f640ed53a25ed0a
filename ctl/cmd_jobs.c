/* Owns the commands that show the daemon and its jobs. */
#include "common/compat.h"

#include <json-c/json.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/say.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define STATS_PATH "/_ml/anomaly_detectors/{}/_stats?allow_no_match=true"

/* The exit status of "status". */
enum {
	STATUS_GREEN = 0,
	STATUS_YELLOW = 1,
	STATUS_RED = 2,
	STATUS_UNKNOWN = 3,
};

/* ---- members of answers ---- */

/* Of an object within the object, or of it itself when key is NULL. */
static bool
number(const struct jsonx_value *obj, const char *within, const char *key,
    int64_t *v)
{
	const struct jsonx_value *n;

	if (within != NULL)
		obj = jsonx_get(obj, within);
	n = obj != NULL ? jsonx_get(obj, key) : NULL;
	return n != NULL && n->type == JSONX_NUMBER && jsonx_int64(n, v);
}

static const struct jsonx_value *
list_of_jobs(const struct answer *a)
{
	return show_array(a->json, "jobs");
}

/* ---- jobs ---- */

static void
add_number(struct table *t, const struct jsonx_value *job, const char *within,
    const char *key)
{
	char text[32] = "";
	int64_t v;

	if (number(job, within, key, &v))
		snprintf(text, sizeof(text), "%" PRId64, v);
	table_add(t, text);
}

static void
add_time(struct table *t, const struct jsonx_value *job, const char *within,
    const char *key)
{
	char text[SAY_TIME_BYTES] = "";
	int64_t ms;

	if (number(job, within, key, &ms))
		say_time(text, ms);
	table_add(t, text);
}

/* "12.5 kB": three digits, and a unit. */
static void
add_bytes(struct table *t, const struct jsonx_value *job, const char *within,
    const char *key)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	char text[32] = "";
	size_t unit = 0;
	int64_t v;
	double n;

	if (number(job, within, key, &v)) {
		n = (double)v;
		for (; n >= 1024.0 && unit < NELEM(units) - 1; unit++)
			n /= 1024.0;
		snprintf(text, sizeof(text), "%.*f %s",
		    unit > 0 && n < 100.0 ? 1 : 0, n, units[unit]);
	}
	table_add(t, text);
}

static void
add_job(struct table *t, const struct jsonx_value *job)
{
	table_add(t, show_string(job, "job_id"));
	table_add(t, show_string(job, "state"));
	add_number(t, job, "data_counts", "processed_record_count");
	add_number(t, job, "data_counts", "bucket_count");
	add_bytes(t, job, "model_size_stats", "model_bytes");
	table_add(t,
	    show_string(jsonx_get(job, "model_size_stats"), "memory_status"));
	add_time(t, job, "data_counts", "last_data_time");
	add_time(t, job, "data_counts", "latest_record_timestamp");
	table_add(t, show_string(job, "assignment_explanation"));
}

static int
print_jobs(const struct ctl *ctl, const struct jsonx_value *jobs)
{
	static const char *const headings[] = { "JOB", "STATE", "RECORDS",
		"BUCKETS", "MODEL", "MEMORY", "LAST DATA", "LATEST RECORD",
		"WHY" };
	struct table *t;
	int status = CTL_OK;

	if (jobs == NULL)
		return show_strange(ctl);
	t = table_new(headings, NELEM(headings));
	if (t == NULL)
		return show_failure(ctl, "out of memory");
	for (const struct jsonx_value *v = jobs->child; v != NULL; v = v->next)
		add_job(t, v);
	if (table_print(t, stdout) == -1)
		status = show_failure(ctl, "out of memory");
	table_free(t);
	return status;
}

/* "a,b*" of the operands; _all for none. The caller frees it. */
static char *
join_patterns(const struct args *a)
{
	char *text = NULL;
	size_t len;
	FILE *f;

	if (a->noperands == 0)
		return strdup("_all");
	f = open_memstream(&text, &len);
	if (f == NULL)
		return NULL;
	for (size_t i = 0; i < a->noperands; i++)
		fprintf(f, "%s%s", i > 0 ? "," : "", a->operand[i]);
	fclose(f);
	return text;
}

int
cmd_jobs(struct ctl *ctl)
{
	const char *format = args_value(ctl->args, "format");
	struct answer answer = { 0 };
	bool json = format != NULL && strcmp(format, "json") == 0;
	char *patterns;
	int status = CTL_FAILED;

	if (format != NULL && !json && strcmp(format, "table") != 0) {
		show_failure(ctl, "--format is json or table");
		return CTL_USAGE;
	}
	patterns = join_patterns(ctl->args);
	if (patterns == NULL)
		return show_failure(ctl, "out of memory");
	if (show_call(ctl, "GET", client_path(STATS_PATH, patterns), NULL,
		&answer) == 0)
		status = json ? show_json(ctl, &answer)
			      : print_jobs(ctl, list_of_jobs(&answer));
	answer_clear(&answer);
	free(patterns);
	return status;
}

/* ---- status ---- */

static const char *const states[] = { "opened", "opening", "closing", "closed",
	"failed" };

struct overview {
	size_t njobs, in_state[NELEM(states)];
	size_t nreplaying;
	int64_t done_bytes, all_bytes;
	size_t nlimited; /* whose model may grow no more */
};

static void
count_job(struct overview *o, const struct jsonx_value *job)
{
	const struct jsonx_value *recovery = jsonx_get(job, "recovery");
	const char *memory =
	    show_string(jsonx_get(job, "model_size_stats"), "memory_status");
	int64_t done, all;

	o->njobs++;
	for (size_t i = 0; i < NELEM(states); i++)
		if (strcmp(show_string(job, "state"), states[i]) == 0)
			o->in_state[i]++;
	if (strcmp(memory, "hard_limit") == 0)
		o->nlimited++;
	if (recovery != NULL &&
	    number(recovery, "replay", "done_bytes", &done) &&
	    number(recovery, "replay", "all_bytes", &all)) {
		o->nreplaying++;
		o->done_bytes += done;
		o->all_bytes += all;
	}
}

/* Red: a job is at a standstill. Yellow: one is not yet, or no more, whole. */
static int
judge(const struct overview *o)
{
	if (o->in_state[4] > 0)
		return STATUS_RED;
	return o->in_state[1] > 0 || o->nreplaying > 0 || o->nlimited > 0
	    ? STATUS_YELLOW
	    : STATUS_GREEN;
}

static void
print_failed(const struct jsonx_value *jobs)
{
	for (const struct jsonx_value *v = jobs->child; v != NULL;
	     v = v->next) {
		if (strcmp(show_string(v, "state"), "failed") != 0)
			continue;
		fputs("failed     ", stdout);
		say_text(stdout, show_string(v, "job_id"));
		fputs(": ", stdout);
		say_text(stdout, show_string(v, "assignment_explanation"));
		putchar('\n');
	}
}

static int
print_status(const struct jsonx_value *root, const struct jsonx_value *jobs)
{
	static const char *const colours[] = { "green", "yellow", "red" };
	struct overview o = { 0 };
	int status;

	for (const struct jsonx_value *v = jobs->child; v != NULL; v = v->next)
		count_job(&o, v);
	status = judge(&o);
	printf("health     %s\n", colours[status]);
	fputs("node       ", stdout);
	say_text(stdout, show_string(root, "name"));
	fputs("\ninterface  ", stdout);
	say_text(stdout, show_string(jsonx_get(root, "version"), "number"));
	printf("\njobs       %zu", o.njobs);
	for (size_t i = 0; i < NELEM(states); i++)
		if (o.in_state[i] > 0)
			printf(", %zu %s", o.in_state[i], states[i]);
	putchar('\n');
	if (o.nreplaying > 0)
		printf("replaying  %zu jobs, %" PRId64 " of %" PRId64
		       " bytes\n",
		    o.nreplaying, o.done_bytes, o.all_bytes);
	if (o.nlimited > 0)
		printf(
		    "limited    %zu jobs at model_memory_limit\n", o.nlimited);
	print_failed(jobs);
	return status;
}

int
cmd_status(struct ctl *ctl)
{
	struct answer root = { 0 }, stats = { 0 };
	int status = STATUS_UNKNOWN;

	if (show_call(ctl, "GET", client_path("/"), NULL, &root) == 0 &&
	    show_call(ctl, "GET", client_path(STATS_PATH, "_all"), NULL,
		&stats) == 0) {
		if (list_of_jobs(&stats) == NULL)
			show_strange(ctl);
		else
			status = print_status(root.json, list_of_jobs(&stats));
	}
	answer_clear(&stats);
	answer_clear(&root);
	return status;
}
