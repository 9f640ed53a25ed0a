/*
 * Configurations of jobs, parsed and compared with what is expected of them.
 * Texts are written with ' for ".
 */
#ifndef TESTS_JOBCONF_FIXTURE_H
#define TESTS_JOBCONF_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/jobconf.h"

#define BODY(analysis, rest)                                                   \
	"{'analysis_config':{" analysis "},'data_description':{}" rest "}"
#define DETECTOR(d) BODY("'detectors':[{" d "}]", "")
#define TOP(rest) BODY("'detectors':[{'function':'count'}]", rest)
#define DATA(d)                                                                \
	"{'analysis_config':{'detectors':[{'function':'count'}]},"             \
	"'data_description':{" d "}}"

/* The text with ' turned into ". The caller frees. */
char *quoted(const char *text);

/* Of the job j1; NULL with *e. The caller frees with jobconf_free. */
struct jobconf *parse(const char *text, bool old, struct apierr *e);
struct jobconf *parse_by(
    const struct jobconf_rules *, const char *text, struct apierr *e);
/* Never NULL: what is refused fails the test. */
struct jobconf *accept(const char *text);

/* Its printed form contains this, or does not. */
void prints(const char *text, const char *part);
void prints_not(const char *text, const char *part);

/* It is refused with 400; type and reason are those of the root cause. */
void refuse(const char *text, const char *type, const char *reason);
void refuse_by(const struct jobconf_rules *, const char *text, const char *type,
    const char *reason);
/* As on the path of 6.x. */
void refuse_old(const char *text, const char *type, const char *reason);
/* It is refused with this whole chain of causes, outermost first. */
void chain(const char *text, const char *const *reasons, size_t n);

#endif
