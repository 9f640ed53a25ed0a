/* What the layouts of answers share: the text in the making, and scalars. */
#ifndef COMMON_JSONOUT_INT_H
#define COMMON_JSONOUT_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

struct json_object;
struct printbuf;

/* A text in the making; failed stays set. */
struct jsonout {
	struct printbuf *pb; /* owned by who prints */
	bool pretty;
	bool failed; /* no memory */
};

void jsonout_put(struct jsonout *, const char *text, size_t len);
/* c, a byte that may not stand in a string as it is, as an escape. */
void jsonout_put_escape(struct jsonout *, unsigned char c);
void jsonout_put_integer(struct jsonout *, struct json_object *);

/* The whole as a document in YAML, from "---" to the last line's end. */
void jsonout_yaml(struct jsonout *, struct json_object *);

#endif
