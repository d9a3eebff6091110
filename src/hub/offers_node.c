/* SPDX-License-Identifier: Apache-2.0 */
/* Offers of our own nodes: they follow from methods and addresses of the newest heartbeat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/offers_internal.h"
#include "net/addr.h"

/* Addresses ---------------------------------------------------------------------- */

enum reach { REACH_NONE, REACH_LOOPBACK, REACH_LINK, REACH_PRIVATE, REACH_GLOBAL };

/* RFC 6890: what is not reachable from everywhere. */
static enum reach reach_of_ip4(const struct in_addr *address)
{
	static const struct {
		uint32_t network;
		unsigned length;
		enum reach reach;
	} special[] = {
		{0x7f000000, 8, REACH_LOOPBACK}, {0xa9fe0000, 16, REACH_LINK},
		{0x0a000000, 8, REACH_PRIVATE},  {0xac100000, 12, REACH_PRIVATE},
		{0xc0a80000, 16, REACH_PRIVATE}, {0x64400000, 10, REACH_PRIVATE},
		{0x00000000, 8, REACH_NONE},     {0xe0000000, 3, REACH_NONE},
	};
	uint32_t bits = ntohl(address->s_addr);

	for (size_t i = 0; i < SN_COUNT(special); i++) {
		if ((bits ^ special[i].network) >> (32 - special[i].length) == 0)
			return special[i].reach;
	}
	return REACH_GLOBAL;
}

static enum reach reach_of_ip6(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_LOOPBACK(address))
		return REACH_LOOPBACK;
	if (IN6_IS_ADDR_LINKLOCAL(address))
		return REACH_LINK;
	if (IN6_IS_ADDR_MULTICAST(address) || IN6_IS_ADDR_UNSPECIFIED(address) ||
	    IN6_IS_ADDR_V4MAPPED(address))
		return REACH_NONE;
	return (address->s6_addr[0] & 0xfe) == 0xfc ? REACH_PRIVATE : REACH_GLOBAL;
}

struct best {
	enum reach reach;
	char text[SN_ADDR_TEXT_MAX]; /* "" for none */
};

/* An address with a zone is none outside of its machine. */
static void consider(struct best best[2], const char *text)
{
	struct sn_addr addr;
	enum reach reach;
	struct best *of;

	if (strchr(text, '%') != NULL || sn_addr_parse(sn_str(text), 0, &addr) != 0)
		return;
	if (addr.sa.sa_family == AF_INET) {
		reach = reach_of_ip4(&addr.in.sin_addr);
		of = &best[0];
	} else {
		reach = reach_of_ip6(&addr.in6.sin6_addr);
		of = &best[1];
	}
	if (reach <= of->reach)
		return;
	of->reach = reach;
	sn_addr_format(&addr, of->text, sizeof(of->text));
}

static void choose_addresses(const struct sn_node *node, struct best best[2])
{
	const json_t *interfaces = json_object_get(node->report, "interfaces");

	memset(best, 0, 2 * sizeof(*best));
	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *addresses =
			json_object_get(json_array_get(interfaces, i), "addresses");

		for (size_t j = 0; j < json_array_size(addresses); j++)
			consider(best, json_string_value(json_array_get(addresses, j)));
	}
}

/* What changed ----------------------------------------------------------------------- */

static void add_json(struct sn_buf *text, const json_t *value)
{
	sn_autofree char *dumped =
		value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	sn_buf_adds(text, dumped != NULL ? dumped : "-");
	sn_buf_addc(text, '\n');
}

static uint64_t take_hash(struct sn_buf *text)
{
	uint64_t hash = sn_hash(text->p, text->n);

	sn_buf_clear(text);
	return hash;
}

/* What its offers are made of. */
static uint64_t hash_of_ability(const struct sn_node *node, const struct best best[2],
				struct sn_buf *text)
{
	sn_buf_addf(text, "%s\n%s\n%s\n", best[0].text, best[1].text, node->version);
	add_json(text, json_object_get(node->report, "methods"));
	return take_hash(text);
}

/* What selections look at. */
static uint64_t hash_of_traits(const struct sn_node *node, struct sn_buf *text)
{
	sn_buf_addf(text, "%s\n", node->name);
	add_json(text, node->tags);
	add_json(text, json_object_get(node->report, "country"));
	add_json(text, json_object_get(node->report, "asn"));
	add_json(text, json_object_get(node->report, "interfaces"));
	return take_hash(text);
}

/* Capabilities ------------------------------------------------------------------------ */

static bool can(const struct sn_node *node, const struct sn_method *method)
{
	const json_t *methods = json_object_get(node->report, "methods");

	for (size_t i = 0; i < json_array_size(methods); i++) {
		if (strcmp(json_string_value(json_array_get(methods, i)), method->name) == 0)
			return true;
	}
	return false;
}

/* The capability of this kind at such a place, made at its first use; NULL: it cannot be there. */
static struct sn_offer_shared *share(struct sn_offers *offers, const struct sn_mp_offer *native,
				     const struct sn_node *node, const struct best best[2])
{
	bool placed = native->view != NULL; /* the method as it is does not depend on addresses */
	struct sn_mp_place place = {
		.ip4 = best[0].text[0] != '\0' ? best[0].text : NULL,
		.ip6 = best[1].text[0] != '\0' ? best[1].text : NULL,
		.software = node->version[0] != '\0' ? node->version : NULL,
	};
	sn_autofree char *key =
		sn_xasprintf("%s\n%s\n%s\n%s", native->label, placed ? best[0].text : "",
			     placed ? best[1].text : "", node->version);
	struct sn_offer_shared *shared = sn_map_get(offers->shared, key);
	struct sn_mp_message *capability;

	if (shared == NULL) {
		capability = sn_mp_offer_capability(native, offers->registries, &place);
		if (capability == NULL)
			return NULL;
		shared = sn_new(struct sn_offer_shared);
		shared->key = sn_steal(&key);
		shared->capability = capability;
		sn_map_set(offers->shared, shared->key, shared);
	}
	shared->users++;
	return shared;
}

static struct sn_offer_entry *entry_of(struct sn_offer_provider *provider,
				       const struct sn_mp_offer *native)
{
	sn_list_for_each (link, &provider->offers) {
		struct sn_offer_entry *entry = sn_list_entry(link, struct sn_offer_entry, link);

		if (entry->offer.native == native)
			return entry;
	}
	return NULL;
}

/* Brings one offer of the node up to date: there, gone, or another. */
static void set_one(struct sn_offers *offers, struct sn_offer_provider *provider,
		    const struct sn_mp_offer *native, struct sn_node *node,
		    const struct best best[2])
{
	struct sn_offer_entry *before = entry_of(provider, native), *entry;
	struct sn_offer_shared *shared =
		can(node, native->method) ? share(offers, native, node, best) : NULL;

	if (before != NULL && shared != NULL && before->shared == shared) {
		sn_offers_unshare(offers, shared);
		return;
	}
	if (before != NULL)
		sn_offers_remove(offers, before);
	if (shared == NULL)
		return;
	entry = sn_offers_insert(offers, provider, shared->capability);
	if (entry == NULL) {
		sn_offers_unshare(offers, shared);
		return;
	}
	entry->shared = shared;
	entry->offer.native = native;
	entry->offer.node = node;
	entry->offer.stale = node->state == SN_NODE_OFFLINE;
	sn_offers_tell(offers, entry, true);
}

static void set_all(struct sn_offers *offers, struct sn_offer_provider *provider,
		    struct sn_node *node, const struct best best[2])
{
	size_t count;
	const struct sn_mp_offer *natives = sn_mp_offers(&count);

	for (size_t i = 0; i < count; i++)
		set_one(offers, provider, &natives[i], node, best);
}

/* Whether it is there, and who it is. */
static void refresh(struct sn_offers *offers, struct sn_offer_provider *provider,
		    const struct sn_node *node, bool traits_changed)
{
	bool stale = node->state == SN_NODE_OFFLINE;

	sn_list_for_each (link, &provider->offers) {
		struct sn_offer_entry *entry = sn_list_entry(link, struct sn_offer_entry, link);

		if (entry->offer.stale == stale && !traits_changed)
			continue;
		entry->offer.stale = stale;
		sn_offers_tell(offers, entry, traits_changed);
	}
}

void sn_offers_set_node(struct sn_offers *offers, struct sn_node *node)
{
	char name[SN_ULID_SIZE + 8];
	struct sn_offer_provider *provider;
	struct sn_buf text = {0};
	struct best best[2];
	uint64_t ability, traits;

	snprintf(name, sizeof(name), "node:%s", node->id);
	if (node->state == SN_NODE_REVOKED) {
		sn_offers_withdraw_all(offers, name);
		return;
	}
	provider = sn_offers_provider(offers, name);
	choose_addresses(node, best);
	ability = hash_of_ability(node, best, &text);
	traits = hash_of_traits(node, &text);
	sn_buf_finish(&text);
	if (provider->can != ability)
		set_all(offers, provider, node, best);
	refresh(offers, provider, node, provider->is != 0 && provider->is != traits);
	provider->can = ability;
	provider->is = traits;
}
