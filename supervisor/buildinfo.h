/* What the build knows of itself; made by buildinfo.sh. */
#ifndef SUPERVISOR_BUILDINFO_H
#define SUPERVISOR_BUILDINFO_H

#include "common/compat.h"

/* SHA-1 of the sources, 40 hexadecimal digits. */
extern const char buildinfo_hash[];
/* When they were built: "2026-11-23T09:30:00.000Z". */
extern const char buildinfo_date[];

#endif
