/*
 * Media types: what a body may be, and what the answer is to be. Content-Type
 * and Accept may name a version of the API ("compatible-with"); 7, 8 and 9 are
 * the same here, but a request must be of one mind about it.
 */
#ifndef SUPERVISOR_MEDIA_H
#define SUPERVISOR_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/apierr.h"
#include "common/compat.h"

enum media_body { MEDIA_JSON, MEDIA_DATA };

/* The form of an answer. Which ones there are is the route's matter. */
enum media_form { FORM_ANY, FORM_JSON, FORM_YAML, FORM_TEXT };

struct media_wish {
	enum media_form form; /* FORM_ANY: the client leaves it to us */
	int version;	      /* compatible-with; 0: none was named */
};

/*
 * What Accept (NULL: absent) wishes: of the forms that exist here the one with
 * the highest q, the first of equals. Returns 0, or -1 with *e set: 400 for a
 * version that is not spoken here, 406 when no form would do.
 */
int media_accept(const char *accept, struct media_wish *, struct apierr *e);

/*
 * The parameter "format", which goes before Accept. text: the route has a form
 * for people to read. Returns 0, or -1 with *e set (400).
 */
int media_format(
    const char *format, bool text, struct media_wish *, struct apierr *e);

/*
 * Do the two headers of a request with a body ask for the same version? accept
 * as it came, for the error. text/plain, which an official client sends as
 * data, has no version to name. Returns 0, or -1 with *e set (400).
 */
int media_agree(enum media_body, const char *content_type, const char *accept,
    const struct media_wish *, struct apierr *e);

/*
 * Is this Content-Type (NULL: absent) fit for a body of that kind? MEDIA_DATA
 * also takes x-ndjson and text/plain. old: say it as version 6 does. Returns
 * 0, or -1 with *e set (406).
 */
int media_check_body(
    enum media_body, const char *content_type, bool old, struct apierr *e);

/* The same for the parameter "source_content_type" (400). */
int media_check_source(enum media_body, const char *type, struct apierr *e);

/*
 * Content-Type of an answer. old: the path is of the old family, whose answers
 * name the charset.
 */
void media_answer(
    const struct media_wish *, bool old, char *dst, size_t dstlen);

#endif
