/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "mplane/codec.h"
#include "mplane/match.h"
#include "mplane/offer.h"
#include "mplane/offer_views.h"
#include "quoted.h"

#define T0  1767225600000000000LL /* 2026-01-01 */
#define SEC SN_NS_PER_S

static const struct sn_mp_place place = {.system_id = "lab-7",
					 .ip4 = "192.0.2.19",
					 .ip6 = "2001:db8::19",
					 .software = "sonde 0.1.0"};

static struct sn_mp_registries *registries;

static int set_up(void **state)
{
	(void)state;
	registries = sn_mp_registries_create();
	sn_mp_offer_load(registries);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sn_mp_registries_destroy(registries);
	return 0;
}

/* A specification of the offer `label`: values are "name=value", NULL-terminated. */
static struct sn_mp_message *specification(const char *label, const char *when,
					   const char *const *values)
{
	const struct sn_mp_offer *offer = sn_mp_offer_find(label);
	sn_automp struct sn_mp_message *capability =
		sn_mp_offer_capability(offer, registries, &place);
	struct sn_mp_message *s = sn_mp_message_as(capability, SN_MP_SPECIFICATION);
	struct sn_err err = {0};

	assert_int_equal(sn_mp_when_parse(sn_str(when), &s->when, NULL), 0);
	for (; *values != NULL; values++) {
		const char *equals = strchr(*values, '=');
		sn_autofree char *name = sn_xstrndup(*values, (size_t)(equals - *values));

		if (sn_mp_set_value(s, name, equals + 1, &err) != 0)
			fail_msg("%s: %s", *values, err.text);
	}
	sn_mp_set_text(&s->token, "t");
	if (sn_mp_match(s, capability, T0, &err) != 0)
		fail_msg("%s %s: %s", label, when, err.text);
	return s;
}

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct sn_mp_message *ping(const char *when)
{
	return specification("ping", when, VALUES("targets=192.0.2.7, b.example"));
}

static struct sn_mp_message *view(const char *label, const char *when)
{
	return specification(label, when,
			     strchr(label, '6') != NULL ? VALUES("destination.ip6=2001:db8::7")
							: VALUES("destination.ip4=192.0.2.7"));
}

static void assert_orders(const char *label, const struct sn_mp_message *s, const char *parameters,
			  const char *when)
{
	sn_autofree char *expected_text = quoted(parameters);
	sn_autojson json_t *expected = sn_json_parse(expected_text, strlen(expected_text), NULL);
	struct sn_mp_order order;
	struct sn_buf text = {0};
	struct sn_err err = {0};

	if (sn_mp_offer_order(sn_mp_offer_find(label), s, T0, &order, &err) != 0)
		fail_msg("%s: %s", label, err.text);
	sn_mp_when_print(&order.when, &text);
	assert_string_equal(sn_buf_cstr(&text), when);
	if (!json_equal(order.parameters, expected)) {
		sn_autofree char *got = json_dumps(order.parameters, JSON_SORT_KEYS);

		fail_msg("%s: %s, not %s", label, got, expected_text);
	}
	assert_int_equal(sn_method_check(order.method, order.parameters, NULL), 0);
	sn_mp_order_finish(&order);
	sn_buf_finish(&text);
}

static void assert_no_order(const char *label, const struct sn_mp_message *s, const char *says)
{
	struct sn_mp_order order;
	struct sn_err err = {0};

	assert_int_equal(sn_mp_offer_order(sn_mp_offer_find(label), s, T0, &order, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_null(order.parameters);
	if (strstr(err.text, says) == NULL)
		fail_msg("'%s' is not in '%s'", says, err.text);
}

/* Declarations ------------------------------------------------------------ */

static void method_comes_first_and_its_views_behind_it(void **state)
{
	static const char *const labels[] = {"ping",
					     "ping-average-ip4",
					     "ping-detail-ip4",
					     "ping-average-ip6",
					     "ping-detail-ip6",
					     "flow"};
	size_t count;
	const struct sn_mp_offer *offers = sn_mp_offers(&count);

	(void)state;
	assert_true(count >= SN_COUNT(labels));
	for (size_t i = 0; i < SN_COUNT(labels); i++) {
		assert_string_equal(offers[i].label, labels[i]);
		assert_ptr_equal(sn_mp_offer_find(labels[i]), &offers[i]);
	}
	for (size_t i = 0; i < sn_method_count; i++)
		assert_ptr_equal(sn_mp_offer_find(sn_methods[i]->name)->method, sn_methods[i]);
	assert_null(sn_mp_offer_find("ping-average"));
}

static void columns_that_views_name_are_in_the_dataset(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_mp_view_count; i++) {
		const struct sn_mp_view *v = sn_mp_views[i];

		if (sn_mp_view_is_switch(v))
			continue;
		assert_non_null(sn_method_param(v->method, "family"));
		for (size_t c = 0; c < v->column_count; c++) {
			const struct sn_mp_view_column *column = &v->columns[c];

			assert_true(sn_dataset_column(v->method->dataset, column->column) >= 0);
			assert_true(column->weight == NULL ||
				    sn_dataset_column(v->method->dataset, column->weight) >= 0);
			assert_non_null(sn_mp_element_find(registries, SN_MP_REGISTRY_CORE,
							   column->element));
		}
	}
}

static void switches_offer_what_the_tstat_proxy_offered(void **state)
{
	static const struct {
		const char *label;
		size_t columns;
	} expected[] = {
		{"tstat-log_tcp_complete-core", 42},
		{"tstat-log_tcp_complete-end_to_end", 7},
		{"tstat-log_tcp_complete-tcp_options", 46},
		{"tstat-log_tcp_complete-p2p_stats", 6},
		{"tstat-log_tcp_complete-layer7", 4},
		{"tstat-log_http_complete", 17},
		{"tstat-log_rrds", 9},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(expected); i++) {
		const struct sn_mp_offer *offer = sn_mp_offer_find(expected[i].label);
		sn_automp struct sn_mp_message *c = NULL;

		assert_non_null(offer);
		c = sn_mp_offer_capability(offer, registries, &place);
		assert_int_equal(c->column_count, expected[i].columns);
		assert_int_equal(c->param_count, 1);
		assert_non_null(sn_mp_param(c, "System_ID"));
	}
}

/* One element of the registry is what all methods mean by that name. */
static void same_name_has_the_same_type_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_method_count; i++) {
		sn_automp struct sn_mp_message *c = NULL;
		const struct sn_method *m = sn_methods[i];

		c = sn_mp_offer_capability(sn_mp_offer_find(m->name), registries, &place);
		for (size_t p = 0; p < m->param_count; p++) {
			const struct sn_mp_param *param = sn_mp_param(c, m->params[p].name);
			static const unsigned fits[] = {
				[SN_PARAM_TEXT] = 1 << SN_MP_STRING | 1 << SN_MP_NATURAL,
				[SN_PARAM_FLAG] = 1 << SN_MP_BOOLEAN,
				[SN_PARAM_COUNT] = 1 << SN_MP_NATURAL,
				[SN_PARAM_DURATION] = 1 << SN_MP_STRING,
				[SN_PARAM_SIZE] = 1 << SN_MP_STRING,
				[SN_PARAM_TARGETS] = 1 << SN_MP_STRING,
			};

			if (strcmp(m->params[p].name, "period") == 0)
				assert_null(param);
			else if (!(fits[m->params[p].type] & 1u << param->prim))
				fail_msg("%s: parameter %s", m->name, m->params[p].name);
		}
		for (size_t d = 0; d < m->dataset->column_count; d++) {
			static const enum sn_mp_prim prims[] = {
				[SN_TYPE_BOOL] = SN_MP_BOOLEAN, [SN_TYPE_I64] = SN_MP_NATURAL,
				[SN_TYPE_F64] = SN_MP_REAL,     [SN_TYPE_TEXT] = SN_MP_STRING,
				[SN_TYPE_TIME] = SN_MP_TIME,
			};
			const struct sn_column *column = &m->dataset->columns[d];
			int at = sn_mp_column(c, column->name);

			if (d == SN_COL_NODE || d == SN_COL_TASK || d == SN_COL_SEQ)
				assert_int_equal(at, -1);
			else if (at < 0 || c->columns[at].prim != prims[column->type])
				fail_msg("%s: column %s", m->name, column->name);
		}
	}
}

static void registry_is_one_that_any_peer_could_load(void **state)
{
	struct sn_mp_registries *others = sn_mp_registries_create();
	struct sn_buf json = {0};
	struct sn_err err = {0};

	(void)state;
	sn_mp_offer_registry(&json);
	if (sn_mp_registries_add(others, sn_buf_str(&json), &err) != 0)
		fail_msg("%s", err.text);
	assert_true(sn_mp_registries_know(others, SN_MP_REGISTRY_SONDE));
	assert_int_equal(sn_mp_element_find(others, SN_MP_REGISTRY_SONDE, "rtt_min_seconds")->prim,
			 SN_MP_REAL);
	assert_int_equal(sn_mp_element_find(others, SN_MP_REGISTRY_SONDE, "System_ID")->prim,
			 SN_MP_STRING);
	/* Ours, not the core registry's of that name. */
	assert_int_equal(sn_mp_element_find(others, SN_MP_REGISTRY_SONDE, "end")->prim,
			 SN_MP_STRING);
	assert_null(sn_mp_element_find(others, SN_MP_REGISTRY_SONDE, "period"));
	sn_mp_offer_load(others);
	sn_mp_registries_destroy(others);
	sn_buf_finish(&json);
}

static void every_capability_is_valid_and_comes_back_from_json(void **state)
{
	static const int flags[] = {0, SN_MP_NATIVES, SN_MP_WRITE_SAFE};
	size_t count;
	const struct sn_mp_offer *offers = sn_mp_offers(&count);

	(void)state;
	for (size_t i = 0; i < count * SN_COUNT(flags); i++) {
		const struct sn_mp_offer *offer = &offers[i / SN_COUNT(flags)];
		sn_automp struct sn_mp_message *c =
			sn_mp_offer_capability(offer, registries, &place);
		sn_automp struct sn_mp_message *back = NULL;
		struct sn_buf json = {0};
		struct sn_err err = {0};

		if (sn_mp_message_check(c, &err) != 0)
			fail_msg("%s: %s", offer->label, err.text);
		sn_mp_encode(c, flags[i % SN_COUNT(flags)], &json);
		back = sn_mp_decode(registries, json.p, json.n, SN_MP_READ_STRICT, NULL, &err);
		if (back == NULL)
			fail_msg("%s: %s", offer->label, err.text);
		assert_true(sn_mp_message_equal(c, back));
		assert_string_equal(sn_mp_meta(c, "System_ID"), "lab-7");
		sn_buf_finish(&json);
	}
}

static void assert_constraint(const struct sn_mp_message *c, const char *name, const char *expected)
{
	struct sn_buf text = {0};

	sn_mp_constraint_print(&sn_mp_param(c, name)->constraint, false, &text);
	assert_string_equal(sn_buf_cstr(&text), expected);
	sn_buf_finish(&text);
}

static void assert_when(const struct sn_mp_message *message, const char *expected)
{
	struct sn_buf text = {0};

	sn_mp_when_print(&message->when, &text);
	assert_string_equal(sn_buf_cstr(&text), expected);
	sn_buf_finish(&text);
}

static void method_is_offered_with_its_ranges(void **state)
{
	sn_automp struct sn_mp_message *c =
		sn_mp_offer_capability(sn_mp_offer_find("ping"), registries, &place);
	sn_automp struct sn_mp_message *f =
		sn_mp_offer_capability(sn_mp_offer_find("flow"), registries, &place);

	(void)state;
	assert_string_equal(c->registry, SN_MP_REGISTRY_SONDE);
	assert_when(c, "now ... future / 1s");
	assert_when(f, "now ... future");
	assert_constraint(c, "count", "1 ... 65535");
	assert_constraint(c, "family", "4,6");
	assert_constraint(c, "targets", "*");
	assert_constraint(c, "interval", "*");
	assert_true(sn_mp_param(c, "count")->optional);
	assert_false(sn_mp_param(c, "targets")->optional);
	assert_false(sn_mp_param(f, "interface")->optional);
}

static void views_are_those_that_clients_know(void **state)
{
	sn_automp struct sn_mp_message *average =
		sn_mp_offer_capability(sn_mp_offer_find("ping-average-ip4"), registries, &place);
	sn_automp struct sn_mp_message *detail =
		sn_mp_offer_capability(sn_mp_offer_find("ping-detail-ip6"), registries, &place);
	static const char *const columns[] = {
		"delay.twoway.icmp.us.min", "delay.twoway.icmp.us.mean", "delay.twoway.icmp.us.max",
		"delay.twoway.icmp.count"};
	char hash[SN_MP_HASH_SIZE];

	(void)state;
	assert_string_equal(average->registry, SN_MP_REGISTRY_CORE);
	assert_when(average, "now ... future / 1s");
	assert_int_equal(average->param_count, 2);
	assert_constraint(average, "source.ip4", "192.0.2.19");
	assert_constraint(average, "destination.ip4", "*");
	assert_int_equal(average->column_count, SN_COUNT(columns));
	for (size_t i = 0; i < SN_COUNT(columns); i++)
		assert_string_equal(average->columns[i].name, columns[i]);
	sn_mp_schema_hash(average, hash);
	assert_string_equal(hash, "e2ca42e60e5e998c7b7bc1fc439129b4");
	assert_constraint(detail, "source.ip6", "2001:db8::19");
	assert_constraint(detail, "destination.ip6", "*");
	assert_int_equal(detail->column_count, 2);
	assert_string_equal(detail->columns[0].name, "time");
	assert_string_equal(detail->columns[1].name, "delay.twoway.icmp.us");
}

static void place_without_an_address_offers_no_view_of_that_family(void **state)
{
	const struct sn_mp_place nowhere = {0};
	sn_automp struct sn_mp_message *c =
		sn_mp_offer_capability(sn_mp_offer_find("ping"), registries, &nowhere);

	(void)state;
	assert_non_null(c);
	assert_null(sn_mp_meta(c, "System_ID"));
	assert_null(
		sn_mp_offer_capability(sn_mp_offer_find("ping-average-ip4"), registries, &nowhere));
	assert_null(
		sn_mp_offer_capability(sn_mp_offer_find("ping-detail-ip6"), registries, &nowhere));
}

/* Orders ------------------------------------------------------------------ */

static void scope_of_a_method_is_runs_and_their_time(void **state)
{
	static const struct {
		const char *when, *period, *becomes;
	} scopes[] = {
		{"now", "", "2026-01-01 00:00:00.000000"},
		{"now + 30s", "", "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000"},
		{"now + 30s / 1s", ",'period':'1s'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000 / 1s"},
		/* Room for one only: at once, and not at the next full minute. */
		{"now + 30s / 20s", "",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000"},
		{"now ... future / 10s", ",'period':'10s'",
		 "2026-01-01 00:00:00.000000 ... future / 10s"},
		{"2026-02-01 ... 2026-02-02 / 1h", ",'period':'1h'",
		 "2026-02-01 00:00:00.000000 ... 2026-02-02 00:00:00.000000 / 1h"},
		{"now + 3d / 1d", ",'period':'1d'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-04 00:00:00.000000 / 1d"},
		{"repeat now + 1d / 1h { now + 30s / 5s }", ",'period':'5s'",
		 "repeat 2026-01-01 00:00:00.000000 ... 2026-01-02 00:00:00.000000 / 1h "
		 "{ now + 30s / 5s }"},
		{"repeat now ... future / 1m", "",
		 "repeat 2026-01-01 00:00:00.000000 ... future / 1m"},
		{"repeat now + 1d / 1h { now }", "",
		 "repeat 2026-01-01 00:00:00.000000 ... 2026-01-02 00:00:00.000000 / 1h { now }"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(scopes); i++) {
		sn_automp struct sn_mp_message *s = ping(scopes[i].when);
		sn_autofree char *parameters =
			sn_xasprintf("{'targets':['192.0.2.7','b.example']%s}", scopes[i].period);

		assert_orders("ping", s, parameters, scopes[i].becomes);
	}
}

static void values_become_what_the_method_takes(void **state)
{
	sn_automp struct sn_mp_message *s =
		specification("ping", "now",
			      VALUES("targets=::1", "count=3", "interval=250ms", "size=1kB",
				     "family=6", "interface=eth0", "ttl=*"));
	sn_automp struct sn_mp_message *f =
		specification("flow", "now + 1h", VALUES("interface=eth0", "max-flows=1000"));

	(void)state;
	assert_orders("ping", s,
		      "{'targets':['::1'],'count':3,'interval':'250ms','size':'1kB','family':'6',"
		      "'interface':'eth0'}",
		      "2026-01-01 00:00:00.000000");
	assert_orders("flow", f, "{'interface':'eth0','max-flows':1000}",
		      "2026-01-01 00:00:00.000000 ... 2026-01-01 01:00:00.000000");
}

static void every_offer_takes_an_order_with_what_it_needs(void **state)
{
	static const struct {
		const char *name, *value;
	} fillings[] = {{"targets", "192.0.2.7"},
			{"interface", "eth0"},
			{"switch", "log_http_complete=1"},
			{"destination.ip4", "192.0.2.7"},
			{"destination.ip6", "2001:db8::7"}};
	size_t count;
	const struct sn_mp_offer *offers = sn_mp_offers(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		sn_automp struct sn_mp_message *s =
			specification(offers[i].label, "now + 1m", (const char *const[]){NULL});
		struct sn_mp_order order;
		struct sn_err err = {0};

		for (size_t f = 0; f < SN_COUNT(fillings); f++)
			if (sn_mp_param(s, fillings[f].name) != NULL)
				sn_mp_set_value(s, fillings[f].name, fillings[f].value, NULL);
		if (sn_mp_offer_order(&offers[i], s, T0, &order, &err) != 0)
			fail_msg("%s: %s", offers[i].label, err.text);
		assert_ptr_equal(order.method, offers[i].method);
		assert_int_equal(sn_method_check(order.method, order.parameters, &err), 0);
		sn_mp_order_finish(&order);
	}
}

static void a_switch_is_one_run_that_lasts_as_long_as_the_scope(void **state)
{
	sn_automp struct sn_mp_message *s = specification("tstat-log_tcp_complete-end_to_end",
							  "now + 5m", (const char *const[]){NULL});
	const struct sn_mp_offer *offer = sn_mp_offer_find("tstat-log_tcp_complete-end_to_end");
	struct sn_mp_order order;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_mp_offer_order(offer, s, T0, &order, &err), 0);
	assert_ptr_equal(order.method, &sn_method_meter_switch);
	assert_string_equal(json_string_value(json_object_get(order.parameters, "switch")),
			    "tcplog_end_to_end=1,log_tcp_complete=1");
	assert_int_equal(order.when.span.end - order.when.span.start, 300 * SEC);
	sn_mp_order_finish(&order);
}

static void the_result_of_a_switch_has_its_columns_and_no_rows(void **state)
{
	sn_automp struct sn_mp_message *s =
		specification("tstat-log_http_complete", "now + 5m", (const char *const[]){NULL});
	struct sn_batch *rows = sn_batch_create(&sn_dataset_tstat_tcp_complete);
	sn_automp struct sn_mp_message *r =
		sn_mp_offer_result(sn_mp_offer_find("tstat-log_http_complete"), s, rows, T0);

	(void)state;
	assert_int_equal(r->column_count, 17);
	assert_int_equal(r->row_count, 0);
	sn_batch_destroy(rows);
}

static void bad_order_is_refused_with_what_is_wrong(void **state)
{
	static const struct {
		const char *label, *when, *value, *says;
	} bad[] = {
		{"ping", "now", "targets=*", "parameter 'targets' has no value"},
		{"ping", "now", "targets=a b", "parameter 'targets': number 1"},
		{"ping", "now", "targets=a,,b", "parameter 'targets': number 2"},
		{"ping", "now", "targets=", "parameter 'targets'"},
		{"ping", "now", "interval=often", "parameter 'interval'"},
		{"ping", "now", "interval=2h", "parameter 'interval' is outside"},
		{"ping", "now", "size=65001", "parameter 'size' is outside"},
		{"ping", "now", "source=-x", "parameter 'source' begins with"},
		{"ping", "now ... future / 2d", NULL, "a period of 2d"},
		{"ping", "2025-01-01 + 1h", NULL, "that time is over"},
		{"ping", "", NULL, "no 'when'"},
		{"flow", "now + 1h / 1m", NULL, "'flow' runs all the time"},
		{"flow", "repeat now + 1d / 1h { now + 5m / 1m }", NULL, "'flow' runs"},
		{"ping-average-ip4", "now", "destination.ip4=*", "'destination.ip4' has no value"},
		{"ping-average-ip4", "now", "destination.ip4=2001:db8::7", "no IPv4 address"},
		{"ping-detail-ip6", "now", "destination.ip6=192.0.2.7", "no IPv6 address"},
		{"ping-average-ip4", "now + 1d / 1s", NULL, "86400 samples"},
		{"ping-average-ip4", "now + 1d / 2h", NULL, "a period of 2h"},
		{"ping-detail-ip4", "now + 10d / 2d", NULL, "a period of 2d"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		bool native = strchr(bad[i].label, '-') == NULL;
		sn_automp struct sn_mp_message *s =
			!native ? view(bad[i].label, "now")
				: specification(bad[i].label, "now",
						strcmp(bad[i].label, "ping") == 0
							? VALUES("targets=::1")
							: VALUES("interface=eth0"));
		sn_autofree char *name = NULL;
		const char *equals;

		s->when = (struct sn_mp_when){0};
		if (bad[i].when[0] != '\0')
			assert_int_equal(sn_mp_when_parse(sn_str(bad[i].when), &s->when, NULL), 0);
		if (bad[i].value != NULL) {
			equals = strchr(bad[i].value, '=');
			name = sn_xstrndup(bad[i].value, (size_t)(equals - bad[i].value));
			assert_int_equal(sn_mp_set_value(s, name, equals + 1, NULL), 0);
		}
		assert_no_order(bad[i].label, s, bad[i].says);
	}
}

static void average_is_one_run_of_as_many_requests_as_fit(void **state)
{
	static const struct {
		const char *when, *parameters, *becomes;
	} scopes[] = {
		{"now", "'count':1", "2026-01-01 00:00:00.000000"},
		{"now + 30s / 1s", "'count':30,'interval':'1s'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000"},
		{"now + 30s", "'count':30,'interval':'1s'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000"},
		{"now + 25s / 10s", "'count':2,'interval':'10s'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:25.000000"},
		{"now + 5s / 10s", "'count':1",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:05.000000"},
		{"now ... future / 2s", "'count':65535,'interval':'2s'",
		 "2026-01-01 00:00:00.000000 ... future"},
		{"now ... future", "'count':65535,'interval':'1s'",
		 "2026-01-01 00:00:00.000000 ... future"},
		{"repeat now + 1d / 1h { now + 10s / 1s }", "'count':10,'interval':'1s'",
		 "repeat 2026-01-01 00:00:00.000000 ... 2026-01-02 00:00:00.000000 / 1h "
		 "{ now + 10s }"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(scopes); i++) {
		sn_automp struct sn_mp_message *s = view("ping-average-ip4", scopes[i].when);
		sn_autofree char *parameters =
			sn_xasprintf("{'targets':['192.0.2.7'],'source':'192.0.2.19',"
				     "'family':'4',%s}",
				     scopes[i].parameters);

		assert_orders("ping-average-ip4", s, parameters, scopes[i].becomes);
	}
}

static void detail_is_a_run_for_each_request(void **state)
{
	static const struct {
		const char *when, *period, *becomes;
	} scopes[] = {
		{"now", "", "2026-01-01 00:00:00.000000"},
		{"now + 30s / 2s", ",'period':'2s'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000 / 2s"},
		{"now + 30s", ",'period':'1s'",
		 "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:30.000000 / 1s"},
		{"now + 1s / 2s", "", "2026-01-01 00:00:00.000000 ... 2026-01-01 00:00:01.000000"},
		{"now ... future", ",'period':'1s'", "2026-01-01 00:00:00.000000 ... future / 1s"},
		{"repeat now + 1d / 1h { now + 10s }", ",'period':'1s'",
		 "repeat 2026-01-01 00:00:00.000000 ... 2026-01-02 00:00:00.000000 / 1h "
		 "{ now + 10s / 1s }"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(scopes); i++) {
		sn_automp struct sn_mp_message *s = view("ping-detail-ip6", scopes[i].when);
		sn_autofree char *parameters =
			sn_xasprintf("{'targets':['2001:db8::7'],'source':'2001:db8::19',"
				     "'family':'6','count':1%s}",
				     scopes[i].period);

		assert_orders("ping-detail-ip6", s, parameters, scopes[i].becomes);
	}
}

static void source_of_a_view_may_still_be_open(void **state)
{
	sn_automp struct sn_mp_message *s = view("ping-average-ip4", "now");

	(void)state;
	sn_mp_set_value(s, "source.ip4", NULL, NULL);
	assert_orders("ping-average-ip4", s, "{'targets':['192.0.2.7'],'family':'4','count':1}",
		      "2026-01-01 00:00:00.000000");
}

/* Results ----------------------------------------------------------------- */

static void set_number(struct sn_batch *rows, const char *column, double value)
{
	int index = sn_dataset_column(&sn_dataset_ping, column);

	assert_true(index >= 0);
	if (sn_dataset_ping.columns[index].type == SN_TYPE_F64)
		sn_batch_set_f64(rows, index, value);
	else
		sn_batch_set_i64(rows, index, (int64_t)value);
}

/* A run; without a reply if `received` is 0. Delays in microseconds. */
static void add_run(struct sn_batch *rows, int64_t time_ns, int sent, int received, double min_us,
		    double mean_us, double max_us)
{
	sn_batch_add_row(rows);
	sn_batch_set_time(rows, SN_COL_TIME, time_ns);
	set_number(rows, "sent_packets", sent);
	set_number(rows, "received_packets", received);
	set_number(rows, "interval_seconds", 1);
	if (received == 0)
		return;
	set_number(rows, "rtt_min_seconds", min_us / 1e6);
	set_number(rows, "rtt_mean_seconds", mean_us / 1e6);
	set_number(rows, "rtt_max_seconds", max_us / 1e6);
}

static struct sn_mp_message *result(const char *label, const struct sn_mp_message *s,
				    const struct sn_batch *rows)
{
	struct sn_mp_message *r = sn_mp_offer_result(sn_mp_offer_find(label), s, rows, T0);
	sn_automp struct sn_mp_message *back = NULL;
	struct sn_buf json = {0};
	struct sn_err err = {0};

	assert_int_equal(r->kind, SN_MP_RESULT);
	assert_string_equal(r->token, "t");
	if (sn_mp_message_check(r, &err) != 0)
		fail_msg("%s", err.text);
	sn_mp_encode(r, 0, &json);
	back = sn_mp_decode(registries, json.p, json.n, 0, NULL, &err);
	assert_true(back != NULL && sn_mp_message_equal(r, back));
	sn_buf_finish(&json);
	return r;
}

static void assert_row(const struct sn_mp_message *r, size_t row, const char *const *values)
{
	for (size_t i = 0; i < r->column_count; i++) {
		const char *cell = sn_mp_cell(r, row, i);

		assert_string_equal(cell != NULL ? cell : "*", values[i]);
	}
}

static void average_is_of_all_runs_in_microseconds(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
	sn_automp struct sn_mp_message *s = view("ping-average-ip4", "now + 10s / 1s");
	sn_automp struct sn_mp_message *one = NULL, *both = NULL;

	(void)state;
	add_run(rows, T0 + 123456789, 10, 9, 1000.4, 2000, 3000.6);
	one = result("ping-average-ip4", s, rows);
	assert_int_equal(one->row_count, 1);
	assert_row(one, 0, VALUES("1000", "2000", "3001", "9"));
	/* Until the last of ten requests, a second apart, was answered. */
	assert_when(one, "2026-01-01 00:00:00.123456 ... 2026-01-01 00:00:09.126457");
	add_run(rows, T0 + 20 * SEC, 1, 1, 500, 500, 500);
	add_run(rows, T0 + 30 * SEC, 1, 0, 0, 0, 0);
	both = result("ping-average-ip4", s, rows);
	assert_int_equal(both->row_count, 1);
	assert_row(both, 0, VALUES("500", "1850", "3001", "10"));
	sn_batch_destroy(rows);
}

static void average_without_a_reply_is_a_count_of_nothing(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
	sn_automp struct sn_mp_message *s = view("ping-average-ip4", "now + 10s / 1s");
	sn_automp struct sn_mp_message *lost = NULL, *none = NULL;

	(void)state;
	none = result("ping-average-ip4", s, rows);
	assert_int_equal(none->row_count, 0);
	assert_when(none, "2026-01-01 00:00:00.000000");
	add_run(rows, T0 + SEC, 10, 0, 0, 0, 0);
	lost = result("ping-average-ip4", s, rows);
	assert_int_equal(lost->row_count, 1);
	assert_row(lost, 0, VALUES("*", "*", "*", "0"));
	sn_batch_destroy(rows);
}

static void detail_has_a_row_for_each_reply_in_the_order_that_was_asked_for(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
	sn_automp struct sn_mp_message *s = view("ping-detail-ip4", "now + 10s / 1s");
	struct sn_mp_column first = s->columns[0];
	sn_automp struct sn_mp_message *r = NULL;

	(void)state;
	s->columns[0] = s->columns[1];
	s->columns[1] = first;
	add_run(rows, T0 + 1 * SEC, 1, 1, 1500, 1500, 1500);
	add_run(rows, T0 + 2 * SEC, 1, 0, 0, 0, 0);
	add_run(rows, T0 + 3 * SEC, 1, 1, 17.5, 17.5, 17.5);
	r = result("ping-detail-ip4", s, rows);
	assert_int_equal(r->row_count, 2);
	assert_row(r, 0, VALUES("1500", "2026-01-01 00:00:01.000000"));
	assert_row(r, 1, VALUES("18", "2026-01-01 00:00:03.000000"));
	assert_when(r, "2026-01-01 00:00:01.000000 ... 2026-01-01 00:00:03.000017");
	sn_batch_destroy(rows);
}

static void result_of_a_method_has_its_columns_and_units(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
	sn_automp struct sn_mp_message *s = ping("now + 10s / 1s");
	sn_automp struct sn_mp_message *r = NULL;

	(void)state;
	add_run(rows, T0 + 2 * SEC, 5, 5, 1500, 2000, 2500);
	sn_batch_set_text(rows, sn_dataset_column(&sn_dataset_ping, "target"), SN_STR("b.example"));
	set_number(rows, "family", 4);
	set_number(rows, "late_packets", -1);
	set_number(rows, "loss_ratio", NAN);
	add_run(rows, T0 + 1 * SEC, 5, 0, 0, 0, 0);
	r = result("ping", s, rows);
	assert_int_equal(r->row_count, 2);
	assert_string_equal(sn_mp_cell(r, 0, (size_t)sn_mp_column(r, "time")),
			    "2026-01-01 00:00:02.000000");
	assert_string_equal(sn_mp_cell(r, 0, (size_t)sn_mp_column(r, "target")), "b.example");
	assert_string_equal(sn_mp_cell(r, 0, (size_t)sn_mp_column(r, "rtt_min_seconds")), "0.0015");
	assert_string_equal(sn_mp_cell(r, 0, (size_t)sn_mp_column(r, "family")), "4");
	/* No value rather than a wrong one. */
	assert_null(sn_mp_cell(r, 0, (size_t)sn_mp_column(r, "late_packets")));
	assert_null(sn_mp_cell(r, 0, (size_t)sn_mp_column(r, "loss_ratio")));
	assert_null(sn_mp_cell(r, 1, (size_t)sn_mp_column(r, "rtt_min_seconds")));
	assert_when(r, "2026-01-01 00:00:01.000000 ... 2026-01-01 00:00:02.000000");
	assert_string_equal(sn_mp_value(r, "targets"), "192.0.2.7, b.example");
	sn_batch_destroy(rows);
}

static void rows_beyond_the_limit_are_counted_and_not_hidden(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
	sn_automp struct sn_mp_message *s = view("ping-detail-ip4", "now ... future / 1s");
	sn_automp struct sn_mp_message *r = NULL;

	(void)state;
	for (int i = 0; i < SN_MP_ROWS_MAX + 7; i++)
		add_run(rows, T0 + i * SEC, 1, 1, 1, 1, 1);
	r = sn_mp_offer_result(sn_mp_offer_find("ping-detail-ip4"), s, rows, T0);
	assert_int_equal(r->row_count, SN_MP_ROWS_MAX);
	assert_string_equal(sn_mp_meta(r, "rows.omitted"), "7");
	sn_batch_destroy(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(method_comes_first_and_its_views_behind_it),
		cmocka_unit_test(columns_that_views_name_are_in_the_dataset),
		cmocka_unit_test(same_name_has_the_same_type_everywhere),
		cmocka_unit_test(registry_is_one_that_any_peer_could_load),
		cmocka_unit_test(every_capability_is_valid_and_comes_back_from_json),
		cmocka_unit_test(method_is_offered_with_its_ranges),
		cmocka_unit_test(views_are_those_that_clients_know),
		cmocka_unit_test(place_without_an_address_offers_no_view_of_that_family),
		cmocka_unit_test(scope_of_a_method_is_runs_and_their_time),
		cmocka_unit_test(values_become_what_the_method_takes),
		cmocka_unit_test(every_offer_takes_an_order_with_what_it_needs),
		cmocka_unit_test(switches_offer_what_the_tstat_proxy_offered),
		cmocka_unit_test(a_switch_is_one_run_that_lasts_as_long_as_the_scope),
		cmocka_unit_test(the_result_of_a_switch_has_its_columns_and_no_rows),
		cmocka_unit_test(bad_order_is_refused_with_what_is_wrong),
		cmocka_unit_test(average_is_one_run_of_as_many_requests_as_fit),
		cmocka_unit_test(detail_is_a_run_for_each_request),
		cmocka_unit_test(source_of_a_view_may_still_be_open),
		cmocka_unit_test(average_is_of_all_runs_in_microseconds),
		cmocka_unit_test(average_without_a_reply_is_a_count_of_nothing),
		cmocka_unit_test(detail_has_a_row_for_each_reply_in_the_order_that_was_asked_for),
		cmocka_unit_test(result_of_a_method_has_its_columns_and_units),
		cmocka_unit_test(rows_beyond_the_limit_are_counted_and_not_hidden),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
