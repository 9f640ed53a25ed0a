/* Owns the commands about entries of a journal that were put aside. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/say.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define LIST_PATH "/_ml/anomaly_detectors/{}/_quarantine"
#define ENTRY_PATH LIST_PATH "/{}"

static bool
number(const struct jsonx_value *entry, const char *key, int64_t *v)
{
	const struct jsonx_value *n = jsonx_get(entry, key);

	return n != NULL && n->type == JSONX_NUMBER && jsonx_int64(n, v);
}

static void
add_entry(struct table *t, const struct jsonx_value *entry)
{
	char seq[32] = "", bytes[32] = "", when[SAY_TIME_BYTES] = "";
	int64_t v;

	if (number(entry, "entry", &v))
		snprintf(seq, sizeof(seq), "%" PRId64, v);
	if (number(entry, "bytes", &v))
		snprintf(bytes, sizeof(bytes), "%" PRId64, v);
	if (number(entry, "time", &v))
		say_time(when, v);
	table_add(t, seq);
	table_add(t, show_string(entry, "type"));
	table_add(t, bytes);
	table_add(t, when);
	table_add(t, show_string(entry, "reason"));
}

/* only: the number of one entry, or NULL for all. Returns the exit status. */
static int
print_entries(
    const struct ctl *ctl, const struct jsonx_value *entries, const char *only)
{
	static const char *const headings[] = { "ENTRY", "TYPE", "BYTES",
		"PUT ASIDE", "WHY" };
	struct table *t;
	size_t n = 0;
	int status = CTL_OK;

	if (entries == NULL)
		return show_strange(ctl);
	t = table_new(headings, NELEM(headings));
	if (t == NULL)
		return show_failure(ctl, "out of memory");
	for (const struct jsonx_value *v = entries->child; v != NULL;
	     v = v->next) {
		const struct jsonx_value *seq = jsonx_get(v, "entry");

		if (only != NULL &&
		    (seq == NULL || seq->type != JSONX_NUMBER ||
			strcmp(seq->text, only) != 0))
			continue;
		add_entry(t, v);
		n++;
	}
	if (only != NULL && n == 0)
		status = show_failure(ctl, "there is no such entry");
	else if (table_print(t, stdout) == -1)
		status = show_failure(ctl, "out of memory");
	table_free(t);
	return status;
}

static int
list(struct ctl *ctl, const char *only)
{
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (show_call(ctl, "GET", client_path(LIST_PATH, ctl->args->operand[0]),
		NULL, &answer) == 0)
		status = only == NULL && args_has(ctl->args, "json")
		    ? show_json(ctl, &answer)
		    : print_entries(
			  ctl, show_array(answer.json, "entries"), only);
	answer_clear(&answer);
	return status;
}

int
cmd_quarantine_list(struct ctl *ctl)
{
	return list(ctl, NULL);
}

int
cmd_quarantine_show(struct ctl *ctl)
{
	return list(ctl, ctl->args->operand[1]);
}

static int
change(struct ctl *ctl, const char *method, const char *form, const char *done)
{
	const char *const *operand = ctl->args->operand;
	struct answer answer = { 0 };
	int status = CTL_FAILED;

	if (show_call(ctl, method, client_path(form, operand[0], operand[1]),
		NULL, &answer) == 0) {
		say_note(
		    "entry %s of job %s is %s", operand[1], operand[0], done);
		status = CTL_OK;
	}
	answer_clear(&answer);
	return status;
}

int
cmd_quarantine_post(struct ctl *ctl)
{
	return change(ctl, "POST", ENTRY_PATH "/_post", "posted again");
}

int
cmd_quarantine_drop(struct ctl *ctl)
{
	return change(ctl, "DELETE", ENTRY_PATH, "dropped");
}
