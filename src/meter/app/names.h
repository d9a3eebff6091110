/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: texts that flows share (host names, agents, version lists), stored once;
 * and the answers of DNS that name the flows which follow them (Bermudez et al.,
 * "DNS to the rescue", IMC 2012; Tstat's DN-Hunter).
 *
 * Both are bounded and belong to one process; they lock themselves, because
 * several workers use them.
 */
#ifndef SONDE_METER_APP_NAMES_H
#define SONDE_METER_APP_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Names ------------------------------------------------------------------- */
#define SN_NAME_MAX 1024 /* longer texts are cut */

struct sn_name { /* immutable */
	uint32_t references, hash;
	struct sn_name *next;
	uint16_t length;
	char text[]; /* terminated */
};

struct sn_name_pool;
struct sn_name_pool *sn_name_pool_create(size_t memory_max);
void sn_name_pool_destroy(struct sn_name_pool *names); /* all of them; NULL is fine */
/* A reference to the name, NULL for an empty text or when memory_max is reached (counted). */
struct sn_name *sn_name_take(struct sn_name_pool *names, struct sn_str text);
void sn_name_give(struct sn_name_pool *names, struct sn_name *name); /* NULL is fine */
size_t sn_name_pool_memory(const struct sn_name_pool *names);
uint64_t sn_name_pool_refused(const struct sn_name_pool *names);

/* NULL gives the empty text. */
static inline struct sn_str sn_name_text(const struct sn_name *name)
{
	return name != NULL ? (struct sn_str){name->text, name->length} : (struct sn_str){0};
}

/* Answers of DNS ---------------------------------------------------------- */
#define SN_DNS_CACHE_DEFAULT 100000 /* Tstat's dns_cache_size */

struct sn_dns_hit { /* immutable but for the count */
	uint32_t references;
	struct sn_name *name; /* the name that was asked for, so that aliases are looked through */
	uint64_t resolver[2]; /* address as in struct sn_decoded */
	uint8_t resolver_family;
	int64_t asked_ns, answered_ns; /* asked: 0 if the question was not seen */
};

struct sn_dns_cache;
/* Oldest entries give way. */
struct sn_dns_cache *sn_dns_cache_create(struct sn_name_pool *names, size_t entries);
void sn_dns_cache_destroy(struct sn_dns_cache *cache);
/* `client` was told that `address` is `name`; all families mix. */
void sn_dns_cache_add(struct sn_dns_cache *cache, const uint64_t client[2],
		      const uint64_t address[2], struct sn_str name,
		      const struct sn_dns_hit *facts);
/*
 * The newest answer at `now_ns` or before; a reference, NULL if there is none.  (Entries of the
 * future come from a worker that is ahead.)
 */
struct sn_dns_hit *sn_dns_cache_find(struct sn_dns_cache *cache, const uint64_t client[2],
				     const uint64_t address[2], int64_t now_ns);
void sn_dns_hit_give(struct sn_dns_cache *cache, struct sn_dns_hit *hit); /* NULL is fine */

#endif
