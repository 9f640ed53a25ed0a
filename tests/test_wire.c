/* The bounded reader and writer, and schemas over them. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/msg.h"
#include "common/wire.h"

Test(wire, numbers_come_back_as_they_went)
{
	struct wbuf wb;
	struct rbuf rb;
	uint16_t u16;
	int64_t i64;
	double f64;

	wbuf_init(&wb, 0);
	cr_assert_eq(wire_put_u16(&wb, 0xbeef), 0);
	cr_assert_eq(wire_put_i64(&wb, INT64_MIN), 0);
	cr_assert_eq(wire_put_f64(&wb, -0.1), 0);
	rbuf_init(&rb, wb.data, wb.len);
	cr_assert_eq(wire_get_u16(&rb, &u16), 0);
	cr_assert_eq(wire_get_i64(&rb, &i64), 0);
	cr_assert_eq(wire_get_f64(&rb, &f64), 0);
	cr_expect_eq(u16, 0xbeef);
	cr_expect_eq(i64, INT64_MIN);
	cr_expect_eq(f64, -0.1);
	cr_expect_eq(rb.left, 0);
	wbuf_clear(&wb);
}

Test(wire, reading_past_the_end_fails_and_stays_failed)
{
	uint8_t b[3] = { 1, 2, 3 }, u8;
	struct rbuf rb;
	uint32_t u32;

	rbuf_init(&rb, b, sizeof(b));
	cr_expect_eq(wire_get_u32(&rb, &u32), -1);
	cr_expect_eq(u32, 0);
	cr_expect_eq(wire_get_u8(&rb, &u8), -1);
}

Test(wire, writer_stops_at_its_limit)
{
	struct wbuf wb;

	wbuf_init(&wb, 5);
	cr_expect_eq(wire_put_u32(&wb, 1), 0);
	cr_expect_eq(wire_put_u16(&wb, 1), -1);
	cr_expect(wb.bad);
	wbuf_clear(&wb);
}

Test(wire, utf8_is_strict)
{
	cr_expect(wire_utf8_ok("gr\xc3\xbc\xc3\x9f", 6));
	cr_expect(wire_utf8_ok("\xf4\x8f\xbf\xbf", 4));
	cr_expect_not(wire_utf8_ok("\xc0\x80", 2));
	cr_expect_not(wire_utf8_ok("\xed\xa0\x80", 3));
	cr_expect_not(wire_utf8_ok("\xf4\x90\x80\x80", 4));
	cr_expect_not(wire_utf8_ok("\xe2\x82", 2));
	cr_expect_not(wire_utf8_ok("a\0b", 3));
}

/* RFC 3720 appendix B.4. */
Test(crc32c, published_vectors)
{
	uint8_t b[32];

	memset(b, 0, sizeof(b));
	cr_expect_eq(crc32c(0, b, 32), 0x8a9136aau);
	memset(b, 0xff, sizeof(b));
	cr_expect_eq(crc32c(0, b, 32), 0x62a8ab43u);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	cr_expect_eq(crc32c(0, b, 32), 0x46dd794eu);
	cr_expect_eq(crc32c(crc32c(0, b, 7), b + 7, 25), 0x46dd794eu);
	cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283u);
}
