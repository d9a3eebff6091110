/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <string.h>

#include "base/util.h"
#include "data/annotation.h"

/* MONROE's tables keep to MONROE's columns. */
static bool is_ours(const struct sn_dataset *dataset)
{
	return strncmp(dataset->name, "monroe_", 7) != 0;
}

static void every_address_column_has_its_network_and_country(void **state)
{
	unsigned addresses = 0;

	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		const struct sn_dataset *dataset = sn_catalog[i];
		struct sn_annotated annotated;
		unsigned count = 0;

		if (!is_ours(dataset))
			continue;
		for (size_t k = 0; k < dataset->column_count; k++)
			count += sn_column_is_address(&dataset->columns[k]);
		assert_int_equal(sn_dataset_annotated(dataset, &annotated), count > 0);
		if (annotated.count != count)
			fail_msg("%s: %u addresses, %u with network and country", dataset->name,
				 count, annotated.count);
		if (count > 0 && annotated.annotation < 0)
			fail_msg("%s: no column 'annotation'", dataset->name);
		addresses += count;
	}
	assert_int_equal(addresses, 1 + 2 + 10 * 2); /* ping, flow, Tstat's logs */
}

static void pairs_stand_beside_their_address(void **state)
{
	const struct sn_column *columns = sn_dataset_flow.columns;
	struct sn_annotated annotated;

	(void)state;
	assert_true(sn_dataset_annotated(&sn_dataset_flow, &annotated));
	assert_string_equal(columns[annotated.items[1].address].name, "s_ip");
	assert_string_equal(columns[annotated.items[1].asn].name, "s_asn");
	assert_string_equal(columns[annotated.items[1].country].name, "s_country");
	assert_true(sn_dataset_annotated(&sn_dataset_ping, &annotated));
	assert_string_equal(sn_dataset_ping.columns[annotated.items[0].asn].name, "address_asn");
	assert_false(sn_dataset_annotated(&sn_dataset_health, &annotated));
}

static void a_pair_of_other_types_is_none(void **state)
{
	static const struct sn_column columns[] = {
		SN_COMMON_COLUMNS,
		{"a_ip", SN_TYPE_TEXT, "", ""},
		{"a_asn", SN_TYPE_TEXT, "", ""},
		{"a_country", SN_TYPE_TEXT, "", ""},
		{"b_ip", SN_TYPE_TEXT, "", ""},
		{"b_asn", SN_TYPE_I64, "", ""},
		{"_ip", SN_TYPE_TEXT, "", ""},
		{"address", SN_TYPE_I64, "", ""},
	};
	static const struct sn_dataset dataset = {
		.name = "x", .version = 1, .columns = columns, .column_count = SN_COUNT(columns)};
	struct sn_annotated annotated;

	(void)state;
	assert_false(sn_dataset_annotated(&dataset, &annotated));
	assert_int_equal(annotated.annotation, -1);
	assert_false(sn_column_is_address(&columns[SN_COUNT(columns) - 2]));
	assert_false(sn_column_is_address(&columns[SN_COUNT(columns) - 1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_column_has_its_network_and_country),
		cmocka_unit_test(pairs_stand_beside_their_address),
		cmocka_unit_test(a_pair_of_other_types_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
