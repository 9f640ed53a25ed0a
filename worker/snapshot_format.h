/* What the writer and the reader of snapshots share; see snapshot.h. */
#ifndef WORKER_SNAPSHOT_FORMAT_H
#define WORKER_SNAPSHOT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "worker/snapshot.h"

/* The checksum of a block of so many bytes: no other place could have it. */
uint32_t snapshot_block_crc(
    uint32_t tag, uint32_t number, const void *data, size_t len);

#endif
