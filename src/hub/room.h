/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room: for bodies of requests that are being received, shared by who sends them.
 *
 * A body may be announced and then come slowly, or never end.  Nobody gets more than SN_ROOM_EACH,
 * and nobody more than half of what is left: however few want all of it, there is something for
 * the next one.  Loop thread only.
 */
#ifndef SONDE_HUB_ROOM_H
#define SONDE_HUB_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#define SN_ROOM_EACH (16 * 1024 * 1024) /* bytes of one identity at once */

struct sn_room;

struct sn_room *sn_room_create(uint64_t bytes); /* in all */
void sn_room_destroy(struct sn_room *room);

/* False when it is too much for `who` now; what is taken is given back with sn_room_give(). */
bool sn_room_take(struct sn_room *room, const char *who, uint64_t bytes);
void sn_room_give(struct sn_room *room, const char *who, uint64_t bytes);
uint64_t sn_room_taken(const struct sn_room *room, const char *who); /* NULL: by all */

#endif
