/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/control/globals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "meter/control/ini.h"

enum kind { SECONDS, COUNT, MASK, IGNORED };

#define KEY(name_, kind_, member_, min_, max_)                                                     \
	{                                                                                          \
		name_, kind_, offsetof(struct sn_globals, member_), min_, max_                     \
	}
#define NO_EFFECT(name_)                                                                           \
	{                                                                                          \
		name_, IGNORED, 0, 0, 0                                                            \
	}

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	double min, max;
} keys[] = {
	KEY("tcp_idle_time", SECONDS, tcp_idle_ns, 1, 86400 * 366),
	KEY("udp_idle_time", SECONDS, udp_idle_ns, 1, 86400 * 366),
	KEY("tcp_singleton_time", SECONDS, tcp_singleton_ns, 1, 86400 * 366),
	KEY("udp_singleton_time", SECONDS, udp_singleton_ns, 1, 86400 * 366),
	KEY("max_time_step", SECONDS, step_ns, 1, 86400 * 366),
	KEY("log_periodic_interval", SECONDS, periodic_ns, 1, 86400),
	KEY("runtime_config_idle", SECONDS, runtime_check_ns, 0.1, 86400),
	KEY("max_tcp_pairs", COUNT, max_tcp_flows, 1, 100000000),
	KEY("max_udp_pairs", COUNT, max_udp_flows, 1, 100000000),
	KEY("dirs", COUNT, directories, 1, 1000000),
	KEY("dns_cache_size", COUNT, dns_cache_size, 1, 100000000),
	KEY("max_seg_per_quad", COUNT, max_segments, 1, 65535),
	KEY("runtime_mtime_counter", COUNT, runtime_checks, 0, 1000),
	KEY("crypto_ipv6_mask_0", MASK, crypto_ipv6_masks[0], 0, UINT32_MAX),
	KEY("crypto_ipv6_mask_1", MASK, crypto_ipv6_masks[1], 0, UINT32_MAX),
	KEY("crypto_ipv6_mask_2", MASK, crypto_ipv6_masks[2], 0, UINT32_MAX),
	KEY("crypto_ipv6_mask_3", MASK, crypto_ipv6_masks[3], 0, UINT32_MAX),
	NO_EFFECT("hash_table_size"),
	NO_EFFECT("gc_cycle_time"),
	NO_EFFECT("gc_split_ratio"),
	NO_EFFECT("max_internal_hosts"),
	NO_EFFECT("max_cloud_hosts"),
	NO_EFFECT("max_crypto_hosts"),
	NO_EFFECT("max_white_hosts"),
	NO_EFFECT("max_internal_ethers"),
	NO_EFFECT("max_crypto_cache_size"),
	NO_EFFECT("dns_cache_size_ipv6"),
	NO_EFFECT("rate_sampling"),
	NO_EFFECT("list_search_dept"),
	NO_EFFECT("entropy_sample"),
	NO_EFFECT("entropy_threshold"),
	NO_EFFECT("min_delta_t_tcp_dup_pkt"),
	NO_EFFECT("min_delta_t_udp_dup_pkt"),
	NO_EFFECT("max_adx_slots"),
};

void sn_globals_default(struct sn_globals *globals)
{
	*globals = (struct sn_globals){
		.tcp_idle_ns = 300 * SN_NS_PER_S,
		.udp_idle_ns = 200 * SN_NS_PER_S,
		.tcp_singleton_ns = 10 * SN_NS_PER_S,
		.udp_singleton_ns = 10 * SN_NS_PER_S,
		.step_ns = 300 * SN_NS_PER_S,
		.periodic_ns = SN_NS_PER_S,
		.runtime_check_ns = 21 * SN_NS_PER_S,
		.max_tcp_flows = 180000,
		.max_udp_flows = 360000,
		.directories = 12,
		.dns_cache_size = 100000,
		.max_segments = 100,
		.runtime_checks = 3,
		.crypto_ipv6_masks = {0xffffffff, 0xf0f0f0f0, 0x0f0f0f0f, 0},
	};
}

/* Masks are hexadecimal, with or without 0x. */
static int parse_mask(struct sn_str text, double *number)
{
	char copy[16], *end;

	if (text.n == 0 || text.n >= sizeof(copy))
		return -EINVAL;
	snprintf(copy, sizeof(copy), "%.*s", (int)text.n, text.p);
	*number = (double)strtoull(copy, &end, 16);
	return *end == '\0' ? 0 : -EINVAL;
}

static void store(const struct key *key, double number, struct sn_globals *globals)
{
	unsigned char *member = (unsigned char *)globals + key->offset;

	if (key->kind == SECONDS)
		*(int64_t *)(void *)member = (int64_t)(number * SN_NS_PER_S);
	else
		*(uint64_t *)(void *)member = (uint64_t)number;
}

struct reading {
	struct sn_globals *globals;
	struct sn_buf *ignored;
};

static int read_key(struct sn_str section, struct sn_str name, struct sn_str value, void *ctx,
		    struct sn_err *err)
{
	const struct reading *reading = ctx;
	int found = sn_ini_find(name, keys, SN_COUNT(keys), sizeof(keys[0]), err), result;
	const struct key *key = &keys[SN_MAX(found, 0)];
	double number = 0;

	if (found < 0)
		return found;
	if (!sn_str_eqc(section, "globals"))
		return sn_err_set(err, -EINVAL, "'%s' is not in section [globals]", key->name);
	result = key->kind == MASK ? parse_mask(value, &number)
				   : sn_parse_double(value, 0, 1e18, &number);
	if (result != 0)
		return sn_err_set(err, -EINVAL, "'%.*s' is not a number of at least 0",
				  (int)SN_MIN(value.n, (size_t)64), value.p);
	if (key->kind == IGNORED) {
		if (reading->ignored != NULL)
			sn_buf_addf(reading->ignored, "%s%s", reading->ignored->n > 0 ? " " : "",
				    key->name);
		return 0;
	}
	if (number < key->min || number > key->max)
		return sn_err_set(err, -ERANGE, "'%s' cannot be %g (%g to %g)", key->name, number,
				  key->min, key->max);
	store(key, number, reading->globals);
	return 0;
}

int sn_globals_parse(struct sn_str text, const char *name, struct sn_globals *globals,
		     struct sn_buf *ignored, struct sn_err *err)
{
	struct sn_globals read = *globals;
	struct reading reading = {.globals = &read, .ignored = ignored};
	int result = sn_ini_parse(text, name, read_key, &reading, err);

	if (result == 0)
		*globals = read;
	return result;
}
