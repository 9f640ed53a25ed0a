/* Owns the rules for configurations, as the reference has them. */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "tests/jobconf_model.h"

const struct model_function model_functions[] = {
	{ "count", "c", "bo!", false },
	{ "high_count", "high_c", "bo!", false },
	{ "low_count", "low_c", "bo!", false },
	{ "non_zero_count", "nzc", "b!", false },
	{ "high_non_zero_count", "high_nzc", "b!", false },
	{ "low_non_zero_count", "low_nzc", "b!", false },
	{ "distinct_count", "dc", "Fbo", false },
	{ "high_distinct_count", "high_dc", "Fbo", false },
	{ "low_distinct_count", "low_dc", "Fbo", false },
	{ "info_content", NULL, "Fbo", false },
	{ "rare", NULL, "Bo", true },
	{ "freq_rare", NULL, "BO", true },
	{ "min", NULL, "Fbo", false },
	{ "max", NULL, "Fbo", false },
	{ "median", NULL, "Fbo", false },
	{ "mean", NULL, "Fbo", false },
	{ "high_mean", NULL, "Fbo", false },
	{ "avg", NULL, "Fbo", false },
	{ "metric", NULL, "Fbo", true },
	{ "varp", NULL, "Fbo", false },
	{ "low_sum", NULL, "Fbo", false },
	{ "non_null_sum", NULL, "Fbo", false },
	{ "time_of_day", NULL, "bo!", false },
	{ "time_of_week", NULL, "bo!", false },
	{ "lat_long", NULL, "Fbo", true },
	{ NULL, NULL, NULL, false },
};

#define METRIC 18 /* what no function stands for */

const char *const model_frequent[] = { NULL, "all", "none", "by", "over" };

enum {
	RULE_VALUE = RULE_EMPTY + 1,
	RULE_TIME,
	RULE_BY,
	RULE_NONE,
	RULE_SHIFT,
	RULE_CASE
};
const struct choice model_rules[] = {
	{ NULL, false },
	[RULE_EMPTY] = { "[]", false },
	[RULE_VALUE] = { "[{\"conditions\":[{\"applies_to\":\"actual\","
			 "\"operator\":\"gt\",\"value\":\"1.5\"}]}]",
	    false },
	[RULE_TIME] = { "[{\"conditions\":{\"applies_to\":\"time\","
			"\"operator\":\"lte\",\"value\":7}}]",
	    false },
	[RULE_BY] = { "[{\"scope\":{\"a\":{\"filter_id\":\"f\"}}}]", false },
	[RULE_NONE] = { "[{\"actions\":[\"skip_result\"]}]", true },
	[RULE_SHIFT] = { "[{\"actions\":[\"force_time_shift\"],"
			 "\"conditions\":[{\"applies_to\":\"time\","
			 "\"operator\":\"gt\",\"value\":1}]}]",
	    true },
	[RULE_CASE] = { "{\"actions\":\"SKIP_Model_Update\",\"conditions\":[{"
			"\"applies_to\":\"TIME\",\"operator\":\"Gt\","
			"\"value\":-1e3}]}",
	    false },
};

const struct choice model_filters[] = {
	{ NULL, false },
	{ "[\"x\"]", false },
	{ "[\"a.*\",\"(b|c)[d]\"]", false },
	{ "[\"x\",\"x\"]", true },
	{ "[\"\"]", true },
	{ "[\"[x\"]", true },
};

const struct choice model_analyzers[] = {
	{ NULL, false },
	{ "\"standard\"", false },
	{ "{\"tokenizer\":\"ml_classic\",\"filter\":[{\"type\":\"stop\"}]}",
	    false },
	{ "{\"tokeniser\":\"x\"}", true },
};

enum { PARTITIONS_ON = 2 };
const struct choice model_partitions[] = {
	{ NULL, false },
	{ "{\"enabled\":false,\"stop_on_warn\":true}", false },
	[PARTITIONS_ON] = { "{\"enabled\":\"true\"}", false },
	{ "{\"stop_on_warn\":true}", true },
};

const struct choice model_time_formats[] = {
	{ NULL, false },
	{ "\"epoch_ms\"", false },
	{ "\"epoch\"", false },
	{ "\"yyyy-MM-dd'T'HH:mm:ss.SSSX\"", false },
	{ "\"yyyy-MM-dd\"", true },
	{ "\"seconds\"", true },
};

const struct choice model_zones[] = {
	{ NULL, false },
	{ "\"UTC\"", false },
	{ "\"Nowhere/Land\"", true },
	{ "5", true },
};

const struct choice model_plots[] = {
	{ NULL, false },
	{ "{\"enabled\":true}", false },
	{ "{\"annotations_enabled\":false,\"enabled\":\"false\",\"terms\":"
	  "null}",
	    false },
	{ "{\"terms\":\"x\"}", true },
};

const struct choice model_settings[] = {
	{ "\"z\":1,\"a\":[{\"b\":null},1.5,\"\\u20ac\"]", false },
	{ "\"x\":{\"time_zone\":\"not the one that is meant\"}", false },
};

static const struct spelling spans[] = {
	{ { "\"5m\"", "\"5M\"", "\" 5m \"", NULL }, 300, false },
	{ { "\"300s\"", "\"300S\"", NULL, NULL }, 300, false },
	{ { "\"300000ms\"", NULL, NULL, NULL }, 300, false },
	{ { "\"1h\"", NULL, NULL, NULL }, 3600, false },
	{ { "\"1d\"", NULL, NULL, NULL }, 86400, false },
	{ { "\"7s\"", "\"07s\"", NULL, NULL }, 7, false },
	{ { "\"0s\"", "\"0\"", NULL, NULL }, 0, false },
	{ { "\"-1\"", NULL, NULL, NULL }, -1, false },
	{ { "\"1500ms\"", "\"5\"", "\"8w\"", "\"1.5h\"" }, 0, true },
	{ { "300", "null", "[]", "true" }, 0, true },
};

static const struct spelling latencies[] = {
	{ { "\"0s\"", NULL, NULL, NULL }, 0, false },
	{ { "\"10m\"", NULL, NULL, NULL }, 600, false },
	{ { "\"2h\"", NULL, NULL, NULL }, 7200, false },
	{ { "\"30d\"", NULL, NULL, NULL }, 30 * 86400, false },
	{ { "\"-1\"", NULL, NULL, NULL }, -1, false },
	{ { "\"1ms\"", "\"x\"", "7", "{}" }, 0, true },
};

static const struct spelling prunes[] = {
	{ { "\"12h\"", NULL, NULL, NULL }, 12 * 3600, false },
	{ { "\"30d\"", NULL, NULL, NULL }, 30 * 86400, false },
	{ { "\"10m\"", NULL, NULL, NULL }, 600, false },
	{ { "\"5m\"", NULL, NULL, NULL }, 300, false },
	{ { "\"7m\"", NULL, NULL, NULL }, 420, false },
	{ { "\"14s\"", NULL, NULL, NULL }, 14, false },
	{ { "\"0s\"", NULL, NULL, NULL }, 0, false },
	{ { "\"8w\"", "\"\"", "12", "false" }, 0, true },
};

static const struct spelling persists[] = {
	{ { "\"1h\"", NULL, NULL, NULL }, 3600, false },
	{ { "\"3600s\"", NULL, NULL, NULL }, 3600, false },
	{ { "\"4d\"", NULL, NULL, NULL }, 4 * 86400, false },
	{ { "\"3599s\"", NULL, NULL, NULL }, 3599, false },
	{ { "\"0\"", NULL, NULL, NULL }, 0, false },
	{ { "\"3600500ms\"", "\"h\"", "3600", NULL }, 0, true },
};

/* In mebibytes. */
static const struct spelling memories[] = {
	{ { "1024", "\"1gb\"", "\"1024mb\"", "\"1048576KB\"" }, 1024, false },
	{ { "\"1536kb\"", "1", "\"1m\"", "1.9" }, 1, false },
	{ { "\"4g\"", "4096", "\"4096mb\"", NULL }, 4096, false },
	{ { "4097", "\"4097mb\"", NULL, NULL }, 4097, false },
	{ { "\"1pb\"", NULL, NULL, NULL }, 1 << 30, false },
	{ { "0", "\"1000kb\"", "\"0\"", NULL }, 0, false },
	{ { "-5", NULL, NULL, NULL }, -5, false },
	{ { "\"many\"", "\"12\"", "null", "[1]" }, 0, true },
};

static const struct spelling numbers[] = {
	{ { "0", "\"0\"", "0.9", "-0" }, 0, false },
	{ { "1", "\"1\"", "1.0", "1e0" }, 1, false },
	{ { "7", "\"7\"", "7.5", NULL }, 7, false },
	{ { "20", "2e1", "\"20\"", NULL }, 20, false },
	{ { "1000000", "\"1000000\"", NULL, NULL }, 1000000, false },
	{ { "-1", "\"-1\"", NULL, NULL }, -1, false },
	{ { "\"x\"", "null", "[]", "true" }, 0, true },
	{ { "1e30", "\"\"", "{}", "99999999999999999999" }, 0, true },
};

/* The first ones are good nearly everywhere. */
static const char *const names[] = { "a", "b", "host", "client.ip", "v", "a.b",
	"mlcategory", "caf\xc3\xa9 \xf0\x9f\x98\x80", "", "time", "count", "by",
	"over", "x\"y", "x\\y", "x\x01y", ".", "x\xc2\x85y" };
#define NAMES_GOOD 5

static const char *const groups[] = { "one", "a.b-c_d", "9", "UPPER", "_x", "",
	MODEL_ID };
static const char *const indices[] = { "shared", "mine", "custom-mine", "Mine",
	"_all", "x-" };
static const char *const descriptions[] = { "", "plain", "caf\xc3\xa9 \"x\"",
	"tab\tand \\" };

static const char *const faults[] = {
	"\"groups\":{}",
	"\"description\":1",
	"\"analysis_limits\":[]",
	"\"analysis_limits\":{\"model_memory_limt\":1}",
	"\"custom_settings\":\"x\"",
	"\"allow_lazy_open\":\"maybe\"",
	"\"allow_lazy_open\":1",
	"\"nonsense\":1",
	"\"Description\":\"x\"",
	"\"datafeed_config\":{}",
	"\"create_time\":1",
	"\"model_snapshot_id\":\"x\"",
	"\"job_id\":\"other\"",
	"\"job_id\":7",
	"\"description\":\"\\ud800\"",
	"\"description\":\"\\u0000\"",
	"\"description\":\"a\nb\"",
	"\"description\":'x'",
	"\"description\":\"x\",",
	"\"description\":nul",
	"\"results_retention_days\":01",
	"\"results_retention_days\":+1",
	"\"groups\":[\"a\",]",
	"description:\"x\"",
	"\"x\"",
};

/* ---- choosing ---- */

#define PICK(r, list) (&(list)[model_below(r, (int)NELEM(list))])

/* One in n. */
static bool
seldom(struct random *r, int n)
{
	return model_below(r, n) == 0;
}

/* The first half of a list is more likely: it is the valid one. */
static int
index_of(struct random *r, size_t n)
{
	size_t good = (n + 1) / 2;

	return model_below(r, (int)(seldom(r, 8) ? n : good));
}

#define LIKELY(r, list) (&(list)[index_of(r, NELEM(list))])

static const char *
choose_name(struct random *r)
{
	return names[model_below(
	    r, seldom(r, 12) ? (int)NELEM(names) : NAMES_GOOD)];
}

/* Fields that the function wants, mostly. */
static void
choose_detector(struct model_detector *d, struct random *r)
{
	static const char letters[] = "fbop";
	const char *needs;

	memset(d, 0, sizeof(*d));
	d->function = seldom(r, 20)
	    ? -1
	    : model_below(r, (int)NELEM(model_functions) - 1);
	needs = model_functions[d->function < 0 ? METRIC : d->function].needs;
	for (int i = 0; i < 4; i++) {
		bool wanted = strchr(needs, letters[i] - 'a' + 'A') != NULL;
		bool allowed = i == 3 || strchr(needs, letters[i]) != NULL;

		if (seldom(r, 25) ? seldom(r, 2)
				  : wanted || (allowed && seldom(r, 3)))
			d->field[i] = choose_name(r);
	}
	d->use_null = seldom(r, 4);
	d->frequent =
	    seldom(r, 4) ? model_below(r, (int)NELEM(model_frequent)) : 0;
	d->text = seldom(r, 4) ? "in words" : NULL;
	d->rules = seldom(r, 4) ? model_below(r, (int)NELEM(model_rules)) : 0;
}

static void
choose_analysis(struct model *m, struct random *r)
{
	m->span = seldom(r, 3) ? NULL : LIKELY(r, spans);
	m->latency = seldom(r, 4) ? LIKELY(r, latencies) : NULL;
	m->prune = seldom(r, 4) ? LIKELY(r, prunes) : NULL;
	m->ndetectors = seldom(r, 40) ? 0 : 1 + (size_t)model_below(r, 3);
	for (size_t i = 0; i < m->ndetectors; i++) {
		if (i > 0 && seldom(r, 20))
			m->detector[i] = m->detector[i - 1];
		else
			choose_detector(&m->detector[i], r);
	}
	m->ninfluencers = (size_t)model_below(r, MODEL_INFLUENCERS + 1);
	for (size_t i = 0; i < m->ninfluencers; i++)
		m->influencer[i] = choose_name(r);
	m->summary = seldom(r, 8) ? choose_name(r) : NULL;
	if (seldom(r, 5) && m->ndetectors > 0) {
		m->category = "msg";
		m->detector[0].field[seldom(r, 3) ? 3 : 1] = "mlcategory";
	}
	if (m->category != NULL || seldom(r, 30)) {
		m->filters = seldom(r, 2) ? index_of(r, 6) : 0;
		m->analyzer = seldom(r, 4) ? index_of(r, 4) : 0;
		m->partitions = seldom(r, 2) ? index_of(r, 4) : 0;
	}
}

static void
choose_top(struct model *m, struct random *r)
{
	m->persist = seldom(r, 4) ? LIKELY(r, persists) : NULL;
	m->memory = seldom(r, 2) ? LIKELY(r, memories) : NULL;
	m->examples = seldom(r, 4) ? LIKELY(r, numbers) : NULL;
	m->retention = seldom(r, 3) ? LIKELY(r, numbers) : NULL;
	m->daily = seldom(r, 3) ? LIKELY(r, numbers) : NULL;
	m->results = seldom(r, 4) ? LIKELY(r, numbers) : NULL;
	m->renormal = seldom(r, 4) ? LIKELY(r, numbers) : NULL;
	m->time_field = seldom(r, 3) ? (seldom(r, 4) ? "v" : "ts") : NULL;
	m->time_format = index_of(r, NELEM(model_time_formats));
	m->group = seldom(r, 3) ? *LIKELY(r, groups) : NULL;
	m->index_name = seldom(r, 3) ? *LIKELY(r, indices) : NULL;
	m->description = seldom(r, 3) ? *PICK(r, descriptions) : NULL;
	m->zone = seldom(r, 4) ? index_of(r, NELEM(model_zones)) : 0;
	m->plot = seldom(r, 4) ? index_of(r, NELEM(model_plots)) : 0;
	m->settings = model_below(r, 3) - 1;
	m->lazy = seldom(r, 3);
	m->fault = seldom(r, 8) ? *PICK(r, faults) : NULL;
}

void
model_choose(struct model *m, struct random *r)
{
	memset(m, 0, sizeof(*m));
	choose_analysis(m, r);
	choose_top(m, r);
}

/* ---- rules ---- */

static bool
is_set(const char *name)
{
	return name != NULL && *name != '\0';
}

static bool
name_is_valid(const char *name)
{
	if (!is_set(name))
		return true;
	if (strcmp(name, ".") == 0)
		return false;
	for (const unsigned char *p = (const unsigned char *)name; *p != '\0';
	     p++)
		if (*p == '"' || *p == '\\' || *p < 0x20 || *p == 0x7f ||
		    (*p == 0xc2 && p[1] < 0xa0))
			return false;
	return true;
}

static bool
same(const char *a, const char *b)
{
	return is_set(a) ? is_set(b) && strcmp(a, b) == 0 : !is_set(b);
}

static bool
both_same(const char *a, const char *b)
{
	return is_set(a) && is_set(b) && strcmp(a, b) == 0;
}

static const struct model_function *
function_of(const struct model_detector *d)
{
	return &model_functions[d->function < 0 ? METRIC : d->function];
}

static bool
fields_fit(const struct model_detector *d)
{
	const char *needs = function_of(d)->needs;
	static const char letters[] = "fbo";
	bool any = false;

	for (int i = 0; i < 3; i++) {
		bool set = is_set(d->field[i]);
		bool wanted = strchr(needs, letters[i] - 'a' + 'A') != NULL;

		any = any || set;
		if (set ? !wanted && strchr(needs, letters[i]) == NULL : wanted)
			return false;
	}
	return any || strchr(needs, '!') != NULL;
}

static bool
rules_fit(const struct model_detector *d)
{
	if (model_rules[d->rules].bad)
		return false;
	if (d->rules == RULE_VALUE)
		return !function_of(d)->valueless;
	if (d->rules == RULE_BY)
		return both_same(d->field[1], "a") ||
		    both_same(d->field[2], "a") || both_same(d->field[3], "a");
	return true;
}

static bool
detector_is_valid(const struct model_detector *d)
{
	static const char *const reserved[] = { "count", "by", "over" };

	for (int i = 0; i < 4; i++)
		if (!name_is_valid(d->field[i]))
			return false;
	for (size_t i = 0; i < NELEM(reserved); i++)
		if (both_same(d->field[1], reserved[i]) ||
		    both_same(d->field[2], reserved[i]))
			return false;
	return fields_fit(d) && rules_fit(d) &&
	    !both_same(d->field[1], d->field[2]) &&
	    !both_same(d->field[1], d->field[3]) &&
	    !both_same(d->field[2], d->field[3]);
}

static bool
detectors_are_equal(
    const struct model_detector *a, const struct model_detector *b)
{
	for (int i = 0; i < 4; i++)
		if (!same(a->field[i], b->field[i]))
			return false;
	return function_of(a) == function_of(b) && a->use_null == b->use_null &&
	    a->frequent == b->frequent && same(a->text, b->text) &&
	    (a->rules == b->rules ||
		(a->rules <= RULE_EMPTY && b->rules <= RULE_EMPTY));
}

static bool
uses_category(const struct model_detector *d)
{
	return both_same(d->field[1], "mlcategory") ||
	    both_same(d->field[2], "mlcategory") ||
	    both_same(d->field[3], "mlcategory");
}

static bool
partitions_fit(const struct model *m)
{
	const char *one = NULL;

	if (model_partitions[m->partitions].bad)
		return false;
	if (m->partitions != PARTITIONS_ON)
		return true;
	for (size_t i = 0; i < m->ndetectors; i++) {
		const char *p = m->detector[i].field[3];

		if (both_same(p, "mlcategory"))
			return false;
		if (!uses_category(&m->detector[i]))
			continue;
		if (!is_set(p) || (one != NULL && strcmp(one, p) != 0))
			return false;
		one = p;
	}
	return m->category != NULL;
}

static bool
categories_fit(const struct model *m)
{
	bool used = false;

	for (size_t i = 0; i < m->ndetectors; i++)
		used = used || uses_category(&m->detector[i]);
	if (used != (m->category != NULL))
		return false;
	if (m->category == NULL && (m->filters != 0 || m->analyzer != 0))
		return false;
	return !model_filters[m->filters].bad &&
	    !model_analyzers[m->analyzer].bad &&
	    (m->filters == 0 || m->analyzer == 0) && partitions_fit(m);
}

/* Names of the analysis; terms: without arguments and the two of the top. */
static size_t
list_names(const struct model *m, bool terms, const char **list)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ndetectors; i++)
		for (int f = terms ? 1 : 0; f < 4; f++)
			if (is_set(m->detector[i].field[f]))
				list[n++] = m->detector[i].field[f];
	for (size_t i = 0; i < m->ninfluencers; i++)
		if (is_set(m->influencer[i]))
			list[n++] = m->influencer[i];
	if (!terms && is_set(m->summary))
		list[n++] = m->summary;
	if (!terms && m->category != NULL)
		list[n++] = m->category;
	return n;
}

#define NAMES_MOST (MODEL_DETECTORS * 4 + MODEL_INFLUENCERS + 2)

/* One is below the other, and none stands between them. */
static bool
names_nest(const struct model *m)
{
	const char *list[NAMES_MOST];
	size_t n = list_names(m, true, list);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			size_t len = strlen(list[i]);
			bool between = false;

			if (strncmp(list[j], list[i], len) != 0 ||
			    list[j][len] != '.')
				continue;
			for (size_t k = 0; k < n; k++)
				between = between ||
				    (strcmp(list[i], list[k]) < 0 &&
					strcmp(list[k], list[j]) < 0);
			if (!between)
				return true;
		}
	return false;
}

static bool
time_is_analysed(const struct model *m)
{
	const char *list[NAMES_MOST];
	size_t n = list_names(m, false, list);

	for (size_t i = 0; i < n; i++)
		if (both_same(list[i],
			m->time_field == NULL ? "time" : m->time_field))
			return true;
	return false;
}

size_t
model_nfields(const struct model *m)
{
	const char *list[NAMES_MOST];
	size_t n = list_names(m, false, list), different = 0;

	for (size_t i = 0; i < n; i++) {
		bool seen = strcmp(list[i], "mlcategory") == 0;

		for (size_t j = 0; j < i; j++)
			seen = seen || strcmp(list[i], list[j]) == 0;
		different += !seen;
	}
	return different;
}

static bool
metric_is_summed(const struct model *m)
{
	for (size_t i = 0; i < m->ndetectors; i++)
		if (is_set(m->summary) &&
		    strcmp(function_of(&m->detector[i])->name, "metric") == 0)
			return true;
	return false;
}

static bool
is_word(const char *s)
{
	static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	return *s != '\0' && strcmp(s, "_all") != 0 &&
	    strchr(ends, s[0]) != NULL && strchr(ends, s[strlen(s) - 1]) &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-.")] == '\0';
}

static int64_t
value_of(const struct spelling *s, int64_t otherwise)
{
	return s == NULL ? otherwise : s->value;
}

static bool
at_least(const struct spelling *s, int64_t least)
{
	return s == NULL || (!s->bad && s->value >= least);
}

static bool
times_fit(const struct model *m)
{
	int64_t span = value_of(m->span, 300);

	if (!at_least(m->span, 1) || !at_least(m->latency, 0) ||
	    !at_least(m->prune, 1) || !at_least(m->persist, 3600))
		return false;
	/* The bound on latency is ours. */
	return value_of(m->latency, 0) / span <= 10000 &&
	    value_of(m->prune, span * 2) % span == 0 &&
	    value_of(m->prune, span * 2) / span >= 2;
}

static bool
numbers_fit(const struct model *m)
{
	return at_least(m->retention, 0) && at_least(m->daily, 0) &&
	    at_least(m->results, 0) && at_least(m->renormal, 0) &&
	    at_least(m->examples, 0) && at_least(m->memory, 1) &&
	    value_of(m->daily, 0) <= value_of(m->retention, 10) &&
	    value_of(m->memory, 1) <= MODEL_MAX_MB;
}

static bool
detectors_fit(const struct model *m)
{
	for (size_t i = 0; i < m->ndetectors; i++) {
		if (!detector_is_valid(&m->detector[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (detectors_are_equal(
				&m->detector[i], &m->detector[j]))
				return false;
	}
	return m->ndetectors > 0;
}

static bool
choices_fit(const struct model *m)
{
	return !model_time_formats[m->time_format].bad &&
	    !model_zones[m->zone].bad && !model_plots[m->plot].bad;
}

bool
model_is_valid(const struct model *m, const char **why)
{
	const struct {
		bool ok;
		const char *rule;
	} rules[] = {
		{ m->fault == NULL, "a member is wrong" },
		{ times_fit(m), "durations" },
		{ numbers_fit(m), "numbers" },
		{ detectors_fit(m), "detectors" },
		{ categories_fit(m), "categories" },
		{ !names_nest(m), "nested names" },
		{ !time_is_analysed(m), "time is analysed" },
		{ !metric_is_summed(m), "metric of sums" },
		{ name_is_valid(m->summary), "summary count field" },
		{ choices_fit(m), "formats, zones, plots" },
		{ m->group == NULL ||
			(is_word(m->group) && strcmp(m->group, MODEL_ID) != 0),
		    "group" },
		{ !is_set(m->index_name) || is_word(m->index_name),
		    "index name" },
	};

	*why = NULL;
	for (size_t i = 0; i < NELEM(rules) && *why == NULL; i++)
		if (!rules[i].ok)
			*why = rules[i].rule;
	return *why == NULL;
}
