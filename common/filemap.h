/*
 * Files seen as memory, for reading. Of a page that the disk cannot read (a bad
 * sector, or the file was cut meanwhile) the kernel does not say so in errno:
 * it ends the process by SIGBUS. Here the page becomes zeros instead, which no
 * checksum of ours takes for content, and the mapping remembers it. So whoever
 * finds a checksum wrong asks filemap_failed before calling it damage: what
 * cannot be read now may be whole, and is not to be moved, cut or replaced.
 *
 * For processes of one thread.
 */
#ifndef COMMON_FILEMAP_H
#define COMMON_FILEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/*
 * Map the first len bytes of a file; fd may be closed after it. *map is NULL
 * when len is 0. Returns 0, or -1 with errno; *map is NULL then.
 */
int filemap_open(int fd, size_t len, void **map) MUST_CHECK;

/* Also of memory that is no file's. map may be NULL. Keeps errno. */
void filemap_close(void *map, size_t len);

/*
 * Could a page not be read so far? *at is where the first such page begins.
 * False for memory that is no file's, and for NULL.
 */
#define FILEMAP_WHY "the disk cannot read it"
bool filemap_failed(const void *map, size_t *at);

/*
 * Its content was checked, and zeros in it would go unseen: a page that cannot
 * be read ends the process now, with exit status 1 and a line in the log that
 * begins with the name. Until it is not in use any more, but checked again.
 *
 * name  copied, and cut to FILEMAP_NAME_BYTES
 */
#define FILEMAP_NAME_BYTES 96
void filemap_set_name(const void *map, const char *name);
void filemap_set_in_use(const void *map, bool);

#endif
