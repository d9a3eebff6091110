/* SPDX-License-Identifier: Apache-2.0 */
/* Records as the experiments and the metadata exporter of the testbed write them. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "exchange/monroe_json.h"
#include "lib/squeeze.h"

#define PLACES_MAX 8

#define PING                                                                                       \
	"{\"DataId\":\"MONROE.EXP.PING\",\"Bytes\":64,\"NodeId\":\"12\",\"SequenceNumber\":0,"     \
	"\"DataVersion\":2,\"Timestamp\":1795294325.6893,\"Rtt\":0.05,\"Host\":\"10.99.0.1\","     \
	"\"Operator\":\"Telenor\",\"Iccid\":\"8947000000000000010\",\"Guid\":\"sha256:abc.0.12."   \
	"1\"}"
#define LOST                                                                                       \
	"{\"DataId\":\"MONROE.EXP.PING\",\"NodeId\":\"12\",\"SequenceNumber\":1,"                  \
	"\"DataVersion\":2,\"Timestamp\":1795294326.689312,\"Host\":\"10.99.0.1\","                \
	"\"Operator\":\"Telenor\",\"Iccid\":\"8947000000000000010\",\"Guid\":\"sha256:abc.0.12."   \
	"1\"}"
#define MODEM                                                                                      \
	"{\"SequenceNumber\":33548,\"Timestamp\":1465803136.123456,"                               \
	"\"DataId\":\"MONROE.META.DEVICE.MODEM\",\"DataVersion\":1,"                               \
	"\"InternalInterface\":\"op2\",\"ICCID\":\"8934041514050774002\",\"IMSI\":\"214040\","     \
	"\"IMEI\":\"866948\",\"Operator\":\"YOIGO\",\"IPAddress\":\"10.33.101.173\","              \
	"\"InternalIPAddress\":\"192.168.0.153\",\"InterfaceName\":\"usb2\","                      \
	"\"IMSIMCCMNC\":21404,\"NWMCCMNC\":21404,\"LAC\":28014,\"CID\":72209509,\"RSRP\":-85,"     \
	"\"Frequency\":1800,\"RSSI\":-80,\"RSRQ\":-8,\"DeviceMode\":5,\"Band\":3,"                 \
	"\"DeviceState\":3,\"NodeId\":\"42\"}"
#define GPS                                                                                        \
	"{\"DataId\":\"MONROE.META.DEVICE.GPS\",\"DataVersion\":1,\"SequenceNumber\":7,"           \
	"\"Timestamp\":1467720000.000001,\"Longitude\":13.501,\"Latitude\":59.4,"                  \
	"\"Altitude\":63.2,\"SatelliteCount\":9,\"NMEA\":\"$GPGGA,120000.00\\r\\n\","              \
	"\"NodeId\":\"42\"}"
#define TRACEROUTE                                                                                 \
	"{\"hop\":3,\"targetDomainName\":\"www.uc3m.es\",\"NodeId\":42,\"timestamp\":1467720000,"  \
	"\"endTime\":1467720009,\"DataId\":\"MONROE.EXP.SIMPLE.TRACEROUTE\","                      \
	"\"InterfaceName\":\"op0\",\"DataVersion\":1,\"containerTimestamp\":1467719990,"           \
	"\"IpDst\":\"192.0.2.1\",\"numberOfHops\":30,\"sizeOfProbes\":60,\"IP\":\"192.0.2.9\","    \
	"\"HopName\":\"a.example\",\"RTTSection\":[12, 13,14],\"annotationSection\":[0,0,11078]}"

static const struct sn_monroe_options strict = {.strict = true}, lenient = {.strict = false};
static struct sn_err err;

struct taken {
	struct {
		const struct sn_dataset *dataset;
		int32_t day;
		struct sn_columns *columns;
	} places[PLACES_MAX];
	size_t count;
	struct sn_buf bad;   /* "line: reason|" */
	struct sn_buf texts; /* of the bad ones */
	struct sn_intake intake;
	struct sn_intake_counts counts;
	int rc;
};

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct taken *taken = ctx;

	for (size_t i = 0; i < taken->count; i++)
		if (taken->places[i].day == day && taken->places[i].dataset == dataset)
			return taken->places[i].columns;
	if (taken->count == PLACES_MAX)
		return NULL;
	taken->places[taken->count].dataset = dataset;
	taken->places[taken->count].day = day;
	taken->places[taken->count].columns = sn_columns_create(dataset);
	return taken->places[taken->count++].columns;
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	sn_buf_addf(&taken->bad, "%u: %s|", (unsigned)bad->line, bad->reason);
	sn_buf_add(&taken->texts, bad->text.p, bad->text.n);
	sn_buf_addc(&taken->texts, '|');
}

static void take(struct taken *taken, const struct sn_monroe_options *options,
		 struct sn_input *input)
{
	struct sn_monroe_reader *reader;

	*taken = (struct taken){.rc = 0};
	taken->intake = (struct sn_intake){.place = place, .bad = note_bad, .ctx = taken};
	reader = sn_monroe_reader_create(input, options, &taken->intake);
	while ((taken->rc = sn_monroe_reader_read(reader, 2, &err)) > 0)
		;
	taken->counts = *sn_monroe_reader_counts(reader);
	sn_monroe_reader_destroy(reader);
	sn_input_destroy(input);
	sn_buf_cstr(&taken->bad);
	sn_buf_cstr(&taken->texts);
}

static void take_text(struct taken *taken, const struct sn_monroe_options *options,
		      const char *text)
{
	take(taken, options, sn_input_create(sn_str(text), SN_MONROE_OBJECT_MAX));
}

static void drop(struct taken *taken)
{
	for (size_t i = 0; i < taken->count; i++)
		sn_columns_destroy(taken->places[i].columns);
	sn_buf_finish(&taken->bad);
	sn_buf_finish(&taken->texts);
}

static struct sn_value value_of(const struct taken *taken, size_t at, size_t row, const char *name)
{
	struct sn_value values[SN_DATASET_COLUMNS_MAX];
	int column = sn_dataset_column(taken->places[at].dataset, name);

	assert_true(column >= 0);
	sn_columns_row(taken->places[at].columns, row, values);
	return values[column];
}

static void check_text(struct sn_value value, const char *expected)
{
	assert_int_equal(value.type, SN_TYPE_TEXT);
	assert_true(sn_str_eqc(value.s, expected));
}

/* Records ---------------------------------------------------------------- */

static void pings_become_rows_with_and_without_a_reply(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &strict, PING "\n" LOST "\n");
	assert_int_equal(taken.rc, 0);
	assert_int_equal(taken.counts.rows, 2);
	assert_int_equal(taken.counts.bad, 0);
	assert_ptr_equal(taken.places[0].dataset, &sn_dataset_monroe_exp_ping);
	assert_int_equal(value_of(&taken, 0, 0, "time").i, 1795294325689300000);
	assert_true(value_of(&taken, 0, 0, "timestamp").f == 1795294325.6893);
	check_text(value_of(&taken, 0, 0, "node"), "12");
	check_text(value_of(&taken, 0, 0, "nodeid"), "12");
	check_text(value_of(&taken, 0, 0, "iccid"), "8947000000000000010");
	assert_int_equal(value_of(&taken, 0, 0, "sequencenumber").i, 0);
	assert_int_equal(value_of(&taken, 0, 0, "bytes").i, 64);
	assert_true(value_of(&taken, 0, 0, "rtt").f == 0.05);
	assert_int_equal(value_of(&taken, 0, 0, "seq").type, SN_TYPE_NULL);
	assert_int_equal(value_of(&taken, 0, 1, "time").i, 1795294326689312000);
	assert_int_equal(value_of(&taken, 0, 1, "rtt").type, SN_TYPE_NULL);
	drop(&taken);
}

static void each_kind_of_record_goes_to_its_own_table(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &strict, MODEM "\n" GPS "\n" TRACEROUTE "\n" PING "\n");
	assert_int_equal(taken.rc, 0);
	assert_int_equal(taken.counts.rows, 4);
	assert_int_equal(taken.count, 4);
	/* The bus writes names in capitals. */
	assert_ptr_equal(taken.places[0].dataset, &sn_dataset_monroe_meta_device_modem);
	assert_int_equal(value_of(&taken, 0, 0, "imsimccmnc").i, 21404);
	assert_int_equal(value_of(&taken, 0, 0, "rsrp").i, -85);
	check_text(value_of(&taken, 0, 0, "ipaddress"), "10.33.101.173");
	assert_int_equal(value_of(&taken, 0, 0, "ecio").type, SN_TYPE_NULL);
	check_text(value_of(&taken, 1, 0, "nmea"), "$GPGGA,120000.00\r\n");
	assert_int_equal(value_of(&taken, 1, 0, "time").i, 1467720000000001000);
	check_text(value_of(&taken, 2, 0, "node"), "42");
	assert_int_equal(value_of(&taken, 2, 0, "nodeid").i, 42);
	check_text(value_of(&taken, 2, 0, "rttsection"), "[12, 13,14]");
	assert_int_equal(value_of(&taken, 2, 0, "time").i, 1467720000000000000);
	drop(&taken);
}

static void tstat_records_tell_their_time_in_milliseconds(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &strict,
		  "{\"NodeId\":\"1\",\"Iccid\":\"2\",\"DataId\":\"MONROE.EXP.TSTAT.UDP.COMPLETE\","
		  "\"c_ip\":\"10.0.0.1\",\"c_port\":5,\"s_ip\":\"10.0.0.2\",\"s_port\":\"53\","
		  "\"c_first_abs\":1470104381895.303955,\"c_durat\":0.5}\n"
		  "{\"NodeId\":\"1\",\"Iccid\":\"2\",\"DataId\":\"MONROE.EXP.TSTAT.TCP.COMPLETE\","
		  "\"c_ip\":\"10.0.0.1\",\"c_port\":5,\"s_ip\":\"10.0.0.2\",\"s_port\":443,"
		  "\"first\":1470104381895.303955,\"last\":1470104381896,\"c_rtt_cnt\":3.0,"
		  "\"c_tls_SNI\":\"a.example\",\"c_appdataB\":4294967296}\n");
	assert_int_equal(taken.counts.rows, 2);
	assert_int_equal(value_of(&taken, 0, 0, "time").i, 1470104381895303955);
	assert_int_equal(value_of(&taken, 0, 0, "s_port").i, 53);
	assert_int_equal(value_of(&taken, 1, 0, "time").i, 1470104381895303955);
	assert_int_equal(value_of(&taken, 1, 0, "c_rtt_cnt").i, 3);
	check_text(value_of(&taken, 1, 0, "c_tls_sni"), "a.example");
	assert_int_equal(value_of(&taken, 1, 0, "c_appdatab").i, 4294967296);
	drop(&taken);
}

static void the_list_of_nodes_has_no_data_id(void **state)
{
	struct sn_monroe_options options = {.strict = true, .table = &sn_monroe_devices};
	static const char text[] =
		"{\"Country\":\"se\",\"Site\":\"karlstad\",\"NodeId\":42,\"Interfaces\":[\"89\"],"
		"\"IfDetails\":{\"89\":\"Telia\"},\"ModemCount\":1,\"Latitude\":59.4,"
		"\"ValidFrom\":1467720000123,\"StatusStart\":\"2016-07-05T12:00:00Z\"}\n";
	struct taken taken;

	(void)state;
	take_text(&taken, &options, text);
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(value_of(&taken, 0, 0, "time").i, 1467720000123000000);
	assert_int_equal(value_of(&taken, 0, 0, "validfrom").i, 1467720000123000000);
	assert_int_equal(value_of(&taken, 0, 0, "statusstart").i, 1467720000000000000);
	check_text(value_of(&taken, 0, 0, "interfaces"), "[\"89\"]");
	check_text(value_of(&taken, 0, 0, "ifdetails"), "{\"89\":\"Telia\"}");
	check_text(value_of(&taken, 0, 0, "node"), "42");
	drop(&taken);
	take_text(&taken, &strict, text);
	assert_string_equal(taken.bad.p, "1: it has no DataId|");
	drop(&taken);
}

/* Strictness ------------------------------------------------------------- */

#define RECORD(rest) "{\"DataId\":\"MONROE.EXP.PING\",\"NodeId\":\"1\",\"Iccid\":\"2\"" rest "}"
#define TIMED(rest)  RECORD(",\"Timestamp\":1467720000.5,\"SequenceNumber\":1" rest)
static const char timed[] = TIMED("");

static void bad_records_are_told_and_the_others_are_taken(void **state)
{
	static const struct {
		const char *record, *reason;
		bool strict_only;
	} cases[] = {
		{TIMED(",\"Colour\":1"), "member 'Colour' is no column of 'monroe_exp_ping'", true},
		{TIMED(",\"Co lour\":1"), "member 6 is no column of 'monroe_exp_ping'", true},
		{TIMED(",\"\":1"), "member 6 is no column of 'monroe_exp_ping'", true},
		{TIMED(",\"Colour\":{\"a\":[1,{}]}"),
		 "member 'Colour' is no column of 'monroe_exp_ping'", true},
		{TIMED(",\"Host\":7"), "'host' is not a text", true},
		{TIMED(",\"Host\":[7]"), "'host' is not a text", true},
		{TIMED(",\"Bytes\":\"many\""), "'bytes' is not an integer", false},
		{TIMED(",\"Bytes\":64.5"), "'bytes' is not an integer", false},
		{TIMED(",\"Bytes\":true"), "'bytes' is not an integer", false},
		{TIMED(",\"Bytes\":99999999999999999999"), "'bytes' does not fit into 64 bits",
		 false},
		{TIMED(",\"Rtt\":\"\""), "'rtt' is not a number", false},
		{TIMED(",\"Rtt\":1e999"), "'rtt' is too large or has too many digits", false},
		{TIMED(",\"Rtt\":0"), "'rtt' is not positive", false},
		{TIMED(",\"Rtt\":-1.5"), "'rtt' is not positive", false},
		{TIMED(",\"Bytes\":0"), "'bytes' is not positive", false},
		{TIMED(",\"rtt\":1,\"RTT\":2"), "'rtt' is given twice", false},
		{TIMED(",\"rtt\":null,\"RTT\":2"), "'rtt' is given twice", false},
		{RECORD(",\"SequenceNumber\":1"), "'timestamp' is missing", false},
		{RECORD(",\"Timestamp\":null,\"SequenceNumber\":1"), "'timestamp' is missing",
		 false},
		{RECORD(",\"Timestamp\":1467720000.5"), "'sequencenumber' is missing", false},
		{RECORD(",\"Timestamp\":1467720000.5,\"SequenceNumber\":-1"),
		 "'sequencenumber' is negative", false},
		{RECORD(",\"Timestamp\":0,\"SequenceNumber\":1"),
		 "'timestamp' is not a point in time", false},
		{RECORD(",\"Timestamp\":-5,\"SequenceNumber\":1"),
		 "'timestamp' is not a point in time", false},
		{RECORD(",\"Timestamp\":1e30,\"SequenceNumber\":1"),
		 "'timestamp' is not a point in time", false},
		{"{\"DataId\":\"MONROE.EXP.PING\",\"Timestamp\":1467720000.5,"
		 "\"SequenceNumber\":1,\"Iccid\":\"1\"}",
		 "'nodeid' is missing", false},
		{"{\"DataId\":\"MONROE.EXP.NOTHING\"}", "its DataId is no table's", false},
		{"{\"DataId\":7}", "its DataId is no table's", false},
		{"{\"DataId\":null}", "it has no DataId", false},
		{"{}", "it has no DataId", false},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		for (int pass = 0; pass < 2; pass++) {
			sn_autofree char *text =
				sn_xasprintf(PING "\n%s\n" LOST "\n", cases[i].record);
			sn_autofree char *expected = sn_xasprintf("2: %s|", cases[i].reason);
			bool bad = pass == 0 || !cases[i].strict_only;
			struct taken taken;

			take_text(&taken, pass == 0 ? &strict : &lenient, text);
			assert_int_equal(taken.rc, 0);
			assert_int_equal(taken.counts.rows, bad ? 2 : 3);
			assert_string_equal(taken.bad.p != NULL ? taken.bad.p : "",
					    bad ? expected : "");
			if (bad)
				assert_true(sn_str_has_prefix(sn_buf_str(&taken.texts),
							      cases[i].record));
			drop(&taken);
		}
	}
}

static void unknown_members_are_counted_when_they_are_skipped(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &lenient, TIMED(",\"Colour\":\"red\",\"Deep\":[{}]") "\n");
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(taken.counts.unknown, 2);
	drop(&taken);
	take_text(&taken, &lenient, TIMED(",\"Host\":12.50,\"Operator\":[\"a\"]") "\n");
	check_text(value_of(&taken, 0, 0, "host"), "12.50");
	check_text(value_of(&taken, 0, 0, "operator"), "[\"a\"]");
	drop(&taken);
}

static void records_that_are_too_old_are_bad(void **state)
{
	struct sn_monroe_options options = {.strict = true};
	struct taken taken;

	(void)state;
	options.oldest_ns = 1467720000500000000;
	take_text(&taken, &options, TIMED("") "\n");
	assert_int_equal(taken.counts.rows, 1);
	drop(&taken);
	options.oldest_ns++;
	take_text(&taken, &options, TIMED("") "\n");
	assert_string_equal(taken.bad.p, "1: 'timestamp' is too long ago|");
	drop(&taken);
}

static void numbers_may_stand_in_quotes(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &strict,
		  RECORD(",\"Timestamp\":\"1467720000.123456\",\"SequenceNumber\":\"5\","
			 "\"Rtt\":\"1.25\"") "\n");
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(value_of(&taken, 0, 0, "time").i, 1467720000123456000);
	assert_int_equal(value_of(&taken, 0, 0, "sequencenumber").i, 5);
	assert_true(value_of(&taken, 0, 0, "rtt").f == 1.25);
	drop(&taken);
}

static void texts_above_the_limit_of_a_row_are_cut_and_counted(void **state)
{
	struct sn_buf text = {0};
	struct taken taken;

	(void)state;
	sn_buf_adds(&text, "{\"Host\":\"");
	for (int i = 0; i < SN_TEXT_MAX; i++)
		sn_buf_addc(&text, 'x');
	sn_buf_adds(&text, "\",");
	sn_buf_adds(&text, timed + 1);
	take_text(&taken, &strict, sn_buf_cstr(&text));
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(taken.counts.cut, 0);
	drop(&taken);
	sn_buf_clear(&text);
	sn_buf_adds(&text, "{\"Host\":\"");
	for (int i = 0; i <= SN_TEXT_MAX; i++)
		sn_buf_addc(&text, 'x');
	sn_buf_adds(&text, "\",");
	sn_buf_adds(&text, timed + 1);
	take_text(&taken, &strict, sn_buf_cstr(&text));
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(taken.counts.cut, 1);
	assert_int_equal(value_of(&taken, 0, 0, "host").s.n, SN_TEXT_MAX);
	drop(&taken);
	sn_buf_finish(&text);
}

/* Syntax ----------------------------------------------------------------- */

static void objects_span_lines(void **state)
{
	static const char text[] =
		"{\n  \"DataId\": \"MONROE.EXP.PING\",\r\n  \"NodeId\": \"1\",\n\n"
		"  \"Iccid\": \"}{\\\"\",\n"
		"  \"Extra\": {\"a\": [1,\n {\"b\": 2}]},\n"
		"  \"Timestamp\": 1467720000.5, \"SequenceNumber\": 1\n}\n\n"
		"{ \"DataId\": \"MONROE.EXP.PING\", \"Extra\": {\"a\": {}}\n"
		", \"NodeId\": \"1\", \"Iccid\": \"2\",\n"
		"  \"Timestamp\": 1467720001.5, \"SequenceNumber\": 2 }\n" LOST;
	struct taken taken;

	(void)state;
	take_text(&taken, &lenient, text);
	assert_int_equal(taken.rc, 0);
	assert_int_equal(taken.counts.rows, 3);
	assert_int_equal(taken.counts.bad, 0);
	check_text(value_of(&taken, 0, 0, "iccid"), "}{\"");
	drop(&taken);
}

static void mistakes_in_the_syntax_are_bad_lines_or_refuse_the_file(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{"nothing", "not an object"},
		{"[1]", "not an object"},
		{"\"DataId\"", "not an object"},
		{PING PING, "column 225: bytes behind the object"},
		{"{\"a\":1 \"b\":2}", "column 8: neither ',' nor '}' behind a value"},
		{"{\"a\":1,}", "column 8: not a member's name in quotes"},
		{"{a:1}", "column 2: not a member's name in quotes"},
		{"{\"a\"}", "column 5: no ':' behind a member's name"},
		{"{\"a\":01}", "column 6: not a JSON value"},
		{"{\"a\":NaN}", "column 6: not a JSON value"},
		{"{\"a\":\"\xff\"}", "column 7: bytes that are not UTF-8"},
		{"{\"a\":\"\\u0000\"}", "column 7: a zero byte in a string"},
		{"{\"a\":[1}", "an object without an end"},
		{"{\"a\":1", "an object without an end"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autofree char *text = sn_xasprintf(PING "\n%s\n" LOST "\n", cases[i].line);
		sn_autofree char *expected = sn_xasprintf("2: %s|", cases[i].reason);
		struct sn_input *input;
		struct taken taken;

		take_text(&taken, &lenient, text);
		assert_int_equal(taken.rc, 0);
		assert_string_equal(taken.bad.p, expected);
		assert_int_equal(taken.counts.rows, 2);
		drop(&taken);
		take_text(&taken, &strict, text);
		assert_int_equal(taken.rc, -EINVAL);
		assert_non_null(strstr(err.text, "line 2: "));
		assert_int_equal(taken.counts.rows, 1);
		drop(&taken);
		input = sn_input_create(sn_str(text), SN_MONROE_OBJECT_MAX);
		assert_int_equal(sn_monroe_json_check(input, &err), -EINVAL);
		assert_non_null(strstr(err.text, "line 2: "));
		sn_input_destroy(input);
	}
}

static void the_check_looks_at_the_syntax_only(void **state)
{
	struct sn_input *input =
		sn_input_create(SN_STR("{\"what\":[1,2]}\n\n" PING "\n"), SN_MONROE_OBJECT_MAX);

	(void)state;
	assert_int_equal(sn_monroe_json_check(input, &err), 0);
	sn_input_destroy(input);
	input = sn_input_create(SN_STR("\n \n"), SN_MONROE_OBJECT_MAX);
	assert_int_equal(sn_monroe_json_check(input, &err), -EINVAL);
	assert_non_null(strstr(err.text, "it has no object"));
	sn_input_destroy(input);
}

static void a_file_that_was_cut_loses_its_last_record_only(void **state)
{
	static const char text[] = PING "\n" LOST;

	(void)state;
	for (size_t n = sizeof(PING); n < sizeof(text); n++) {
		sn_autofree char *cut = sn_xstrndup(text, n);
		bool whole = n == sizeof(text) - 1, none = n == sizeof(PING);
		struct taken taken;

		take_text(&taken, &lenient, cut);
		assert_int_equal(taken.rc, 0);
		assert_int_equal(taken.counts.rows, whole ? 2 : 1);
		assert_int_equal(taken.counts.bad, whole || none ? 0 : 1);
		drop(&taken);
		take_text(&taken, &strict, cut);
		assert_int_equal(taken.rc, whole || none ? 0 : -EINVAL);
		drop(&taken);
	}
}

static void objects_are_so_long_and_no_longer(void **state)
{
	struct sn_buf text = {0};
	struct taken taken;

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		sn_buf_clear(&text);
		sn_buf_adds(&text, "{\"Extra\":1,\n");
		while (text.n + sizeof(timed) - 1 < SN_MONROE_OBJECT_MAX + more)
			sn_buf_addc(&text, text.n % 80 == 0 ? '\n' : ' ');
		sn_buf_adds(&text, timed + 1);
		sn_buf_adds(&text, "\n" PING "\n");
		take_text(&taken, &lenient, sn_buf_cstr(&text));
		assert_int_equal(taken.rc, 0);
		assert_int_equal(taken.counts.rows, more > 0 ? 1 : 2);
		assert_int_equal(taken.counts.bad > 0, more > 0);
		if (more > 0)
			assert_true(sn_str_has_prefix(sn_buf_str(&taken.bad),
						      "1: the object is too long|"));
		drop(&taken);
	}
	sn_buf_clear(&text);
	sn_buf_adds(&text, "{");
	while (text.n <= SN_MONROE_OBJECT_MAX)
		sn_buf_addc(&text, ' ');
	sn_buf_adds(&text, "}\n" PING "\n");
	take_text(&taken, &lenient, sn_buf_cstr(&text));
	assert_string_equal(taken.bad.p, "1: the line is too long|");
	assert_int_equal(taken.counts.rows, 1);
	drop(&taken);
	sn_buf_finish(&text);
}

static void objects_have_so_many_members_and_no_more(void **state)
{
	struct sn_buf text = {0};
	struct taken taken;

	(void)state;
	sn_buf_adds(&text, TIMED(""));
	text.n--;
	for (unsigned i = 5; i < SN_MONROE_MEMBERS_MAX; i++)
		sn_buf_addf(&text, ",\"m%u\":1", i);
	sn_buf_adds(&text, "}\n");
	take_text(&taken, &lenient, sn_buf_cstr(&text));
	assert_int_equal(taken.counts.rows, 1);
	drop(&taken);
	text.n -= 2;
	sn_buf_adds(&text, ",\"n\":1}\n");
	take_text(&taken, &lenient, sn_buf_cstr(&text));
	assert_int_equal(taken.counts.rows, 0);
	assert_non_null(strstr(taken.bad.p, "too many members"));
	drop(&taken);
	sn_buf_finish(&text);
}

static void an_object_that_was_cut_takes_no_other_with_it(void **state)
{
	static const char *const begun[] = {
		"{",    "{\"a\":1", "{\n \"a\": [1,\n 2",     "{\"a\":{", "{\n \"a\": 1,",
		"{\"a", "{\"a\"",   "{\"a\": {\"b\": [{}]},",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(begun); i++) {
		sn_autofree char *text = sn_xasprintf("%s\n" PING "\n", begun[i]);
		struct taken taken;

		take_text(&taken, &lenient, text);
		assert_int_equal(taken.counts.rows, 1);
		assert_int_equal(taken.counts.bad, 1);
		assert_string_equal(taken.bad.p, "1: an object without an end|");
		drop(&taken);
	}
}

static void objects_inside_others_may_begin_a_line(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &lenient,
		  "{\"Positions\":[\n{\"a\":1},\n{\"a\":[\n{}]}\n],\n\"Deep\":\n{\"b\":2},\n");
	assert_int_equal(taken.counts.bad, 1);
	drop(&taken);
	take_text(&taken, &lenient,
		  "{\"Positions\":[\n{\"a\":1},\n{\"a\":[\n{}]}\n],\n\"Deep\":\n{\"b\":2},\n"
		  "\"DataId\":\"MONROE.EXP.PING\",\"NodeId\":\"1\",\"Iccid\":\"2\",\n"
		  "\"Timestamp\":1467720000.5,\"SequenceNumber\":1\n}\n" LOST "\n");
	assert_int_equal(taken.counts.rows, 2);
	assert_int_equal(taken.counts.bad, 0);
	drop(&taken);
}

/* Files ------------------------------------------------------------------ */

static void compressed_files_are_read_as_others(void **state)
{
	static void (*const ways[])(struct sn_str, struct sn_buf *) = {squeeze_xz, squeeze_gzip};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(ways); i++) {
		struct sn_buf file = {0};
		struct sn_input *input;
		struct taken taken;
		char *path;

		ways[i](SN_STR(PING "\r\n" GPS "\r\n" LOST "\r\n"), &file);
		path = write_file(sn_buf_str(&file));
		assert_int_equal(sn_input_open(path, SN_MONROE_OBJECT_MAX, &input, &err), 0);
		take(&taken, &strict, input);
		assert_int_equal(taken.rc, 0);
		assert_int_equal(taken.counts.rows, 3);
		assert_int_equal(sn_columns_rows(taken.places[0].columns), 2);
		drop(&taken);
		unlink(path);
		free(path);
		sn_buf_finish(&file);
	}
}

static void rows_go_to_the_day_of_their_record(void **state)
{
	struct taken taken;

	(void)state;
	take_text(&taken, &strict,
		  RECORD(",\"Timestamp\":1467763199.999999,\"SequenceNumber\":1") "\n" RECORD(
			  ",\"Timestamp\":1467763200,\"SequenceNumber\":2") "\n" RECORD(",\"Timesta"
											"mp\":"
											"1467763199"
											".999999,"
											"\"Sequence"
											"Number\":"
											"3") "\n");
	assert_int_equal(taken.count, 2);
	assert_int_equal(taken.places[0].day, 16987);
	assert_int_equal(taken.places[1].day, 16988);
	assert_int_equal(value_of(&taken, 0, 1, "sequencenumber").i, 3);
	drop(&taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pings_become_rows_with_and_without_a_reply),
		cmocka_unit_test(each_kind_of_record_goes_to_its_own_table),
		cmocka_unit_test(tstat_records_tell_their_time_in_milliseconds),
		cmocka_unit_test(the_list_of_nodes_has_no_data_id),
		cmocka_unit_test(bad_records_are_told_and_the_others_are_taken),
		cmocka_unit_test(unknown_members_are_counted_when_they_are_skipped),
		cmocka_unit_test(records_that_are_too_old_are_bad),
		cmocka_unit_test(numbers_may_stand_in_quotes),
		cmocka_unit_test(texts_above_the_limit_of_a_row_are_cut_and_counted),
		cmocka_unit_test(objects_span_lines),
		cmocka_unit_test(mistakes_in_the_syntax_are_bad_lines_or_refuse_the_file),
		cmocka_unit_test(an_object_that_was_cut_takes_no_other_with_it),
		cmocka_unit_test(objects_inside_others_may_begin_a_line),
		cmocka_unit_test(the_check_looks_at_the_syntax_only),
		cmocka_unit_test(a_file_that_was_cut_loses_its_last_record_only),
		cmocka_unit_test(objects_are_so_long_and_no_longer),
		cmocka_unit_test(objects_have_so_many_members_and_no_more),
		cmocka_unit_test(compressed_files_are_read_as_others),
		cmocka_unit_test(rows_go_to_the_day_of_their_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
