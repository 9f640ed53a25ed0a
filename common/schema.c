/* Owns the encoding and decoding of structs that are declared as schemas. */
#include "common/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"

static bool
in_range(const struct schema_field *f, double v)
{
	return v >= f->lo && v <= f->hi;
}

static int
encode_field(const struct schema_field *f, const char *obj, struct wbuf *wb)
{
	const void *v = obj + f->offset;
	const struct span *s;

	switch (f->kind) {
	case SCHEMA_BOOL:
		return wire_put_u8(wb, *(const bool *)v ? 1 : 0);
	case SCHEMA_U8:
		if (!in_range(f, *(const uint8_t *)v))
			goto range;
		return wire_put_u8(wb, *(const uint8_t *)v);
	case SCHEMA_U16:
		if (!in_range(f, *(const uint16_t *)v))
			goto range;
		return wire_put_u16(wb, *(const uint16_t *)v);
	case SCHEMA_U32:
		if (!in_range(f, *(const uint32_t *)v))
			goto range;
		return wire_put_u32(wb, *(const uint32_t *)v);
	case SCHEMA_U64:
		if (!in_range(f, (double)*(const uint64_t *)v))
			goto range;
		return wire_put_u64(wb, *(const uint64_t *)v);
	case SCHEMA_I64:
		if (!in_range(f, (double)*(const int64_t *)v))
			goto range;
		return wire_put_i64(wb, *(const int64_t *)v);
	case SCHEMA_F64:
		if (!isfinite(*(const double *)v) ||
		    !in_range(f, *(const double *)v))
			goto range;
		return wire_put_f64(wb, *(const double *)v);
	case SCHEMA_STR:
	case SCHEMA_BYTES:
		s = v;
		if (!in_range(f, (double)s->len) || s->len > UINT32_MAX)
			goto range;
		if (f->kind == SCHEMA_STR && !wire_utf8_ok(s->p, s->len))
			goto range;
		if (wire_put_u32(wb, (uint32_t)s->len) == -1)
			return -1;
		return wire_put_bytes(wb, s->p, s->len);
	}
range:
	errno = EINVAL;
	return -1;
}

int
schema_encode(const struct schema *sc, const void *obj, struct wbuf *wb)
{
	for (size_t i = 0; i < sc->nfields; i++) {
		errno = 0;
		if (encode_field(&sc->fields[i], obj, wb) == -1) {
			if (errno != EINVAL)
				errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

static int
decode_span(const struct schema_field *f, struct rbuf *rb, struct span *s)
{
	const uint8_t *p;
	uint32_t len;

	if (wire_get_u32(rb, &len) == -1 || !in_range(f, len) ||
	    wire_get_bytes(rb, &p, len) == -1)
		return -1;
	if (f->kind == SCHEMA_STR && !wire_utf8_ok(p, len))
		return -1;
	s->p = (const char *)p;
	s->len = len;
	return 0;
}

static int
decode_field(const struct schema_field *f, struct rbuf *rb, char *obj)
{
	void *v = obj + f->offset;
	uint8_t u8;

	switch (f->kind) {
	case SCHEMA_BOOL:
		if (wire_get_u8(rb, &u8) == -1 || u8 > 1)
			return -1;
		*(bool *)v = u8 == 1;
		return 0;
	case SCHEMA_U8:
		return wire_get_u8(rb, v) == -1 || !in_range(f, *(uint8_t *)v)
		    ? -1
		    : 0;
	case SCHEMA_U16:
		return wire_get_u16(rb, v) == -1 || !in_range(f, *(uint16_t *)v)
		    ? -1
		    : 0;
	case SCHEMA_U32:
		return wire_get_u32(rb, v) == -1 || !in_range(f, *(uint32_t *)v)
		    ? -1
		    : 0;
	case SCHEMA_U64:
		return wire_get_u64(rb, v) == -1 ||
			!in_range(f, (double)*(uint64_t *)v)
		    ? -1
		    : 0;
	case SCHEMA_I64:
		return wire_get_i64(rb, v) == -1 ||
			!in_range(f, (double)*(int64_t *)v)
		    ? -1
		    : 0;
	case SCHEMA_F64:
		return wire_get_f64(rb, v) == -1 || !isfinite(*(double *)v) ||
			!in_range(f, *(double *)v)
		    ? -1
		    : 0;
	case SCHEMA_STR:
	case SCHEMA_BYTES:
		return decode_span(f, rb, v);
	}
	return -1;
}

int
schema_decode(
    const struct schema *sc, struct rbuf *rb, void *obj, const char **badfield)
{
	memset(obj, 0, sc->size);
	for (size_t i = 0; i < sc->nfields; i++) {
		if (decode_field(&sc->fields[i], rb, obj) == -1) {
			if (badfield != NULL)
				*badfield = sc->fields[i].name;
			errno = EBADMSG;
			return -1;
		}
	}
	return 0;
}

static size_t
kind_width(enum schema_kind kind)
{
	switch (kind) {
	case SCHEMA_BOOL:
	case SCHEMA_U8:
		return 1;
	case SCHEMA_U16:
		return 2;
	case SCHEMA_U32:
	case SCHEMA_STR:
	case SCHEMA_BYTES:
		return 4;
	case SCHEMA_U64:
	case SCHEMA_I64:
	case SCHEMA_F64:
		return 8;
	}
	return 0;
}

static size_t
schema_bytes(const struct schema *sc, bool greatest)
{
	size_t n = 0;

	for (size_t i = 0; i < sc->nfields; i++) {
		const struct schema_field *f = &sc->fields[i];

		n += kind_width(f->kind);
		if (f->kind == SCHEMA_STR || f->kind == SCHEMA_BYTES)
			n += (size_t)(greatest ? f->hi : f->lo);
	}
	return n;
}

size_t
schema_min_bytes(const struct schema *sc)
{
	return schema_bytes(sc, false);
}

size_t
schema_max_bytes(const struct schema *sc)
{
	return schema_bytes(sc, true);
}

struct span
span_of(const char *cstr)
{
	return (struct span){ cstr, cstr == NULL ? 0 : strlen(cstr) };
}

bool
span_eq(struct span s, const char *cstr)
{
	size_t len = strlen(cstr);

	return s.len == len && (len == 0 || memcmp(s.p, cstr, len) == 0);
}

char *
span_dup(struct span s)
{
	char *copy = malloc(s.len + 1);

	if (copy == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	return copy;
}
