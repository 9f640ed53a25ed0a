/* The reserve of the state directory. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/room.h"
#include "tests/tmpdir.h"

#define MB ((uint64_t)1024 * 1024)

static char dir[TMPDIR_BYTES];
static int dirfd_now = -1;

static void
setup(void)
{
	tmpdir_enter(dir);
	dirfd_now = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_neq(dirfd_now, -1);
}

static void
teardown(void)
{
	close(dirfd_now);
	tmpdir_purge(dir);
}

TestSuite(room, .init = setup, .fini = teardown);

static uint64_t
reserve_bytes(void)
{
	struct stat st;

	cr_assert_eq(stat(ROOM_FILE, &st), 0);
	/* Not a hole, which would keep no room. */
	cr_assert_geq((uint64_t)st.st_blocks * 512, (uint64_t)st.st_size);
	return (uint64_t)st.st_size;
}

Test(room, reserve_is_taken_where_there_is_room)
{
	struct room *r = room_open(dirfd_now, 0, MB);

	cr_assert_not_null(r);
	cr_assert_eq(reserve_bytes(), MB);
	cr_assert(!room_is_low(r));
	cr_assert(!room_is_short(r));
	cr_assert_gt(room_free_bytes(r), 0);
	room_free(r);
}

Test(room, reserve_is_not_taken_from_what_is_to_stay_free)
{
	struct room *r = room_open(dirfd_now, INT64_MAX, MB);

	cr_assert_not_null(r);
	cr_assert_eq(reserve_bytes(), 0);
	cr_assert(room_is_low(r));
	cr_assert(room_is_short(r));
	room_free(r);
}

Test(room, low_is_said_without_a_reserve_too)
{
	struct room *r = room_open(dirfd_now, INT64_MAX, 0);

	cr_assert_not_null(r);
	cr_assert(room_is_low(r));
	cr_assert(!room_is_short(r));
	room_free(r);
}

Test(room, reserve_of_an_earlier_start_is_cut_to_size)
{
	room_free(room_open(dirfd_now, 0, 3 * MB));
	cr_assert_eq(reserve_bytes(), 3 * MB);
	room_free(room_open(dirfd_now, 0, MB));
	cr_assert_eq(reserve_bytes(), MB);
	room_free(room_open(dirfd_now, 0, 0));
	cr_assert_eq(reserve_bytes(), 0);
}

/* As a copy of a state directory may have it. */
Test(room, reserve_with_holes_is_filled)
{
	struct stat st;

	cr_assert_eq(close(open(ROOM_FILE, O_CREAT | O_WRONLY, 0600)), 0);
	cr_assert_eq(truncate(ROOM_FILE, 3 * MB), 0);
	cr_assert_eq(stat(ROOM_FILE, &st), 0);
	cr_assert_lt((uint64_t)st.st_blocks * 512, 3 * MB);
	room_free(room_open(dirfd_now, 0, 3 * MB));
	cr_assert_eq(stat(ROOM_FILE, &st), 0);
	cr_assert_geq((uint64_t)st.st_blocks * 512, 3 * MB);
	cr_assert_eq(reserve_bytes(), 3 * MB);
}

Test(room, reserve_that_the_disk_cannot_hold_leaves_what_is_there)
{
	struct room *r;

	room_free(room_open(dirfd_now, 0, 8 * MB));
	r = room_open(dirfd_now, 0, (uint64_t)INT64_MAX / 2);
	cr_assert_not_null(r);
	cr_assert(room_is_short(r));
	cr_assert(room_is_low(r));
	cr_assert_eq(reserve_bytes(), 8 * MB);
	room_need(r); /* there is room enough: nothing is given up */
	cr_assert_eq(reserve_bytes(), 8 * MB);
	room_free(r);
}

Test(room, link_in_place_of_the_reserve_is_not_followed)
{
	struct room *r;
	struct stat st;

	cr_assert_eq(symlink("elsewhere", ROOM_FILE), 0);
	r = room_open(dirfd_now, 0, MB);
	cr_assert_not_null(r);
	cr_assert(!room_is_short(r));
	cr_assert_neq(stat("elsewhere", &st), 0);
	room_free(r);
}
