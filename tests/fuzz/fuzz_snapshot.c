/*
 * Fuzzes the reading of a snapshot, down to what intake and engine make of
 * their sections. Checksums are put right first when the input asks for it.
 * Input: one byte of flags, then a snapshot.
 */
#include "common/compat.h"

#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/totals.h"
#include "tests/deaf.h"
#include "tests/fuzz/snapshot_job.h"
#include "worker/engine.h"
#include "worker/intake.h"
#include "worker/snapshot_format.h"

#define REPAIR 0x01
#define HEAD_FIXED_BYTES 16 /* up to the fields */
#define BLOCK_HEAD_BYTES 8

static struct jobconf *conf;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct apierr e;

	(void)argc;
	(void)argv;
	conf =
	    jobconf_parse("job", snapshot_job, strlen(snapshot_job), NULL, &e);
	if (conf == NULL)
		abort();
	return 0;
}

static uint64_t
get_uint(const uint8_t *p, int width)
{
	uint64_t v = 0;

	for (int i = 0; i < width; i++)
		v = v << 8 | p[i];
	return v;
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Blocks from at on; returns where the section ends, or 0. */
static size_t
repair_section(uint8_t *p, size_t len, size_t at, uint32_t tag)
{
	for (uint32_t number = 0; len - at >= BLOCK_HEAD_BYTES; number++) {
		uint64_t content = get_uint(p + at, 4);
		uint64_t stored = get_uint(p + at + 4, 4);
		uint64_t n = BLOCK_HEAD_BYTES + (content == 0 ? 12 : stored);

		if (n + 4 > len - at)
			return 0;
		put_u32(p + at + n,
		    snapshot_block_crc(tag, number, p + at, (size_t)n));
		at += (size_t)n + 4;
		if (content == 0)
			return at;
	}
	return 0;
}

static void
repair(uint8_t *p, size_t len)
{
	size_t at;

	if (len < HEAD_FIXED_BYTES + 4)
		return;
	at = HEAD_FIXED_BYTES + (size_t)get_uint(p + HEAD_FIXED_BYTES - 4, 4);
	if (at > len - 4)
		return;
	put_u32(p + at, crc32c(0, p, at));
	at += 4;
	while (at != 0 && len - at >= 12) {
		uint32_t tag = (uint32_t)get_uint(p + at, 4);

		if (tag == SNAPSHOT_END) {
			put_u32(p + at + 8, crc32c(0, p + at, 8));
			return;
		}
		at = repair_section(p, len, at + 4, tag);
	}
}

/* A state that was believed must also be one that can be gone on with. */
static void
go_on(struct engine *engine)
{
	static const char who[] = "x", value[] = "17";
	const struct field_value fields[] = { { "0", 1, true },
		{ value, 2, true }, { who, 1, true } };
	const struct record record = { fields, NELEM(fields), 3 };
	int64_t last_ms = engine_last_finalized_ms(engine), t;
	struct model_size size = { 0 };

	t = last_ms == TIME_UNSET ? 0 : last_ms / 1000;
	for (int i = 0; i < 4; i++, t += 1800) {
		engine_target(engine, t);
		while (engine_step(engine) == 1)
			;
		(void)!engine_add(engine, t, &record);
	}
	while (engine_interim(engine, TIME_UNSET, TIME_UNSET) == 1)
		;
	engine_target(engine, t + 3600);
	while (engine_step(engine) == 1)
		;
	engine_size(engine, &size);
}

static void
load(struct snapshot_reader *r)
{
	struct result_sink sink = { .record = deaf_record,
		.bucket = deaf_bucket,
		.drop_interim = deaf_drop };
	struct engine *engine = engine_new(conf, &sink);
	struct intake *intake = intake_new(conf);
	struct data_counts counts;

	if (snapshot_enter(r, SNAPSHOT_TOTALS) == 0)
		while (snapshot_get(r, &data_counts_schema, &counts) == 0)
			;
	if (intake_load(intake, r) == 0)
		intake_opened(intake);
	if (engine_load(engine, r) == 0)
		go_on(engine);
	engine_free(engine);
	intake_free(intake);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot_reader *r;
	uint8_t *copy;

	if (size < 1)
		return 0;
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & REPAIR) != 0)
		repair(copy, size - 1);
	r = snapshot_reader_memory(copy, size - 1);
	if (r != NULL) {
		/* Sections are checked again when entered: both ways count. */
		if (snapshot_verify(r, NULL) == 0 || (data[0] & REPAIR) != 0)
			load(r);
		snapshot_reader_free(r);
	}
	free(copy);
	return 0;
}
