/* Owns the answer to what somebody may do. */
#include "common/compat.h"

#include <string.h>

#include "supervisor/principal.h"
#include "supervisor/rights.h"

static const char *const realm_names[] = {
	[REALM_NONE] = "",
	[REALM_OFF] = "",
	[REALM_NATIVE] = "default_native",
	[REALM_UNIX] = "unix",
};

void
principal_copy(struct principal *dst, const struct principal *src)
{
	*dst = *src;
	grants_ref(dst->grants);
}

void
principal_clear(struct principal *p)
{
	grants_unref(p->grants);
	memset(p, 0, sizeof(*p));
}

bool
principal_may(
    const struct principal *p, enum privilege priv, const char *job_id)
{
	unsigned rights = p->rights;

	if (p->realm == REALM_NONE)
		return false;
	if (job_id != NULL)
		rights |= grants_on(p->grants, job_id) & p->cap;
	return rights_suffice(rights, priv);
}

bool
principal_may_some(const struct principal *p, enum privilege priv)
{
	if (principal_may(p, priv, NULL))
		return true;
	for (size_t i = 0; p->grants != NULL && i < p->grants->n; i++)
		if (rights_suffice(p->grants->item[i].rights & p->cap, priv))
			return true;
	return false;
}

const char *
realm_name(enum realm realm)
{
	return realm_names[realm];
}

enum realm
realm_find(struct span name)
{
	if (span_eq(name, realm_names[REALM_NATIVE]))
		return REALM_NATIVE;
	return span_eq(name, realm_names[REALM_UNIX]) ? REALM_UNIX : REALM_NONE;
}
