/* Owns the holding back and sending of an answer's text. */
#include "common/compat.h"

#include <errno.h>

#include "common/msg.h"
#include "query/out.h"

void
out_init(struct out *o, size_t hold_max, out_send *send, void *arg)
{
	*o = (struct out){ .hold_max = hold_max, .send = send, .arg = arg };
	wbuf_init(&o->buf, 0);
}

void
out_clear(struct out *o)
{
	wbuf_clear(&o->buf);
}

static int
out_send_all(struct out *o)
{
	for (size_t pos = 0; pos < o->buf.len;) {
		size_t n = o->buf.len - pos;

		if (n > MSG_DATA_MAX)
			n = MSG_DATA_MAX;
		if (o->send(o->arg, o->buf.data + pos, n) == -1)
			return -1;
		pos += n;
		o->bytes += n;
	}
	wbuf_reset(&o->buf);
	return 0;
}

int
out_flush(struct out *o)
{
	if (o->buf.bad) {
		errno = ENOMEM;
		return -1;
	}
	if (o->streaming)
		return o->buf.len < MSG_DATA_MAX ? 0 : out_send_all(o);
	if (o->overflow || o->buf.len > o->hold_max) {
		o->overflow = true;
		wbuf_reset(&o->buf);
	}
	return 0;
}

bool
out_must_repeat(const struct out *o)
{
	return o->overflow;
}

void
out_again(struct out *o)
{
	o->overflow = false;
	o->streaming = true;
	wbuf_reset(&o->buf);
}

int
out_finish(struct out *o)
{
	if (o->buf.bad) {
		errno = ENOMEM;
		return -1;
	}
	return out_send_all(o);
}
