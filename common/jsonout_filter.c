/*
 * Owns filter_path. All paths become one row of segments; a set of bits says
 * at which segments of which paths a value stands, so that one walk over the
 * answer serves any number of paths.
 */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsonout.h"
#include "common/wildcard.h"

#define TEXT_MAX 4096 /* longer ones are cut; no head of a request is */
#define SEGMENTS_MAX 512
#define WORDS (SEGMENTS_MAX / 64)

struct segment {
	const char *name; /* with wildcards */
	bool last;	  /* of its path */
	bool deep;	  /* ** */
	bool start;	  /* of its path */
	bool exclude;
};

struct filter {
	char text[TEXT_MAX]; /* what the names point into */
	struct segment segment[SEGMENTS_MAX];
	size_t n;
	bool has_include;
};

/* At which segments a value stands. */
struct state {
	uint64_t bits[WORDS];
};

/* What a value's key decided about it. */
struct verdict {
	bool keep; /* an include ended here, or there is none */
	bool drop; /* an exclude ended here */
	struct state next;
};

static bool prune(const struct filter *, struct json_object *, bool keep,
    const struct state *);

static void
set_bit(struct state *s, size_t i)
{
	s->bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* The first bit that is set from i on; SEGMENTS_MAX when there is none. */
static size_t
next_bit(const struct state *s, size_t i)
{
	while (i < SEGMENTS_MAX && (s->bits[i / 64] >> i % 64 & 1) == 0)
		i += s->bits[i / 64] >> i % 64 == 0 ? 64 - i % 64 : 1;
	return i;
}

/* Compiling */

static void
add_segment(struct filter *f, const char *name, bool exclude, bool start)
{
	bool deep = strcmp(name, "**") == 0;
	struct segment *s;

	/* One more ** says nothing, and entering a row of them takes time. */
	if (f->n == SEGMENTS_MAX ||
	    (deep && !start && f->segment[f->n - 1].deep))
		return;
	s = &f->segment[f->n++];
	s->name = name;
	s->deep = deep;
	s->start = start;
	s->exclude = exclude;
	s->last = false;
}

/* Cuts path at its dots; a backslash before one makes it part of a name. */
static void
add_path(struct filter *f, char *path)
{
	bool exclude = *path == '-';
	char *from = exclude ? path + 1 : path;
	char *to = from, *name = from;
	bool start = true;

	if (*from == '\0')
		return;
	f->has_include = f->has_include || !exclude;
	for (;; from++) {
		char c = *from;

		if (c == '\\' && from[1] == '.') {
			*to++ = *++from;
			continue;
		}
		if (c != '.' && c != '\0') {
			*to++ = c;
			continue;
		}
		*to++ = '\0';
		add_segment(f, name, exclude, start);
		start = false;
		name = to;
		if (c == '\0')
			break;
	}
	f->segment[f->n - 1].last = true;
}

static char *
trim(char *text)
{
	size_t len;

	while (*text == ' ')
		text++;
	len = strlen(text);
	while (len > 0 && text[len - 1] == ' ')
		text[--len] = '\0';
	return text;
}

static void
compile(struct filter *f, const char *filter_path)
{
	char *rest = f->text, *path;

	strlcpy(f->text, filter_path, sizeof(f->text));
	while ((path = strsep(&rest, ",")) != NULL)
		add_path(f, trim(path));
}

/* Walking */

/* Where it may go on from segment i; ** may also stand for nothing. */
static void
enter(const struct filter *f, struct state *s, size_t i)
{
	set_bit(s, i);
	while (f->segment[i].deep && !f->segment[i].last)
		set_bit(s, ++i);
}

static void
start_state(const struct filter *f, struct state *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < f->n; i++)
		if (f->segment[i].start)
			enter(f, s, i);
}

static void
judge(const struct filter *f, const struct state *at, const char *key,
    struct verdict *v)
{
	memset(v, 0, sizeof(*v));
	for (size_t i = next_bit(at, 0); i < f->n; i = next_bit(at, i + 1)) {
		const struct segment *s = &f->segment[i];

		if (!s->deep && !wildcard_matches(s->name, key))
			continue;
		if (s->last) {
			v->keep = v->keep || !s->exclude;
			v->drop = v->drop || s->exclude;
			continue;
		}
		enter(f, &v->next, s->deep ? i : i + 1);
	}
}

/* Whether the member stays; what is below it is pruned. */
static bool
stays(const struct filter *f, const struct state *at, const char *key,
    struct json_object *member, bool keep_all)
{
	struct verdict v;

	judge(f, at, key, &v);
	if (v.drop)
		return false;
	return prune(f, member, keep_all || v.keep, &v.next);
}

static bool
prune_object(const struct filter *f, struct json_object *obj, bool keep,
    const struct state *at)
{
	if (json_object_object_length(obj) == 0)
		return keep;
	/* This form of iteration allows to delete what it stands at. */
	json_object_object_foreach(obj, key, member)
	{
		if (!stays(f, at, key, member, keep))
			json_object_object_del(obj, key);
	}
	return json_object_object_length(obj) > 0;
}

static bool
prune_array(const struct filter *f, struct json_object *list, bool keep,
    const struct state *at)
{
	size_t n = json_object_array_length(list);

	if (n == 0)
		return keep;
	for (size_t i = n; i-- > 0;)
		if (!prune(f, json_object_array_get_idx(list, i), keep, at))
			json_object_array_del_idx(list, i, 1);
	return json_object_array_length(list) > 0;
}

/*
 * Whether anything of v stays. keep: v as a whole was asked for, and only
 * excludes still count.
 */
static bool
prune(const struct filter *f, struct json_object *v, bool keep,
    const struct state *at)
{
	/* No path leads on from here: what is below it shares its fate. */
	if (next_bit(at, 0) == SEGMENTS_MAX)
		return keep;
	if (json_object_is_type(v, json_type_object))
		return prune_object(f, v, keep, at);
	if (json_object_is_type(v, json_type_array))
		return prune_array(f, v, keep, at);
	return keep;
}

bool
jsonout_filter(struct json_object *obj, const char *filter_path)
{
	struct filter *f = calloc(1, sizeof(*f));
	struct state at;
	bool left;

	/* Without memory the whole answer is better than none. */
	if (f == NULL)
		return true;
	compile(f, filter_path);
	if (f->n == 0) {
		free(f);
		return true;
	}
	start_state(f, &at);
	left = prune(f, obj, !f->has_include, &at);
	free(f);
	return left;
}
