/* What authentication is made of: headers, caches, limits, rights. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <sodium.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/accounts.h"
#include "supervisor/authcache.h"
#include "supervisor/authlimit.h"
#include "supervisor/credentials.h"
#include "supervisor/principal.h"
#include "supervisor/rights.h"

#define S INT64_C(1000000)

/* ---- credentials ---- */

static const struct {
	const char *value;
	enum credentials_kind kind;
	const char *name, *secret;
	bool impossible;
} headers[] = {
	{ NULL, CREDENTIALS_NONE, "", "", false },
	{ "", CREDENTIALS_NONE, "", "", false },
	{ "Negotiate x", CREDENTIALS_NONE, "", "", false },
	{ "Basicx YTpi", CREDENTIALS_NONE, "", "", false },
	{ "Basic YTpi", CREDENTIALS_BASIC, "a", "b", false },
	{ "bASIC   YTpi", CREDENTIALS_BASIC, "a", "b", false },
	{ "ApiKey YTpiOmM=", CREDENTIALS_KEY, "a", "b:c", false },
	{ "Bearer YTpiOmM", CREDENTIALS_KEY, "a", "b:c", false },
	{ "Basic YTo=", CREDENTIALS_BASIC, "a", "", true },
	{ "Basic OmI=", CREDENTIALS_BASIC, "", "b", true },
	{ "Basic", CREDENTIALS_BAD, "", "", false },
	{ "Basic YQ==", CREDENTIALS_BAD, "", "", false },
	{ "Basic YTpi YTpi", CREDENTIALS_BAD, "", "", false },
	{ "Basic YTpi\n", CREDENTIALS_BAD, "", "", false },
	{ "Basic YToA", CREDENTIALS_BAD, "", "", false }, /* NUL */
	{ "Basic YTr/", CREDENTIALS_BAD, "", "", false }, /* no UTF-8 */
};

Test(credentials, headers_are_taken_apart_or_refused)
{
	struct credentials c;

	for (size_t i = 0; i < NELEM(headers); i++) {
		const char *value = headers[i].value;

		credentials_read(&c, value);
		cr_expect_eq(c.kind, headers[i].kind, "%s", value);
		cr_expect_str_eq(c.name, headers[i].name, "%s", value);
		cr_expect_str_eq(c.secret, headers[i].secret, "%s", value);
		cr_expect_eq(c.impossible, headers[i].impossible, "%s", value);
	}
}

Test(credentials, what_is_longer_than_anybody_has_is_cut_and_marked)
{
	char plain[2048], value[4096] = "Basic ";
	struct credentials c;

	memset(plain, 'n', MSG_USER_MAX);
	strlcpy(plain + MSG_USER_MAX - 1, "\xc3\xa9:p", 16);
	sodium_bin2base64(value + 6, sizeof(value) - 6,
	    (const unsigned char *)plain, strlen(plain),
	    sodium_base64_VARIANT_ORIGINAL);
	credentials_read(&c, value);
	cr_expect_eq(c.kind, CREDENTIALS_BASIC);
	cr_expect(c.impossible);
	cr_expect_eq(strlen(c.name), MSG_USER_MAX - 1, "no half character");
}

Test(credentials, nothing_is_left_of_them)
{
	static const struct credentials none;
	struct credentials c;

	credentials_read(&c, "Basic YTpi");
	credentials_wipe(&c);
	cr_expect_eq(memcmp(&c, &none, sizeof(c)), 0);
}

/* ---- the cache ---- */

Test(authcache, knows_again_what_was_right)
{
	uint8_t key[AUTHCACHE_BYTES] = { 1 }, token[AUTHCACHE_BYTES];
	uint8_t other[AUTHCACHE_BYTES];
	struct authcache c = { .set = false };

	authcache_token(token, key, "ann", "secret");
	authcache_token(other, key, "ann", "Secret");
	cr_expect_eq(authcache_look(&c, token, 0), AUTHCACHE_MISS);
	authcache_set(&c, token, 0);
	cr_expect_eq(authcache_look(&c, token, 1), AUTHCACHE_HIT);
	cr_expect_eq(authcache_look(&c, other, 1), AUTHCACHE_MISS);
	/* A use keeps it fresh. */
	cr_expect_eq(
	    authcache_look(&c, token, AUTHCACHE_TTL_US), AUTHCACHE_HIT);
	cr_expect_eq(
	    authcache_look(&c, token, 2 * AUTHCACHE_TTL_US), AUTHCACHE_HIT);
	cr_expect_eq(authcache_look(&c, token, 3 * AUTHCACHE_TTL_US + 1),
	    AUTHCACHE_STALE);
	cr_expect_eq(authcache_look(&c, other, 3 * AUTHCACHE_TTL_US + 1),
	    AUTHCACHE_MISS);
	authcache_drop(&c);
	cr_expect_eq(authcache_look(&c, token, 1), AUTHCACHE_MISS);
}

Test(authcache, an_empty_one_knows_not_even_zeros)
{
	uint8_t zero[AUTHCACHE_BYTES] = { 0 };
	struct authcache c = { .set = false };

	cr_expect_eq(authcache_look(&c, zero, 0), AUTHCACHE_MISS);
}

Test(authcache, tokens_tell_all_that_goes_in_apart)
{
	uint8_t key[2][AUTHCACHE_BYTES] = { { 1 }, { 2 } };
	uint8_t a[AUTHCACHE_BYTES], b[AUTHCACHE_BYTES];

	authcache_token(a, key[0], "ab", "c");
	authcache_token(b, key[0], "a", "bc");
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
	authcache_token(b, key[1], "ab", "c");
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}

/* ---- limits ---- */

Test(authlimit, places_are_addresses)
{
	static const struct {
		const char *peer;
		int uid;
		const char *place;
	} cases[] = {
		{ "127.0.0.1:53211", -1, "127.0.0.1" },
		{ "[2001:db8:1:2:3:4:5:6]:7", -1, "2001:db8:1:2::" },
		{ "[::1]:7", -1, "::" },
		{ "[::ffff:192.0.2.1]:7", -1, "::ffff:192.0.2.1" },
		{ "unix", 1000, "uid 1000" },
	};
	char place[AUTHLIMIT_PLACE_MAX];

	for (size_t i = 0; i < NELEM(cases); i++) {
		authlimit_place(place, cases[i].peer, cases[i].uid);
		cr_expect_str_eq(place, cases[i].place);
	}
}

/* Which names share a count hangs on the key: here it is always the same. */
static const unsigned char fixed_key[AUTHLIMIT_KEY_BYTES] = { 1 };

/* Of a user who is there. */
static enum authlimit_verdict
take(struct authlimit *l, const char *place, const char *user, int64_t now_us,
    struct authlimit_at *at)
{
	unsigned wait_s;

	authlimit_find(l, place, user, at);
	return authlimit_take(l, at, true, now_us, &wait_s);
}

Test(authlimit, a_user_from_a_place_may_be_wrong_some_times)
{
	struct authlimit *l = authlimit_new(fixed_key);
	struct authlimit_at at;
	unsigned wait_s;

	for (int i = 0; i < AUTHLIMIT_PAIR_BURST; i++)
		cr_expect_eq(take(l, "p", "u", S, &at), AUTHLIMIT_GO);
	cr_expect_eq(authlimit_take(l, &at, true, S, &wait_s), AUTHLIMIT_STOP);
	cr_expect_eq(wait_s, AUTHLIMIT_PAIR_S);
	/* Neither others there, nor the same from elsewhere. */
	cr_expect_eq(take(l, "p", "v", S, &at), AUTHLIMIT_GO);
	cr_expect_eq(take(l, "q", "u", S, &at), AUTHLIMIT_GO);
	/* One more with each interval. */
	cr_expect_eq(take(l, "p", "u", S + AUTHLIMIT_PAIR_S * S - 1, &at),
	    AUTHLIMIT_STOP);
	cr_expect_eq(
	    take(l, "p", "u", S + AUTHLIMIT_PAIR_S * S, &at), AUTHLIMIT_GO);
	cr_expect_eq(
	    take(l, "p", "u", S + AUTHLIMIT_PAIR_S * S, &at), AUTHLIMIT_STOP);
	authlimit_free(l);
}

Test(authlimit, who_was_right_has_lost_nothing)
{
	struct authlimit *l = authlimit_new(fixed_key);
	struct authlimit_at at;

	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(take(l, "p", "u", S, &at), AUTHLIMIT_GO);
		authlimit_give_back(l, &at, AUTHLIMIT_GO);
	}
	authlimit_free(l);
}

Test(authlimit, a_place_with_many_names_is_known_by_them)
{
	struct authlimit *l = authlimit_new(fixed_key);
	struct authlimit_at at;
	char name[16];
	int gone = 0;

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		gone += take(l, "p", name, S, &at) == AUTHLIMIT_GO;
	}
	cr_expect_eq(gone, AUTHLIMIT_PLACE_BURST);
	cr_expect_eq(take(l, "q", "fresh", S, &at), AUTHLIMIT_GO);
	authlimit_free(l);
}

/* More than there are counts, by far. */
Test(authlimit, a_place_with_all_names_stops_nobody_elsewhere)
{
	struct authlimit *l = authlimit_new(fixed_key);
	struct authlimit_at at;
	unsigned wait_s;
	char name[16];
	int gone = 0;

	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		authlimit_find(l, "p", name, &at);
		gone +=
		    authlimit_take(l, &at, false, S, &wait_s) == AUTHLIMIT_GO;
	}
	cr_expect_eq(gone, AUTHLIMIT_PLACE_BURST);
	gone = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "10.0.0.%d", i);
		gone += take(l, name, name, S, &at) == AUTHLIMIT_GO;
	}
	cr_expect_geq(gone, 95); /* one may fall on the place of "p" */
	authlimit_free(l);
}

Test(authlimit, from_a_full_place_all_refusals_are_alike)
{
	struct authlimit *l = authlimit_new(fixed_key);
	struct authlimit_at at;
	char name[16];

	for (int i = 0; i < AUTHLIMIT_PLACE_BURST; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		cr_expect_eq(take(l, "p", name, S, &at), AUTHLIMIT_GO);
	}
	for (int i = 0; i < AUTHLIMIT_PAIR_BURST; i++)
		cr_expect_eq(take(l, "p", "u", S, &at), AUTHLIMIT_PLACE);
	/* Not as it would be told elsewhere, that there is such a user. */
	cr_expect_eq(take(l, "p", "u", S, &at), AUTHLIMIT_HOLD);
	cr_expect(authlimit_is_full(l, &at, S));
	authlimit_free(l);
}

Test(authlimit, a_user_from_anywhere_may_be_wrong_some_times)
{
	struct authlimit *l = authlimit_new(fixed_key);
	struct authlimit_at at;
	char place[16];
	int gone = 0;

	for (int i = 0; i < 1000; i++) {
		snprintf(place, sizeof(place), "10.0.0.%d", i);
		gone += take(l, place, "u", S, &at) == AUTHLIMIT_GO;
	}
	cr_expect_eq(gone, AUTHLIMIT_USER_BURST);
	authlimit_free(l);
}

/* ---- rights ---- */

Test(rights, each_privilege_is_granted_by_those_that_a_refusal_names)
{
	for (int p = PRIV_MONITOR; p <= PRIV_SECURITY; p++) {
		cr_expect(rights_suffice(RIGHTS_ALL, (enum privilege)p));
		cr_expect_eq(rights_suffice(0, (enum privilege)p),
		    p == PRIV_AUTHENTICATED);
		cr_expect_not_null(rights_granting((enum privilege)p));
	}
}

static int
read_roles(
    const char *text, unsigned *rights, struct grants **g, struct apierr *e)
{
	struct json_object *o = json_tokener_parse(text);
	int rc = rights_read(o, rights, g, e);

	json_object_put(o);
	return rc;
}

Test(rights, grants_hold_for_the_jobs_of_their_patterns)
{
	struct grants *g = NULL;
	unsigned rights = 99;
	struct apierr e;

	cr_assert_eq(read_roles("{\"a\":{\"cluster\":[\"monitor_ml\"],"
				"\"applications\":[{\"application\":\"anomd\","
				"\"privileges\":[\"manage_ml\"],"
				"\"resources\":[\"web-*\",\"x\"]}]}}",
			 &rights, &g, &e),
	    0);
	cr_expect_eq(rights, RIGHT_MONITOR_ML);
	cr_expect_neq(grants_on(g, "web-1") & RIGHT_MANAGE_ML, 0);
	cr_expect_neq(grants_on(g, "x") & RIGHT_MANAGE_ML, 0);
	cr_expect_eq(grants_on(g, "xy"), 0);
	cr_expect_eq(grants_on(g, "db-1"), 0);
	cr_expect_eq(grants_on(g, ""), 0);
	grants_unref(g);
}

Test(rights, no_text_of_any_shape_gives_rights_by_mistake)
{
	static const char *const bad[] = { "{\"r\":1}", "{\"r\":[]}",
		"{\"r\":null}", "{\"r\":{\"cluster\":\"all\"}}",
		"{\"r\":{\"cluster\":[1]}}", "{\"r\":{\"cluster\":[null]}}",
		"{\"r\":{\"applications\":[null]}}",
		"{\"r\":{\"applications\":[{}]}}",
		"{\"r\":{\"applications\":[{\"application\":1}]}}",
		"{\"r\":{\"applications\":[{\"application\":\"anomd\","
		"\"privileges\":null}]}}",
		"{\"r\":{\"applications\":[{\"application\":\"anomd\","
		"\"privileges\":[\"manage_ml\"],\"resources\":[{}]}]}}",
		"{\"r\":{\"global\":{}}}" };
	struct grants *g = NULL;
	struct apierr e;
	unsigned rights;

	for (size_t i = 0; i < NELEM(bad); i++) {
		cr_expect_eq(
		    read_roles(bad[i], &rights, &g, &e), -1, "%s", bad[i]);
		cr_expect_eq(e.status, 400, "%s", bad[i]);
	}
}

Test(principal, nobody_may_nothing)
{
	struct principal p;

	memset(&p, 0, sizeof(p));
	p.rights = RIGHTS_ALL;
	for (int i = PRIV_MONITOR; i <= PRIV_SECURITY; i++)
		cr_expect_not(
		    principal_may(&p, (enum privilege)i, NULL), "%d", i);
}

/* ---- accounts ---- */

static const struct msg_keep_user ann = {
	.name = { "ann", 3 },
	.revision = 1,
	.enabled = true,
	.roles = { "manage,gone", 11 },
	.metadata = { "{}", 2 },
};

static struct apikey *
key_of(const char *owner, const char *roles)
{
	static const char hash[MSG_KEY_HASH];
	struct msg_keep_key m = {
		.id = span_of("k"),
		.name = span_of("n"),
		.hash = { hash, sizeof(hash) },
		.owner = span_of(owner),
		.realm = span_of("default_native"),
		.expiration_ms = TIME_UNSET,
		.invalidated_ms = TIME_UNSET,
		.roles = span_of(roles),
		.metadata = span_of("{}"),
	};

	return apikey_new(&m);
}

Test(accounts, a_key_may_what_it_says_and_its_owner_may)
{
	struct accounts *a = accounts_new();
	struct msg_keep_user less = ann;
	struct principal p;
	struct apikey *k = key_of("ann",
	    "{\"r\":{\"cluster\":[\"all\"],\"applications\":[{"
	    "\"application\":\"anomd\",\"privileges\":[\"manage_ml\"],"
	    "\"resources\":[\"*\"]}]}}");

	log_init("test", LOG_LEVEL_ERROR);
	cr_expect_eq(principal_of_key(&p, a, k), -1, "no owner");
	accounts_put_user(a, user_new(&ann));
	cr_assert_eq(principal_of_key(&p, a, k), 0);
	cr_expect(principal_may(&p, PRIV_MANAGE_ML, NULL));
	cr_expect_not(principal_may(&p, PRIV_SECURITY, NULL));
	principal_clear(&p);
	less.roles = span_of("monitor");
	less.revision = 2;
	accounts_put_user(a, user_new(&less));
	cr_assert_eq(principal_of_key(&p, a, k), 0);
	cr_expect_not(principal_may(&p, PRIV_MANAGE_ML, "x"));
	principal_clear(&p);
	less.enabled = false;
	accounts_put_user(a, user_new(&less));
	cr_expect_eq(principal_of_key(&p, a, k), -1, "disabled");
	apikey_free(k);
	accounts_free(a);
}

Test(accounts, a_load_takes_away_what_it_does_not_bring)
{
	struct accounts *a = accounts_new();
	uint8_t token[AUTHCACHE_BYTES] = { 7 };
	struct msg_keep_user bob = ann;

	log_init("test", LOG_LEVEL_ERROR);
	bob.name = span_of("bob");
	accounts_loaded_user(a, &ann);
	accounts_loaded_user(a, &bob);
	accounts_loaded(a);
	authcache_set(&accounts_user(a, "ann")->cache, token, 0);
	accounts_put_key(a, key_of("ann", "{}"));
	accounts_loaded_user(a, &ann);
	accounts_loaded(a);
	cr_assert_not_null(accounts_user(a, "ann"));
	cr_expect_eq(authcache_look(&accounts_user(a, "ann")->cache, token, 1),
	    AUTHCACHE_HIT, "he has not changed");
	cr_expect_null(accounts_user(a, "bob"));
	cr_expect_null(accounts_key(a, "k"));
	/* Changed on the disk by a request whose answer was lost. */
	bob = ann;
	bob.revision = 2;
	accounts_loaded_user(a, &bob);
	cr_expect_eq(authcache_look(&accounts_user(a, "ann")->cache, token, 1),
	    AUTHCACHE_MISS);
	accounts_free(a);
}

Test(accounts, secrets_of_keys_are_hashed_each_by_itself)
{
	uint8_t a[MSG_KEY_HASH], b[MSG_KEY_HASH];

	apikey_hash(a, "id1", "secret");
	apikey_hash(b, "id1", "secret");
	cr_expect_eq(memcmp(a, b, sizeof(a)), 0);
	apikey_hash(b, "id2", "secret");
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
	apikey_hash(b, "id1", "secres");
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}
