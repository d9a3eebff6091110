/* SPDX-License-Identifier: Apache-2.0 */
/* Names, order and keys are those of the original schema and of its daily dumps. */
#include "lib/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "data/monroe/tables.h"

/* The head lines of the daily dumps: each name is a column. */
static const struct {
	const char *table, *header;
} dumps[] = {
	{"monroe_exp_ping",
	 "nodeid,iccid,timestamp,sequencenumber,bytes,dataid,dataversion,guid,host,"
	 "operator,rtt"},
	{"monroe_exp_http_download",
	 "nodeid,iccid,timestamp,sequencenumber,bytes,dataid,dataversion,downloadtime,guid,host,"
	 "operator,port,setuptime,speed,totaltime,errorcode,url"},
	{"monroe_meta_device_gps", "nodeid,timestamp,sequencenumber,altitude,dataid,dataversion,"
				   "latitude,longitude,nmea,satellitecount,speed"},
	{"monroe_meta_device_modem",
	 "nodeid,iccid,timestamp,sequencenumber,band,cid,dataid,dataversion,devicemode,devicestate,"
	 "devicesubmode,ecio,enodebid,frequency,imei,imsi,imsimccmnc,interfacename,"
	 "internalinterface,internalipaddress,ipaddress,lac,mccmnc,nwmccmnc,operator,pci,rscp,rsrp,"
	 "rsrq,rssi"},
	{"monroe_meta_node_event",
	 "nodeid,sequencenumber,timestamp,dataid,dataversion,eventtype,message,user,id"},
	{"monroe_meta_node_sensor",
	 "nodeid,timestamp,sequencenumber,apps,cpu,current,dataid,dataversion,dlb,free,guest,id,"
	 "idle,iowait,irq,modems,nice,percent,running,softirq,start,steal,swap,system,total,usb0,"
	 "usb0charging,usb1,usb1charging,usb2,usb2charging,usbmonitor,user"},
};

/* How many columns the original tables have. */
static const struct {
	const char *name;
	size_t columns;
} sizes[] = {
	{"devices", 20},
	{"monroe_exp_exhaustive_paris", 26},
	{"monroe_exp_headless_browser", 29},
	{"monroe_exp_http", 15},
	{"monroe_exp_http_download", 17},
	{"monroe_exp_nettest", 42},
	{"monroe_exp_ping", 11},
	{"monroe_exp_simple_traceroute", 16},
	{"monroe_exp_tstat_http_complete", 16},
	{"monroe_exp_tstat_tcp_complete", 133},
	{"monroe_exp_tstat_tcp_nocomplete", 47},
	{"monroe_exp_tstat_udp_complete", 22},
	{"monroe_exp_udp_ping", 13},
	{"monroe_meta_device_gps", 11},
	{"monroe_meta_device_modem", 30},
	{"monroe_meta_device_wlan", 11},
	{"monroe_meta_node_event", 9},
	{"monroe_meta_node_sensor", 33},
};

static void every_table_of_the_original_is_a_dataset(void **state)
{
	(void)state;
	assert_int_equal(sn_monroe_table_count, SN_COUNT(sizes));
	for (size_t i = 0; i < SN_COUNT(sizes); i++) {
		const struct sn_monroe_table *table = sn_monroe_table_find(sn_str(sizes[i].name));

		assert_non_null(table);
		assert_int_equal(table->dataset->column_count - SN_COL_COMMON, sizes[i].columns);
		assert_ptr_equal(sn_catalog_find(table->dataset->name), table->dataset);
		assert_ptr_equal(sn_monroe_table_of(table->dataset), table);
	}
	assert_null(sn_monroe_table_of(&sn_dataset_ping));
}

static void records_name_their_table_in_capitals_with_dots(void **state)
{
	(void)state;
	assert_ptr_equal(sn_monroe_table_find(SN_STR("MONROE.META.DEVICE.GPS")),
			 &sn_monroe_meta_device_gps);
	assert_ptr_equal(sn_monroe_table_find(SN_STR("Monroe_Exp.Ping")), &sn_monroe_exp_ping);
	assert_null(sn_monroe_table_find(SN_STR("MONROE.META.DEVICE")));
	assert_null(sn_monroe_table_find(SN_STR("MONROE.META.DEVICE.GPS.GPGGA")));
	assert_null(sn_monroe_table_find(SN_STR("")));
}

static void columns_are_the_original_ones_in_lower_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_monroe_table_count; i++) {
		const struct sn_monroe_table *table = sn_monroe_tables[i];

		for (size_t c = SN_COL_COMMON; c < table->dataset->column_count; c++) {
			const char *name = table->dataset->columns[c].name;

			assert_int_equal(strlen(name), strlen(table->names[c]));
			for (size_t k = 0; name[k] != '\0'; k++)
				assert_int_equal(name[k], tolower(table->names[c][k]));
		}
	}
}

static void check_names(const struct sn_monroe_table *table, const char *names)
{
	struct sn_str rest = sn_str(names), part;
	char name[64];

	while (sn_str_split(&rest, ',', &part)) {
		assert_true(part.n < sizeof(name));
		memcpy(name, part.p, part.n);
		name[part.n] = '\0';
		assert_true(sn_dataset_column(table->dataset, name) >= SN_COL_COMMON);
	}
}

static void keys_times_and_lists_are_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_monroe_table_count; i++) {
		const struct sn_monroe_table *table = sn_monroe_tables[i];

		check_names(table, table->key);
		check_names(table, table->time);
		if (table->lists[0] != '\0')
			check_names(table, table->lists);
		assert_true(table->time_digits == 9 || table->time_digits == 6);
	}
}

static void dumps_have_nothing_but_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_COUNT(dumps); i++) {
		const struct sn_monroe_table *table = sn_monroe_table_find(sn_str(dumps[i].table));
		size_t count = 1;

		check_names(table, dumps[i].header);
		for (const char *p = dumps[i].header; *p != '\0'; p++)
			count += *p == ',';
		assert_int_equal(count, table->dataset->column_count - SN_COL_COMMON);
	}
}

static void seconds_in_a_double_keep_their_microseconds(void **state)
{
	char text[32], again[32];

	(void)state;
	for (unsigned us = 0; us < 1000000; us += 37) {
		snprintf(text, sizeof(text), "1467720000.%06u", us);
		snprintf(again, sizeof(again), "%.6f", strtod(text, NULL));
		assert_string_equal(text, again);
	}
}

static void names_are_found_as_a_whole(void **state)
{
	(void)state;
	assert_true(sn_monroe_names_have("a,bc,d", "bc"));
	assert_true(sn_monroe_names_have("a", "a"));
	assert_false(sn_monroe_names_have("a,bc,d", "b"));
	assert_false(sn_monroe_names_have("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_of_the_original_is_a_dataset),
		cmocka_unit_test(records_name_their_table_in_capitals_with_dots),
		cmocka_unit_test(columns_are_the_original_ones_in_lower_case),
		cmocka_unit_test(keys_times_and_lists_are_columns),
		cmocka_unit_test(dumps_have_nothing_but_columns),
		cmocka_unit_test(seconds_in_a_double_keep_their_microseconds),
		cmocka_unit_test(names_are_found_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
