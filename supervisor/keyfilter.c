/* Owns the choice of API keys that a request is about. */
#include "common/compat.h"

#include <string.h>

#include "common/clock.h"
#include "common/wildcard.h"
#include "supervisor/accounts.h"
#include "supervisor/call.h"
#include "supervisor/keyfilter.h"
#include "supervisor/rights.h"

static bool
is_own(const struct call *c, const struct apikey *k)
{
	return k->realm == c->who.realm && strcmp(k->owner, c->who.user) == 0;
}

bool
keyfilter_sees(const struct call *c, const struct apikey *k)
{
	return is_own(c, k) || principal_may(&c->who, PRIV_SECURITY, NULL);
}

bool
keyfilter_takes(
    const struct call *c, const struct keyfilter *f, const struct apikey *k)
{
	return keyfilter_sees(c, k) && (!f->owner || is_own(c, k)) &&
	    (f->id == NULL || strcmp(f->id, k->id) == 0) &&
	    (f->name == NULL || wildcard_matches(f->name, k->name)) &&
	    (f->username == NULL || strcmp(f->username, k->owner) == 0) &&
	    (f->realm == NULL || strcmp(f->realm, realm_name(k->realm)) == 0) &&
	    (!f->active_only || apikey_is_live(k, clock_wall_ms()));
}
