/* Owns the plain way from bytes to tokens to records. */
#include "common/compat.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

#include "reader_text.h"
#include "slow_reader.h"

#define MAX_DEPTH 1000
#define MAX_ERRORS 100

/*
 * A token is a letter: { } [ ] as they are, n name, s string, # number,
 * w true or false, 0 null, ! error, . end of the input.
 */
struct token {
	char kind;
	struct text text; /* of n s # w, decoded; owned */
};

struct slow {
	const char *data;
	size_t len, at;
	char open[MAX_DEPTH + 1]; /* the brackets that are open */
	size_t depth;
	struct token *token; /* owned */
	size_t ntokens, next;
};

/* ---- bytes to tokens ---- */

static int
peek(const struct slow *s)
{
	return s->at < s->len ? (unsigned char)s->data[s->at] : -1;
}

static char
innermost(const struct slow *s)
{
	return s->depth == 0 ? 0 : s->open[s->depth - 1];
}

static void
add_token(struct slow *s, char kind, struct text text)
{
	s->token = realloc(s->token, (s->ntokens + 1) * sizeof(*s->token));
	s->token[s->ntokens].kind = kind;
	s->token[s->ntokens++].text = text;
}

static void
add_bare(struct slow *s, char kind)
{
	add_token(s, kind, (struct text){ NULL, 0 });
}

static void
skip_blanks(struct slow *s)
{
	while (
	    peek(s) != -1 && strchr(" \t\r\n", peek(s)) != NULL && peek(s) != 0)
		s->at++;
}

static void
append_utf8(struct text *t, unsigned long cp)
{
	char b[4];

	if (cp < 0x80) {
		b[0] = (char)cp;
		text_add(t, b, 1);
	} else if (cp < 0x800) {
		b[0] = (char)(0xc0 + cp / 64);
		b[1] = (char)(0x80 + cp % 64);
		text_add(t, b, 2);
	} else if (cp < 0x10000) {
		b[0] = (char)(0xe0 + cp / 4096);
		b[1] = (char)(0x80 + cp / 64 % 64);
		b[2] = (char)(0x80 + cp % 64);
		text_add(t, b, 3);
	} else {
		b[0] = (char)(0xf0 + cp / 262144);
		b[1] = (char)(0x80 + cp / 4096 % 64);
		b[2] = (char)(0x80 + cp / 64 % 64);
		b[3] = (char)(0x80 + cp % 64);
		text_add(t, b, 4);
	}
}

/* The four digits behind \u at this place; -1 when they are none. */
static long
unit_at(const struct slow *s, size_t at)
{
	char hex[5] = "", *end;

	if (at + 6 > s->len || s->data[at] != '\\' || s->data[at + 1] != 'u')
		return -1;
	memcpy(hex, s->data + at + 2, 4);
	for (int i = 0; i < 4; i++)
		if (hex[i] == '\0' ||
		    strchr("0123456789abcdefABCDEF", hex[i]) == NULL)
			return -1;
	return strtol(hex, &end, 16);
}

static bool
take_escape(struct slow *s, struct text *t)
{
	static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	long unit = unit_at(s, s->at), low;
	char c = s->at + 1 < s->len ? s->data[s->at + 1] : '\0';

	for (size_t i = 0; i + 1 < sizeof(plain); i += 2) {
		if (c == plain[i] && c != '\0') {
			text_add(t, &plain[i + 1], 1);
			s->at += 2;
			return true;
		}
	}
	if (unit == -1 || (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	s->at += 6;
	if (unit < 0xd800 || unit > 0xdbff) {
		append_utf8(t, (unsigned long)unit);
		return true;
	}
	low = unit_at(s, s->at);
	if (low < 0xdc00 || low > 0xdfff) {
		s->at -= 6;
		return false;
	}
	s->at += 6;
	append_utf8(t,
	    0x10000ul + (unsigned long)(unit - 0xd800) * 1024 +
		(unsigned long)(low - 0xdc00));
	return true;
}

static bool
take_character(struct slow *s, struct text *t)
{
	for (size_t n = 1; n <= 4 && s->at + n <= s->len; n++) {
		if (wire_utf8_ok(s->data + s->at, n)) {
			text_add(t, s->data + s->at, n);
			s->at += n;
			return true;
		}
	}
	return false;
}

/* Behind a string that is broken here. */
static void
leave_broken(struct slow *s)
{
	int c;

	while ((c = peek(s)) != -1) {
		s->at++;
		if (c == '"' || c == '\n')
			return;
		if (c == '\\' && peek(s) != -1 && peek(s) != '\n')
			s->at++;
	}
}

/* At an opening quote. */
static void
take_string(struct slow *s, char kind)
{
	struct text t = { NULL, 0 };
	bool good = true;
	int c;

	text_add(&t, "", 0);
	s->at++;
	while (good && (c = peek(s)) != '"') {
		if (c == -1 || c < 0x20)
			good = false;
		else if (c == '\\')
			good = take_escape(s, &t);
		else
			good = take_character(s, &t);
	}
	if (good) {
		s->at++;
		add_token(s, kind, t);
		return;
	}
	leave_broken(s);
	add_bare(s, '!');
	free(t.p);
}

/* The grammar as a table: from a state, by kind of character, to a state. */
static void
take_number(struct slow *s)
{
	/* 1 sign, 2 zero, 3 digits, 4 point, 5 fraction, 6 e, 7 its sign, 8 */
	static const char *const classes[] = { "-", "0", "123456789", ".", "eE",
		"+" };
	static const int step[9][6] = {
		{ 1, 2, 3, -1, -1, -1 },
		{ -1, 2, 3, -1, -1, -1 },
		{ -1, -1, -1, 4, 6, -1 },
		{ -1, 3, 3, 4, 6, -1 },
		{ -1, 5, 5, -1, -1, -1 },
		{ -1, 5, 5, -1, 6, -1 },
		{ 7, 8, 8, -1, -1, 7 },
		{ -1, 8, 8, -1, -1, -1 },
		{ -1, 8, 8, -1, -1, -1 },
	};
	struct text t = { NULL, 0 };
	int state = 0, to, c;

	for (;; state = to, s->at++) {
		to = -1;
		c = peek(s);
		for (size_t i = 0; c > 0 && i < NELEM(classes); i++)
			if (strchr(classes[i], c) != NULL)
				to = step[state][i];
		if (to == -1)
			break;
		text_add(&t, s->data + s->at, 1);
	}
	/* A zero before another digit is no number either. */
	if (state == 3 || state == 5 || state == 8 ||
	    (state == 2 && !(c >= '0' && c <= '9'))) {
		add_token(s, '#', t);
		return;
	}
	add_bare(s, '!');
	free(t.p);
}

static bool
in_word(int c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static void
take_word(struct slow *s)
{
	struct text t = { NULL, 0 };

	for (; in_word(peek(s)); s->at++)
		text_add(&t, s->data + s->at, 1);
	if (strcmp(t.p, "true") == 0 || strcmp(t.p, "false") == 0) {
		add_token(s, 'w', t);
		return;
	}
	add_bare(s, strcmp(t.p, "null") == 0 ? '0' : '!');
	free(t.p);
}

/* Something else than the byte here is expected. */
static void
refuse_byte(struct slow *s)
{
	int c = peek(s);

	if (c == -1)
		; /* the end is found again */
	else if (c == '"') {
		take_string(s, 's');
		free(s->token[--s->ntokens].text.p);
	} else if (s->depth == 0 ||
	    (c != ',' && c != (innermost(s) == '{' ? '}' : ']')))
		s->at++;
	add_bare(s, '!');
}

static void
take_value(struct slow *s)
{
	int c = peek(s);

	if (c == '"')
		take_string(s, 's');
	else if (c == '{' || c == '[') {
		s->at++;
		if (s->depth == MAX_DEPTH) {
			add_bare(s, '!');
			return;
		}
		s->open[s->depth++] = (char)c;
		add_bare(s, (char)c);
	} else if (c == '-' || (c >= '0' && c <= '9'))
		take_number(s);
	else if (in_word(c))
		take_word(s);
	else
		refuse_byte(s);
}

static void
take_close(struct slow *s)
{
	add_bare(s, (char)peek(s));
	s->at++;
	s->depth--;
}

/* The token here, when the one before it in its container was of this kind. */
static void
take_token(struct slow *s, char before)
{
	char in = innermost(s);
	int c = peek(s);

	if (in == 0) {
		take_value(s);
	} else if (before == 'n') {
		if (c != ':') {
			refuse_byte(s);
			return;
		}
		s->at++;
		skip_blanks(s);
		take_value(s);
	} else if (c == (in == '{' ? '}' : ']')) {
		take_close(s);
	} else {
		if (before != in) {
			if (c != ',') {
				refuse_byte(s);
				return;
			}
			s->at++;
			skip_blanks(s);
		}
		if (in == '[')
			take_value(s);
		else if (peek(s) == '"')
			take_string(s, 'n');
		else
			refuse_byte(s);
	}
}

static void
cut(struct slow *s)
{
	char before = 0;

	if (s->len >= 3 && memcmp(s->data, "\xef\xbb\xbf", 3) == 0)
		s->at = 3;
	for (skip_blanks(s); s->at < s->len; skip_blanks(s)) {
		take_token(s, before);
		before = s->token[s->ntokens - 1].kind;
	}
	add_bare(s, s->depth == 0 ? '.' : '!');
}

/* ---- tokens to records ---- */

struct walk {
	struct slow s;
	const struct jobconf *jc;
	struct text out;
	struct text value[8];
	unsigned count;
	char *path[MAX_DEPTH + 1]; /* owned: "outer.inner." */
	size_t nested;
	unsigned errors;
};

/* The last token is that of the end, and comes again and again. */
static const struct token *
take(struct walk *w)
{
	const struct token *t = &w->s.token[w->s.next];

	if (w->s.next + 1 < w->s.ntokens)
		w->s.next++;
	return t;
}

static void
leave_nested(struct walk *w, size_t level)
{
	while (w->nested > level)
		free(w->path[w->nested--]);
}

/* Returns false when that was one error too many. */
static bool
skip(struct walk *w)
{
	size_t ends = w->nested + 1;

	leave_nested(w, 0);
	while (ends > 0) {
		const struct token *t = take(w);

		if (t->kind == '}')
			ends--;
		else if ((t->kind == '!' || t->kind == '.') &&
		    ++w->errors == MAX_ERRORS)
			return false;
	}
	return true;
}

static void
set_value(struct walk *w, size_t i, struct text *t)
{
	free(w->value[i].p);
	w->value[i] = *t;
}

static size_t
field_index(const struct walk *w, const struct text *name)
{
	struct text full = { NULL, 0 };
	size_t found = SIZE_MAX;

	if (w->nested > 0)
		text_add(&full, w->path[w->nested], strlen(w->path[w->nested]));
	text_add(&full, name->p, name->len);
	for (size_t i = 0; i <= w->jc->nfields; i++) {
		const char *wanted =
		    i == 0 ? w->jc->time_field : w->jc->field[i - 1];

		if (full.len == strlen(wanted) &&
		    memcmp(full.p, wanted, full.len) == 0)
			found = i;
	}
	free(full.p);
	return found;
}

static bool
is_scalar(char kind)
{
	return strchr("s#w0", kind) != NULL;
}

/* What comes of a member: c the record goes on, r it ends, f it failed. */
static char
walk_array(struct walk *w, size_t field)
{
	struct text joined = { NULL, 0 };
	int depth = 1, n = 0;

	text_add(&joined, "", 0);
	while (depth > 0) {
		const struct token *t = take(w);

		if (t->kind == '!') {
			free(joined.p);
			return skip(w) ? 'r' : 'f';
		}
		if (t->kind == ']')
			depth = field == SIZE_MAX ? depth - 1 : 0;
		else if (t->kind == '[')
			depth += field == SIZE_MAX;
		if (!is_scalar(t->kind))
			continue;
		if (n++ > 0)
			text_add(&joined, ",", 1);
		text_add(&joined, t->text.p, t->text.len);
	}
	if (field != SIZE_MAX)
		set_value(w, field, &joined);
	else
		free(joined.p);
	return 'c';
}

static void
enter_nested(struct walk *w, const struct text *name)
{
	struct text path = { NULL, 0 };

	if (w->nested > 0)
		text_add(&path, w->path[w->nested], strlen(w->path[w->nested]));
	text_add(&path, name->p, name->len);
	text_add(&path, ".", 1);
	w->path[++w->nested] = path.p;
}

static char
walk_member(struct walk *w, const struct text *name)
{
	const struct token *t = take(w);
	struct text copy = { NULL, 0 };
	size_t field;

	if (t->kind == '!')
		return skip(w) ? 'c' : 'f';
	if (t->kind == '{') {
		enter_nested(w, name);
		return 'c';
	}
	w->count++;
	field = field_index(w, name);
	if (t->kind == '[')
		return walk_array(w, field);
	if (field == SIZE_MAX)
		return 'c';
	text_add(&copy, "", 0);
	text_add(&copy, t->text.p, t->text.len);
	set_value(w, field, &copy);
	return 'c';
}

/* Returns r a record, f failed, e the end. */
static char
walk_record(struct walk *w)
{
	char outcome = 'c';

	while (outcome == 'c') {
		const struct token *t = take(w);

		if (t->kind == 'n')
			outcome = walk_member(w, &t->text);
		else if (t->kind == '}' && w->nested > 0)
			leave_nested(w, w->nested - 1);
		else if (t->kind == '}')
			outcome = 'r';
		else if (t->kind == '!')
			outcome = skip(w) ? 'r' : 'f';
		else if (t->kind == '.')
			outcome = 'e';
	}
	leave_nested(w, 0);
	return outcome;
}

static void
finish_record(struct walk *w, bool print)
{
	struct field_value value[NELEM(w->value)] = { { NULL, 0, false } };
	struct record rec = { value, w->jc->nfields + 1, w->count };

	for (size_t i = 0; i < rec.nfields; i++) {
		if (w->value[i].p != NULL)
			value[i] = (struct field_value){ w->value[i].p,
				w->value[i].len, true };
	}
	if (print)
		text_add_record(&w->out, &rec);
	for (size_t i = 0; i < rec.nfields; i++)
		free(w->value[i].p);
	memset(w->value, 0, sizeof(w->value));
	w->count = 0;
}

char *
slow_read(const struct jobconf *jc, const char *data, size_t len)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct apierr e;
	char outcome, *out;

	w->s.data = data;
	w->s.len = len;
	w->jc = jc;
	cut(&w->s);
	while ((outcome = walk_record(w)) == 'r')
		finish_record(w, true);
	finish_record(w, false);
	apierr_set(&e, 400, E_PARSE, "The input JSON data is malformed.");
	text_add_end(&w->out, outcome == 'e' ? 0 : -1, &e);
	out = w->out.p;
	for (size_t i = 0; i < w->s.ntokens; i++)
		free(w->s.token[i].text.p);
	free(w->s.token);
	free(w);
	return out;
}
