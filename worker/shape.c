/* Owns what is kept of a record's shape. */
#include "common/compat.h"

#include "worker/shape.h"

void
shape_learn(struct shape *s, unsigned n, const char *text, size_t len,
    bool first, size_t field)
{
	struct shape_member *m;
	size_t last;

	if (n >= SHAPE_MEMBERS)
		return;
	m = &s->member[n];
	m->nwords = 0;
	if (len == 0 || len > SHAPE_BYTES)
		return;
	last = (len - 1) / sizeof(m->mask);
	memset(m->word, 0, sizeof(m->word));
	memcpy(m->word, text, len);
	m->mask = 0;
	memset(&m->mask, 0xff, len - last * sizeof(m->mask));
	m->nwords = (uint8_t)(last + 1);
	m->len = (uint8_t)len;
	m->first = first;
	m->field = field;
}
