/* Owns the commands that show the daemon and its jobs. */
#include "common/compat.h"

#include <json-c/json.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/say.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define JOBS_PATH "/_ml/anomaly_detectors/{}?allow_no_match=true"
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

/* "3 h": whole ones of the largest unit of which there are two. */
static void
format_age(char *text, size_t size, int64_t age_s)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" },
		{ 1, "s" } };
	size_t i = 0;

	while (i + 1 < NELEM(units) && age_s < 2 * units[i].seconds)
		i++;
	snprintf(text, size, "%" PRId64 " %s", age_s / units[i].seconds,
	    units[i].name);
}

/*
 * How long ago the snapshot was made that the job goes back to, in seconds. Its
 * id is that time. Returns false when there is none.
 */
static bool
snapshot_age(const struct jsonx_value *config, int64_t *age_s)
{
	char *end;
	int64_t made_s =
	    strtoll(show_string(config, "model_snapshot_id"), &end, 10);

	if (made_s <= 0 || *end != '\0')
		return false;
	*age_s = clock_wall_ms() / 1000 - made_s;
	if (*age_s < 0)
		*age_s = 0;
	return true;
}

static void
add_age(struct table *t, const struct jsonx_value *config)
{
	char text[32] = "";
	int64_t age_s;

	if (snapshot_age(config, &age_s))
		format_age(text, sizeof(text), age_s);
	table_add(t, text);
}

/* config: NULL when the job has been deleted meanwhile. */
static void
add_job(struct table *t, const struct jsonx_value *job,
    const struct jsonx_value *config)
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
	add_age(t, config);
	table_add(t, show_string(job, "assignment_explanation"));
}

/*
 * The configuration of a job, NULL when it is not there. Both lists are in the
 * order of the ids: *next is where the search for the next job goes on.
 */
static const struct jsonx_value *
next_config(const struct jsonx_value **next, const char *job_id)
{
	const struct jsonx_value *v = *next;

	while (v != NULL && strcmp(show_string(v, "job_id"), job_id) < 0)
		v = v->next;
	*next = v;
	return v != NULL && strcmp(show_string(v, "job_id"), job_id) == 0
	    ? v
	    : NULL;
}

static int
print_jobs(const struct ctl *ctl, const struct jsonx_value *jobs,
    const struct jsonx_value *configs)
{
	static const char *const headings[] = { "JOB", "STATE", "RECORDS",
		"BUCKETS", "MODEL", "MEMORY", "LAST DATA", "LATEST RECORD",
		"SNAPSHOT", "WHY" };
	const struct jsonx_value *next;
	struct table *t;
	int status = CTL_OK;

	if (jobs == NULL || configs == NULL)
		return show_strange(ctl);
	t = table_new(headings, NELEM(headings));
	if (t == NULL)
		return show_failure(ctl, "out of memory");
	next = configs->child;
	for (const struct jsonx_value *v = jobs->child; v != NULL; v = v->next)
		add_job(t, v, next_config(&next, show_string(v, "job_id")));
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

/* The names of snapshots are with the configurations. */
static int
show_jobs(
    const struct ctl *ctl, const char *patterns, const struct jsonx_value *jobs)
{
	struct answer configs = { 0 };
	int status = CTL_FAILED;

	if (show_call(ctl, "GET", client_path(JOBS_PATH, patterns), NULL,
		&configs) == 0)
		status = print_jobs(ctl, jobs, list_of_jobs(&configs));
	answer_clear(&configs);
	return status;
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
			      : show_jobs(ctl, patterns, list_of_jobs(&answer));
	answer_clear(&answer);
	free(patterns);
	return status;
}

/* ---- status ---- */

enum state {
	STATE_OPENED,
	STATE_OPENING,
	STATE_CLOSING,
	STATE_CLOSED,
	STATE_FAILED,
	STATE_COUNT
};

static const char *const states[STATE_COUNT] = {
	[STATE_OPENED] = "opened",
	[STATE_OPENING] = "opening",
	[STATE_CLOSING] = "closing",
	[STATE_CLOSED] = "closed",
	[STATE_FAILED] = "failed",
};

struct overview {
	size_t njobs, in_state[STATE_COUNT];
	size_t nreplaying;
	int64_t done_bytes, all_bytes;
	size_t nlimited; /* whose model may grow no more */
	size_t naside;	 /* that have entries in quarantine */
	size_t nlost;	 /* that have lost pages of their results */
	size_t ndamaged; /* whose results are to be salvaged */
};

/* o may be NULL. */
static bool
is_true(const struct jsonx_value *o, const char *key)
{
	const struct jsonx_value *v = o == NULL ? NULL : jsonx_get(o, key);

	return v != NULL && v->type == JSONX_BOOLEAN && v->boolean;
}

/* Pages could not be read, so nobody knows which rows are not there. */
static bool
has_lost_pages(const struct jsonx_value *recovery)
{
	const struct jsonx_value *salvaged =
	    recovery != NULL ? jsonx_get(recovery, "salvaged_results") : NULL;

	return is_true(salvaged, "pages_lost");
}

static bool
is_damaged(const struct jsonx_value *recovery)
{
	return is_true(recovery, "results_damaged");
}

static void
count_job(struct overview *o, const struct jsonx_value *job)
{
	const struct jsonx_value *recovery = jsonx_get(job, "recovery");
	const char *memory =
	    show_string(jsonx_get(job, "model_size_stats"), "memory_status");
	int64_t done, all;

	o->njobs++;
	for (size_t i = 0; i < STATE_COUNT; i++)
		if (strcmp(show_string(job, "state"), states[i]) == 0)
			o->in_state[i]++;
	if (strcmp(memory, "hard_limit") == 0)
		o->nlimited++;
	if (jsonx_get(job, "quarantine") != NULL)
		o->naside++;
	if (has_lost_pages(recovery))
		o->nlost++;
	if (is_damaged(recovery))
		o->ndamaged++;
	if (recovery != NULL &&
	    number(recovery, "replay", "done_bytes", &done) &&
	    number(recovery, "replay", "all_bytes", &all)) {
		o->nreplaying++;
		o->done_bytes += done;
		o->all_bytes += all;
	}
}

/*
 * Red: a job is at a standstill, or goes on without something that was posted.
 * Yellow: one is not yet, or no more, whole.
 */
static int
judge(const struct overview *o)
{
	if (o->in_state[STATE_FAILED] > 0 || o->naside > 0)
		return STATUS_RED;
	return o->in_state[STATE_OPENING] > 0 || o->nreplaying > 0 ||
		o->nlimited > 0 || o->nlost > 0 || o->ndamaged > 0
	    ? STATUS_YELLOW
	    : STATUS_GREEN;
}

/* The beginning of a line about one job. */
static void
print_head(const char *what, const struct jsonx_value *job)
{
	printf("%-10s ", what);
	say_text(stdout, show_string(job, "job_id"));
	fputs(": ", stdout);
}

static void
print_replay(const struct jsonx_value *job, const struct jsonx_value *recovery)
{
	int64_t done, all, entries = 0;

	if (!number(recovery, "replay", "done_bytes", &done) ||
	    !number(recovery, "replay", "all_bytes", &all))
		return;
	(void)number(recovery, "replay", "entries", &entries);
	print_head("replaying", job);
	printf("%" PRId64 " of %" PRId64 " bytes, %" PRId64 " entries\n", done,
	    all, entries);
}

static void
print_deaths(const struct jsonx_value *job, const struct jsonx_value *recovery)
{
	const char *death = show_string(recovery, "last_death");
	char when[SAY_TIME_BYTES] = "";
	int64_t restarts = 0, ms;

	if (death[0] == '\0')
		return;
	(void)number(recovery, NULL, "restarts", &restarts);
	if (number(recovery, NULL, "last_death_time", &ms))
		say_time(when, ms);
	print_head("deaths", job);
	printf("%" PRId64 " restarts, the last death %s: ", restarts, when);
	say_text(stdout, death);
	putchar('\n');
}

static void
print_salvage(const struct jsonx_value *job, const struct jsonx_value *recovery)
{
	char when[SAY_TIME_BYTES] = "";
	int64_t kept, dropped, ms;

	if (!number(recovery, "salvaged_results", "rows_kept", &kept) ||
	    !number(recovery, "salvaged_results", "rows_dropped", &dropped))
		return;
	if (number(recovery, "salvaged_results", "time", &ms))
		say_time(when, ms);
	print_head("salvaged", job);
	printf("results were damaged, %s: %" PRId64 " rows kept, %" PRId64
	       " dropped%s\n",
	    when, kept, dropped,
	    has_lost_pages(recovery) ? ", and pages were lost" : "");
}

static void
print_damage(const struct jsonx_value *job, const struct jsonx_value *recovery)
{
	if (!is_damaged(recovery))
		return;
	print_head("damaged", job);
	puts("a query has met damage in its results: close and open it, and "
	     "what can be read is kept");
}

static void
print_job(const struct jsonx_value *job)
{
	const struct jsonx_value *recovery = jsonx_get(job, "recovery");
	int64_t n;

	if (recovery != NULL) {
		print_replay(job, recovery);
		print_deaths(job, recovery);
		print_damage(job, recovery);
		print_salvage(job, recovery);
	}
	if (number(job, "quarantine", "count", &n)) {
		print_head("quarantine", job);
		printf("%" PRId64 " entries; see anomctl quarantine\n", n);
	}
	if (strcmp(show_string(job, "state"), "failed") == 0) {
		print_head("failed", job);
		say_text(stdout, show_string(job, "assignment_explanation"));
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
	for (size_t i = 0; i < STATE_COUNT; i++)
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
	for (const struct jsonx_value *v = jobs->child; v != NULL; v = v->next)
		print_job(v);
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
