/* Owns the reading of options and operands. */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/args.h"

/* The words that are being read. */
struct reading {
	struct args *args;
	const struct args_form *const *forms;
	const char *const *word;
	size_t n, at;
};

int
args_init(struct args *a, size_t room)
{
	memset(a, 0, sizeof(*a));
	a->operand = calloc(room + 1, sizeof(*a->operand));
	return a->operand == NULL ? -1 : 0;
}

void
args_clear(struct args *a)
{
	free(a->operand);
	free(a->option);
	memset(a, 0, sizeof(*a));
}

static const struct args_form *
form_find(const struct reading *r, char letter, const char *name, size_t len)
{
	for (size_t i = 0; r->forms[i] != NULL; i++) {
		const struct args_form *f = r->forms[i];

		for (; f->name != NULL; f++) {
			if (name == NULL ? f->letter == letter
					 : strlen(f->name) == len &&
				    memcmp(f->name, name, len) == 0)
				return f;
		}
	}
	return NULL;
}

static int
option_add(struct args *a, const struct args_form *f, const char *value)
{
	struct args_option *option =
	    reallocarray(a->option, a->noptions + 1, sizeof(*option));

	if (option == NULL) {
		strlcpy(a->why, "out of memory", sizeof(a->why));
		return -1;
	}
	a->option = option;
	if (!f->repeats && args_has(a, f->name)) {
		snprintf(a->why, sizeof(a->why), "--%s may be given only once",
		    f->name);
		return -1;
	}
	a->option[a->noptions++] = (struct args_option){ f, value };
	return 0;
}

/* The value in the next word. */
static const char *
next_word(struct reading *r, const struct args_form *f)
{
	if (r->at < r->n)
		return r->word[r->at++];
	snprintf(r->args->why, sizeof(r->args->why), "--%s wants a value: %s",
	    f->name, f->value);
	return NULL;
}

/* "--name", "--name=value" */
static int
read_name(struct reading *r, const char *name)
{
	struct args *a = r->args;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct args_form *f = form_find(r, 0, name, len);

	if (f == NULL) {
		snprintf(a->why, sizeof(a->why), "there is no option --%.*s",
		    (int)(len < 64 ? len : 64), name);
		return -1;
	}
	if (f->value == NULL && value != NULL) {
		snprintf(
		    a->why, sizeof(a->why), "--%s takes no value", f->name);
		return -1;
	}
	if (f->value != NULL && value == NULL) {
		value = next_word(r, f);
		if (value == NULL)
			return -1;
	}
	return option_add(a, f, value);
}

/* "-a", "-ab", "-avalue" */
static int
read_letters(struct reading *r, const char *letters)
{
	struct args *a = r->args;

	for (; *letters != '\0'; letters++) {
		const struct args_form *f = form_find(r, *letters, NULL, 0);
		const char *value;

		if (f == NULL) {
			snprintf(a->why, sizeof(a->why),
			    "there is no option -%c; an operand that begins "
			    "with - stands behind --",
			    *letters);
			return -1;
		}
		if (f->value == NULL) {
			if (option_add(a, f, NULL) == -1)
				return -1;
			continue;
		}
		value = letters[1] != '\0' ? letters + 1 : next_word(r, f);
		return value == NULL ? -1 : option_add(a, f, value);
	}
	return 0;
}

int
args_read(struct args *a, const struct args_form *const *forms,
    const char *const *words, size_t n, bool first)
{
	struct reading r = { a, forms, words, n, 0 };
	bool operands_only = false;

	while (r.at < n) {
		const char *word = words[r.at];
		int rc;

		if (operands_only || word[0] != '-' || word[1] == '\0') {
			if (first)
				break;
			a->operand[a->noperands++] = word;
			r.at++;
			continue;
		}
		r.at++;
		if (strcmp(word, "--") == 0) {
			operands_only = true;
			continue;
		}
		rc = word[1] == '-' ? read_name(&r, word + 2)
				    : read_letters(&r, word + 1);
		if (rc == -1)
			return -1;
	}
	return (int)r.at;
}

const char *
args_next(const struct args *a, const char *name, size_t *pos)
{
	while (*pos < a->noptions) {
		const struct args_option *o = &a->option[(*pos)++];

		if (strcmp(o->form->name, name) == 0)
			return o->value != NULL ? o->value : "";
	}
	return NULL;
}

bool
args_has(const struct args *a, const char *name)
{
	size_t pos = 0;

	return args_next(a, name, &pos) != NULL;
}

const char *
args_value(const struct args *a, const char *name)
{
	const char *value, *last = NULL;
	size_t pos = 0;

	while ((value = args_next(a, name, &pos)) != NULL)
		last = value;
	return last;
}
