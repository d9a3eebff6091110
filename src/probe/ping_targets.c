/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_targets.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define CAPACITY_MIN 16

void sn_ping_targets_finish(struct sn_ping_targets *targets)
{
	for (uint32_t i = 0; i < targets->count; i++) {
		free(targets->items[i].name);
		free(targets->items[i].error);
	}
	free(targets->items);
	free(targets->slots);
	*targets = (struct sn_ping_targets){0};
}

/* Adding ---------------------------------------------------------------------------------- */

/* Names are looked up, not checked; this keeps out what would spoil output and messages. */
static bool plausible(struct sn_str text)
{
	if (text.n == 0 || text.n > SN_PING_TARGET_TEXT_MAX || text.p[0] == '-')
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!isalnum((unsigned char)text.p[i]) && strchr(".:-_%@", text.p[i]) == NULL)
			return false;
	}
	return memchr(text.p, '\0', text.n) == NULL;
}

int sn_ping_targets_add(struct sn_ping_targets *targets, struct sn_str text, struct sn_err *err)
{
	if (!plausible(text))
		return sn_err_set(err, -EINVAL,
				  "cannot ping '%.*s': this is neither a host name nor an address",
				  (int)SN_MIN(text.n, (size_t)SN_PING_TARGET_TEXT_MAX), text.p);
	if (targets->count >= SN_PING_TARGETS_MAX)
		return sn_err_set(err, -E2BIG,
				  "cannot ping more than %d targets (split them over several runs)",
				  SN_PING_TARGETS_MAX);
	if (targets->count == targets->capacity) {
		targets->capacity = SN_MAX(targets->capacity * 2, (uint32_t)CAPACITY_MIN);
		targets->items =
			sn_xrealloc(targets->items, targets->capacity, sizeof(*targets->items));
	}
	targets->items[targets->count++] = (struct sn_ping_target){
		.name = sn_xstrndup(text.p, text.n),
	};
	return 0;
}

int sn_ping_targets_read(struct sn_ping_targets *targets, FILE *file, const char *name,
			 struct sn_err *err)
{
	char line[SN_PING_TARGET_TEXT_MAX + 64];
	struct sn_str text;
	unsigned long number = 0;
	int rc;

	while (fgets(line, sizeof(line), file) != NULL) {
		number++;
		text = sn_str_trim(sn_str(line));
		if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n')
			return sn_err_set(err, -EINVAL,
					  "cannot read targets from '%s', line %lu: "
					  "the line is too long",
					  name, number);
		if (text.n == 0 || text.p[0] == '#')
			continue;
		rc = sn_ping_targets_add(targets, text, err);
		if (rc != 0)
			return sn_err_wrap(err, "cannot read targets from '%s', line %lu", name,
					   number);
	}
	if (ferror(file))
		return sn_err_sys(err, -EIO, "cannot read targets from '%s'", name);
	return 0;
}

/* Addresses ------------------------------------------------------------------------------- */

static void unresolved(struct sn_ping_target *target, const char *why)
{
	target->addr.length = 0;
	free(target->error);
	target->error = sn_xstrdup(why);
}

/* Nothing goes to where nobody may probe, and no address means that nothing is sent. */
static void spare(const struct sn_ping_targets *targets, struct sn_ping_target *target)
{
	const struct sn_prefix *network = targets->never != NULL && target->addr.length != 0
						  ? sn_prefixes_find(targets->never, &target->addr)
						  : NULL;
	char address[SN_ADDR_TEXT_MAX], text[SN_PREFIX_TEXT_MAX];
	sn_autofree char *why = NULL;

	if (network == NULL)
		return;
	why = sn_xasprintf("address %s of '%.100s' is never probed (network %s)",
			   sn_addr_format(&target->addr, address, sizeof(address)), target->name,
			   sn_prefix_format(network, text, sizeof(text)));
	unresolved(target, why);
}

static void forget_index(struct sn_ping_targets *targets)
{
	free(targets->slots);
	targets->slots = NULL;
}

static void parse(struct sn_ping_target *target, int family)
{
	target->is_name = sn_addr_parse(sn_str(target->name), 0, &target->addr) != 0;
	if (target->is_name)
		target->addr.length = 0;
	else if (sn_addr_port(&target->addr) != 0)
		unresolved(target, "an address with a port, which ICMP does not have");
	else if (family == AF_INET && target->addr.sa.sa_family != family)
		unresolved(target, "an IPv6 address, but IPv4 was asked for");
	else if (family == AF_INET6 && target->addr.sa.sa_family != family)
		unresolved(target, "an IPv4 address, but IPv6 was asked for");
}

void sn_ping_targets_parse(struct sn_ping_targets *targets, int family)
{
	for (uint32_t i = 0; i < targets->count; i++) {
		parse(&targets->items[i], family);
		spare(targets, &targets->items[i]);
	}
	forget_index(targets);
}

void sn_ping_targets_resolve(struct sn_ping_targets *targets, int family)
{
	struct sn_err err;

	for (uint32_t i = 0; i < targets->count; i++) {
		struct sn_ping_target *target = &targets->items[i];

		if (!target->is_name)
			continue;
		if (sn_addr_resolve(target->name, family, 0, &target->addr, &err) != 0)
			unresolved(target, err.text);
		spare(targets, target);
	}
	forget_index(targets);
}

void sn_ping_targets_refuse(struct sn_ping_targets *targets, int family, const char *why)
{
	for (uint32_t i = 0; i < targets->count; i++) {
		struct sn_ping_target *target = &targets->items[i];

		if (target->addr.length != 0 && target->addr.sa.sa_family == family)
			unresolved(target, why);
	}
	forget_index(targets);
}

bool sn_ping_target_set_addr(struct sn_ping_targets *targets, uint32_t index,
			     const struct sn_addr *addr)
{
	struct sn_ping_target *target = &targets->items[index];

	free(target->error);
	target->error = NULL;
	if (target->addr.length != 0 && sn_addr_equal_host(&target->addr, addr))
		return false;
	target->addr = *addr;
	spare(targets, target);
	forget_index(targets);
	return true;
}

/* Index ----------------------------------------------------------------------------------- */

/* The bytes that make an address, without scope and port: replies need not repeat those. */
static const void *host_bytes(const struct sn_addr *addr, size_t *size)
{
	if (addr->sa.sa_family == AF_INET6) {
		*size = sizeof(addr->in6.sin6_addr);
		return &addr->in6.sin6_addr;
	}
	*size = sizeof(addr->in.sin_addr);
	return &addr->in.sin_addr;
}

static uint32_t home_slot(const struct sn_ping_targets *targets, const struct sn_addr *addr)
{
	size_t size;
	const void *bytes = host_bytes(addr, &size);

	return (uint32_t)sn_hash(bytes, size) & targets->slot_mask;
}

static bool same_host(const struct sn_addr *a, const struct sn_addr *b)
{
	size_t size, other;
	const void *bytes = host_bytes(a, &size);

	return a->sa.sa_family == b->sa.sa_family &&
	       memcmp(bytes, host_bytes(b, &other), size) == 0;
}

/* The slot of `addr`: its own, or the empty one where it belongs. */
static uint32_t *find_slot(const struct sn_ping_targets *targets, const struct sn_addr *addr)
{
	uint32_t slot = home_slot(targets, addr);

	/* At most half of the slots are taken, so this ends. */
	while (targets->slots[slot] != 0 &&
	       !same_host(&targets->items[targets->slots[slot] - 1].addr, addr))
		slot = (slot + 1) & targets->slot_mask;
	return &targets->slots[slot];
}

static void make_index(struct sn_ping_targets *targets)
{
	uint32_t size = CAPACITY_MIN;

	while (size < targets->count * 2)
		size *= 2;
	targets->slots = sn_xcalloc(size, sizeof(*targets->slots));
	targets->slot_mask = size - 1;
	for (uint32_t i = targets->count; i-- > 0;) {
		struct sn_ping_target *target = &targets->items[i];
		uint32_t *slot;

		if (target->addr.length == 0)
			continue;
		slot = find_slot(targets, &target->addr);
		target->next_same = *slot;
		*slot = i + 1;
	}
}

int64_t sn_ping_targets_find(struct sn_ping_targets *targets, const struct sn_addr *addr)
{
	if (targets->slots == NULL)
		make_index(targets);
	return (int64_t)*find_slot(targets, addr) - 1;
}
