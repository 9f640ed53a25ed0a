/* Owns the ways in which a configuration can be written. */
#include "common/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/jobconf_model.h"

#define MEMBERS_MAX 32

/* The members of one object, in any order. */
struct members {
	char *text[MEMBERS_MAX]; /* owned */
	size_t n;
	struct random *r;
};

static bool
maybe(struct random *r)
{
	return model_below(r, 2) == 0;
}

static char *
append(char *text, const char *more)
{
	char *grown;

	if (asprintf(&grown, "%s%s", text, more) == -1)
		abort();
	free(text);
	return grown;
}

static void add(struct members *, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
add(struct members *ms, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (ms->n == MEMBERS_MAX ||
	    vasprintf(&ms->text[ms->n++], fmt, ap) == -1)
		abort();
	va_end(ap);
}

/* A key that comes twice: the first one may hold anything. */
static char *
twice(char *member)
{
	size_t len = strcspn(member, ":");
	char *text;

	if (member[0] != '"' || member[len] != ':')
		return member;
	if (asprintf(&text, "%.*s:[{\"x\":null}],%s", (int)len, member,
		member) == -1)
		abort();
	free(member);
	return text;
}

/* { } around them, in another order each time. */
static char *
finish(struct members *ms)
{
	char *text = strdup("{");

	for (size_t i = 0; i < ms->n; i++) {
		size_t j = i + (size_t)model_below(ms->r, (int)(ms->n - i));
		char *m = ms->text[j];

		ms->text[j] = ms->text[i];
		if (model_below(ms->r, 20) == 0)
			m = twice(m);
		if (i > 0)
			text = append(text, maybe(ms->r) ? "," : " ,\r\n\t");
		text = append(text, m);
		free(m);
	}
	return append(text, "}");
}

/* "s" as JSON, with some of its characters escaped that need not be. */
static char *
quoted(struct random *r, const char *s)
{
	char *text = strdup("\""), one[16];

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			snprintf(one, sizeof(one), "\\%c", c);
		else if (c < 0x20 || (c < 0x80 && model_below(r, 16) == 0))
			snprintf(one, sizeof(one), "\\u%04x", c);
		else
			snprintf(one, sizeof(one), "%c", c);
		text = append(text, one);
	}
	return append(text, "\"");
}

static void
add_text(struct members *ms, const char *key, const char *value)
{
	char *text;

	if (value == NULL)
		return;
	text = quoted(ms->r, value);
	add(ms, "\"%s\":%s", key, text);
	free(text);
}

/* otherwise: the default, to be spelled out at times, or NULL. */
static void
add_spelling(struct members *ms, const char *key, const struct spelling *s,
    const char *otherwise)
{
	int n = 0;

	if (s == NULL) {
		if (otherwise != NULL && maybe(ms->r))
			add(ms, "\"%s\":%s", key, otherwise);
		return;
	}
	while (n < (int)NELEM(s->text) && s->text[n] != NULL)
		n++;
	add(ms, "\"%s\":%s", key, s->text[model_below(ms->r, n)]);
}

static void
add_choice(struct members *ms, const char *key, const struct choice *c)
{
	if (c->json != NULL)
		add(ms, "\"%s\":%s", key, c->json);
}

static char *
write_detector(const struct model_detector *d, struct random *r)
{
	static const char *const keys[] = { "field_name", "by_field_name",
		"over_field_name", "partition_field_name" };
	struct members ms = { .r = r };

	if (d->function >= 0) {
		const struct model_function *f = &model_functions[d->function];

		add_text(&ms, "function",
		    f->alias != NULL && maybe(r) ? f->alias : f->name);
	} else if (maybe(r)) {
		add_text(&ms, "function", "metric");
	}
	for (size_t i = 0; i < NELEM(keys); i++)
		add_text(&ms, keys[i],
		    d->field[i] == NULL && model_below(r, 8) == 0
			? ""
			: d->field[i]);
	if (d->use_null || maybe(r))
		add(&ms, "\"use_null\":%s",
		    d->use_null ? (maybe(r) ? "true" : "\"true\"") : "false");
	add_text(&ms, "exclude_frequent", model_frequent[d->frequent]);
	add_text(&ms, "detector_description",
	    d->text == NULL && model_below(r, 8) == 0 ? "" : d->text);
	if (d->rules > RULE_EMPTY)
		add_choice(&ms, "custom_rules", &model_rules[d->rules]);
	else if (maybe(r))
		add_choice(&ms, "custom_rules", &model_rules[RULE_EMPTY]);
	if (maybe(r))
		add(&ms, "\"detector_index\":%d", model_below(r, 9) - 4);
	return finish(&ms);
}

/* One stands for a list of it. */
static void
add_list(struct members *ms, const char *key, char **item, size_t n)
{
	char *text = strdup("");

	for (size_t i = 0; i < n; i++) {
		text = append(text, i == 0 ? "" : ",");
		text = append(text, item[i]);
		free(item[i]);
	}
	if (n == 1 && maybe(ms->r))
		add(ms, "\"%s\":%s", key, text);
	else
		add(ms, "\"%s\":[%s]", key, text);
	free(text);
}

static char *
write_analysis(const struct model *m, struct random *r)
{
	struct members ms = { .r = r };
	char *item[MODEL_DETECTORS + MODEL_INFLUENCERS];

	add_spelling(&ms, "bucket_span", m->span, "\"5m\"");
	add_spelling(&ms, "latency", m->latency, NULL);
	add_spelling(&ms, "model_prune_window", m->prune, NULL);
	for (size_t i = 0; i < m->ndetectors; i++)
		item[i] = write_detector(&m->detector[i], r);
	add_list(&ms, "detectors", item, m->ndetectors);
	for (size_t i = 0; i < m->ninfluencers; i++)
		item[i] = quoted(r, m->influencer[i]);
	if (m->ninfluencers > 0 || maybe(r))
		add_list(&ms, "influencers", item, m->ninfluencers);
	add_text(&ms, "summary_count_field_name", m->summary);
	add_text(&ms, "categorization_field_name", m->category);
	add_choice(&ms, "categorization_filters", &model_filters[m->filters]);
	add_choice(
	    &ms, "categorization_analyzer", &model_analyzers[m->analyzer]);
	add_choice(&ms, "per_partition_categorization",
	    &model_partitions[m->partitions]);
	return finish(&ms);
}

static void
add_limits(struct members *top, const struct model *m)
{
	struct members ms = { .r = top->r };
	char *text;

	add_spelling(&ms, "model_memory_limit", m->memory, "\"1gb\"");
	add_spelling(&ms, "categorization_examples_limit", m->examples, "4");
	if (ms.n == 0 && maybe(top->r))
		return;
	text = finish(&ms);
	add(top, "\"analysis_limits\":%s", text);
	free(text);
}

static void
add_data(struct members *top, const struct model *m)
{
	struct members ms = { .r = top->r };
	char *text;

	if (m->time_field != NULL || maybe(top->r))
		add_text(&ms, "time_field",
		    m->time_field == NULL ? "time" : m->time_field);
	add_choice(&ms, "time_format", &model_time_formats[m->time_format]);
	if (maybe(top->r))
		add(&ms, "\"format\":\"%s\"",
		    maybe(top->r) ? "xcontent" : "XContent");
	text = finish(&ms);
	add(top, "\"data_description\":%s", text);
	free(text);
}

static void
add_settings(struct members *top, const struct model *m)
{
	const char *zone = model_zones[m->zone].json;
	const char *rest =
	    m->settings < 0 ? NULL : model_settings[m->settings].json;

	if (zone == NULL && rest == NULL)
		return;
	add(top, "\"custom_settings\":{%s%s%s%s}", rest == NULL ? "" : rest,
	    rest == NULL || zone == NULL ? "" : ",",
	    zone == NULL ? "" : "\"time_zone\":", zone == NULL ? "" : zone);
}

static void
add_rest(struct members *ms, const struct model *m)
{
	char *group;

	add_spelling(ms, "background_persist_interval", m->persist, NULL);
	add_spelling(ms, "model_snapshot_retention_days", m->retention, "10");
	add_spelling(
	    ms, "daily_model_snapshot_retention_after_days", m->daily, NULL);
	add_spelling(ms, "results_retention_days", m->results, NULL);
	add_spelling(ms, "renormalization_window_days", m->renormal, NULL);
	if (m->group != NULL) {
		group = quoted(ms->r, m->group);
		add_list(ms, "groups", &group, 1);
	} else if (maybe(ms->r)) {
		add(ms, "\"groups\":[]");
	}
	add_text(ms, "results_index_name",
	    m->index_name == NULL && maybe(ms->r) ? "shared" : m->index_name);
	add_text(ms, "description", m->description);
	if (m->description == NULL && maybe(ms->r))
		add(ms, "\"description\":null");
	add_choice(ms, "model_plot_config", &model_plots[m->plot]);
	if (m->lazy || maybe(ms->r))
		add(ms, "\"allow_lazy_open\":%s", m->lazy ? "true" : "false");
	if (maybe(ms->r))
		add_text(ms, "job_id", MODEL_ID);
}

/* Nothing of the same key may follow a fault: the last one stands. */
static void
add_fault(char **text, const char *fault)
{
	if (fault == NULL)
		return;
	(*text)[strlen(*text) - 1] = '\0';
	*text = append(*text, ",");
	*text = append(*text, fault);
	*text = append(*text, "}");
}

char *
model_write(const struct model *m, struct random *r)
{
	struct members ms = { .r = r };
	char *analysis = write_analysis(m, r), *text;

	add(&ms, "\"analysis_config\":%s", analysis);
	free(analysis);
	add_limits(&ms, m);
	add_data(&ms, m);
	add_settings(&ms, m);
	add_rest(&ms, m);
	text = finish(&ms);
	add_fault(&text, m->fault);
	return text;
}
