/*
 * Files that are damaged in every way there is: each byte another one, each
 * byte but for one bit, each length. And what the log says of it.
 */
#ifndef TESTS_DAMAGE_H
#define TESTS_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
	uint8_t *p; /* owned */
	size_t len;
};

/* Each aborts when it cannot. */
struct image image_read(const char *path);
void image_write(const char *path, const void *p, size_t len);
void image_free(struct image *);

/* One damage: what the file is now, and the first byte that has changed. */
struct damage {
	const uint8_t *p;
	size_t len;
	size_t at;
	bool is_cut; /* it ends there */
};
typedef void damage_cb(void *arg, const struct damage *);

/* All of them, one after the other; cb writes the file. */
void damage_each(const struct image *, damage_cb *, void *arg);

/* From now on the log goes to logged(). */
void logged_begin(void);
/* What was logged since the last call; lives until the next one. */
const char *logged(void);

/*
 * Does a line of the log say where this damage is? name is the end of the path
 * before the words "<mark>"; after them stands the byte where the damaged part
 * begins, which is at most span bytes before the damage.
 */
bool log_names(const char *log, const char *name, const char *mark, size_t at,
    size_t span);

#endif
