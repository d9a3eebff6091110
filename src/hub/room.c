/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/room.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct sn_room {
	struct sn_map *of; /* uint64_t, by identity */
	uint64_t bytes, taken;
};

struct sn_room *sn_room_create(uint64_t bytes)
{
	struct sn_room *room = sn_new(struct sn_room);

	room->of = sn_map_create(free);
	room->bytes = bytes;
	return room;
}

void sn_room_destroy(struct sn_room *room)
{
	if (room == NULL)
		return;
	sn_map_destroy(room->of);
	free(room);
}

uint64_t sn_room_taken(const struct sn_room *room, const char *who)
{
	const uint64_t *of = who != NULL ? sn_map_get(room->of, who) : &room->taken;

	return of != NULL ? *of : 0;
}

bool sn_room_take(struct sn_room *room, const char *who, uint64_t bytes)
{
	uint64_t *of = sn_map_get(room->of, who);
	uint64_t wanted = bytes + (of != NULL ? *of : 0);

	if (wanted > SN_ROOM_EACH || bytes > (room->bytes - room->taken) / 2)
		return false;
	if (of == NULL) {
		of = sn_new(uint64_t);
		sn_map_set(room->of, who, of);
	}
	*of = wanted;
	room->taken += bytes;
	return true;
}

void sn_room_give(struct sn_room *room, const char *who, uint64_t bytes)
{
	uint64_t *of = sn_map_get(room->of, who);

	if (of == NULL)
		return;
	bytes = SN_MIN(bytes, *of);
	*of -= bytes;
	room->taken -= bytes;
	if (*of == 0)
		sn_map_remove(room->of, who);
}
