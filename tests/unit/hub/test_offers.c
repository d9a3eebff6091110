/* SPDX-License-Identifier: Apache-2.0 */
#include "plane.h"

static struct plane plane;

static int start(void **state)
{
	(void)state;
	plane_start(&plane);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	plane_stop(&plane);
	return 0;
}

static const struct sn_hub_offer *offer_of(const struct sn_node *node, const char *label)
{
	return sn_offers_of(plane.offers, plane_provider(node), label);
}

/* Nodes ---------------------------------------------------------------------------- */

static void node_offers_what_its_methods_and_addresses_allow(void **state)
{
	const struct sn_node *rome = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	const struct sn_node *oslo =
		plane_node(&plane, "oslo",
			   "{\"methods\":[\"flow\"],\"interfaces\":[{\"name\":\"eth0\","
			   "\"addresses\":[\"192.0.2.2\",\"2001:db8::2\"]}]}");

	(void)state;
	assert_non_null(offer_of(rome, "ping"));
	assert_non_null(offer_of(rome, "ping-average-ip4"));
	assert_null(offer_of(rome, "ping-average-ip6"));
	assert_null(offer_of(rome, "flow"));
	assert_non_null(offer_of(oslo, "flow"));
	assert_null(offer_of(oslo, "ping-average-ip4"));
	assert_ptr_equal(offer_of(rome, "ping")->node, rome);
	assert_true(sn_offers_has_label(plane.offers, "flow"));
	assert_false(sn_offers_has_label(plane.offers, "flo"));
}

static void it_measures_from_the_address_that_reaches_farthest(void **state)
{
	static const struct {
		const char *addresses, *chosen;
	} cases[] = {
		{"\"127.0.0.1\",\"10.1.2.3\",\"192.0.2.7\",\"198.51.100.9\"", "192.0.2.7"},
		{"\"127.0.0.1\",\"169.254.3.3\",\"172.20.0.1\"", "172.20.0.1"},
		{"\"127.0.0.1\",\"169.254.3.3\"", "169.254.3.3"},
		{"\"127.0.0.1\"", "127.0.0.1"},
		{"\"100.64.0.1\",\"0.0.0.0\",\"224.0.0.1\"", "100.64.0.1"},
		{"\"nonsense\",\"fe80::1%eth0\"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		char name[16], report[512];
		const struct sn_hub_offer *offer;
		const char *source;

		snprintf(name, sizeof(name), "node%zu", i);
		snprintf(report, sizeof(report),
			 "{\"methods\":[\"ping\"],\"interfaces\":[{\"name\":\"eth0\","
			 "\"addresses\":[%s]}]}",
			 cases[i].addresses);
		offer = offer_of(plane_node(&plane, name, report), "ping-average-ip4");
		if (cases[i].chosen == NULL) {
			assert_null(offer);
			continue;
		}
		source = sn_mp_constraint_single(
			&sn_mp_param(offer->capability, "source.ip4")->constraint);
		assert_string_equal(source, cases[i].chosen);
	}
}

static unsigned changes;

static void count_change(const char *label, void *ctx)
{
	(void)label, (void)ctx;
	changes++;
}

static unsigned arrivals;

static void count_arrival(const struct sn_hub_offer *offer, void *ctx)
{
	(void)offer, (void)ctx;
	arrivals++;
}

static void heartbeat(struct sn_node *node, const char *report)
{
	sn_autojson json_t *json = json_loads(report, 0, NULL);

	assert_int_equal(sn_fleet_heartbeat(plane.fleet, node, json, plane.now_ns, NULL), 0);
	sn_offers_set_node(plane.offers, node);
}

static void same_heartbeat_again_changes_nothing(void **state)
{
	struct sn_node *node = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	size_t count = sn_offers_count(plane.offers);
	char token[SN_MP_HASH_SIZE];

	(void)state;
	memcpy(token, offer_of(node, "ping-average-ip4")->token, sizeof(token));
	changes = arrivals = 0;
	sn_offers_on_change(plane.offers, count_change, NULL);
	sn_offers_on_arrival(plane.offers, count_arrival, NULL);
	heartbeat(node, PING_REPORT("192.0.2.1"));
	assert_int_equal(changes + arrivals, 0);
	assert_int_equal(sn_offers_count(plane.offers), count);
	/* Another address: other views, the same method. */
	heartbeat(node, PING_REPORT("192.0.2.9"));
	assert_int_equal(sn_offers_count(plane.offers), count);
	assert_true(changes > 0 && arrivals > 0);
	assert_string_not_equal(offer_of(node, "ping-average-ip4")->token, token);
	assert_null(sn_offers_by_token(plane.offers, token));
	/* Tags change no offer, but who is chosen. */
	changes = arrivals = 0;
	json_array_append_new(node->tags, json_string("core"));
	sn_offers_set_node(plane.offers, node);
	assert_int_equal(arrivals, count);
	assert_int_equal(sn_offers_count(plane.offers), count);
}

static void offline_is_listed_and_revoked_is_not(void **state)
{
	struct sn_node *node = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));

	(void)state;
	assert_false(offer_of(node, "ping")->stale);
	node->state = SN_NODE_OFFLINE;
	sn_offers_set_node(plane.offers, node);
	assert_true(offer_of(node, "ping")->stale);
	node->state = SN_NODE_ONLINE;
	sn_offers_set_node(plane.offers, node);
	assert_false(offer_of(node, "ping")->stale);
	node->state = SN_NODE_REVOKED;
	sn_offers_set_node(plane.offers, node);
	assert_int_equal(sn_offers_count(plane.offers), 0);
	assert_false(sn_offers_has_label(plane.offers, "ping"));
}

static void equal_capabilities_of_nodes_are_held_once(void **state)
{
	const struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	const struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	struct sn_mp_message *listed;

	(void)state;
	assert_ptr_equal(offer_of(a, "ping")->capability, offer_of(b, "ping")->capability);
	assert_string_not_equal(offer_of(a, "ping")->token, offer_of(b, "ping")->token);
	listed = sn_offer_listed(offer_of(b, "ping"));
	assert_string_equal(sn_mp_meta(listed, "System_ID"), "b");
	assert_string_equal(listed->token, offer_of(b, "ping")->token);
	sn_mp_message_destroy(listed);
	assert_null(sn_mp_meta(offer_of(b, "ping")->capability, "System_ID"));
}

/* Peers ----------------------------------------------------------------------------- */

static int add_peer(const char *peer, const char *label, const char *token, const char *source)
{
	return sn_offers_register(plane.offers, peer,
				  plane_capability(&plane, label, token, source), NULL);
}

static void equal_capabilities_of_two_identities_never_mix(void **state)
{
	const struct sn_hub_offer *a, *b;
	struct sn_mp_message *withdrawal;

	(void)state;
	assert_int_equal(add_peer("peer:a", "x", "t1", "192.0.2.1"), 0);
	assert_int_equal(add_peer("peer:b", "x", "t1", "192.0.2.1"), 0);
	a = sn_offers_of(plane.offers, "peer:a", "x");
	b = sn_offers_of(plane.offers, "peer:b", "x");
	assert_string_not_equal(a->token, b->token);
	assert_string_equal(a->schema, b->schema);
	assert_ptr_equal(sn_offers_by_token(plane.offers, a->token), a);
	assert_ptr_equal(sn_offers_by_token(plane.offers, b->token), b);
	/* One withdraws; the other does not notice. */
	withdrawal = sn_mp_message_as(a->capability, SN_MP_WITHDRAWAL);
	assert_int_equal(sn_offers_withdraw(plane.offers, "peer:c", withdrawal), -ENOENT);
	assert_int_equal(sn_offers_withdraw(plane.offers, "peer:a", withdrawal), 0);
	assert_int_equal(sn_offers_withdraw(plane.offers, "peer:a", withdrawal), -ENOENT);
	sn_mp_message_destroy(withdrawal);
	assert_null(sn_offers_of(plane.offers, "peer:a", "x"));
	assert_ptr_equal(sn_offers_of(plane.offers, "peer:b", "x"), b);
}

/* All that `provider` offers under label "x": the sum of the last bytes of their sources. */
static unsigned walk(const char *provider, size_t *count)
{
	const struct sn_hub_offer *offer = NULL;
	unsigned sum = 0;

	*count = 0;
	while ((offer = sn_offers_next_of(plane.offers, provider, "x", offer)) != NULL) {
		const struct sn_mp_param *source = sn_mp_param(offer->capability, "source.ip4");

		assert_string_equal(offer->provider, provider);
		assert_string_equal(offer->capability->label, "x");
		sum += (unsigned)atoi(strrchr(sn_mp_constraint_single(&source->constraint), '.') +
				      1);
		++*count;
	}
	return sum;
}

static void offers_of_one_under_a_label_are_walked_whichever_list_is_shorter(void **state)
{
	size_t count;

	(void)state;
	assert_int_equal(walk("peer:a", &count), 0);
	/* One that offers more than is offered under the label, and the other way round. */
	add_peer("peer:a", "x", "t1", "192.0.2.1");
	add_peer("peer:b", "x", "t1", "192.0.2.8");
	add_peer("peer:a", "y", "t2", "192.0.2.2");
	add_peer("peer:a", "x", "t3", "192.0.2.4");
	add_peer("peer:a", "z", "t4", "192.0.2.2");
	add_peer("peer:a", "z", "t5", "192.0.2.3");
	assert_int_equal(walk("peer:a", &count), 5);
	assert_int_equal(count, 2);
	assert_int_equal(walk("peer:b", &count), 8);
	assert_int_equal(count, 1);
	add_peer("peer:b", "x", "t2", "192.0.2.16");
	assert_int_equal(walk("peer:b", &count), 24);
	assert_int_equal(count, 2);
	sn_offers_withdraw_all(plane.offers, "peer:a");
	assert_int_equal(walk("peer:a", &count), 0);
	assert_int_equal(walk("peer:b", &count), 24);
	assert_int_equal(walk("peer:c", &count), 0);
}

static void registering_again_is_a_refresh(void **state)
{
	(void)state;
	assert_int_equal(add_peer("peer:a", "x", "t1", "192.0.2.1"), 0);
	assert_int_equal(add_peer("peer:a", "x", "t1", "192.0.2.1"), 0);
	assert_int_equal(sn_offers_count(plane.offers), 1);
	/* A token drawn anew for what is the same otherwise. */
	assert_int_equal(add_peer("peer:a", "x", "t2", "192.0.2.1"), 0);
	assert_int_equal(sn_offers_count(plane.offers), 1);
	assert_string_equal(sn_offers_at(plane.offers, 0)->capability->token, "t2");
	/* The same token for something else takes its place. */
	assert_int_equal(add_peer("peer:a", "x", "t2", "192.0.2.5"), 0);
	assert_int_equal(sn_offers_count(plane.offers), 1);
	/* Another token and another source: a second offer. */
	assert_int_equal(add_peer("peer:a", "x", "t3", "192.0.2.6"), 0);
	assert_int_equal(sn_offers_count(plane.offers), 2);
	/* Without a token, label and schema say which one is meant. */
	assert_int_equal(add_peer("peer:b", "x", NULL, "192.0.2.1"), 0);
	assert_int_equal(add_peer("peer:b", "x", NULL, "192.0.2.2"), 0);
	assert_int_equal(sn_offers_count(plane.offers), 3);
	assert_int_equal(sn_offers_withdraw_all(plane.offers, "peer:a"), 2);
	assert_int_equal(sn_offers_withdraw_all(plane.offers, "peer:a"), 0);
	assert_int_equal(sn_offers_count(plane.offers), 1);
}

static void withdrawal_without_a_token_goes_by_label_and_schema(void **state)
{
	struct sn_mp_message *withdrawal = plane_capability(&plane, "x", NULL, "192.0.2.1");

	(void)state;
	withdrawal->kind = SN_MP_WITHDRAWAL;
	assert_int_equal(add_peer("peer:a", "y", "t1", "192.0.2.1"), 0);
	assert_int_equal(sn_offers_withdraw(plane.offers, "peer:a", withdrawal), -ENOENT);
	assert_int_equal(add_peer("peer:a", "x", "t2", "192.0.2.1"), 0);
	assert_int_equal(sn_offers_withdraw(plane.offers, "peer:a", withdrawal), 0);
	assert_int_equal(sn_offers_count(plane.offers), 1);
	sn_mp_message_destroy(withdrawal);
}

static void what_is_no_capability_is_refused(void **state)
{
	struct sn_mp_message *message = plane_capability(&plane, "x", "t", "192.0.2.1");
	struct sn_err err = {0};

	(void)state;
	sn_mp_set_text(&message->label, NULL);
	assert_int_equal(sn_offers_register(plane.offers, "peer:a", message, &err), -EINVAL);
	assert_non_null(strstr(err.text, "label"));
	message = sn_mp_exception("t", "no");
	assert_int_equal(sn_offers_register(plane.offers, "peer:a", message, &err), -EINVAL);
	assert_int_equal(sn_offers_count(plane.offers), 0);
}

static void one_peer_offers_ten_thousand_and_no_more(void **state)
{
	char token[32], source[32];

	(void)state;
	for (int i = 0; i < SN_OFFERS_PER_PEER; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		snprintf(source, sizeof(source), "10.%d.%d.1", i / 250, i % 250);
		assert_int_equal(add_peer("peer:a", "x", token, source), 0);
	}
	assert_int_equal(add_peer("peer:a", "x", "more", "192.0.2.1"), -E2BIG);
	assert_int_equal(add_peer("peer:b", "x", "more", "192.0.2.1"), 0);
	assert_int_equal(add_peer("peer:a", "x", "t5", "192.0.2.1"), 0);
	assert_int_equal(sn_offers_count(plane.offers), SN_OFFERS_PER_PEER + 1);
}

/* For people -------------------------------------------------------------------------- */

static json_t *find_group(json_t *items, const char *label)
{
	size_t i;
	json_t *item;

	json_array_foreach (items, i, item) {
		if (strcmp(json_string_value(json_object_get(item, "label")), label) == 0)
			return item;
	}
	fail_msg("no group '%s'", label);
	return NULL;
}

static json_t *find_param(json_t *group, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(group, "parameters"), i, item) {
		if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
			return item;
	}
	return NULL;
}

static void offers_of_one_label_and_schema_are_one_capability(void **state)
{
	sn_autojson json_t *items = NULL;
	json_t *group;

	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	assert_int_equal(add_peer("peer:org.x", "other", "t", "192.0.2.3"), 0);
	items = sn_offers_json(plane.offers, NULL, NULL);
	group = find_group(items, "ping");
	assert_int_equal(json_array_size(json_object_get(group, "providers")), 2);
	assert_null(find_param(group, "period"));
	assert_string_equal(
		json_string_value(json_object_get(find_param(group, "count"), "constraint")),
		"1 ... 65535");
	assert_string_equal(
		json_string_value(json_object_get(find_param(group, "interval"), "constraint")),
		"1ms ... 1h");
	assert_true(json_is_true(json_object_get(find_param(group, "targets"), "required")));
	assert_false(json_is_true(json_object_get(find_param(group, "ttl"), "required")));
	assert_string_equal(json_string_value(json_object_get(group, "dataset")), "ping");
	/* Each node fills its own address in. */
	group = find_group(items, "ping-average-ip4");
	assert_true(json_is_null(json_object_get(find_param(group, "source.ip4"), "constraint")));
	assert_false(json_is_true(json_object_get(find_param(group, "source.ip4"), "required")));
	assert_true(
		json_is_true(json_object_get(find_param(group, "destination.ip4"), "required")));
	group = find_group(items, "other");
	assert_true(json_is_null(json_object_get(group, "method")));
	assert_memory_equal(json_string_value(json_object_get(group, "dataset")), "mp_other_", 9);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(group, "providers"), 0), "name")),
		"org.x");
}

static bool only_a(const struct sn_hub_offer *offer, void *ctx)
{
	(void)ctx;
	return offer->node != NULL && strcmp(offer->node->name, "a") == 0;
}

static void what_may_not_be_seen_is_not_listed(void **state)
{
	sn_autojson json_t *items = NULL;
	size_t i;
	json_t *item;

	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	assert_int_equal(add_peer("peer:org.x", "other", "t", "192.0.2.3"), 0);
	items = sn_offers_json(plane.offers, only_a, NULL);
	assert_true(json_array_size(items) >= 2);
	json_array_foreach (items, i, item)
		assert_int_equal(json_array_size(json_object_get(item, "providers")), 1);
}

static void names_of_derived_datasets_are_plain(void **state)
{
	char name[SN_OFFER_DATASET_MAX];

	(void)state;
	assert_string_equal(sn_offer_dataset(NULL, "Ping-Average.ip4",
					     "e2ca42e60e5e998c7b7bc1fc439129b4", name),
			    "mp_ping_average_ip4_e2ca42e6");
	assert_string_equal(sn_offer_dataset(sn_mp_offer_find("flow"), "flow", "", name), "flow");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(node_offers_what_its_methods_and_addresses_allow),
		TEST(it_measures_from_the_address_that_reaches_farthest),
		TEST(same_heartbeat_again_changes_nothing),
		TEST(offline_is_listed_and_revoked_is_not),
		TEST(equal_capabilities_of_nodes_are_held_once),
		TEST(equal_capabilities_of_two_identities_never_mix),
		TEST(offers_of_one_under_a_label_are_walked_whichever_list_is_shorter),
		TEST(registering_again_is_a_refresh),
		TEST(withdrawal_without_a_token_goes_by_label_and_schema),
		TEST(what_is_no_capability_is_refused),
		TEST(one_peer_offers_ten_thousand_and_no_more),
		TEST(offers_of_one_label_and_schema_are_one_capability),
		TEST(what_may_not_be_seen_is_not_listed),
		TEST(names_of_derived_datasets_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
