/* Frames and the table of messages: every entry is walked. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame.h"
#include "common/msg.h"

/* As long as the longest field has to be. */
static const char filler[] = "abcdefghijklmnopqrstuvwxyz0123456789";

/* A struct of the message with each field at its least allowed value. */
static void *
least(const struct schema *sc)
{
	char *obj = calloc(1, sc->size);

	for (size_t i = 0; i < sc->nfields; i++) {
		const struct schema_field *f = &sc->fields[i];
		void *v = obj + f->offset;

		switch (f->kind) {
		case SCHEMA_BOOL:
			break;
		case SCHEMA_U8:
			*(uint8_t *)v = (uint8_t)f->lo;
			break;
		case SCHEMA_U16:
			*(uint16_t *)v = (uint16_t)f->lo;
			break;
		case SCHEMA_U32:
			*(uint32_t *)v = (uint32_t)f->lo;
			break;
		case SCHEMA_U64:
			*(uint64_t *)v = (uint64_t)f->lo;
			break;
		case SCHEMA_I64:
			*(int64_t *)v =
			    isinf(f->lo) ? INT64_MIN : (int64_t)f->lo;
			break;
		case SCHEMA_F64:
			*(double *)v = isinf(f->lo) ? -1.5 : f->lo;
			break;
		case SCHEMA_STR:
		case SCHEMA_BYTES:
			cr_assert_lt(f->lo, sizeof(filler));
			*(struct span *)v =
			    (struct span){ filler, (size_t)f->lo };
			break;
		}
	}
	return obj;
}

Test(frame, every_message_survives_the_round_trip)
{
	const struct msg_info *m;

	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		struct frame_header h;
		unsigned state = m->states & (~m->states + 1);
		unsigned from = m->from & (~m->from + 1);
		struct wbuf wb;
		void *obj, *back;

		if (m->schema == NULL)
			continue;
		obj = least(m->schema);
		back = calloc(1, m->schema->size);
		wbuf_init(&wb, 0);
		cr_assert_eq(frame_put(&wb, (uint16_t)m->type, 7, obj), 0, "%s",
		    m->name);
		cr_assert_eq(frame_get_header(wb.data, from, state, &h, NULL),
		    0, "%s", m->name);
		cr_expect_eq(h.request, 7);
		cr_expect_eq(h.len + FRAME_HEADER_BYTES, wb.len);
		cr_expect_eq(msg_decode(h.type, wb.data + FRAME_HEADER_BYTES,
				 h.len, back, NULL),
		    0, "%s", m->name);
		free(obj);
		free(back);
		wbuf_clear(&wb);
	}
}

Test(frame, every_truncation_is_refused)
{
	const struct msg_info *m;

	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		struct wbuf wb;
		void *obj, *back;

		if (m->schema == NULL)
			continue;
		obj = least(m->schema);
		back = calloc(1, m->schema->size);
		wbuf_init(&wb, 0);
		cr_assert_eq(schema_encode(m->schema, obj, &wb), 0);
		for (size_t len = 0; len < wb.len; len++) {
			uint8_t *exact = malloc(len + 1);

			memcpy(exact, wb.data, len);
			cr_expect_eq(msg_decode((uint16_t)m->type, exact, len,
					 back, NULL),
			    -1, "%s cut to %zu", m->name, len);
			free(exact);
		}
		free(obj);
		free(back);
		wbuf_clear(&wb);
	}
}

/* Nothing to assert on the verdict: only that no flip is read out of bounds. */
Test(frame, every_bit_flip_gives_a_verdict)
{
	const struct msg_info *m;
	unsigned refused = 0;

	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		struct wbuf wb;
		void *obj, *back;

		if (m->schema == NULL)
			continue;
		obj = least(m->schema);
		back = calloc(1, m->schema->size);
		wbuf_init(&wb, 0);
		cr_assert_eq(schema_encode(m->schema, obj, &wb), 0);
		for (size_t bit = 0; bit < wb.len * 8; bit++) {
			wb.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			if (msg_decode((uint16_t)m->type, wb.data, wb.len, back,
				NULL) == -1)
				refused++;
			wb.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		free(obj);
		free(back);
		wbuf_clear(&wb);
	}
	cr_expect_gt(refused, 0);
}

static int
judge(const struct msg_info *m, size_t len, unsigned from, unsigned state)
{
	uint8_t head[FRAME_HEADER_BYTES];
	struct frame_header h;

	frame_put_header(head, (uint16_t)m->type, 0, len);
	return frame_get_header(head, from, state, &h, NULL);
}

Test(frame, length_outside_the_table_is_refused_before_allocating)
{
	const struct msg_info *m;

	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		unsigned state = m->states & (~m->states + 1);

		cr_expect_eq(
		    judge(m, m->max, m->from, state), 0, "%s", m->name);
		cr_expect_eq(
		    judge(m, m->max + 1, m->from, state), -1, "%s", m->name);
		cr_expect_eq(
		    judge(m, m->min, m->from, state), 0, "%s", m->name);
		if (m->min > 0)
			cr_expect_eq(judge(m, m->min - 1, m->from, state), -1,
			    "%s", m->name);
	}
}

Test(frame, wrong_sender_and_wrong_state_are_refused)
{
	const struct msg_info *m;

	for (size_t i = 0; (m = msg_at(i)) != NULL; i++) {
		for (unsigned from = FROM_SUP; from <= FROM_KPR; from <<= 1)
			cr_expect_eq(judge(m, m->min, from, IN_ANY) == 0,
			    (m->from & from) != 0, "%s", m->name);
		for (unsigned st = IN_START; st <= IN_CLOSING; st <<= 1)
			cr_expect_eq(judge(m, m->min, m->from, st) == 0,
			    (m->states & st) != 0, "%s", m->name);
	}
}

Test(frame, ids_are_used_once)
{
	const struct msg_info *a, *b;

	for (size_t i = 0; (a = msg_at(i)) != NULL; i++)
		for (size_t k = i + 1; (b = msg_at(k)) != NULL; k++)
			cr_expect_neq(
			    a->type, b->type, "%s %s", a->name, b->name);
}

Test(frame, reserved_bits_and_unknown_types_are_refused)
{
	uint8_t head[FRAME_HEADER_BYTES];
	struct frame_header h;

	frame_put_header(head, MSG_PING, 0, 8);
	cr_assert_eq(frame_get_header(head, FROM_SUP, IN_OPEN, &h, NULL), 0);
	head[7] = 1;
	cr_expect_eq(frame_get_header(head, FROM_SUP, IN_OPEN, &h, NULL), -1);
	frame_put_header(head, 4711, 0, 8);
	cr_expect_eq(frame_get_header(head, FROM_SUP, IN_OPEN, &h, NULL), -1);
}
