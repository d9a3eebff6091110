/* SPDX-License-Identifier: Apache-2.0 */
/* Selections: which of those that could measure shall. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/measures_internal.h"

#define LIST_MAX 10000
#define ITEM_MAX SN_PROVIDER_MAX

/* Checking ------------------------------------------------------------------------ */

static int check_any(const char *text, struct sn_err *err)
{
	(void)text, (void)err;
	return 0;
}

static int check_country(const char *text, struct sn_err *err)
{
	if (strlen(text) == 2 &&
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == 2)
		return 0;
	return sn_err_set(err, -EINVAL, "countries: '%.40s' is no code of two letters (ISO 3166)",
			  text);
}

static bool is_as(const char *text)
{
	uint64_t number;

	return strncasecmp(text, "AS", 2) == 0 &&
	       sn_parse_u64(sn_str(text + 2), 1, UINT32_MAX, &number) == 0;
}

static int check_network(const char *text, struct sn_err *err)
{
	struct sn_mp_constraint prefix = {0};
	bool good = is_as(text) ||
		    (strchr(text, ',') == NULL &&
		     sn_mp_constraint_parse(SN_MP_ADDRESS, sn_str(text), &prefix, NULL) == 0 &&
		     prefix.kind != SN_MP_ANY);

	sn_mp_constraint_finish(&prefix);
	return good ? 0
		    : sn_err_set(err, -EINVAL,
				 "networks: '%.60s' is neither like 'AS64500' nor a network like "
				 "'192.0.2.0/24'",
				 text);
}

static const struct list {
	const char *name;
	int (*check)(const char *text, struct sn_err *err);
} lists[] = {
	{"nodes", check_any},
	{"tags", check_any},
	{"countries", check_country},
	{"networks", check_network},
};

static int check_list(const struct list *list, const json_t *values, struct sn_err *err)
{
	size_t count = json_array_size(values);

	if (!json_is_array(values) || count > LIST_MAX)
		return sn_err_set(err, -EINVAL, "%s: not a list of at most %d texts", list->name,
				  LIST_MAX);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(values, i));

		if (text == NULL || text[0] == '\0' || strlen(text) >= ITEM_MAX)
			return sn_err_set(err, -EINVAL,
					  "%s: number %zu is not a text of 1 to %d bytes",
					  list->name, i + 1, ITEM_MAX - 1);
		if (list->check(text, err) != 0)
			return -EINVAL;
	}
	return 0;
}

static int check_lists(const json_t *asked, json_t *taken, struct sn_err *err)
{
	for (size_t i = 0; i < SN_COUNT(lists); i++) {
		json_t *values = json_object_get(asked, lists[i].name);

		if (values == NULL || json_is_null(values))
			continue;
		if (check_list(&lists[i], values, err) != 0)
			return -EINVAL;
		/* No tag at all is no tag in particular; no node at all is a mistake. */
		if (json_array_size(values) > 0)
			json_object_set_new(taken, lists[i].name, json_deep_copy(values));
		else if (i == 0)
			return sn_err_set(err, -EINVAL,
					  "nodes: the list is empty (leave it out for all)");
	}
	return 0;
}

static bool has_star(const json_t *nodes)
{
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		if (strcmp(json_string_value(json_array_get(nodes, i)), "*") == 0)
			return true;
	}
	return nodes == NULL;
}

int sn_select_check(const json_t *asked, json_t **selection, struct sn_err *err)
{
	json_t *taken = json_object();

	if (check_lists(asked, taken, err) != 0) {
		json_decref(taken);
		return -EINVAL;
	}
	if (has_star(json_object_get(taken, "nodes")))
		json_object_set_new(taken, "nodes", json_pack("[s]", "*"));
	*selection = taken;
	return 0;
}

bool sn_select_is_open(const json_t *selection)
{
	return has_star(json_object_get(selection, "nodes"));
}

bool sn_select_is_narrow(const json_t *selection)
{
	return json_object_size(selection) > 1; /* the nodes are always there */
}

/* Choosing ---------------------------------------------------------------------------- */

static bool has_tag(const struct sn_node *node, const char *wanted)
{
	for (size_t i = 0; i < json_array_size(node->tags); i++) {
		if (strcmp(json_string_value(json_array_get(node->tags, i)), wanted) == 0)
			return true;
	}
	return false;
}

static bool is_in_country(const struct sn_node *node, const char *wanted)
{
	const char *country = json_string_value(json_object_get(node->report, "country"));

	return country != NULL && strcasecmp(country, wanted) == 0;
}

static bool is_of_as(const struct sn_node *node, const char *wanted)
{
	const char *asn = json_string_value(json_object_get(node->report, "asn"));

	if (asn != NULL && strncasecmp(asn, "AS", 2) == 0)
		asn += 2;
	return asn != NULL && strcmp(asn, wanted + 2) == 0;
}

static bool has_address(const struct sn_node *node, const struct sn_mp_constraint *network)
{
	const json_t *interfaces = json_object_get(node->report, "interfaces");

	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *addresses =
			json_object_get(json_array_get(interfaces, i), "addresses");

		for (size_t j = 0; j < json_array_size(addresses); j++) {
			if (sn_mp_constraint_met(network,
						 json_string_value(json_array_get(addresses, j))))
				return true;
		}
	}
	return false;
}

static bool is_in_network(const struct sn_node *node, const char *wanted)
{
	struct sn_mp_constraint network = {0};
	bool is;

	if (is_as(wanted))
		return is_of_as(node, wanted);
	if (sn_mp_constraint_parse(SN_MP_ADDRESS, sn_str(wanted), &network, NULL) != 0)
		return false;
	is = has_address(node, &network);
	sn_mp_constraint_finish(&network);
	return is;
}

static bool any_fits(const json_t *values, const struct sn_node *node,
		     bool (*fits)(const struct sn_node *node, const char *wanted))
{
	for (size_t i = 0; i < json_array_size(values); i++) {
		if (fits(node, json_string_value(json_array_get(values, i))))
			return true;
	}
	return values == NULL;
}

bool sn_select_fits(const json_t *selection, const struct sn_node *node)
{
	/* Of peers nothing is known that these could be held against. */
	if (node == NULL)
		return !sn_select_is_narrow(selection);
	return any_fits(json_object_get(selection, "tags"), node, has_tag) &&
	       any_fits(json_object_get(selection, "countries"), node, is_in_country) &&
	       any_fits(json_object_get(selection, "networks"), node, is_in_network);
}

int sn_select_named(struct sn_measures *measures, const char *name, char provider[SN_PROVIDER_MAX],
		    struct sn_node **node, struct sn_err *err)
{
	static const char node_kind[] = "node:", peer_kind[] = "peer:";
	bool by_kind = strncmp(name, node_kind, strlen(node_kind)) == 0;

	*node = sn_fleet_find(measures->config.fleet, by_kind ? name + strlen(node_kind) : name);
	if (*node != NULL && (*node)->state == SN_NODE_REVOKED)
		return sn_err_set(err, -EINVAL, "nodes: '%.64s' is revoked", name);
	if (*node != NULL) {
		snprintf(provider, SN_PROVIDER_MAX, "%s%s", node_kind, (*node)->id);
		return 0;
	}
	if (by_kind)
		return sn_err_set(err, -EINVAL, "nodes: there is no node '%.64s'", name);
	snprintf(provider, SN_PROVIDER_MAX, "%s%s",
		 strncmp(name, peer_kind, strlen(peer_kind)) == 0 ? "" : peer_kind, name);
	return 0;
}
