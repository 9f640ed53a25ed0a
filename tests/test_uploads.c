/* The bounds of what may arrive at a worker at once. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/peer.h"
#include "worker/backlog.h"
#include "worker/loop.h"
#include "worker/uploads.h"

static struct peer *peer;
static struct uploads uploads;
static int other; /* the supervisor's end */

static void
setup(void)
{
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	peer = peer_new(fd[0], FROM_WRK);
	cr_assert_not_null(peer);
	other = fd[1];
	uploads_init(&uploads, peer);
}

static void
teardown(void)
{
	uploads_free(&uploads);
	peer_free(peer);
	close(other);
}

TestSuite(uploads, .init = setup, .fini = teardown);

static void
begin(uint32_t request, enum upload_encoding encoding, unsigned sealed)
{
	struct msg_upload_begin m = { .encoding = (uint8_t)encoding,
		.reset_start_s = TIME_UNSET,
		.reset_end_s = TIME_UNSET };

	cr_assert_eq(uploads_begin(&uploads, request, &m, sealed, true), 0);
}

Test(uploads, windows_of_sealed_uploads_count_as_well)
{
	uint32_t n;

	for (n = 1; n <= LOOP_WINDOWS_MAX - 10; n++)
		begin(n, ENCODING_ZSTD, 10);
	cr_expect_eq(peer_queued(peer), 0);
	begin(n, ENCODING_ZSTD, 10);
	cr_expect_gt(peer_queued(peer), 0);
	cr_expect_eq(uploads.n, LOOP_WINDOWS_MAX - 10);
	begin(n + 1, ENCODING_GZIP, 10);
	cr_expect_eq(uploads.n, LOOP_WINDOWS_MAX - 9);
}

Test(uploads, sealed_upload_holds_its_window_until_it_is_decoded)
{
	struct backlog *b = backlog_new(peer, NULL, NULL, NULL, 1);
	struct msg_upload_seal seal = { .wire_bytes = 1 };
	struct arrival *a;

	cr_assert_not_null(b);
	cr_expect_eq(backlog_windows(b), 0);
	begin(1, ENCODING_ZSTD, 0);
	seal.wire_crc = crc32c(0, "x", 1);
	cr_assert_eq(uploads_data(&uploads, 1, (const uint8_t *)"x", 1), 0);
	cr_assert_eq(uploads_seal(&uploads, 1, &seal, &a), 0);
	cr_assert_not_null(a);
	cr_assert_eq(backlog_add_upload(b, a, 0), 0);
	cr_expect_eq(uploads.nwindowed, 0);
	cr_expect_eq(backlog_windows(b), 1);
	backlog_free(b);
}

/* Their frames are on the way still: those of any other end the worker. */
Test(uploads, frames_of_a_failed_upload_are_ignored)
{
	struct msg_upload_seal seal = { .wire_bytes = 5 };
	struct arrival *a = NULL;

	uploads.max_bytes = 4;
	begin(1, ENCODING_IDENTITY, 0);
	cr_expect_eq(uploads_data(&uploads, 1, (const uint8_t *)"12345", 5), 0);
	cr_expect_gt(peer_queued(peer), 0);
	cr_expect_eq(uploads.n, 0);
	cr_expect_eq(uploads_data(&uploads, 1, (const uint8_t *)"6", 1), 0);
	cr_expect_eq(uploads_seal(&uploads, 1, &seal, &a), 0);
	cr_expect_null(a);
	cr_expect_eq(uploads_data(&uploads, 2, (const uint8_t *)"6", 1), -1);
	cr_expect_eq(errno, EBADMSG);
}

/* Its frames that are on their way already are not the supervisor's fault. */
Test(uploads, nothing_is_kept_of_one_that_the_journal_has_no_room_for)
{
	struct msg_upload_begin m = { .reset_start_s = TIME_UNSET,
		.reset_end_s = TIME_UNSET };

	cr_assert_eq(uploads_begin(&uploads, 1, &m, 0, false), 0);
	cr_expect_gt(peer_queued(peer), 0);
	cr_expect_eq(uploads.n, 0);
	cr_expect_eq(uploads_data(&uploads, 1, (const uint8_t *)"x", 1), 0);
	begin(2, ENCODING_IDENTITY, 0);
	cr_expect_eq(uploads.n, 1);
}
