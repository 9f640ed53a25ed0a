/*
 * The framing of messages: a header that is frozen for ever, then the payload.
 *
 *	u32 length   bytes of payload
 *	u16 type     enum msg_type
 *	u16 reserved 0
 *	u32 request  whom it concerns: an upload, a query, ...; 0: the job
 *
 * All big-endian.
 */
#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/wire.h"

#define FRAME_HEADER_BYTES 12

struct frame_header {
	uint32_t len;
	uint16_t type;
	uint32_t request;
};

/* Write the header of a payload of len bytes to FRAME_HEADER_BYTES at dst. */
void frame_put_header(
    uint8_t *dst, uint16_t type, uint32_t request, size_t len);

/*
 * Read a header and judge it before anything is allocated: known type,
 * reserved is 0, length within the table, sender and state allowed.
 *
 * from   FROM_* of the peer that sent it
 * state  the one IN_* of the channel
 *
 * Returns 0, or -1 with EBADMSG; *why (may be NULL) is then a static text.
 */
int frame_get_header(const uint8_t *src, unsigned from, unsigned state,
    struct frame_header *, const char **why) MUST_CHECK;

/*
 * Append a whole frame to wb: the header and the encoding of obj (the struct
 * of that message). Returns 0, or -1 as schema_encode; wb is then unchanged.
 */
int frame_put(struct wbuf *wb, uint16_t type, uint32_t request,
    const void *obj) MUST_CHECK;
/* The same for a message of bare bytes. */
int frame_put_raw(struct wbuf *wb, uint16_t type, uint32_t request,
    const void *data, size_t len) MUST_CHECK;

#endif
