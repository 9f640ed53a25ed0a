/* Records out of JSON uploads: the same as by a reader that is slow and plain.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "reader_text.h"
#include "slow_reader.h"

static unsigned
draw(unsigned long long *state, unsigned n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*state >> 33) % n;
}

static void
add_string(struct text *t, unsigned long long *state)
{
	static const char *const pieces[] = { "a", "b", "time", ".", "x y",
		"\\n", "\\u0061", "\xc3\xa9", "\\ud83d\\ude00", "12", "\\\"",
		"0123456789", "{", "," };

	text_printf(t, "\"");
	for (unsigned n = draw(state, 3); n > 0; n--)
		text_printf(t, "%s", pieces[draw(state, NELEM(pieces))]);
	text_printf(t, "\"");
}

static void
add_blank(struct text *t, unsigned long long *state)
{
	static const char *const blanks[] = { "", "", "", " ", "\n", "\t \r" };

	text_printf(t, "%s", blanks[draw(state, NELEM(blanks))]);
}

static void
add_value(struct text *t, unsigned long long *state, int depth)
{
	static const char *const plain[] = { "0", "-1", "12.50", "1e5", "true",
		"false", "null" };
	static const char *const names[] = { "\"time\"", "\"a\"", "\"b\"",
		"\"a.b\"", "\"\\u0062\"", "\"unwanted\"", "\"\"" };
	unsigned kind = draw(state, depth > 0 ? 6 : 4);
	unsigned n = draw(state, 5);

	add_blank(t, state);
	if (kind < 2) {
		text_printf(t, "%s", plain[draw(state, NELEM(plain))]);
	} else if (kind < 4) {
		add_string(t, state);
	} else {
		text_printf(t, kind == 4 ? "[" : "{");
		for (unsigned i = 0; i < n; i++) {
			if (i > 0)
				text_printf(t, ",");
			add_blank(t, state);
			if (kind == 5)
				text_printf(
				    t, "%s:", names[draw(state, NELEM(names))]);
			add_value(t, state, depth - 1);
		}
		text_printf(t, kind == 4 ? "]" : "}");
	}
	add_blank(t, state);
}

/* Break a document in up to three places. */
static void
mutate(struct text *t, unsigned long long *state)
{
	static const char bytes[] = "{}[]:,\"\\0-.eax \n\x01\xc3\xa9";

	for (unsigned n = draw(state, 4); n > 0 && t->len > 0; n--) {
		unsigned at = draw(state, (unsigned)t->len);
		char c = bytes[draw(state, sizeof(bytes) - 1)];

		if (draw(state, 2) == 0) {
			t->p[at] = c;
		} else if (draw(state, 2) == 0) {
			t->len--;
			memmove(t->p + at, t->p + at + 1, t->len - at);
		} else {
			text_add(t, &c, 1);
			memmove(t->p + at + 1, t->p + at, t->len - at - 1);
			t->p[at] = c;
		}
	}
}

/* The shape, with a number of some digits for each #. */
static void
add_filled(struct text *t, const char *shape, unsigned long long *state)
{
	for (; *shape != '\0'; shape++) {
		if (*shape == '#')
			text_printf(t, "%u", draw(state, 100000));
		else
			text_add(t, shape, 1);
	}
}

/* Records of one shape, one of them with another byte somewhere. */
static void
add_alike(struct text *t, unsigned long long *state)
{
	static const char *const shapes[] = { "{\"time\":#,\"a\":\"#\"}",
		"{\n \"time\" : # ,\n \"unwanted\" : #\n}\n",
		"{\"a\":{\"b\":#},\"a.b\":[#],\"b\":\"\\n\"}",
		"{\"b\": #, \"\\u0061\": #, \"time\": null}" };
	const char *shape = shapes[draw(state, NELEM(shapes))];
	unsigned at = draw(state, 8);

	for (unsigned n = draw(state, 8); n > 0; n--) {
		size_t start = t->len;

		add_filled(t, shape, state);
		if (n == at)
			t->p[start + draw(state, (unsigned)(t->len - start))] =
			    " ,:{}\"\\["[draw(state, 8)];
	}
	text_printf(t, "%60s", ""); /* so that the last ones are compared */
}

static void
add_values(struct text *t, unsigned long long *state)
{
	for (unsigned n = draw(state, 6); n > 0; n--)
		add_value(t, state, 3);
	text_printf(t, " ");
}

static void
compare_with_slow(void (*add)(struct text *, unsigned long long *), bool broken,
    unsigned long long seed, int rounds)
{
	struct jobconf *jc = conf_new("a a.b b");
	struct reader *r = reader_new(jc);
	char *fast, *slow, *exact;

	for (int i = 0; i < rounds; i++) {
		struct text doc = { NULL, 0 };

		add(&doc, &seed);
		if (broken)
			mutate(&doc, &seed);
		exact = malloc(doc.len + 1);
		memcpy(exact, doc.p, doc.len);
		fast = read_bytes(r, exact, doc.len);
		slow = slow_read(jc, doc.p, doc.len);
		cr_assert_str_eq(fast, slow, "%.*s\n gave %s,\n not  %s",
		    (int)doc.len, doc.p, fast, slow);
		free(fast);
		free(slow);
		free(exact);
		free(doc.p);
	}
	reader_free(r);
	conf_free(jc);
}

Test(reader_slow, well_formed_documents_read_the_same)
{
	compare_with_slow(add_values, false, 1, 5000);
}

Test(reader_slow, broken_documents_read_the_same)
{
	compare_with_slow(add_values, true, 2, 20000);
}

Test(reader_slow, documents_alike_but_for_a_byte_read_the_same)
{
	compare_with_slow(add_alike, false, 3, 20000);
	compare_with_slow(add_alike, true, 4, 20000);
}
