/*
 * The names of the time zones that the machine's zone data has, read once: the
 * supervisor opens no file while it serves.
 */
#ifndef COMMON_ZONES_H
#define COMMON_ZONES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/compat.h"

struct zones;

#define ZONES_MAX 4096 /* there are about 600 */

/* Where the machine has its zone data: /usr/share/zoneinfo, or TZDIR. */
const char *zones_dir(void);
/* Whether the file, read from where it stands, is a compiled zone. */
bool zones_is_zone(int fd);

/*
 * Read the names of all compiled zones (TZif, RFC 9636) below a directory.
 * NULL with errno when it cannot be read or memory is out; a directory without
 * zones gives a list without names. At most ZONES_MAX names are kept.
 */
struct zones *zones_load(const char *dir);
void zones_free(struct zones *); /* NULL is fine */

size_t zones_count(const struct zones *); /* NULL: 0 */

/*
 * Is this the name of a zone, as IANA writes it? UTC is known also when there
 * is no zone data (NULL).
 */
bool zones_has(const struct zones *, const char *name);

#endif
