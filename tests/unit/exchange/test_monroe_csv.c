/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "exchange/monroe_csv.h"

#include "base/mem.h"
#include "base/util.h"
#include "data/monroe/tables.h"

struct world {
	struct sn_monroe_csv *csv;
	struct sn_columns *rows;
	struct sn_buf out;
};

static int create(void **state)
{
	*state = sn_new(struct world);
	return 0;
}

static void drop(struct world *world)
{
	sn_monroe_csv_destroy(world->csv);
	sn_columns_destroy(world->rows);
	sn_buf_clear(&world->out);
}

static int destroy(void **state)
{
	struct world *world = *state;

	drop(world);
	sn_buf_finish(&world->out);
	free(world);
	return 0;
}

static void begin(struct world *world, const struct sn_dataset *dataset, enum sn_monroe_form form)
{
	drop(world);
	world->csv = sn_monroe_csv_create(dataset, form);
	world->rows = sn_columns_create(dataset);
	sn_columns_add_row(world->rows);
}

static int column(const struct world *world, const char *name)
{
	int found = sn_dataset_column(sn_columns_dataset(world->rows), name);

	assert_true(found >= 0);
	return found;
}

static void set_text(struct world *world, const char *name, const char *value)
{
	sn_columns_set_text(world->rows, column(world, name), sn_str(value));
}

static void set_i64(struct world *world, const char *name, int64_t value)
{
	sn_columns_set_i64(world->rows, column(world, name), value);
}

static void set_f64(struct world *world, const char *name, double value)
{
	sn_columns_set_f64(world->rows, column(world, name), value);
}

static void expect_rows(struct world *world, const char *wanted)
{
	sn_buf_clear(&world->out);
	sn_monroe_csv_columns(world->csv, world->rows, &world->out);
	assert_string_equal(sn_buf_cstr(&world->out), wanted);
}

static void expect_header(struct world *world, const char *wanted)
{
	sn_buf_clear(&world->out);
	sn_monroe_csv_header(world->csv, &world->out);
	assert_string_equal(sn_buf_cstr(&world->out), wanted);
}

static void set_ping(struct world *world)
{
	set_text(world, "nodeid", "206");
	set_text(world, "iccid", "8939104160000392271");
	set_f64(world, "timestamp", 1480464000.049814);
	set_i64(world, "sequencenumber", 7);
	set_i64(world, "bytes", 84);
	set_text(world, "dataid", "MONROE.EXP.PING");
	set_i64(world, "dataversion", 2);
	set_text(world, "guid", "sha256:15979bc2");
	set_text(world, "host", "8.8.8.8");
	set_text(world, "operator", "voda IT");
	set_f64(world, "rtt", 46.8);
}

static void ping_is_dumped_as_it_was(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_ping, SN_MONROE_DUMP);
	set_ping(world);
	expect_header(world, "nodeid,iccid,timestamp,sequencenumber,bytes,dataid,dataversion,guid,"
			     "host,operator,rtt\n");
	expect_rows(world, "206,8939104160000392271,1480464000.049814,7,84,MONROE.EXP.PING,2,"
			   "sha256:15979bc2,8.8.8.8,voda IT,46.8\n");
}

static void what_is_absent_is_none(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_ping, SN_MONROE_DUMP);
	expect_rows(world, "None,None,None,None,None,None,None,None,None,None,None\n");
}

static void doubles_have_a_fraction_and_decimals_what_they_had(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_ping, SN_MONROE_DUMP);
	set_f64(world, "timestamp", 1480464000);
	set_f64(world, "rtt", 45);
	expect_rows(world, "None,None,1480464000,None,None,None,None,None,None,None,45.0\n");
	set_f64(world, "rtt", 0);
	expect_rows(world, "None,None,1480464000,None,None,None,None,None,None,None,0.0\n");
}

static void files_are_named_by_day_and_table(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_ping, SN_MONROE_DUMP);
	sn_monroe_csv_name(world->csv, 17135, &world->out);
	assert_string_equal(sn_buf_cstr(&world->out), "2016-11-30_1480464000_monroe_exp_ping.csv");
}

static void nmea_is_quoted_on_one_line(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_meta_device_gps, SN_MONROE_DUMP);
	set_text(world, "nodeid", "54");
	set_f64(world, "latitude", 59.36545);
	set_text(world, "nmea", "$GPRMC,101010.0,A*53\r\n");
	expect_rows(world, "54,None,None,None,None,None,59.36545,None,"
			   "\"$GPRMC,101010.0,A*53\\r\\n\",None,None\n");
}

static void messages_of_events_are_quoted(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_meta_node_event, SN_MONROE_DUMP);
	set_text(world, "message", "restarted \"usb0\"");
	set_text(world, "user", "b\xc3\xa4r \xe6\x9d\xb1");
	set_i64(world, "id", 3);
	expect_header(world, "nodeid, sequencenumber, timestamp, dataid, dataversion, eventtype, "
			     "message, user, id\n");
	expect_rows(world, "None,None,None,None,None,None,\"restarted \"\"usb0\"\"\",b\xe4r ?,3\n");
}

static void texts_that_would_break_a_line_are_quoted(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_http_download, SN_MONROE_DUMP);
	set_text(world, "url", "http://a/b,c\n\"d\"");
	set_text(world, "operator", "");
	expect_rows(world, "None,None,None,None,None,None,None,None,None,None,,None,None,None,"
			   "None,None,\"http://a/b,c\\n\"\"d\"\"\"\n");
}

static void lists_stand_between_tabs(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_simple_traceroute, SN_MONROE_DUMP);
	set_i64(world, "nodeid", 44);
	set_text(world, "rttsection", "[12,13, 14]");
	set_text(world, "hopname", "a,b");
	expect_header(world, "NodeId\ttimestamp\tendTime\tDataId\tDataVersion\tcontainerTimestamp\t"
			     "hop\ttargetdomainname\tInterfaceName\tIpDst\tnumberOfHops\t"
			     "sizeOfProbes\tIP\tHopName\tRTTSection\tannotationSection\n");
	expect_rows(world, "44\tNone\tNone\tNone\tNone\tNone\tNone\tNone\tNone\tNone\tNone\tNone\t"
			   "None\ta,b\t[12, 13, 14]\tNone\n");
}

static void truth_is_pythons(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_nettest, SN_MONROE_DUMP);
	sn_columns_set_bool(world->rows, column(world, "res_encrypt"), true);
	sn_buf_clear(&world->out);
	sn_monroe_csv_columns(world->csv, world->rows, &world->out);
	assert_non_null(strstr(sn_buf_cstr(&world->out), ",True,"));
	sn_buf_clear(&world->out);
	sn_monroe_csv_header(world->csv, &world->out);
	assert_true(sn_str_has_prefix(sn_buf_str(&world->out), "timestamp,iccid,nodeid,"
							       "dataversion,dataid,"));
}

/* In the order of the original table. */
static const char connections[] =
	"NodeId,Iccid,DataId,c_ip,c_port,c_pkts_all,c_rst_cnt,c_ack_cnt,c_ack_cnt_p,c_bytes_uniq,"
	"c_pkts_data,c_bytes_all,c_pkts_retx,c_bytes_retx,c_pkts_ooo,c_syn_cnt,c_fin_cnt,s_ip,"
	"s_port,s_pkts_all,s_rst_cnt,s_ack_cnt,s_ack_cnt_p,s_bytes_uniq,s_pkts_data,s_bytes_all,"
	"s_pkts_retx,s_bytes_retx,s_pkts_ooo,s_syn_cnt,s_fin_cnt,first,last,durat,c_first,s_first,"
	"c_last,s_last,c_first_ack,s_first_ack,c_isint,s_isint,c_iscrypto,s_iscrypto,con_t,p2p_t,"
	"http_t";
static const char connections_only_complete[] =
	",c_rtt_avg,c_rtt_min,c_rtt_max,c_rtt_std,c_rtt_cnt,c_ttl_min,c_ttl_max,s_rtt_avg,"
	"s_rtt_min,s_rtt_max,s_rtt_std,s_rtt_cnt,s_ttl_min,s_ttl_max,p2p_st,ed2k_data,ed2k_sig,"
	"ed2k_c2s,ed2k_c2c,ed2k_chat,c_f1323_opt,c_tm_opt,c_win_scl,c_sack_opt,c_sack_cnt,c_mss,"
	"c_mss_max,c_mss_min,c_win_max,c_win_min,c_win_0,c_cwin_max,c_cwin_min,c_cwin_ini,"
	"c_pkts_rto,c_pkts_fs,c_pkts_reor,c_pkts_dup,c_pkts_unk,c_pkts_fc,c_pkts_unrto,"
	"c_pkts_unfs,c_syn_retx,s_f1323_opt,s_tm_opt,s_win_scl,s_sack_opt,s_sack_cnt,s_mss,"
	"s_mss_max,s_mss_min,s_win_max,s_win_min,s_win_0,s_cwin_max,s_cwin_min,s_cwin_ini,"
	"s_pkts_rto,s_pkts_fs,s_pkts_reor,s_pkts_dup,s_pkts_unk,s_pkts_fc,s_pkts_unrto,"
	"s_pkts_unfs,s_syn_retx,http_req_cnt,http_res_cnt,http_res,c_pkts_push,s_pkts_push,"
	"c_tls_SNI,s_tls_SCN,c_npnalpn,s_npnalpn,c_tls_sesid,c_last_handshakeT,s_last_handshakeT,"
	"c_appdataT,s_appdataT,c_appdataB,s_appdataB,fqdn,dns_rslv,req_tm,res_tm";

static void connections_have_the_columns_of_their_table(void **state)
{
	struct world *world = *state;
	struct sn_buf wanted = {0};

	begin(world, &sn_dataset_monroe_exp_tstat_tcp_nocomplete, SN_MONROE_DUMP);
	sn_buf_adds(&wanted, connections);
	sn_buf_addc(&wanted, '\n');
	expect_header(world, sn_buf_cstr(&wanted));
	begin(world, &sn_dataset_monroe_exp_tstat_tcp_complete, SN_MONROE_DUMP);
	wanted.n--;
	sn_buf_adds(&wanted, connections_only_complete);
	sn_buf_addc(&wanted, '\n');
	expect_header(world, sn_buf_cstr(&wanted));
	sn_buf_finish(&wanted);
}

static size_t count(struct sn_str text, char wanted)
{
	size_t found = 0;

	for (size_t i = 0; i < text.n; i++)
		found += text.p[i] == wanted;
	return found;
}

static void every_table_dumps_all_its_columns(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < sn_monroe_table_count; i++) {
		const struct sn_dataset *dataset = sn_monroe_tables[i]->dataset;
		size_t columns = dataset->column_count - SN_COL_COMMON;
		char separator;

		begin(world, dataset, SN_MONROE_DUMP);
		sn_monroe_csv_header(world->csv, &world->out);
		separator = count(sn_buf_str(&world->out), '\t') > 0 ? '\t' : ',';
		assert_int_equal(count(sn_buf_str(&world->out), separator) + 1, columns);
		sn_buf_clear(&world->out);
		sn_monroe_csv_columns(world->csv, world->rows, &world->out);
		assert_int_equal(count(sn_buf_str(&world->out), separator) + 1, columns);
		assert_int_equal(count(sn_buf_str(&world->out), 'N'), columns);
	}
}

static void the_strict_form_is_rfc_4180(void **state)
{
	struct world *world = *state;

	begin(world, &sn_dataset_monroe_exp_ping, SN_MONROE_STRICT);
	set_ping(world);
	set_text(world, "operator", "\xc3\x85, \"B\"");
	expect_header(world, "nodeid,iccid,timestamp,sequencenumber,bytes,dataid,dataversion,guid,"
			     "host,operator,rtt\r\n");
	expect_rows(world, "206,8939104160000392271,1480464000.049814,7,84,MONROE.EXP.PING,2,"
			   "sha256:15979bc2,8.8.8.8,\"\xc3\x85, \"\"B\"\"\",46.8\r\n");
	begin(world, &sn_dataset_monroe_exp_ping, SN_MONROE_STRICT);
	expect_rows(world, ",,,,,,,,,,\r\n");
}

static void other_datasets_have_no_such_form(void **state)
{
	(void)state;
	assert_null(sn_monroe_csv_create(&sn_dataset_ping, SN_MONROE_DUMP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ping_is_dumped_as_it_was, create, destroy),
		cmocka_unit_test_setup_teardown(what_is_absent_is_none, create, destroy),
		cmocka_unit_test_setup_teardown(doubles_have_a_fraction_and_decimals_what_they_had,
						create, destroy),
		cmocka_unit_test_setup_teardown(files_are_named_by_day_and_table, create, destroy),
		cmocka_unit_test_setup_teardown(nmea_is_quoted_on_one_line, create, destroy),
		cmocka_unit_test_setup_teardown(messages_of_events_are_quoted, create, destroy),
		cmocka_unit_test_setup_teardown(texts_that_would_break_a_line_are_quoted, create,
						destroy),
		cmocka_unit_test_setup_teardown(lists_stand_between_tabs, create, destroy),
		cmocka_unit_test_setup_teardown(truth_is_pythons, create, destroy),
		cmocka_unit_test_setup_teardown(connections_have_the_columns_of_their_table, create,
						destroy),
		cmocka_unit_test_setup_teardown(every_table_dumps_all_its_columns, create, destroy),
		cmocka_unit_test_setup_teardown(the_strict_form_is_rfc_4180, create, destroy),
		cmocka_unit_test(other_datasets_have_no_such_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
