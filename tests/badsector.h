/*
 * A page of a file that the disk cannot read. Of programs that are linked with
 * --wrap=mmap: whoever reads it in a mapping gets SIGBUS, as from a bad sector.
 * Mappings that are there already stay as they are.
 */
#ifndef TESTS_BADSECTOR_H
#define TESTS_BADSECTOR_H

#include <stddef.h>

/*
 * In a page of which the byte at this offset is one; NULL: there is none any
 * more. Where this was not called, the file "bad-sector" in the current
 * directory says it: the path, a space, the offset. The path may be a pattern,
 * as in a shell.
 */
void badsector_set(const char *path, size_t at);

#endif
