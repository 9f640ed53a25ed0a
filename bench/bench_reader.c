/*
 * What a record costs the reader: a body of equal-shaped records of 123 bytes
 * and five members, three of them wanted, is read again and again.
 *
 * usage: bench_reader [rounds]
 */
#include "common/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/intake.h"
#include "worker/reader.h"

#define RECORDS 100000u
#define RECORD_BYTES 123
#define START_S 1403481600

static char *
make_body(size_t *len)
{
	char *body = malloc((size_t)RECORDS * (RECORD_BYTES + 1) + 1);

	if (body == NULL)
		exit(1);
	*len = 0;
	for (unsigned i = 0; i < RECORDS; i++) {
		char *line = body + *len;
		int n = snprintf(line, RECORD_BYTES + 2,
		    "{\"time\":%u,\"airline\":\"A%02u\",\"responsetime\":%u.%"
		    "04u,"
		    "\"sourcetype\":\"farequote\",\"message\":\"",
		    START_S + i / 10, i % 100, 100 + i % 900, i % 10000);

		while (n < RECORD_BYTES - 2)
			line[n++] = 'm';
		memcpy(line + n, "\"}\n", 3);
		*len += RECORD_BYTES + 1;
	}
	return body;
}

static double
read_body(struct reader *r, struct intake *in, const char *body, size_t len)
{
	const struct record *rec;
	int64_t start = clock_mono_us(), time_s;
	unsigned long n = 0;
	struct apierr e;
	int rc;

	reader_begin(r, body, len);
	if (in != NULL)
		intake_begin(in, 0);
	while ((rc = reader_next(r, &rec, &e)) > 0) {
		if (rc == 2)
			continue;
		n++;
		if (in != NULL)
			(void)intake_record(in, rec, &time_s);
	}
	if (n != RECORDS)
		exit(1);
	return (double)(clock_mono_us() - start) * 1000.0 / RECORDS;
}

static void
report(const char *what, const struct jobconf *jc, bool counted, int rounds)
{
	struct reader *r = reader_new(jc);
	struct intake *in = counted ? intake_new(jc) : NULL;
	double best = 1e9;
	size_t len;
	char *body = make_body(&len);

	if (r == NULL || (counted && in == NULL))
		exit(1);
	for (int i = 0; i < rounds; i++) {
		double ns = read_body(r, in, body, len);

		if (ns < best)
			best = ns;
	}
	printf("%-20s %6.1f ns/record, %5.2f GB/s\n", what, best,
	    (RECORD_BYTES + 1) / best);
	free(body);
	reader_free(r);
	intake_free(in);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20;
	char time_field[] = "time", time_format[] = "epoch";
	char by[] = "airline", field[] = "responsetime";
	char *fields[] = { by, field };
	struct jobconf jc = {
		.bucket_span_s = 3600,
		.format = FORMAT_XCONTENT,
		.time_field = time_field,
		.time_format = time_format,
		.nfields = NELEM(fields),
		.field = fields,
	};

	report("reader", &jc, false, rounds);
	report("reader and intake", &jc, true, rounds);
	return 0;
}
