/* The snapshot's layout: what was put comes back, what is damaged does not. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/snapshot.h"

#define ITEM_FIELDS(F, S)                                                      \
	F(S, U32, number, 0, 1000)                                             \
	F(S, F64, weight, 0.0, 1.0)                                            \
	F(S, STR, label, 0, 300000)
SCHEMA_STRUCT(item, ITEM_FIELDS);
SCHEMA_DEFINE(item, ITEM_FIELDS);

#define TAG_A SNAPSHOT_TAG('A', 'A', 'A', 'A')
#define TAG_B SNAPSHOT_TAG('B', 'B', 'B', 'B')

static void
put_items(struct snapshot_writer *w, uint32_t tag, uint32_t from, uint32_t to)
{
	cr_assert_eq(snapshot_section(w, tag), 0);
	for (uint32_t i = from; i < to; i++) {
		struct item it = {
			.number = i, .weight = 0.5, .label = span_of("a label")
		};

		cr_assert_eq(snapshot_put(w, &item_schema, &it), 0);
	}
}

/* A writer that holds two sections; *data is the snapshot. */
static struct snapshot_writer *
sample(const uint8_t **data, size_t *len)
{
	struct snapshot_writer *w = snapshot_writer_memory();

	put_items(w, TAG_A, 0, 3);
	put_items(w, TAG_B, 3, 4);
	cr_assert_eq(snapshot_memory(w, data, len), 0);
	return w;
}

static bool
is_refused(const void *data, size_t len)
{
	struct snapshot_reader *r = snapshot_reader_memory(data, len);
	bool refused = r == NULL || snapshot_verify(r, NULL) == -1;

	snapshot_reader_free(r);
	return refused;
}

Test(snapshot, sections_come_back_as_they_were_put)
{
	struct snapshot_reader *r;
	struct snapshot_writer *w;
	const uint8_t *data;
	struct item it;
	size_t len;

	w = sample(&data, &len);
	r = snapshot_reader_memory(data, len);
	cr_assert_not_null(r);
	cr_expect_eq(snapshot_verify(r, NULL), 0);
	cr_assert_eq(snapshot_enter(r, TAG_A), 0);
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert_eq(snapshot_get(r, &item_schema, &it), 0);
		cr_expect_eq(it.number, i);
		cr_expect(span_eq(it.label, "a label"));
	}
	cr_expect_eq(snapshot_left(r), 0);
	cr_expect_eq(snapshot_get(r, &item_schema, &it), -1);
	cr_assert_eq(snapshot_enter(r, TAG_B), 0);
	cr_assert_eq(snapshot_get(r, &item_schema, &it), 0);
	cr_expect_eq(it.number, 3);
	cr_expect_eq(snapshot_enter(r, SNAPSHOT_ENGINE), -1);
	cr_expect_eq(errno, EBADMSG);
	snapshot_reader_free(r);
	snapshot_writer_free(w);
}

Test(snapshot, every_truncation_is_refused)
{
	struct snapshot_writer *w;
	const uint8_t *data;
	size_t len;

	w = sample(&data, &len);
	cr_assert(!is_refused(data, len));
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, data, cut);
		cr_expect(is_refused(exact, cut), "cut to %zu", cut);
		free(exact);
	}
	snapshot_writer_free(w);
}

Test(snapshot, every_bit_flip_is_refused)
{
	struct snapshot_writer *w;
	const uint8_t *data;
	uint8_t *copy;
	size_t len;

	w = sample(&data, &len);
	copy = malloc(len);
	memcpy(copy, data, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		cr_expect(is_refused(copy, len), "bit %zu", bit);
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	free(copy);
	snapshot_writer_free(w);
}

Test(snapshot, bytes_after_the_end_are_refused)
{
	struct snapshot_writer *w;
	const uint8_t *data;
	uint8_t *copy;
	size_t len;

	w = sample(&data, &len);
	copy = malloc(len + 1);
	memcpy(copy, data, len);
	copy[len] = 0;
	cr_expect(is_refused(copy, len + 1));
	free(copy);
	snapshot_writer_free(w);
}

Test(snapshot, misuse_of_the_writer_is_refused_and_stays_refused)
{
	struct snapshot_writer *w = snapshot_writer_memory();
	struct item it = { .number = 1001 };

	cr_assert_eq(snapshot_section(w, TAG_A), 0);
	cr_expect_eq(snapshot_put(w, &item_schema, &it), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(snapshot_finish(w), -1);
	snapshot_writer_free(w);
	w = snapshot_writer_memory();
	it.number = 1;
	cr_expect_eq(snapshot_put(w, &item_schema, &it), -1);
	snapshot_writer_free(w);
}

/* Sections larger than the buffer: the length is patched in the file. */
Test(snapshot, file_of_several_flushes_reads_back)
{
	struct snapshot_head head = { .applied_seq = 77,
		.created_ms = 1234567,
		.job_id = span_of("job-1") };
	struct model_size size = { .model_bytes = 0 };
	FILE *f = tmpfile();
	struct snapshot_writer *w =
	    snapshot_writer_file(fileno(f), &head, &size);
	struct snapshot_reader *r;
	struct item it = { .weight = 1.0 };
	char *label = malloc(300000), *data;
	off_t len;

	memset(label, 'x', 300000);
	it.label = (struct span){ label, 300000 };
	for (uint32_t tag = TAG_A; tag < TAG_A + 3; tag++) {
		cr_assert_eq(snapshot_section(w, tag), 0);
		for (it.number = 0; it.number < 3; it.number++)
			cr_assert_eq(snapshot_put(w, &item_schema, &it), 0);
	}
	cr_assert_eq(snapshot_finish(w), 0);
	snapshot_writer_free(w);
	len = lseek(fileno(f), 0, SEEK_END);
	data = malloc((size_t)len);
	cr_assert_eq(pread(fileno(f), data, (size_t)len, 0), len);
	r = snapshot_reader_memory(data, (size_t)len);
	cr_assert_not_null(r);
	cr_expect_eq(snapshot_verify(r, NULL), 0);
	cr_expect_eq(snapshot_reader_head(r)->applied_seq, 77);
	cr_expect(span_eq(snapshot_reader_head(r)->job_id, "job-1"));
	cr_assert_eq(snapshot_enter(r, TAG_A + 2), 0);
	cr_assert_eq(snapshot_get(r, &item_schema, &it), 0);
	cr_expect_eq(it.label.len, 300000);
	snapshot_reader_free(r);
	free(label);
	free(data);
	fclose(f);
}
