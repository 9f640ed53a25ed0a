/* Owns the form of lists of jobs in messages. */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/joblist.h"

int
joblist_put(struct wbuf *wb, const char *id, uint64_t incarnation)
{
	size_t len = strlen(id);

	if (len == 0 || len > MSG_ID_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (wire_put_u8(wb, (uint8_t)len) == 0 &&
	    wire_put_bytes(wb, id, len) == 0 &&
	    wire_put_u64(wb, incarnation) == 0)
		return 0;
	errno = ENOMEM;
	return -1;
}

int
joblist_next(struct rbuf *rb, struct joblist_entry *e)
{
	const uint8_t *id;
	uint8_t len;

	if (rb->left == 0)
		return 0;
	if (wire_get_u8(rb, &len) == -1 || len == 0 || len > MSG_ID_MAX ||
	    wire_get_bytes(rb, &id, len) == -1 ||
	    wire_get_u64(rb, &e->incarnation) == -1 ||
	    memchr(id, '/', len) != NULL || !wire_utf8_ok(id, len)) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(e->id, id, len);
	e->id[len] = '\0';
	return 1;
}

struct joblist_entry *
joblist_parse(const void *data, size_t len, size_t *n)
{
	struct joblist_entry e, *list = NULL, *grown;
	struct rbuf rb;
	int rc;

	*n = 0;
	rbuf_init(&rb, data, len);
	while ((rc = joblist_next(&rb, &e)) == 1) {
		/* Room for 1, 2, 4, 8 ... */
		if ((*n & (*n - 1)) == 0) {
			grown = reallocarray(
			    list, *n == 0 ? 1 : *n * 2, sizeof(*list));
			if (grown == NULL)
				break;
			list = grown;
		}
		list[(*n)++] = e;
	}
	if (rc == 0 && *n > 0)
		return list;
	if (rc == 0)
		errno = EBADMSG;
	free(list);
	return NULL;
}

char *
joblist_directory(
    char dst[JOBLIST_DIRECTORY_BYTES], const char *id, uint64_t incarnation)
{
	snprintf(dst, JOBLIST_DIRECTORY_BYTES, "%s.%" PRIu64, id, incarnation);
	return dst;
}
