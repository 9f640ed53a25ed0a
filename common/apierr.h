/*
 * An error as the API reports it: HTTP status, type, reason, and the causes
 * behind it. Made where the fault is found, printed in one place.
 */
#ifndef COMMON_APIERR_H
#define COMMON_APIERR_H

#include "common/compat.h"
#include "common/schema.h"

struct json_object;

#define APIERR_MAX_CHAIN 7 /* params of a rule of a detector nest this deep */
#define APIERR_REASON_MAX 1024

/* Types as the API spells them. Static strings. */
#define E_ILLEGAL_ARGUMENT "illegal_argument_exception"
#define E_STATUS "status_exception"
#define E_PARSE "parse_exception"
#define E_XCONTENT_PARSE "x_content_parse_exception"
#define E_JSON_PARSE "json_parse_exception" /* of 6.x */
#define E_NOT_FOUND "resource_not_found_exception"
#define E_EXISTS "resource_already_exists_exception"
#define E_REJECTED "es_rejected_execution_exception"
#define E_VALIDATION "action_request_validation_exception"
#define E_EXCEPTION "exception"
#define E_SECURITY "security_exception"

struct apierr {
	int status; /* HTTP status; 0: no error */
	int n;	    /* links in use; link[0] is the outermost */
	struct {
		char type[64];
		char reason[APIERR_REASON_MAX]; /* UTF-8; longer is cut */
	} link[APIERR_MAX_CHAIN];
	unsigned retry_after_s; /* 0: no Retry-After header */
};

/* Make e this one error, and nothing else. Always returns -1. */
int apierr_set(struct apierr *e, int status, const char *type, const char *fmt,
    ...) PRINTF_LIKE(4, 5);

/*
 * Put a new outermost link before what e holds; the status stays. A full chain
 * loses its innermost link. Always returns -1.
 */
int apierr_wrap(struct apierr *e, const char *type, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * {"error":{"root_cause":[..],"type":..,"reason":..,"caused_by":..},
 *  "status":N}. The caller owns the object; NULL when memory is out.
 */
struct json_object *apierr_json(const struct apierr *e);
/*
 * The same, each link with "stack_trace": the way from it to the innermost
 * cause, a line for each.
 */
struct json_object *apierr_json_traced(const struct apierr *e);

/* The form that travels between processes; no status below 400 arrives. */
int apierr_encode(const struct apierr *e, struct wbuf *) MUST_CHECK;
int apierr_decode(struct rbuf *, struct apierr *e) MUST_CHECK;

#endif
