/* The keeper's users, keys and passwords: the real process. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/apierr.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "keeper/catalog.h"
#include "keeper/catalog_file.h"
#include "tests/keeper_fixture.h"
#include "tests/killpoint.h"
#include "tests/tmpdir.h"

TestSuite(secrets, .init = keeper_setup, .fini = keeper_teardown);

static void
expect_status(struct childproc *c, int status)
{
	struct msg_failed m;
	struct apierr e;
	struct rbuf rb;

	cr_assert_eq(childproc_next(c), MSG_FAILED);
	childproc_decode(c, &m);
	rbuf_init(&rb, m.error.p, m.error.len);
	cr_assert_eq(apierr_decode(&rb, &e), 0);
	cr_expect_eq(e.status, status, "%s", e.link[0].reason);
}

static void
hash(struct childproc *c, const char *password, char text[MSG_HASH_MAX + 1])
{
	struct msg_keep_hash m = { span_of(password) };
	struct msg_keep_hashed got;

	childproc_send(c, MSG_KEEP_HASH, 3, &m);
	cr_assert_eq(childproc_next(c), MSG_KEEP_HASHED);
	childproc_decode(c, &got);
	snprintf(text, MSG_HASH_MAX + 1, "%.*s", (int)got.hash.len, got.hash.p);
}

static void
put_user(struct childproc *c, const char *name, const char *hashed,
    uint64_t revision, bool enabled)
{
	struct msg_keep_user m = {
		.name = span_of(name),
		.hash = span_of(hashed),
		.revision = revision,
		.enabled = enabled,
		.roles = span_of("monitor"),
		.metadata = span_of("{}"),
	};

	childproc_send(c, MSG_KEEP_USER_PUT, 4, &m);
}

static bool
verify(struct childproc *c, const char *name, const char *password)
{
	struct msg_keep_verify m = { span_of(name), span_of(password) };
	struct msg_keep_verified got;

	childproc_send(c, MSG_KEEP_VERIFY, 5, &m);
	cr_assert_eq(childproc_next(c), MSG_KEEP_VERIFIED);
	childproc_decode(c, &got);
	return got.ok;
}

static void
put_key(struct childproc *c, const char *id, int64_t invalidated_ms)
{
	static const char zeros[MSG_KEY_HASH];
	struct msg_keep_key m = {
		.id = span_of(id),
		.name = span_of("n"),
		.hash = { zeros, sizeof(zeros) },
		.owner = span_of("ann"),
		.realm = span_of("default_native"),
		.creation_ms = 1,
		.expiration_ms = TIME_UNSET,
		.invalidated_ms = invalidated_ms,
		.roles = span_of("{}"),
		.metadata = span_of("{}"),
	};

	childproc_send(c, MSG_KEEP_KEY_PUT, 6, &m);
}

/* "ann/2 k k2": users with their revisions, and keys, in the order told. */
static const char *
load(struct childproc *c)
{
	static char text[256];
	struct msg_keep_load m = { 0 };
	struct msg_keep_user user;
	struct msg_keep_key key;
	uint16_t type;
	size_t len = 0;

	text[0] = '\0';
	childproc_send(c, MSG_KEEP_LOAD, 2, &m);
	while ((type = childproc_next(c)) != MSG_KEEP_DONE) {
		len = strlen(text);
		if (type == MSG_KEEP_USER) {
			childproc_decode(c, &user);
			cr_expect_eq(user.hash.len, 0, "a hash was told");
			snprintf(text + len, sizeof(text) - len, "%.*s/%ju ",
			    (int)user.name.len, user.name.p,
			    (uintmax_t)user.revision);
		} else {
			cr_assert_eq(type, MSG_KEEP_KEY, "type %u", type);
			childproc_decode(c, &key);
			snprintf(text + len, sizeof(text) - len, "%.*s%s ",
			    (int)key.id.len, key.id.p,
			    key.invalidated_ms == TIME_UNSET ? "" : "!");
		}
	}
	return text;
}

Test(secrets, passwords_are_hashed_and_known_again)
{
	char hashed[MSG_HASH_MAX + 1], again[MSG_HASH_MAX + 1];
	struct childproc c;

	start(&c);
	hash(&c, "secret", hashed);
	hash(&c, "secret", again);
	cr_expect_neq(strcmp(hashed, again), 0, "each has its own salt");
	cr_expect_eq(strncmp(hashed, "$argon2id$v=19$m=65536,t=2,p=1$", 31), 0);
	put_user(&c, "ann", hashed, 1, true);
	expect_done(&c, 4);
	cr_expect(verify(&c, "ann", "secret"));
	cr_expect_not(verify(&c, "ann", "Secret"));
	cr_expect_not(verify(&c, "nobody", "secret"));
	/* An empty hash leaves the one that is there. */
	put_user(&c, "ann", "", 2, true);
	expect_done(&c, 4);
	cr_expect(verify(&c, "ann", "secret"));
	put_user(&c, "ann", "", 3, false);
	expect_done(&c, 4);
	cr_expect_not(verify(&c, "ann", "secret"), "disabled");
	put_user(&c, "new", "", 1, true);
	expect_status(&c, 404);
	stop(&c);
}

Test(secrets, users_and_keys_are_kept)
{
	struct msg_keep_user_delete drop = { span_of("ann") };
	struct childproc c;

	start(&c);
	cr_expect_str_eq(load(&c), "");
	put_user(&c, "bob", "$h", 1, true);
	expect_done(&c, 4);
	put_user(&c, "ann", "$h", 7, true);
	expect_done(&c, 4);
	put_key(&c, "k2", TIME_UNSET);
	expect_done(&c, 6);
	put_key(&c, "k1", TIME_UNSET);
	expect_done(&c, 6);
	put_key(&c, "k1", clock_wall_ms());
	expect_done(&c, 6);
	cr_expect_str_eq(load(&c), "ann/7 bob/1 k1! k2 ");
	childproc_kill(&c);
	start(&c);
	cr_expect_str_eq(load(&c), "ann/7 bob/1 k1! k2 ");
	childproc_send(&c, MSG_KEEP_USER_DELETE, 8, &drop);
	expect_done(&c, 8);
	childproc_send(&c, MSG_KEEP_USER_DELETE, 8, &drop);
	expect_status(&c, 404);
	cr_expect_str_eq(load(&c), "bob/1 k1! k2 ");
	stop(&c);
}

Test(secrets, keys_that_are_long_dead_go_at_the_start)
{
	struct childproc c;

	start(&c);
	put_key(&c, "old", 1000);
	expect_done(&c, 6);
	put_key(&c, "fresh", clock_wall_ms() - 3600000);
	expect_done(&c, 6);
	put_key(&c, "live", TIME_UNSET);
	expect_done(&c, 6);
	cr_expect_str_eq(load(&c), "fresh! live old! ");
	stop(&c);
	start(&c);
	cr_expect_str_eq(load(&c), "fresh! live ");
	stop(&c);
}

/* What is asked behind a password is not answered behind it. */
Test(secrets, nothing_waits_for_a_password)
{
	struct msg_keep_verify m = { span_of("ann"), span_of("secret") };
	struct childproc c;

	start(&c);
	for (int i = 0; i < 5; i++)
		childproc_send(&c, MSG_KEEP_VERIFY, 5, &m);
	put_user(&c, "ann", "$h", 1, true);
	expect_done(&c, 4);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(childproc_next(&c), MSG_KEEP_VERIFIED);
	stop(&c);
}

Test(secrets, too_many_passwords_are_turned_away)
{
	struct msg_keep_verify m = { span_of("ann"), span_of("secret") };
	struct childproc c;

	start(&c);
	for (int i = 0; i < 129; i++)
		childproc_send(&c, MSG_KEEP_VERIFY, 5, &m);
	expect_status(&c, 503);
	childproc_kill(&c);
}

Test(secrets, a_damaged_row_lets_nobody_in)
{
	char hashed[MSG_HASH_MAX + 1];
	struct childproc c;

	start(&c);
	hash(&c, "secret", hashed);
	put_user(&c, "ann", hashed, 1, false);
	expect_done(&c, 4);
	put_key(&c, "k", 1);
	expect_done(&c, 6);
	stop(&c);
	/* Who can write the file may do so, but a flipped bit does not. */
	edit_catalog(
	    "UPDATE user SET enabled = 1; UPDATE api_key SET owner = 'bob'");
	start(&c);
	cr_expect_str_eq(load(&c), "");
	cr_expect_not(verify(&c, "ann", "secret"));
	stop(&c);
}

/* ---- catalogues of version 1 ---- */

static void
make_version_1(void)
{
	uint64_t v[2] = { htobe64(1), htobe64(41) };
	char text[160];
	struct childproc c;

	start(&c);
	stop(&c);
	snprintf(text, sizeof(text),
	    "DROP TABLE user; DROP TABLE api_key; DROP TABLE change;"
	    " UPDATE meta SET version = 1, last_incarnation = 41, crc = %u",
	    crc32c(0, v, sizeof(v)));
	edit_catalog(text);
	tmpdir_remove(CATALOG_COPY);
}

Test(secrets, an_older_catalogue_is_brought_up_to_date)
{
	struct childproc c;

	make_version_1();
	start(&c);
	cr_expect_eq(create(&c, "j"), 42, "what it had is kept");
	put_user(&c, "ann", "$h", 1, true);
	expect_done(&c, 4);
	stop(&c);
	start(&c);
	put_key(&c, "k", TIME_UNSET);
	expect_done(&c, 6);
	stop(&c);
}

Test(secrets, a_later_catalogue_is_not_touched)
{
	uint64_t v[2] = { htobe64(99), htobe64(0) };
	struct childproc c;
	char text[128];

	start(&c);
	stop(&c);
	snprintf(text, sizeof(text),
	    "UPDATE meta SET version = 99, last_incarnation = 0, crc = %u",
	    crc32c(0, v, sizeof(v)));
	edit_catalog(text);
	childproc_spawn(&c, keeper_program, FROM_KPR);
	childproc_hello(&c, keeper_state);
	cr_expect_eq(childproc_next(&c), 0);
	cr_expect_neq(childproc_end(&c), 0);
}

/* ---- deaths ---- */

/* How many of the two changes were answered; *whole: it came to its end. */
static int
live_until(unsigned n, bool *whole)
{
	struct msg_hello hello = { .version = MSG_VERSION,
		.path = span_of(keeper_state) };
	struct msg_keep_user user = {
		.name = span_of("ann"),
		.hash = span_of("$h"),
		.revision = 1,
		.metadata = span_of("{}"),
	};
	struct msg_keep_user_delete drop = { span_of("ann") };
	struct childproc c;
	int status, done = 0;

	spawn_doomed(&c, n);
	if (ask_doomed(&c, MSG_HELLO, &hello, MSG_READY)) {
		c.state = IN_OPEN;
		done += ask_doomed(&c, MSG_KEEP_USER_PUT, &user, MSG_KEEP_DONE);
		if (done == 1)
			done += ask_doomed(
			    &c, MSG_KEEP_USER_DELETE, &drop, MSG_KEEP_DONE);
	}
	status = childproc_end(&c);
	*whole = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	cr_assert(*whole || WEXITSTATUS(status) == KILLPOINT_HIT);
	return done;
}

/* From version 1 on: the step to version 2 is one of the windows. */
Test(secrets, deaths_before_any_call_leave_all_or_nothing, .timeout = 600)
{
	bool whole = false;
	unsigned n = 0;

	if (!killpoint_works())
		cr_skip_test("a process may not trace its child here");
	while (!whole) {
		struct childproc c;
		const char *users;
		int done;

		tmpdir_remove("catalog.db");
		make_version_1();
		n = killpoint_next(n);
		done = live_until(n, &whole);
		start(&c);
		users = load(&c);
		if (done == 2)
			cr_expect_str_eq(users, "", "call %u", n);
		else if (done == 0 || strcmp(users, "") != 0)
			cr_expect(strcmp(users, "") == 0 ||
				strcmp(users, "ann/1 ") == 0,
			    "call %u: %s", n, users);
		stop(&c);
	}
	cr_expect_gt(n, 30, "%u calls", n);
}
