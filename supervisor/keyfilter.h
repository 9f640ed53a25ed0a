/* Which API keys a request is about, and whose one may see. */
#ifndef SUPERVISOR_KEYFILTER_H
#define SUPERVISOR_KEYFILTER_H

#include <stdbool.h>

#include "common/compat.h"

struct apikey;
struct call;

/* Keys that are looked for; members that are NULL are not asked. */
struct keyfilter {
	const char *id, *name, *username, *realm;
	bool owner, active_only;
};

/* Nobody sees another's keys without the right to all. */
bool keyfilter_sees(const struct call *, const struct apikey *);
/* It is one that is looked for, and the caller sees it. */
bool keyfilter_takes(
    const struct call *, const struct keyfilter *, const struct apikey *);

#endif
