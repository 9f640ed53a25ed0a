/*
 * A struct declared once: from one list of fields come the C struct, its
 * encoding, its decoding with range checks, and its tests. Messages between
 * processes (msg.h), job totals (totals.h) and the snapshot of a job's state
 * (worker/snapshot.h) are all declared like this:
 *
 *	#define POINT_FIELDS(F, S)          \
 *		F(S, U32, x, 0, 1000)       \
 *		F(S, F64, weight, 0.0, 1.0) \
 *		F(S, STR, label, 0, 64)
 *	SCHEMA_STRUCT(point, POINT_FIELDS);        // in the header
 *	SCHEMA_DEFINE(point, POINT_FIELDS);        // in one .c file
 *
 * declares struct point, and const struct schema point_schema. For numbers
 * the last two columns are the least and the greatest value, for STR and
 * BYTES the least and the greatest length in bytes.
 */
#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/wire.h"

enum schema_kind {
	SCHEMA_BOOL, /* bool, one byte, 0 or 1 */
	SCHEMA_U8,
	SCHEMA_U16,
	SCHEMA_U32,
	SCHEMA_U64,
	SCHEMA_I64,
	SCHEMA_F64,   /* double, finite */
	SCHEMA_STR,   /* struct span: UTF-8 without NUL; u32 length first */
	SCHEMA_BYTES, /* struct span: any bytes; u32 length first */
};

/* Bytes that belong to somebody else. Not NUL-terminated. */
struct span {
	const char *p; /* borrowed; may be NULL when len is 0 */
	size_t len;
};

struct schema_field {
	const char *name;
	enum schema_kind kind;
	size_t offset;
	double lo;
	double hi;
};

struct schema {
	const char *name;
	size_t size; /* of the C struct */
	size_t nfields;
	const struct schema_field *fields;
};

/*
 * Append obj to wb. Returns 0, or -1 with EINVAL when a field is out of its
 * declared range, ENOMEM when wb cannot grow.
 */
int schema_encode(
    const struct schema *, const void *obj, struct wbuf *wb) MUST_CHECK;

/*
 * Read obj from rb, which then stands behind it. STR and BYTES point into the
 * memory under rb. Returns 0, or -1 with EBADMSG; *badfield (may be NULL) then
 * names the field that was short or out of range.
 */
int schema_decode(const struct schema *, struct rbuf *rb, void *obj,
    const char **badfield) MUST_CHECK;

/* Least and greatest number of bytes that an encoding can have. */
size_t schema_min_bytes(const struct schema *);
size_t schema_max_bytes(const struct schema *);

struct span span_of(const char *cstr); /* NULL gives an empty span */
bool span_eq(struct span, const char *cstr);
/* A NUL-terminated copy that the caller frees; NULL with ENOMEM. */
char *span_dup(struct span);

#define SCHEMA_TYPE_BOOL bool
#define SCHEMA_TYPE_U8 uint8_t
#define SCHEMA_TYPE_U16 uint16_t
#define SCHEMA_TYPE_U32 uint32_t
#define SCHEMA_TYPE_U64 uint64_t
#define SCHEMA_TYPE_I64 int64_t
#define SCHEMA_TYPE_F64 double
#define SCHEMA_TYPE_STR struct span
#define SCHEMA_TYPE_BYTES struct span

#define SCHEMA_MEMBER(S, kind, name, lo, hi) SCHEMA_TYPE_##kind name;
#define SCHEMA_ROW(S, kind, name, lo, hi)                                      \
	{ #name, SCHEMA_##kind, offsetof(struct S, name), (double)(lo),        \
		(double)(hi) },

#define SCHEMA_STRUCT(S, LIST)                                                 \
	struct S {                                                             \
		LIST(SCHEMA_MEMBER, S)                                         \
	};                                                                     \
	extern const struct schema S##_schema

#define SCHEMA_DEFINE(S, LIST)                                                 \
	static const struct schema_field S##_fields[] = { LIST(                \
	    SCHEMA_ROW, S) };                                                  \
	const struct schema S##_schema = { #S, sizeof(struct S),               \
		sizeof(S##_fields) / sizeof(S##_fields[0]), S##_fields }

#endif
