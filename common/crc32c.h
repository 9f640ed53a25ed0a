/* The checksum of everything that is kept on disk or sealed. */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/*
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as of RFC 3720
 * appendix B.4.
 *
 * crc   0 to begin, or what the last call returned to go on
 *
 * crc32c(crc32c(0, a), b) equals crc32c(0, a followed by b).
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
