/* How far a long command has come, in one line for people. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/*
 * "[=====>    ]  52%  1.2 GB of 2.3 GB  81.3 MB/s  0:14 left", or without a
 * total (0) "1.2 GB  81.3 MB/s". us: since the start.
 */
void progress_text(
    char *dst, size_t len, uint64_t done, uint64_t total, int64_t us);

#endif
