/*
 * The room in the file system of the state directory, and the reserve: a file
 * that takes up some of it, to be given up when nothing else is left. Until
 * both are there again, intake has to rest: so what is given up goes to work
 * that was accepted before, and to what makes room.
 */
#ifndef KEEPER_ROOM_H
#define KEEPER_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

#define ROOM_FILE "reserve"
#define ROOM_LOOK_MS 1000 /* a disk takes that long to get into trouble */

struct room;

/*
 * Look for the first time, and take or give up the reserve accordingly.
 *
 * dirfd       the state directory (borrowed)
 * low_bytes   intake rests while less than this is free
 * size_bytes  of the reserve; 0: none
 *
 * NULL with errno. A reserve that cannot be had is logged, and no more.
 */
struct room *room_open(int dirfd, uint64_t low_bytes, uint64_t size_bytes);
void room_free(struct room *); /* NULL is fine */

/*
 * Look again, and take or give up what is due. True when there is something
 * to report: intake may begin or has to rest, or the number has changed much.
 */
bool room_look(struct room *);

/*
 * The keeper itself is about to write: give up all there is when even the
 * little that it takes is not left.
 */
void room_need(struct room *);

uint64_t room_free_bytes(const struct room *); /* at the last look */
bool room_is_low(const struct room *);
/* Some of the reserve is given up. */
bool room_is_short(const struct room *);

#endif
