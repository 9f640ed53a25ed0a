/* Owns the cutting of a stream into uploads. */
#include "common/compat.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ctl/pieces.h"

#define HASH_BYTES 16
#define GZ_BUFFER_BYTES (256 * 1024)

struct pieces {
	struct pieces_form form;
	gzFile file; /* owned */
	char *room;  /* owned: header, then what was read */
	size_t header_len;
	size_t len;  /* read and not yet given, behind the header */
	size_t used; /* of len: given with the last piece */
	uint64_t offset;
	bool ended;
};

static int
fail(char *why, size_t whylen, const char *text)
{
	strlcpy(why, text, whylen);
	return -1;
}

struct pieces *
pieces_new(int fd, const struct pieces_form *form, char *why, size_t whylen)
{
	struct pieces *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->file = gzdopen(fd, "rb");
	if (p == NULL || p->file == NULL) {
		close(fd);
		free(p);
		fail(why, whylen, "out of memory");
		return NULL;
	}
	p->form = *form;
	/* The header is no longer than a piece. */
	p->room = malloc(2 * form->max_bytes);
	if (p->room == NULL || gzbuffer(p->file, GZ_BUFFER_BYTES) != 0) {
		fail(why, whylen, "out of memory");
		pieces_free(p);
		return NULL;
	}
	return p;
}

void
pieces_free(struct pieces *p)
{
	if (p == NULL)
		return;
	(void)gzclose(p->file);
	free(p->room);
	free(p);
}

static int
read_failed(struct pieces *p, char *why, size_t whylen)
{
	int code;
	const char *text = gzerror(p->file, &code);

	return fail(why, whylen, code == Z_ERRNO ? strerror(errno) : text);
}

/* What follows a full piece: its last line may be the last of all. */
static int
look_ahead(struct pieces *p, char *why, size_t whylen)
{
	int c = gzgetc(p->file), code = Z_OK;

	if (c != -1)
		return gzungetc(c, p->file) == -1 ? read_failed(p, why, whylen)
						  : 0;
	(void)gzerror(p->file, &code);
	if (code != Z_OK && code != Z_STREAM_END)
		return read_failed(p, why, whylen);
	p->ended = true;
	return 0;
}

/* Until a piece is full or the stream is at its end. */
static int
fill(struct pieces *p, char *why, size_t whylen)
{
	while (!p->ended && p->len < p->form.max_bytes) {
		int n = gzread(p->file, p->room + p->header_len + p->len,
		    (unsigned)(p->form.max_bytes - p->len));

		if (n < 0)
			return read_failed(p, why, whylen);
		p->len += (size_t)n;
		/* One that breaks off ends like one that is whole. */
		if (n == 0 && look_ahead(p, why, whylen) == -1)
			return -1;
	}
	return p->ended ? 0 : look_ahead(p, why, whylen);
}

/* The first line stays where it is; the rest follows as pieces. */
static int
take_header(struct pieces *p, char *why, size_t whylen)
{
	const char *end = memchr(p->room, '\n', p->len);

	if (end == NULL && !p->ended)
		return fail(why, whylen,
		    "its first line is longer than a piece (--piece)");
	p->header_len = end == NULL ? p->len : (size_t)(end - p->room) + 1;
	p->len -= p->header_len;
	p->offset = p->header_len;
	return fill(p, why, whylen);
}

static void
make_key(const struct pieces *p, struct piece *piece)
{
	const char *tag = p->form.tag != NULL ? p->form.tag : "";
	uint64_t offset = htobe64(piece->offset);
	crypto_generichash_state st;
	uint8_t hash[HASH_BYTES];
	char hex[2 * HASH_BYTES + 1];

	crypto_generichash_init(&st, NULL, 0, sizeof(hash));
	crypto_generichash_update(
	    &st, (const uint8_t *)p->form.name, strlen(p->form.name) + 1);
	crypto_generichash_update(&st, (const uint8_t *)tag, strlen(tag) + 1);
	crypto_generichash_update(
	    &st, (const uint8_t *)&offset, sizeof(offset));
	crypto_generichash_update(
	    &st, (const uint8_t *)piece->data, piece->len);
	crypto_generichash_final(&st, hash, sizeof(hash));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(piece->key, sizeof(piece->key), "anomctl-%s", hex);
}

/* How much of what was read makes a piece; 0: no line ends in it. */
static size_t
cut(const struct pieces *p)
{
	const char *start = p->room + p->header_len, *end;

	if (p->ended)
		return p->len;
	end = memrchr(start, '\n', p->len);
	return end == NULL ? 0 : (size_t)(end - start) + 1;
}

int
pieces_next(struct pieces *p, struct piece *piece, char *why, size_t whylen)
{
	bool first = p->offset == 0 && p->used == 0;

	if (p->used > 0)
		memmove(p->room + p->header_len,
		    p->room + p->header_len + p->used, p->len - p->used);
	p->len -= p->used;
	p->offset += p->used;
	p->used = 0;
	if (fill(p, why, whylen) == -1)
		return -1;
	if (first && p->form.header && take_header(p, why, whylen) == -1)
		return -1;
	if (p->len == 0)
		return 0;
	p->used = cut(p);
	if (p->used == 0) {
		snprintf(why, whylen,
		    "the line at byte %ju is longer than a piece (--piece)",
		    (uintmax_t)p->offset);
		return -1;
	}
	piece->data = p->room;
	piece->len = p->header_len + p->used;
	piece->offset = p->offset;
	make_key(p, piece);
	return 1;
}

bool
pieces_is_gzip(const struct pieces *p)
{
	return gzdirect(p->file) == 0;
}

uint64_t
pieces_position(const struct pieces *p)
{
	z_off_t at = gzoffset(p->file);

	/* A pipe has no place: then what came out of it. */
	return at < 0 ? p->offset + p->len : (uint64_t)at;
}
