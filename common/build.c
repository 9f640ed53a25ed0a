/* Owns the look-up of the build id in the program's own headers. */
#include "common/compat.h"

#include <link.h>
#include <stdio.h>
#include <string.h>

#include "common/build.h"

#define HASH_BYTES_MAX 32

static char hash[2 * HASH_BYTES_MAX + 1];

/* The parts of a note are padded to words. */
static size_t
padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static void
print_hash(const unsigned char *desc, size_t len)
{
	for (size_t i = 0; i < len && i < HASH_BYTES_MAX; i++)
		(void)snprintf(hash + 2 * i, 3, "%02x", desc[i]);
}

static void
search_notes(const unsigned char *p, size_t len)
{
	ElfW(Nhdr) head;

	while (len >= sizeof(head)) {
		size_t size;

		memcpy(&head, p, sizeof(head));
		size = sizeof(head) + padded(head.n_namesz) +
		    padded(head.n_descsz);
		if (size > len)
			return;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
		    memcmp(p + sizeof(head), "GNU", 4) == 0) {
			print_hash(p + sizeof(head) + 4, head.n_descsz);
			return;
		}
		p += size;
		len -= size;
	}
}

/* The first object that is told of is the program; the rest are libraries. */
static int
program_cb(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_NOTE && hash[0] == '\0')
			/* An address that the loader gives as a number. */
			search_notes((const unsigned char *)info->dlpi_addr +
				ph->p_vaddr,
			    ph->p_memsz);
	}
	return 1;
}

const char *
build_hash(void)
{
	if (hash[0] == '\0')
		dl_iterate_phdr(program_cb, NULL);
	if (hash[0] == '\0')
		strlcpy(hash, "unknown", sizeof(hash));
	return hash;
}
