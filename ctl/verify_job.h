/*
 * Looking over the directory of a job: each file, and whether they have every
 * entry that was acknowledged. A worker may be at work.
 */
#ifndef CTL_VERIFY_JOB_H
#define CTL_VERIFY_JOB_H

#include "common/compat.h"
#include "ctl/faults.h"

/*
 * jobs  the directory jobs/, open
 * name  of the directory in it
 */
void verify_job(struct faults *, int jobs, const char *name);

#endif
