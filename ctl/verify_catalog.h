/*
 * Looking over the catalogue, the copy beside it, and whether the jobs of
 * which they speak are there. A daemon may be at work.
 */
#ifndef CTL_VERIFY_CATALOG_H
#define CTL_VERIFY_CATALOG_H

#include "common/compat.h"
#include "ctl/faults.h"
#include "ctl/joblist.h"

/*
 * dirfd     the state directory or backup
 * left_out  jobs that need not be there
 */
void verify_catalog(struct faults *, int dirfd, const struct joblist *left_out);

#endif
