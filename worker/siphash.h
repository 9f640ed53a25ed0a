/*
 * SipHash-1-3 (Aumasson and Bernstein, Indocrypt 2012): a keyed hash of bytes.
 * Without the key nobody can make values that meet on purpose.
 * Inline, for it is asked with each value of each record.
 */
#ifndef WORKER_SIPHASH_H
#define WORKER_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/compat.h"

static inline uint64_t
siphash_rotate(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static inline void
siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = siphash_rotate(v[1], 13) ^ v[0];
	v[3] = siphash_rotate(v[3], 16) ^ v[2];
	v[0] = siphash_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = siphash_rotate(v[1], 17) ^ v[2];
	v[3] = siphash_rotate(v[3], 21) ^ v[0];
	v[2] = siphash_rotate(v[2], 32);
}

static inline uint64_t
siphash(const uint64_t key[2], const char *p, size_t len)
{
	uint64_t v[4], word;
	size_t left = len;

	v[0] = key[0] ^ 0x736f6d6570736575u;
	v[1] = key[1] ^ 0x646f72616e646f6du;
	v[2] = key[0] ^ 0x6c7967656e657261u;
	v[3] = key[1] ^ 0x7465646279746573u;
	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		v[3] ^= word;
		siphash_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)(unsigned char)p[i] << 8 * i;
	v[3] ^= word;
	siphash_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
