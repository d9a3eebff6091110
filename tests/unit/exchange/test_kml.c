/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "exchange/kml.h"

#include "base/mem.h"
#include "base/util.h"
#include "data/monroe/tables.h"

#define START 1480464000 /* 2016-11-30T00:00:00Z */

struct world {
	struct sn_kml *kml;
	struct sn_columns *fixes, *modems;
	struct sn_buf out;
};

static int create(void **state)
{
	struct world *world = sn_new(struct world);

	world->fixes = sn_columns_create(&sn_dataset_monroe_meta_device_gps);
	world->modems = sn_columns_create(&sn_dataset_monroe_meta_device_modem);
	*state = world;
	return 0;
}

static int destroy(void **state)
{
	struct world *world = *state;

	sn_kml_destroy(world->kml);
	sn_columns_destroy(world->fixes);
	sn_columns_destroy(world->modems);
	sn_buf_finish(&world->out);
	free(world);
	return 0;
}

static void begin(struct world *world, struct sn_kml_options options)
{
	if (options.node == NULL)
		options.node = "206";
	world->kml = sn_kml_create(&options);
}

static int column(const struct sn_columns *columns, const char *name)
{
	int found = sn_dataset_column(sn_columns_dataset(columns), name);

	assert_true(found >= 0);
	return found;
}

static void add_fix(struct world *world, int second, double latitude, double longitude)
{
	struct sn_columns *fixes = world->fixes;

	sn_columns_add_row(fixes);
	sn_columns_set_time(fixes, SN_COL_TIME, (START + second) * SN_NS_PER_S);
	sn_columns_set_f64(fixes, column(fixes, "latitude"), latitude);
	sn_columns_set_f64(fixes, column(fixes, "longitude"), longitude);
	sn_columns_set_text(fixes, column(fixes, "nmea"), SN_STR("$GPRMC,000000.0,A*53\r\n"));
}

static void add_modem(struct world *world, int second, const char *iccid, int mode)
{
	struct sn_columns *modems = world->modems;

	sn_columns_add_row(modems);
	sn_columns_set_time(modems, SN_COL_TIME, (START + second) * SN_NS_PER_S);
	sn_columns_set_text(modems, column(modems, "iccid"), sn_str(iccid));
	sn_columns_set_i64(modems, column(modems, "devicemode"), mode);
	sn_columns_set_text(modems, column(modems, "operator"), SN_STR("voda IT"));
}

static const char *track(struct world *world)
{
	sn_kml_track(world->kml, world->fixes, &world->out);
	return sn_buf_cstr(&world->out);
}

static const char *coverage(struct world *world)
{
	sn_kml_coverage(world->kml, world->fixes, world->modems, &world->out);
	return sn_buf_cstr(&world->out);
}

static void has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in: %s", part, text);
}

static void lacks(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("'%s' is in: %s", part, text);
}

static void a_fix_is_a_placemark(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){0});
	add_fix(world, 1, 59.36545, 13.5);
	sn_columns_set_f64(world->fixes, column(world->fixes, "altitude"), 62.5);
	sn_columns_set_f64(world->fixes, column(world->fixes, "speed"), 10);
	sn_kml_begin(world->kml, &world->out);
	track(world);
	sn_kml_end(world->kml, &world->out);
	assert_string_equal(
		sn_buf_cstr(&world->out),
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<kml xmlns=\"http://www.opengis.net/kml/2.2\">\n<Document>\n<name>206</name>\n"
		"<Placemark>\n<description><![CDATA[Node: 206<br/>\n"
		"Time: 2016-11-30T00:00:01Z<br/>\nLatitude: 59.36545 N<br/>\n"
		"Longitude: 13.5 E<br/>\nAltitude: 62.5 m<br/>\nSpeed: 18.5 km/h<br/>\n"
		"]]></description>\n<TimeStamp><when>2016-11-30T00:00:01Z</when></TimeStamp>\n"
		"<Point><coordinates>13.5,59.36545,62.5</coordinates></Point>\n</Placemark>\n"
		"</Document>\n</kml>\n");
	assert_int_equal(sn_kml_places(world->kml), 1);
}

static void south_and_west_are_negative_coordinates(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){0});
	add_fix(world, 1, -12.25, -77);
	has(track(world), "Latitude: 12.25 S<br/>\nLongitude: 77 W<br/>\n");
	has(track(world), "<coordinates>-77,-12.25,0</coordinates>");
}

static void other_sentences_are_no_fix(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){0});
	add_fix(world, 1, 1, 1);
	sn_columns_set_text(world->fixes, column(world->fixes, "nmea"), SN_STR("$GPGGA,0*1\r\n"));
	add_fix(world, 2, 1, 1);
	sn_columns_set_text(world->fixes, column(world->fixes, "nmea"), SN_STR("$GP"));
	sn_columns_add_row(world->fixes);
	assert_string_equal(track(world), "");
	add_fix(world, 3, 1, 1);
	sn_columns_set_text(world->fixes, column(world->fixes, "nmea"), SN_STR("$GNRMC,0*1\r\n"));
	track(world);
	assert_int_equal(sn_kml_places(world->kml), 1);
}

static void places_off_the_earth_are_no_fix(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){0});
	add_fix(world, 1, 90.5, 0);
	add_fix(world, 2, 0, -180.5);
	add_fix(world, 3, 90, -180);
	track(world);
	assert_int_equal(sn_kml_places(world->kml), 1);
}

static void fixes_nearer_than_the_gap_are_left_out(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){.min_gap_ns = 10 * SN_NS_PER_S});
	for (int i = 0; i <= 20; i++)
		add_fix(world, i, 1, 1);
	track(world);
	assert_int_equal(sn_kml_places(world->kml), 3);
	/* The next rows go on from there. */
	sn_columns_clear(world->fixes);
	add_fix(world, 29, 1, 1);
	add_fix(world, 30, 1, 1);
	track(world);
	assert_int_equal(sn_kml_places(world->kml), 4);
}

static void coverage_takes_the_last_of_the_other_stream(void **state)
{
	struct world *world = *state;
	const char *text;

	begin(world, (struct sn_kml_options){.coverage = true});
	add_fix(world, 1, 1, 1); /* no modem is known yet */
	add_modem(world, 2, "893", 5);
	add_fix(world, 3, 2, 2);
	add_modem(world, 4, "893", 4);
	text = coverage(world);
	assert_int_equal(sn_kml_places(world->kml), 3);
	text = strstr(text, "00:00:02Z</when></TimeStamp>\n<styleUrl>#IconLTE<");
	assert_non_null(text);
	text = strstr(text, "<coordinates>1,1,0<");
	assert_non_null(text);
	text = strstr(text, "00:00:03Z</when></TimeStamp>\n<styleUrl>#IconLTE<");
	assert_non_null(text);
	text = strstr(text, "<coordinates>2,2,0<");
	assert_non_null(text);
	text = strstr(text, "00:00:04Z</when></TimeStamp>\n<styleUrl>#Icon3G<");
	assert_non_null(text);
	has(text, "<coordinates>2,2,0<");
}

static void a_fix_stands_for_each_modem(void **state)
{
	struct world *world = *state;
	const char *text;

	begin(world, (struct sn_kml_options){.coverage = true});
	add_modem(world, 1, "893", 5);
	add_modem(world, 2, "894", 2);
	add_fix(world, 3, 1, 1);
	text = coverage(world);
	assert_int_equal(sn_kml_places(world->kml), 2);
	has(text, "ICCID: 893<br/>");
	has(text, "ICCID: 894<br/>");
	has(text, "#IconNoService<");
}

static void what_a_modem_told_is_described(void **state)
{
	struct world *world = *state;
	const char *text;

	begin(world, (struct sn_kml_options){.coverage = true});
	add_modem(world, 1, "893", 4);
	sn_columns_set_i64(world->modems, column(world->modems, "devicesubmode"), 5);
	sn_columns_set_i64(world->modems, column(world->modems, "devicestate"), 3);
	sn_columns_set_i64(world->modems, column(world->modems, "rssi"), -80);
	sn_columns_set_i64(world->modems, column(world->modems, "lac"), 28014);
	sn_columns_set_text(world->modems, column(world->modems, "interfacename"), SN_STR("usb2"));
	add_fix(world, 2, 1, 1);
	text = coverage(world);
	has(text, "Mode: 3G<br/>\nSubmode: HSPA+<br/>\nState: connected<br/>\nICCID: 893<br/>\n"
		  "Interface: usb2<br/>\nLAC: 28014<br/>\nOperator: voda IT<br/>\n"
		  "RSSI: -80<br/>\n]]>");
	lacks(text, "RSRP");
}

static void modes_that_nobody_knows_are_unknown(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){.coverage = true});
	add_fix(world, 1, 1, 1);
	add_modem(world, 2, "893", 6);
	add_modem(world, 3, "893", -4);
	lacks(coverage(world), "#IconLTE");
	assert_int_equal(sn_kml_places(world->kml), 2);
	has(coverage(world), "#IconUnknown<");
}

static void other_networks_can_be_left_out(void **state)
{
	struct world *world = *state;

	begin(world, (struct sn_kml_options){.coverage = true, .network = "YOIGO"});
	add_fix(world, 1, 1, 1);
	add_modem(world, 2, "893", 5);
	add_modem(world, 3, "894", 5);
	sn_columns_set_text(world->modems, column(world->modems, "operator"), SN_STR("YOIGO"));
	lacks(coverage(world), "ICCID: 893");
	assert_int_equal(sn_kml_places(world->kml), 1);
}

static void the_most_silent_modem_makes_room(void **state)
{
	struct world *world = *state;
	char iccid[16];

	begin(world, (struct sn_kml_options){.coverage = true});
	for (int i = 0; i <= SN_KML_MODEMS_MAX; i++) {
		snprintf(iccid, sizeof(iccid), "89-%d-", i);
		add_modem(world, i, iccid, 5);
	}
	add_fix(world, 100, 1, 1);
	lacks(coverage(world), "89-0-");
	has(sn_buf_cstr(&world->out), "89-1-");
	has(sn_buf_cstr(&world->out), "89-16-");
	assert_int_equal(sn_kml_places(world->kml), SN_KML_MODEMS_MAX);
}

static void texts_from_outside_stay_texts(void **state)
{
	struct world *world = *state;
	const char *text;

	begin(world, (struct sn_kml_options){.coverage = true, .node = "<n>&\"\x01"});
	add_modem(world, 1, "]]><script>\x1b\xff\xef\xbf\xbf", 5);
	add_fix(world, 2, 1, 1);
	sn_kml_begin(world->kml, &world->out);
	text = coverage(world);
	has(text, "<name>&lt;n&gt;&amp;&quot;\xef\xbf\xbd</name>");
	has(text, "ICCID: ]]&gt;&lt;script&gt;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd<br/>");
	lacks(text, "<script");
}

static void styles_refer_to_the_images(void **state)
{
	struct world *world = *state;
	unsigned i = 0;

	begin(world, (struct sn_kml_options){.coverage = true});
	sn_kml_begin(world->kml, &world->out);
	for (; sn_kml_mark_name(i) != NULL; i++) {
		sn_autofree char *part = sn_xasprintf("<href>%s</href>", sn_kml_mark_name(i));

		has(sn_buf_cstr(&world->out), part);
	}
	assert_int_equal(i, 6);
	has(sn_buf_cstr(&world->out),
	    "<Style id=\"IconLTE\"><IconStyle><Icon><href>Mark_LTE.png</href>");
}

static void images_are_whole(void **state)
{
	struct world *world = *state;
	struct sn_rd rd;

	for (unsigned i = 0; sn_kml_mark_name(i) != NULL; i++) {
		sn_buf_clear(&world->out);
		sn_kml_mark(i, &world->out);
		sn_rd_init(&rd, world->out.p, world->out.n);
		assert_memory_equal(sn_rd_bytes(&rd, 8), "\x89PNG\r\n\x1a\n", 8);
		for (int chunk = 0; chunk < 3; chunk++) {
			uint32_t size = sn_rd_u32be(&rd);
			const uint8_t *bytes = sn_rd_bytes(&rd, 4 + size);

			assert_non_null(bytes);
			assert_int_equal(sn_rd_u32be(&rd), crc32(0, bytes, 4 + size));
		}
		assert_true(sn_rd_ok(&rd));
		assert_int_equal(sn_rd_left(&rd), 0);
	}
}

static void names_tell_node_and_span(void **state)
{
	struct world *world = *state;

	sn_kml_name("206", START * SN_NS_PER_S, (START + 86400) * SN_NS_PER_S, &world->out);
	assert_string_equal(sn_buf_cstr(&world->out), "206_1480464000_1480550400.kml");
	sn_buf_clear(&world->out);
	sn_kml_name("../x y", 0, 0, &world->out);
	assert_string_equal(sn_buf_cstr(&world->out), "_._x_y_0_0.kml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_fix_is_a_placemark, create, destroy),
		cmocka_unit_test_setup_teardown(south_and_west_are_negative_coordinates, create,
						destroy),
		cmocka_unit_test_setup_teardown(other_sentences_are_no_fix, create, destroy),
		cmocka_unit_test_setup_teardown(places_off_the_earth_are_no_fix, create, destroy),
		cmocka_unit_test_setup_teardown(fixes_nearer_than_the_gap_are_left_out, create,
						destroy),
		cmocka_unit_test_setup_teardown(coverage_takes_the_last_of_the_other_stream, create,
						destroy),
		cmocka_unit_test_setup_teardown(a_fix_stands_for_each_modem, create, destroy),
		cmocka_unit_test_setup_teardown(what_a_modem_told_is_described, create, destroy),
		cmocka_unit_test_setup_teardown(modes_that_nobody_knows_are_unknown, create,
						destroy),
		cmocka_unit_test_setup_teardown(other_networks_can_be_left_out, create, destroy),
		cmocka_unit_test_setup_teardown(the_most_silent_modem_makes_room, create, destroy),
		cmocka_unit_test_setup_teardown(texts_from_outside_stay_texts, create, destroy),
		cmocka_unit_test_setup_teardown(styles_refer_to_the_images, create, destroy),
		cmocka_unit_test_setup_teardown(images_are_whole, create, destroy),
		cmocka_unit_test_setup_teardown(names_tell_node_and_span, create, destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
