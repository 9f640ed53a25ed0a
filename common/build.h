/* Which build of the program this is. */
#ifndef COMMON_BUILD_H
#define COMMON_BUILD_H

#include "common/compat.h"

/*
 * What the linker made of all that went into the running program: 40
 * hexadecimal digits, as file(1) shows them. "unknown" when it was linked
 * without. Static; reads memory only.
 */
const char *build_hash(void);

#endif
