/* Names with wildcards, as expressions of the API have them. */
#ifndef COMMON_WILDCARD_H
#define COMMON_WILDCARD_H

#include <stdbool.h>

#include "common/compat.h"

/* "*" stands for any run of characters; nothing else is special. */
bool wildcard_matches(const char *pattern, const char *text);

#endif
