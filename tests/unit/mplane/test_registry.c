/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "mplane/registry.h"

#define HEAD     "{\"registry-format\":\"mplane-0\",\"registry-uri\":\"urn:example:r\","
#define CORE_NEW "{\"registry-format\":\"mplane-0\",\"registry-uri\":\"" SN_MP_REGISTRY_CORE "\","
#define TSTAT                                                                                      \
	"https://raw.githubusercontent.com/fp7mplane/components/master/tstat/tstat-registry.json"

static int set_up(void **state)
{
	*state = sn_mp_registries_create();
	return 0;
}

static int tear_down(void **state)
{
	sn_mp_registries_destroy(*state);
	return 0;
}

static void assert_element(struct sn_mp_registries *registries, const char *uri, const char *name,
			   enum sn_mp_prim prim)
{
	const struct sn_mp_element *element = sn_mp_element_find(registries, uri, name);

	if (element == NULL)
		fail_msg("'%s' is unknown", name);
	assert_string_equal(sn_mp_prim_name(element->prim), sn_mp_prim_name(prim));
}

static void the_core_registry_is_built_in_with_all_its_elements(void **state)
{
	struct sn_buf out = {0};
	json_t *root;

	assert_string_equal(sn_mp_registries_uri(*state, 0), SN_MP_REGISTRY_CORE);
	assert_int_equal(sn_mp_registries_print(*state, SN_MP_REGISTRY_CORE, &out), 0);
	root = json_loadb(out.p, out.n, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "elements")), 113);
	assert_string_equal(json_string_value(json_object_get(root, "registry-format")),
			    "mplane-0");
	json_decref(root);
	sn_buf_finish(&out);

	assert_element(*state, SN_MP_REGISTRY_CORE, "start", SN_MP_TIME);
	assert_element(*state, SN_MP_REGISTRY_CORE, "source.ip6", SN_MP_ADDRESS);
	assert_element(*state, SN_MP_REGISTRY_CORE, "destination.url", SN_MP_URL);
	assert_element(*state, SN_MP_REGISTRY_CORE, "delay.twoway.icmp.us.50pct", SN_MP_NATURAL);
	assert_element(*state, SN_MP_REGISTRY_CORE, "connectivity.as", SN_MP_BOOLEAN);
	assert_element(*state, SN_MP_REGISTRY_CORE, "snr", SN_MP_REAL);
	assert_element(*state, SN_MP_REGISTRY_CORE, "System_ID", SN_MP_STRING);
}

static void the_misspelt_name_is_kept_and_the_right_one_finds_it(void **state)
{
	const struct sn_mp_element *sic =
		sn_mp_element_find(*state, SN_MP_REGISTRY_CORE, "intermedate.as");

	assert_non_null(sic);
	assert_ptr_equal(sn_mp_element_find(*state, SN_MP_REGISTRY_CORE, "intermediate.as"), sic);
	assert_string_equal(sic->name, "intermedate.as");
}

static void elements_of_the_known_components_are_built_in(void **state)
{
	static const struct {
		const char *name;
		enum sn_mp_prim prim;
	} elements[] = {
		{"source.RFC1323.ws", SN_MP_BOOLEAN},
		{"destination.SYN.equal_seqno", SN_MP_BOOLEAN},
		{"P2P-TV.Related.metrics", SN_MP_STRING},
		{"rrdMetirc", SN_MP_STRING},
		{"rrdtimestamp", SN_MP_REAL},
		{"repository.url", SN_MP_URL},
		{"mSLA.udpCapacity.download.iperf.jitter", SN_MP_REAL},
		{"mSLA-Bandwidth_mean_Mbps-Correct-UDP", SN_MP_REAL},
		{"http.code.max", SN_MP_NATURAL},
		{"qos.aggregate", SN_MP_NATURAL},
		{"glimpse.traceroute.hop-ip", SN_MP_STRING},
		{"glimpse.http.thread.count", SN_MP_NATURAL},
		{"untainted", SN_MP_BOOLEAN},
		{"firelog.diagnose", SN_MP_STRING},
		{"firelog.diagnosis", SN_MP_STRING},
		{"webqoe.diagnose", SN_MP_STRING},
		{"intermediate.link", SN_MP_STRING},
		{"ripeatlas.udm.result.resultline", SN_MP_STRING},
		{"database.host", SN_MP_ADDRESS},
		{"refset.slack_var", SN_MP_REAL},
		{"scamper.trace.hop.ip6", SN_MP_ADDRESS},
		{"scamper.tracelb.maxprobec", SN_MP_NATURAL},
		{"destinations.ip4", SN_MP_STRING},
		{"ftp.ispsv", SN_MP_BOOLEAN},
		{"anycast_geolocation", SN_MP_STRING},
		{"youtube.video.id", SN_MP_STRING},
		{"overall.grade", SN_MP_NATURAL},
		{"toppopurls.kanony", SN_MP_NATURAL},
		{"tstat.cache.videos", SN_MP_STRING},
		{"delay.twoway", SN_MP_NATURAL},
		{"destination.link", SN_MP_URL},
		{"test.output", SN_MP_STRING},
		{"hops.ip.max", SN_MP_NATURAL},
		{"initiator.MSS.bytes", SN_MP_NATURAL},
	};

	for (size_t i = 0; i < SN_COUNT(elements); i++)
		assert_element(*state, SN_MP_REGISTRY_CORE, elements[i].name, elements[i].prim);
	assert_true(sn_mp_registries_know(*state, TSTAT));
	assert_true(sn_mp_registries_know(*state, "http://ict-mplane.eu/registry/demo"));
	assert_true(sn_mp_registries_know(*state, "http://ict-mplane.eu/registry/core.json"));
	assert_true(sn_mp_registries_know(*state, "http://mplane.corvid.ch/registry/loopback"));
	assert_false(sn_mp_registries_know(*state, "http://ict-mplane.eu/registry/"));
	assert_false(sn_mp_registries_know(*state, NULL));
}

/* Two peers of different opinion send them as times and as numbers. */
static void tstat_milliseconds_take_what_either_kind_of_peer_sends(void **state)
{
	assert_element(*state, TSTAT, "source.TTFP.ms", SN_MP_STRING);
	assert_element(*state, TSTAT, "rtt.average.ms", SN_MP_STRING);
}

static void names_are_found_whatever_registry_is_named_and_qualified_too(void **state)
{
	assert_element(*state, NULL, "time", SN_MP_TIME);
	assert_element(*state, "http://nobody.example.net/", "time", SN_MP_TIME);
	assert_element(*state, SN_MP_REGISTRY_CORE, SN_MP_REGISTRY_CORE "#hops.ip", SN_MP_NATURAL);
	assert_null(sn_mp_element_find(*state, SN_MP_REGISTRY_CORE, "hops.IP"));
	assert_null(sn_mp_element_find(*state, SN_MP_REGISTRY_CORE, ""));
	assert_null(sn_mp_element_find(*state, SN_MP_REGISTRY_CORE, "hops.ip "));
}

static void the_registry_of_the_message_is_asked_first_then_what_it_includes(void **state)
{
	struct sn_err err = {0};

	assert_int_equal(sn_mp_registries_add(*state,
					      SN_STR("{\"registry-format\":\"mplane-0\","
						     "\"registry-uri\":\"urn:example:a\","
						     "\"elements\":[{\"name\":\"hops.ip\","
						     "\"prim\":\"string\"}]}"),
					      &err),
			 0);
	assert_int_equal(sn_mp_registries_add(*state,
					      SN_STR("{\"registry-format\":\"mplane-0\","
						     "\"registry-uri\":\"urn:example:b\","
						     "\"includes\":[\"" SN_MP_REGISTRY_CORE
						     "\",\"urn:example:a\"],\"elements\":[]}"),
					      &err),
			 0);
	assert_element(*state, "urn:example:a", "hops.ip", SN_MP_STRING);
	/* Of two includes the later one decides. */
	assert_element(*state, "urn:example:b", "hops.ip", SN_MP_STRING);
	assert_element(*state, SN_MP_REGISTRY_CORE, "hops.ip", SN_MP_NATURAL);
	assert_element(*state, "urn:example:unknown", "hops.ip", SN_MP_NATURAL);
}

static void comments_are_passed_over_and_later_definitions_win(void **state)
{
	struct sn_err err = {0};

	assert_int_equal(
		sn_mp_registries_add(*state,
				     SN_STR(HEAD "\"elements\":[\"COMMENT: probes\","
						 "{\"name\":\"x.y\",\"prim\":\"natural\","
						 "\"units\":\"s\"},{\"name\":\"x.y\",\"prim\":"
						 "\"bool\",\"desc\":\"later\"}]}"),
				     &err),
		0);
	assert_element(*state, "urn:example:r", "x.y", SN_MP_BOOLEAN);
	assert_string_equal(sn_mp_element_find(*state, NULL, "x.y")->desc, "later");
}

static void a_file_under_the_core_uri_extends_it_only_when_it_is_added(void **state)
{
	const struct sn_mp_element *before = sn_mp_element_find(*state, NULL, "duration.ms");
	size_t count = sn_mp_registries_count(*state);
	struct sn_err err = {0};

	assert_int_equal(
		sn_mp_registries_add(*state,
				     SN_STR(CORE_NEW "\"elements\":[{\"name\":\"new.one\",\"prim\":"
						     "\"real\"},{\"name\":\"duration.ms\","
						     "\"prim\":\"time\"}]}"),
				     &err),
		0);
	assert_int_equal(sn_mp_registries_count(*state), count);
	assert_element(*state, SN_MP_REGISTRY_CORE, "new.one", SN_MP_REAL);
	assert_element(*state, SN_MP_REGISTRY_CORE, "duration.ms", SN_MP_TIME);
	assert_element(*state, SN_MP_REGISTRY_CORE, "duration.s", SN_MP_NATURAL);
	/* Who looked it up before still may use it. */
	assert_int_equal(before->prim, SN_MP_NATURAL);
	assert_string_equal(before->name, "duration.ms");
}

static void what_is_wrong_with_a_file_is_said_and_changes_nothing(void **state)
{
	static const struct {
		const char *json, *reason;
		int code;
	} bad[] = {
		{"", "", -EINVAL},
		{"[]", "registry-format", -EINVAL},
		{"{\"registry-uri\":\"urn:x\",\"elements\":[]}", "registry-format", -EINVAL},
		{"{\"registry-format\":\"mplane-1\",\"registry-uri\":\"urn:x\",\"elements\":[]}",
		 "mplane-0", -EINVAL},
		{"{\"registry-format\":\"mplane-0\",\"elements\":[]}", "registry-uri", -EINVAL},
		{"{\"registry-format\":\"mplane-0\",\"registry-uri\":\"a b\",\"elements\":[]}",
		 "registry-uri", -EINVAL},
		{"{\"registry-format\":\"mplane-0\",\"registry-uri\":\"a#b\",\"elements\":[]}",
		 "registry-uri", -EINVAL},
		{HEAD "\"includes\":[\"http://gone.example.net/r\"],\"elements\":[]}",
		 "http://gone.example.net/r, which is not loaded", -ENOENT},
		{HEAD "\"includes\":[\"urn:example:r\"],\"elements\":[]}", "not loaded", -ENOENT},
		{HEAD "\"includes\":\"x\",\"elements\":[]}", "'includes'", -EINVAL},
		{HEAD "\"includes\":[1],\"elements\":[]}", "item 1", -EINVAL},
		{HEAD "\"elements\":{}}", "'elements'", -EINVAL},
		{HEAD "\"x\":1}", "'elements'", -EINVAL},
		{HEAD "\"elements\":[1]}", "element 1", -EINVAL},
		{HEAD "\"elements\":[\"comment\"]}", "COMMENT", -EINVAL},
		{HEAD "\"elements\":[{\"name\":\"a\"}]}", "'prim'", -EINVAL},
		{HEAD "\"elements\":[{\"name\":\"a b\",\"prim\":\"url\"}]}", "bad name 'a b'",
		 -EINVAL},
		{HEAD "\"elements\":[{\"name\":\"\",\"prim\":\"url\"}]}", "bad name", -EINVAL},
		{HEAD "\"elements\":[{\"name\":\"a\",\"prim\":\"int\"}]}", "'int'", -EINVAL},
		{HEAD "\"elements\":[{\"name\":\"a\",\"prim\":\"url\"}", "", -EINVAL},
	};
	size_t count = sn_mp_registries_count(*state);

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		struct sn_err err = {0};
		int rc = sn_mp_registries_add(*state, sn_str(bad[i].json), &err);

		if (rc != bad[i].code || err.text[0] == '\0' ||
		    strstr(err.text, bad[i].reason) == NULL)
			fail_msg("%s: %d '%s'", bad[i].json, rc, err.text);
		assert_int_equal(sn_mp_registries_count(*state), count);
	}
	assert_null(sn_mp_element_find(*state, NULL, "a"));
}

static void add_many(struct sn_buf *json, unsigned from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sn_buf_addf(json, "%s{\"name\":\"e%u\",\"prim\":\"url\"}", i > 0 ? "," : "",
			    from + i);
	sn_buf_adds(json, "]}");
}

static void elements_and_registries_have_limits(void **state)
{
	struct sn_buf json = {0};
	struct sn_err err = {0};

	sn_buf_adds(&json, HEAD "\"elements\":[");
	add_many(&json, 0, SN_MP_ELEMENTS_MAX + 1);
	assert_int_equal(sn_mp_registries_add(*state, sn_buf_str(&json), &err), -ERANGE);
	sn_buf_clear(&json);
	sn_buf_adds(&json, HEAD "\"elements\":[");
	add_many(&json, 0, SN_MP_ELEMENTS_MAX);
	assert_int_equal(sn_mp_registries_add(*state, sn_buf_str(&json), &err), 0);
	sn_buf_clear(&json);
	sn_buf_adds(&json, HEAD "\"elements\":[");
	add_many(&json, SN_MP_ELEMENTS_MAX, 1);
	assert_int_equal(sn_mp_registries_add(*state, sn_buf_str(&json), &err), -ERANGE);

	for (size_t i = sn_mp_registries_count(*state); i <= SN_MP_REGISTRIES_MAX; i++) {
		sn_buf_clear(&json);
		sn_buf_addf(&json,
			    "{\"registry-format\":\"mplane-0\",\"registry-uri\":\"urn:n:%zu\","
			    "\"elements\":[]}",
			    i);
		assert_int_equal(sn_mp_registries_add(*state, sn_buf_str(&json), &err),
				 i < SN_MP_REGISTRIES_MAX ? 0 : -ERANGE);
	}
	sn_buf_clear(&json);
	for (size_t i = 0; i <= SN_MP_REGISTRY_BYTES; i++)
		sn_buf_addc(&json, ' ');
	assert_int_equal(sn_mp_registries_add(*state, sn_buf_str(&json), &err), -ERANGE);
	sn_buf_finish(&json);
}

static void names_have_an_alphabet_and_a_limit(void **state)
{
	char name[SN_MP_NAME_MAX + 2];

	(void)state;
	assert_true(sn_mp_name_is_good(SN_STR("P2P-TV.Related_metrics")));
	assert_false(sn_mp_name_is_good(SN_STR("")));
	assert_false(sn_mp_name_is_good(SN_STR("a/b")));
	assert_false(sn_mp_name_is_good(SN_STR("a\0b")));
	assert_false(sn_mp_name_is_good(SN_STR("\xc3\xa4")));
	memset(name, 'a', sizeof(name));
	assert_true(sn_mp_name_is_good((struct sn_str){name, SN_MP_NAME_MAX}));
	assert_false(sn_mp_name_is_good((struct sn_str){name, SN_MP_NAME_MAX + 1}));
}

static void what_is_printed_can_be_loaded_and_is_the_same(void **state)
{
	struct sn_mp_registries *others = sn_mp_registries_create();

	for (size_t i = 0; i < sn_mp_registries_count(*state); i++) {
		const char *uri = sn_mp_registries_uri(*state, i);
		struct sn_buf first = {0}, second = {0};
		struct sn_err err = {0};

		assert_int_equal(sn_mp_registries_print(*state, uri, &first), 0);
		assert_int_equal(sn_mp_registries_add(others, sn_buf_str(&first), &err), 0);
		assert_int_equal(sn_mp_registries_print(others, uri, &second), 0);
		assert_string_equal(sn_buf_cstr(&second), sn_buf_cstr(&first));
		sn_buf_finish(&first);
		sn_buf_finish(&second);
	}
	assert_int_equal(sn_mp_registries_print(*state, "urn:example:none", NULL), -ENOENT);
	sn_mp_registries_destroy(others);
	assert_null(sn_mp_registries_uri(*state, sn_mp_registries_count(*state)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_core_registry_is_built_in_with_all_its_elements,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_misspelt_name_is_kept_and_the_right_one_finds_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(elements_of_the_known_components_are_built_in,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tstat_milliseconds_take_what_either_kind_of_peer_sends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			names_are_found_whatever_registry_is_named_and_qualified_too, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			the_registry_of_the_message_is_asked_first_then_what_it_includes, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(comments_are_passed_over_and_later_definitions_win,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_under_the_core_uri_extends_it_only_when_it_is_added, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_wrong_with_a_file_is_said_and_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(elements_and_registries_have_limits, set_up,
						tear_down),
		cmocka_unit_test(names_have_an_alphabet_and_a_limit),
		cmocka_unit_test_setup_teardown(what_is_printed_can_be_loaded_and_is_the_same,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
