/* Looking over the files that a worker writes, without changing them. */
#ifndef WORKER_VERIFY_H
#define WORKER_VERIFY_H

#include "common/verify.h"

/*
 * A segment of the journal, a snapshot (.snap or .base), and what a user says
 * of one (.meta); put-aside and in-hand are in aside.h and mark.h. Half an
 * entry at the end of a segment is what a death leaves; it is reported like all
 * else, for only the caller knows whether it is the last segment.
 *
 * All return the number of reports, or -1 with errno: the file cannot be read.
 */
int verify_segment(
    const char *path, verify_report_cb *report, void *arg) MUST_CHECK;
int verify_snapshot(
    const char *path, verify_report_cb *report, void *arg) MUST_CHECK;
int verify_meta(
    const char *path, verify_report_cb *report, void *arg) MUST_CHECK;

#endif
