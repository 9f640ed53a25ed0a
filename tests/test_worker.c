/*
 * The real worker, driven over its channel as the supervisor does: what it
 * counts, what it keeps over closes and deaths, and when it gives up.
 */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/worker_fixture.h"

TestSuite(worker, .init = worker_begin, .fini = worker_finish, .timeout = 120);

Test(worker, opens_and_closes_an_empty_job)
{
	struct worker *w = worker_open();

	cr_expect_eq(w->totals.counts.processed_record_count, 0);
	worker_close(w, false);
	worker_close(worker_open(), false);
}

Test(worker, counts_what_is_sealed)
{
	struct worker *w = worker_open();
	struct msg_upload_drop drop = { 0 };

	post(w, 1, 0, 100);
	upload_begin(w, 2, ENCODING_IDENTITY);
	upload_data(w, 2, "{\"time\":1455100000}", 19);
	send_msg(w, MSG_UPLOAD_DROP, 2, &drop);
	post(w, 3, 100, 50);
	cr_expect_eq(w->totals.counts.processed_record_count, 150);
	cr_expect_eq(w->totals.counts.last_data_time, 1700000000000);
	worker_close(w, true);
}

Test(worker, empty_upload_is_no_error)
{
	struct worker *w = worker_open();

	upload(w, 1, ENCODING_IDENTITY, "", 0);
	cr_expect_eq(expect_counts(w, 1).processed_record_count, 0);
	upload(w, 2, ENCODING_GZIP, "", 0);
	cr_expect_eq(expect_counts(w, 2).processed_record_count, 0);
	worker_close(w, true);
}

Test(worker, uploads_arrive_side_by_side_and_count_in_the_order_of_seals)
{
	struct worker *w = worker_open();
	size_t alen, blen;
	char *a = records(0, 100, &alen), *b = records(10, 70, &blen);

	upload_begin(w, 1, ENCODING_IDENTITY);
	upload_begin(w, 2, ENCODING_IDENTITY);
	upload_data(w, 1, a, 1000);
	upload_data(w, 2, b, 777);
	upload_data(w, 1, a + 1000, alen - 1000);
	upload_data(w, 2, b + 777, blen - 777);
	upload_seal(w, 2, b, blen);
	upload_seal(w, 1, a, alen);
	cr_expect_eq(expect_counts(w, 2).processed_record_count, 70);
	/* Minutes 0 to 9 are of the hour in which the other one ended. */
	cr_expect_eq(expect_counts(w, 1).input_bytes, alen);
	cr_expect_eq(data_counts_input_records(&w->totals.counts), 170);
	worker_close(w, true);
	free(a);
	free(b);
}

static void *
gzipped(const void *data, size_t len, size_t *gzlen)
{
	uint8_t *out = malloc(len + 1000);
	z_stream z = { 0 };

	cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)(len + 1000);
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	*gzlen = len + 1000 - z.avail_out;
	deflateEnd(&z);
	return out;
}

Test(worker, undoes_gzip)
{
	struct worker *w = worker_open();
	size_t len, gzlen;
	char *text = records(0, 5000, &len);
	void *gz = gzipped(text, len, &gzlen);
	struct data_counts c;

	upload(w, 1, ENCODING_GZIP, gz, gzlen);
	c = expect_counts(w, 1);
	cr_expect_eq(c.processed_record_count, 5000);
	cr_expect_eq(c.input_bytes, len);
	worker_close(w, true);
	free(text);
	free(gz);
}

Test(worker, broken_encodings_count_nothing_and_harm_nobody)
{
	struct worker *w = worker_open();
	size_t len, gzlen;
	char *text = records(0, 100, &len);
	void *gz = gzipped(text, len, &gzlen);

	upload(w, 1, ENCODING_GZIP, text, len);
	expect_failed(w, 1, 400);
	upload(w, 2, ENCODING_GZIP, gz, gzlen - 1);
	expect_failed(w, 2, 400);
	upload(w, 3, ENCODING_ZSTD, gz, gzlen);
	expect_failed(w, 3, 400);
	post(w, 4, 0, 10);
	cr_expect_eq(w->totals.counts.processed_record_count, 10);
	worker_close(w, true);
	free(text);
	free(gz);
}

Test(worker, bomb_is_stopped_at_the_limit_while_others_go_on)
{
	struct worker *w = worker_spawn();
	size_t len = 64 * 1024 * 1024, gzlen;
	void *zeros = calloc(1, len);
	void *gz = gzipped(zeros, len, &gzlen);

	worker_greet(w, 1024 * 1024);
	worker_ready(w);
	upload(w, 1, ENCODING_GZIP, gz, gzlen);
	expect_failed(w, 1, 413);
	post(w, 2, 0, 10);
	cr_expect_eq(tmpdir_count("spool"), 0);
	worker_close(w, true);
	free(zeros);
	free(gz);
}

Test(worker, large_upload_goes_by_the_spool_into_the_journal)
{
	struct worker *w = worker_open();

	post(w, 1, 0, 100);
	post(w, 2, 100, 50000);
	cr_expect_eq(tmpdir_count("spool"), 0);
	cr_expect_eq(tmpdir_count("journal"), 2);
	post(w, 3, 50100, 1);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 50101);
	worker_close(w, true);
}

Test(worker, state_is_kept_over_a_close)
{
	struct worker *w = worker_open();
	struct data_counts before;

	post(w, 1, 0, 1000);
	before = w->totals.counts;
	worker_close(w, true);
	cr_expect_eq(tmpdir_count("snapshots"), 1);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 1000);
	cr_expect_eq(w->totals.counts.latest_record_timestamp,
	    before.latest_record_timestamp);
	post(w, 1, 1000, 10);
	cr_expect_eq(w->totals.counts.processed_record_count, 1010);
	worker_close(w, true);
	/* Nothing new: nothing to write. */
	worker_close(worker_open(), false);
	cr_expect_eq(tmpdir_count("snapshots"), 2);
}

/* The entries that a bad snapshot held are in the journal still. */
Test(worker, damaged_snapshot_is_no_loss)
{
	char cmd[128];
	struct worker *w = worker_open();

	post(w, 1, 0, 1000);
	worker_close(w, true);
	w = worker_open();
	post(w, 1, 1000, 500);
	worker_close(w, true);
	snprintf(cmd, sizeof(cmd),
	    "truncate -s -1 $(ls %s/snapshots/* | tail -1)", worker_dir);
	cr_assert_eq(system(cmd), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 1500);
	cr_expect_eq(tmpdir_count("quarantine"), 1);
	worker_close(w, true);
}

Test(worker, answered_counts_survive_a_kill)
{
	struct worker *w = worker_open();
	struct data_counts before;

	for (uint32_t i = 0; i < 20; i++)
		post(w, i + 1, (int)i * 100, 100);
	before = w->totals.counts;
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(memcmp(&w->totals.counts, &before, sizeof(before)), 0);
	post(w, 1, 2000, 100);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 2100);
	worker_close(w, true);
}

/* Twenty uploads, every one of them the worker's last if it is to die. */
static char *
results_of_a_life(bool deaths, struct data_counts *counts)
{
	struct worker *w = worker_open();
	char *dump;

	for (uint32_t i = 1; i <= 20; i++) {
		post(w, i, (int)i * 600, 600);
		if (!deaths)
			continue;
		worker_kill(w);
		w = worker_open();
	}
	*counts = w->totals.counts;
	worker_close(w, true);
	dump = results_dump();
	worker_forget();
	return dump;
}

/* Exactly once, and to the last bit: replay repeats models, not results. */
Test(worker, results_are_the_same_with_and_without_deaths)
{
	struct data_counts counts, again;
	char *whole = results_of_a_life(false, &counts);
	char *pieces = results_of_a_life(true, &again);

	cr_expect_gt(strlen(whole), 1000);
	cr_expect_str_eq(pieces, whole);
	cr_expect_eq(memcmp(&again, &counts, sizeof(counts)), 0);
	free(whole);
	free(pieces);
}

/* Killed at any moment, a sealed upload counts whole or not at all. */
Test(worker, kill_in_the_midst_of_an_upload_leaves_all_or_nothing)
{
	size_t len;
	char *text = records(0, 100000, &len);

	for (int i = 0; i < 8; i++) {
		struct worker *w = worker_open();
		uint64_t had = w->totals.counts.processed_record_count;

		cr_expect_eq(
		    data_counts_input_records(&w->totals.counts) % 100000, 0,
		    "%llu", (unsigned long long)had);
		upload(w, 1, ENCODING_IDENTITY, text, len);
		usleep((useconds_t)i * 5000);
		worker_kill(w);
	}
	free(text);
}

Test(worker, flush_waits_its_turn_and_is_replayed)
{
	struct worker *w = worker_open();
	struct msg_flushed m;
	size_t len;
	char *text = records(0, 20000, &len);
	int64_t advance = BASE_TIME + 60 * 20000 + 10 * SPAN;

	upload(w, 1, ENCODING_IDENTITY, text, len);
	flush(w, 2, advance);
	expect_counts(w, 1);
	expect_msg(w, MSG_FLUSHED, 2, &m);
	cr_expect_eq(
	    m.last_finalized_bucket_end_ms, advance / SPAN * SPAN * 1000);
	worker_kill(w);
	w = worker_open();
	flush(w, 3, TIME_UNSET);
	expect_msg(w, MSG_FLUSHED, 3, &m);
	cr_expect_eq(
	    m.last_finalized_bucket_end_ms, advance / SPAN * SPAN * 1000);
	worker_close(w, true);
	free(text);
}

Test(worker, ping_is_answered_in_the_midst_of_work)
{
	struct worker *w = worker_open();
	struct msg_ping ping = { .token = 99 };
	struct msg_pong pong;
	size_t len;
	char *text = records(0, 400000, &len);

	upload(w, 1, ENCODING_IDENTITY, text, len);
	send_msg(w, MSG_PING, 0, &ping);
	expect_msg(w, MSG_PONG, 0, &pong);
	cr_expect_eq(pong.token, 99);
	cr_expect(pong.busy);
	expect_counts(w, 1);
	ping.token = 100;
	send_msg(w, MSG_PING, 0, &ping);
	cr_expect_gt(pong.progress, 0);
	expect_msg(w, MSG_PONG, 0, &pong);
	cr_expect_not(pong.busy);
	worker_close(w, true);
	free(text);
}

Test(worker, close_finishes_what_is_sealed_and_drops_the_rest)
{
	struct worker *w = worker_open();
	size_t len;
	char *text = records(0, 50000, &len);
	struct msg_close close = { .keep = true };
	struct msg_closed closed;

	upload_begin(w, 1, ENCODING_IDENTITY);
	upload_data(w, 1, text, len / 2);
	upload(w, 2, ENCODING_IDENTITY, text, len);
	send_msg(w, MSG_CLOSE, 0, &close);
	cr_expect_eq(expect_counts(w, 2).processed_record_count, 50000);
	expect_msg(w, MSG_CLOSED, 0, &closed);
	expect_exit(w, 0);
	cr_expect_eq(tmpdir_count("spool"), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 50000);
	worker_close(w, false);
	free(text);
}

Test(worker, forced_close_writes_no_state_and_loses_none)
{
	struct worker *w = worker_open();
	struct msg_close close = { .keep = false };

	post(w, 1, 0, 100);
	send_msg(w, MSG_CLOSE, 0, &close);
	expect_exit(w, 0);
	cr_expect_eq(tmpdir_count("snapshots"), 0);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 100);
	worker_close(w, true);
}

Test(worker, ends_when_the_supervisor_is_gone)
{
	struct worker *w = worker_open();

	cr_assert_eq(shutdown(w->fd, SHUT_WR), 0);
	expect_exit(w, 0);
}

Test(worker, garbage_ends_it)
{
	static const uint8_t garbage[64] = { 0xff, 0xfe };
	struct worker *w = worker_open();

	send_bytes(w, garbage, sizeof(garbage));
	expect_exit(w, 1);
}

Test(worker, upload_that_is_not_what_was_sealed_ends_it)
{
	struct worker *w = worker_open();

	upload_begin(w, 1, ENCODING_IDENTITY);
	upload_data(w, 1, "{\"time\":1}", 10);
	upload_seal(w, 1, "{\"time\":2}", 10);
	expect_exit(w, 1);
}

Test(worker, data_of_no_upload_ends_it)
{
	struct worker *w = worker_open();

	upload_data(w, 7, "x", 1);
	expect_exit(w, 1);
}

Test(worker, message_before_its_time_ends_it)
{
	struct worker *w = worker_spawn();

	upload_begin(w, 1, ENCODING_IDENTITY);
	expect_exit(w, 1);
}

Test(worker, signals_to_the_group_do_not_end_it)
{
	struct worker *w = worker_open();

	kill(w->pid, SIGTERM);
	kill(w->pid, SIGINT);
	post(w, 1, 0, 10);
	worker_close(w, true);
}

/* A window of 8 MB each: not for any number of clients at once. */
Test(worker, too_many_uploads_at_once_are_put_off)
{
	struct worker *w = worker_open();
	uint32_t n;

	for (n = 1; n <= 64; n++)
		upload_begin(w, n, ENCODING_ZSTD);
	upload_begin(w, n, ENCODING_ZSTD);
	expect_failed(w, n, 429);
	upload_data(w, n, "late", 4);
	for (n++; n <= 513; n++)
		upload_begin(w, n, ENCODING_GZIP);
	upload_begin(w, n, ENCODING_IDENTITY);
	expect_failed(w, n, 429);
	worker_close(w, false);
}

/* The supervisor may have sent on before it read that they are put off. */
Test(worker, late_data_of_any_number_of_refused_uploads_is_no_fault)
{
	struct worker *w = worker_open();
	const uint32_t most = 512, last = 2000;

	for (uint32_t n = 1; n <= last; n++)
		upload_begin(w, n, ENCODING_IDENTITY);
	for (uint32_t n = most + 1; n <= last; n++)
		expect_failed(w, n, 429);
	upload_data(w, most + 1, "late", 4);
	upload_data(w, last, "late", 4);
	worker_close(w, false);
}

/* Files cannot grow past a limit, as on a full disk. */
Test(worker, full_disk_fails_the_upload_alone)
{
	struct worker *w = worker_spawn_limited(128 * 1024);
	size_t len;
	char *text = records(0, 50000, &len);

	worker_greet(w, 0);
	worker_ready(w);
	upload(w, 1, ENCODING_IDENTITY, text, len);
	expect_failed(w, 1, 503);
	upload(w, 2, ENCODING_IDENTITY, text, 200 * 1024);
	expect_failed(w, 2, 503);
	post(w, 3, 0, 10);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 10);
	worker_close(w, true);
	free(text);
}

Test(worker, successor_waits_for_its_predecessor)
{
	struct worker *first = worker_open(), *second = worker_spawn();

	worker_greet(second, 0);
	post(first, 1, 0, 100);
	worker_close(first, true);
	worker_ready(second);
	cr_expect_eq(second->totals.counts.processed_record_count, 100);
	worker_close(second, false);
}

Test(worker, malformed_upload_fails_and_keeps_what_came_before)
{
	static const char text[] = "{\"time\":1455000000,\"value\":1}\n"
				   "{\"time\":1455000060,";
	struct worker *w = worker_open();

	upload(w, 1, ENCODING_IDENTITY, text, strlen(text));
	expect_failed(w, 1, 400);
	cr_expect_eq(w->totals.counts.processed_record_count, 1);
	post(w, 2, 2, 10);
	worker_kill(w);
	w = worker_open();
	cr_expect_eq(w->totals.counts.processed_record_count, 11);
	worker_close(w, true);
}
