/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: text keys to pointers; keyed hash (SipHash), so that keys from outside
 * cannot be chosen to collide.  Keys are copied, values are borrowed unless a
 * release function is given.
 */
#ifndef SONDE_BASE_MAP_H
#define SONDE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sn_map;
typedef void sn_map_release_fn(void *value);

struct sn_map *sn_map_create(sn_map_release_fn *release); /* `release` may be NULL */
void sn_map_destroy(struct sn_map *map);
size_t sn_map_count(const struct sn_map *map);
void *sn_map_get(const struct sn_map *map, const char *key);
/* Replaces (and releases) a value that is there already. */
void sn_map_set(struct sn_map *map, const char *key, void *value);
bool sn_map_remove(struct sn_map *map, const char *key);
/* Walk in no particular order: start with *cursor = 0; false at the end.  No changes meanwhile. */
bool sn_map_next(const struct sn_map *map, size_t *cursor, const char **key, void **value);

/*
 * SipHash-2-4 with a key drawn once per process; also used by tables of other shapes, and by any
 * thread.
 */
uint64_t sn_hash(const void *data, size_t size);

#endif
