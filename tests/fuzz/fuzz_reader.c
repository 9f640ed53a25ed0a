/*
 * The readers, on any bytes: they end, stay inside, give values that lie in
 * the upload or in their own memory and are UTF-8, and twice the same. Also
 * the intake behind them: what it counts adds up.
 *
 * The first byte chooses: bit 0 the delimited format, bits 1 and 2 its
 * delimiter, bit 3 a job whose time field is an analysis field too, the others
 * in how small slices the upload is read a second time.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "worker/intake.h"
#include "worker/reader.h"
#include "worker/utf8.h"

#define SLICE_OVERRUN 1024 /* bytes: a number may be as long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_value(const struct field_value *f)
{
	const char *p = f->p, *end;
	size_t n;

	require(f->present || f->len == 0);
	if (f->len == 0)
		return;
	for (end = p + f->len; p < end; p += n) {
		n = utf8_len(p, end);
		require(n > 0);
	}
}

static uint32_t
check_record(const struct record *rec, size_t nfields, uint32_t sum)
{
	require(rec->nfields == nfields + 1);
	sum = crc32c(sum, &rec->value_count, sizeof(rec->value_count));
	for (size_t i = 0; i < rec->nfields; i++) {
		const struct field_value *f = &rec->field[i];

		check_value(f);
		sum = crc32c(sum, &f->present, sizeof(f->present));
		sum = crc32c(sum, f->p, f->len);
	}
	return sum;
}

static void
check_counts(const struct data_counts *dc, uint64_t records, size_t len)
{
	require(data_counts_input_records(dc) == records);
	require(dc->input_bytes <= len);
	require(dc->empty_bucket_count + dc->sparse_bucket_count <=
	    dc->bucket_count);
	require(dc->processed_record_count == 0 ||
	    dc->earliest_record_timestamp != TIME_UNSET);
}

/* One upload; its checksum, so that two can be compared. */
static uint32_t
read_upload(struct reader *r, const struct jobconf *jc, const char *data,
    size_t len, size_t slice)
{
	struct intake *in = intake_new(jc);
	const struct record *rec;
	uint64_t records = 0;
	uint32_t sum = 0;
	struct apierr e;
	size_t bytes = 0;
	int64_t time_s;
	int rc;

	require(in != NULL);
	reader_set_slice(r, slice);
	reader_begin(r, data, len);
	intake_begin(in, 1700000000000);
	while ((rc = reader_next(r, &rec, &e)) > 0) {
		require(reader_bytes(r) >= bytes);
		require(reader_bytes(r) - bytes <= slice + SLICE_OVERRUN);
		bytes = reader_bytes(r);
		require(bytes <= len);
		if (rc == 2)
			continue;
		sum = check_record(rec, jc->nfields, sum);
		(void)intake_record(in, rec, &time_s);
		require(++records <= len);
	}
	require(rc == 0 ? reader_bytes(r) == len : e.status == 400);
	intake_end(in, reader_bytes(r), 1700000000000, rc == -1);
	check_counts(intake_incremental(in), records, len);
	intake_free(in);
	return crc32c(sum, &rc, sizeof(rc));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char delimiters[] = ",;\t|";
	char time_field[] = "time", time_format[] = "epoch";
	char a[] = "a", ab[] = "a.b", b[] = "b";
	char *fields[] = { a, ab, b, time_field };
	unsigned mode = len > 0 ? data[0] : 0;
	struct jobconf jc = {
		.bucket_span_s = 60,
		.latency_s = 90,
		.format = (mode & 1u) != 0 ? FORMAT_DELIMITED : FORMAT_XCONTENT,
		.field_delimiter = delimiters[mode >> 1 & 3u],
		.quote_character = '"',
		.time_field = time_field,
		.time_format = time_format,
		.nfields = (mode & 8u) != 0 ? 4 : 3,
		.field = fields,
	};
	struct reader *r = reader_new(&jc);
	const char *body = (const char *)data + (len > 0);
	size_t body_len = len > 0 ? len - 1 : 0;

	require(r != NULL);
	/* bits 4 to 7: small slices, which must not change anything */
	require(read_upload(r, &jc, body, body_len, READER_SLICE) ==
	    read_upload(r, &jc, body, body_len, 1 + (mode >> 4)));
	reader_free(r);
	return 0;
}
