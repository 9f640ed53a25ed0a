/* Owns the reading of model_plot_config. */
#include "common/compat.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/plotconf.h"

static bool
flag(struct json_object *obj, const char *key, bool otherwise)
{
	struct json_object *v;

	return json_object_object_get_ex(obj, key, &v)
	    ? json_object_get_boolean(v)
	    : otherwise;
}

/* Between commas; spaces belong to a value. Empty ones are none. */
static bool
take_terms(struct plotconf *c, const char *text)
{
	size_t most = 1;

	for (const char *p = text; *p != '\0'; p++)
		most += *p == ',';
	c->term = calloc(most, sizeof(*c->term));
	if (c->term == NULL)
		return false;
	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		if (len > 0) {
			c->term[c->nterms] = strndup(text, len);
			if (c->term[c->nterms] == NULL)
				return false;
			c->nterms++;
		}
		text += len + (text[len] == ',');
	}
	return true;
}

bool
plotconf_take(struct plotconf *c, struct json_object *obj)
{
	struct json_object *terms;

	memset(c, 0, sizeof(*c));
	if (obj == NULL)
		return true;
	c->enabled = flag(obj, "enabled", false);
	c->annotations = flag(obj, "annotations_enabled", c->enabled);
	if (!json_object_object_get_ex(obj, "terms", &terms) || terms == NULL)
		return true;
	return take_terms(c, json_object_get_string(terms));
}

bool
plotconf_copy(struct plotconf *c, const struct plotconf *from)
{
	*c = *from;
	c->nterms = 0;
	c->term = calloc(from->nterms + 1, sizeof(*c->term));
	if (c->term == NULL)
		return false;
	for (; c->nterms < from->nterms; c->nterms++) {
		c->term[c->nterms] = strdup(from->term[c->nterms]);
		if (c->term[c->nterms] == NULL)
			return false;
	}
	return true;
}

void
plotconf_clear(struct plotconf *c)
{
	for (size_t i = 0; i < c->nterms; i++)
		free(c->term[i]);
	free(c->term);
	memset(c, 0, sizeof(*c));
}

bool
plotconf_has(const struct plotconf *c, const char *value, size_t len)
{
	for (size_t i = 0; i < c->nterms; i++) {
		if (strlen(c->term[i]) == len &&
		    memcmp(c->term[i], value, len) == 0)
			return true;
	}
	return c->nterms == 0;
}
