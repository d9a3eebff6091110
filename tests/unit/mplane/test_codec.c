/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "examples.h"
#include "mplane/codec.h"
#include "quoted.h"

#define CORE "'registry': 'http://ict-mplane.eu/registry/core'"

static struct sn_mp_registries *registries;

static int set_up(void **state)
{
	(void)state;
	registries = sn_mp_registries_create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sn_mp_registries_destroy(registries);
	return 0;
}

static struct sn_mp_message *try_decode(const char *text, int flags, struct sn_buf *skipped,
					struct sn_err *err)
{
	char *json = quoted(text);
	struct sn_mp_message *message =
		sn_mp_decode(registries, json, strlen(json), flags, skipped, err);

	free(json);
	return message;
}

static struct sn_mp_message *decode(const char *text)
{
	struct sn_buf skipped = {0};
	struct sn_err err = {0};
	struct sn_mp_message *message = try_decode(text, 0, &skipped, &err);

	if (message == NULL)
		fail_msg("%s: %s", text, err.text);
	if (skipped.n > 0)
		fail_msg("%s: %s", text, sn_buf_cstr(&skipped));
	return message;
}

static void assert_refused(const char *text, int flags, int code, const char *says)
{
	struct sn_err err = {0};
	struct sn_mp_message *message = try_decode(text, flags, NULL, &err);

	if (message != NULL)
		fail_msg("taken: %.200s", text);
	if (strstr(err.text, says) == NULL)
		fail_msg("%.200s: '%s' is not in '%s'", text, says, err.text);
	assert_int_equal(err.code, code);
}

static void assert_encodes(const struct sn_mp_message *message, int flags, const char *expected)
{
	struct sn_buf out = {0};
	char *json = quoted(expected);

	sn_mp_encode(message, flags, &out);
	assert_string_equal(sn_buf_cstr(&out), json);
	free(json);
	sn_buf_finish(&out);
}

/* `text` is read, and written as `expected`. */
static void assert_becomes(const char *text, const char *expected)
{
	sn_automp struct sn_mp_message *message = decode(text);

	assert_encodes(message, 0, expected);
}

/* Examples ---------------------------------------------------------------- */

static void make_scopes_canonical(json_t *json)
{
	struct sn_mp_when when;
	struct sn_buf text = {0};
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach (json, key, value) {
		make_scopes_canonical(value);
		if (strcmp(key, "when") != 0)
			continue;
		assert_int_equal(sn_mp_when_parse(sn_str(json_string_value(value)), &when, NULL),
				 0);
		sn_buf_clear(&text);
		sn_mp_when_print(&when, &text);
		json_string_set(value, sn_buf_cstr(&text));
	}
	json_array_foreach (json, i, value)
		make_scopes_canonical(value);
	sn_buf_finish(&text);
}

static void assert_written_equal(const struct sn_mp_message *message, const char *text)
{
	char *json = quoted(text);
	sn_autojson json_t *expected = sn_json_parse(json, strlen(json), NULL);
	sn_autojson json_t *written = NULL;
	struct sn_buf out = {0};

	sn_mp_encode(message, 0, &out);
	written = sn_json_parse(out.p, out.n, NULL);
	make_scopes_canonical(expected);
	if (!json_equal(expected, written))
		fail_msg("%s\nbecame %s", text, sn_buf_cstr(&out));
	sn_buf_finish(&out);
	free(json);
}

static void worked_examples_are_read_checked_and_written_equal(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_COUNT(examples); i++) {
		sn_automp struct sn_mp_message *message = decode(examples[i].json);
		struct sn_err err = {0};

		if (sn_mp_message_check(message, &err) != 0)
			fail_msg("%s: %s", examples[i].name, err.text);
		assert_written_equal(message, examples[i].json);
	}
}

struct named {
	char *name;
	struct sn_mp_message *message;
	int count;
};

static void keep_named(const char *name, struct sn_mp_message *message, void *ctx)
{
	struct named *named = ctx;

	free(named->name);
	sn_mp_message_destroy(named->message);
	named->name = sn_xstrdup(name);
	named->message = message;
	named->count++;
}

static int decode_named(const char *text, struct named *named, struct sn_buf *skipped,
			struct sn_err *err)
{
	char *json = quoted(text);
	int rc = sn_mp_decode_named(registries, json, strlen(json), 0, keep_named, named, skipped,
				    err);

	free(json);
	return rc;
}

static void forget_named(struct named *named)
{
	free(named->name);
	sn_mp_message_destroy(named->message);
	*named = (struct named){0};
}

static void messages_of_the_older_dialect_come_with_the_name_of_a_peer(void **state)
{
	struct named named = {0};
	struct sn_buf skipped = {0};
	struct sn_err err = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(named_examples); i++) {
		const struct sn_mp_message *message;

		assert_int_equal(decode_named(named_examples[i].json, &named, &skipped, &err), 0);
		assert_string_equal(named.name, "probe7.lab.example.net");
		message = named.message->kind == SN_MP_ENVELOPE ? named.message->contents[0]
								: named.message;
		assert_string_equal(message->label, "pinger_lab");
		assert_string_equal(message->columns[0].name, "delay.twoway");
		assert_int_equal(sn_mp_message_check(named.message, &err), 0);
	}
	assert_int_equal(named.count, 2);
	assert_int_equal(decode_named("{'a': {'capability': 'm'}, 'b': {'x': 1}, 'c': 7}", &named,
				      &skipped, &err),
			 0);
	assert_int_equal(named.count, 3);
	assert_non_null(strstr(sn_buf_cstr(&skipped), "'b': not a message"));
	assert_non_null(strstr(sn_buf_cstr(&skipped), "'c': not a message"));
	assert_int_equal(decode_named("[]", &named, NULL, &err), -EINVAL);
	assert_int_equal(decode_named("{'a': ", &named, NULL, &err), -EINVAL);
	forget_named(&named);
	sn_buf_finish(&skipped);
}

/* What peers send --------------------------------------------------------- */

static void keys_are_sorted_and_absent_sections_left_out(void **state)
{
	(void)state;
	assert_becomes("{'when':'now','version':1,'token':'t','specification':'query','results':"
		       "['time'],'registry':'r','parameters':{'b':'2','a':'1'},'metadata':{'d':'4',"
		       "'c':'3'},'link':'','label':'l','export':'e'}",
		       "{'export':'e','label':'l','link':'','metadata':{'c':'3','d':'4'},"
		       "'parameters':{'a':'1','b':'2'},'registry':'r','results':['time'],"
		       "'specification':'query','token':'t','version':1,'when':'now'}");
	assert_becomes("{'redemption':'measure','token':'t'}",
		       "{'redemption':'measure','token':'t','version':1}");
	assert_becomes("{'envelope':'result'}", "{'contents':[],'envelope':'result','version':1}");
}

static void version_token_label_and_link_may_be_missing_and_null_is_missing(void **state)
{
	sn_automp struct sn_mp_message *message =
		decode("{'specification': 'measure', 'version': null, 'label': null, 'token': null,"
		       "'link': null, 'export': null, 'registry': null, 'when': null,"
		       "'parameters': null, 'metadata': null, 'results': null,"
		       "'resultvalues': null}");

	(void)state;
	assert_int_equal(message->version, 1);
	assert_null(message->label);
	assert_false(message->has_link);
	assert_false(message->when.set);
	assert_encodes(message, 0, "{'specification':'measure','version':1}");
}

static void verb_is_measure_unless_it_is_said(void **state)
{
	sn_automp struct sn_mp_message *null = decode("{'capability': null}");
	sn_automp struct sn_mp_message *empty = decode("{'capability': ''}");
	sn_automp struct sn_mp_message *own = decode("{'capability': 'store'}");

	(void)state;
	assert_string_equal(null->verb, "measure");
	assert_string_equal(empty->verb, "measure");
	assert_string_equal(own->verb, "store");
}

static void unknown_keys_and_sections_of_other_kinds_are_passed_over(void **state)
{
	(void)state;
	assert_becomes("{'capability':'measure','x':{'y':[1,{}]},'contents':[1],'message':'m',"
		       "'resultvalues':[],'metadata':{}}",
		       "{'capability':'measure','version':1}");
	assert_becomes("{'receipt':'measure','link':'http://192.0.2.1/','token':'t'}",
		       "{'receipt':'measure','token':'t','version':1}");
	assert_refused("{'specification':'measure','results':['time'],'resultvalues':[['*']]}", 0,
		       -EINVAL, "a specification with 'resultvalues'");
}

static void version_0_and_1_are_spoken_and_no_other(void **state)
{
	(void)state;
	assert_becomes("{'version':0,'capability':'m'}", "{'capability':'m','version':1}");
	assert_becomes("{'version':'1','capability':'m'}", "{'capability':'m','version':1}");
	assert_refused("{'version':2,'capability':'m'}", 0, -EINVAL, "version 2");
	assert_refused("{'version':-1,'capability':'m'}", 0, -EINVAL, "version");
	assert_refused("{'version':[],'capability':'m'}", 0, -EINVAL, "version");
	assert_refused("{'version':99999999999999999999,'capability':'m'}", 0, -EINVAL, "version");
}

static void native_values_are_read_exactly_and_remembered(void **state)
{
	static const char text[] =
		"{'result':'measure'," CORE ",'when':'2026-01-01',"
		"'parameters':{'source.port':18446744073709551615,'cpuload':0.25,"
		"'connectivity.ip':true,'own':1.50},"
		"'metadata':{'measurement.revision':4,'a':false},"
		"'results':['octets.ip','cpuload','connectivity.ip'],"
		"'resultvalues':[[7,1e2,false],[100.0,-0.5,null],['10E2','1','true']]}";
	sn_automp struct sn_mp_message *message = decode(text);
	sn_automp struct sn_mp_message *plain = decode("{'receipt':'m','parameters':{'a':'1'}}");
	sn_automp struct sn_mp_message *inside =
		decode("{'envelope':'message','contents':[{'receipt':'m','parameters':{'a':1}}]}");

	(void)state;
	assert_true(message->natives);
	assert_false(plain->natives);
	assert_true(inside->natives);
	assert_encodes(message, 0,
		       "{'metadata':{'a':'False','measurement.revision':'4'},"
		       "'parameters':{'connectivity.ip':'True','cpuload':'0.25','own':'1.50',"
		       "'source.port':'18446744073709551615'},"
		       "'registry':'http://ict-mplane.eu/registry/core','result':'measure',"
		       "'results':['octets.ip','cpuload','connectivity.ip'],"
		       "'resultvalues':[['7','100','False'],['100','-0.5','*'],"
		       "['1000','1','True']],"
		       "'version':1,'when':'2026-01-01 00:00:00.000000'}");
	assert_encodes(message, SN_MP_NATIVES,
		       "{'metadata':{'a':'False','measurement.revision':'4'},"
		       "'parameters':{'connectivity.ip':true,'cpuload':0.25,'own':'1.50',"
		       "'source.port':18446744073709551615},"
		       "'registry':'http://ict-mplane.eu/registry/core','result':'measure',"
		       "'results':['octets.ip','cpuload','connectivity.ip'],"
		       "'resultvalues':[[7,100,false],[100,-0.5,'*'],[1000,1,true]],"
		       "'version':1,'when':'2026-01-01 00:00:00.000000'}");
}

static void native_constraint_is_a_single_value(void **state)
{
	sn_automp struct sn_mp_message *message =
		decode("{'capability':'m'," CORE ",'parameters':{'source.port':80,"
		       "'connectivity.ip':false,'hops.ip':'1 ... 30','cpuload':null}}");

	(void)state;
	assert_string_equal(
		sn_mp_constraint_single(&sn_mp_param(message, "source.port")->constraint), "80");
	assert_int_equal(sn_mp_param(message, "cpuload")->constraint.kind, SN_MP_ANY);
	assert_encodes(message, SN_MP_NATIVES,
		       "{'capability':'m','parameters':{'connectivity.ip':false,'cpuload':'*',"
		       "'hops.ip':'1 ... 30','source.port':80},"
		       "'registry':'http://ict-mplane.eu/registry/core','version':1}");
}

static void network_is_written_as_a_range_for_those_who_know_no_other(void **state)
{
	sn_automp struct sn_mp_message *message = decode(
		"{'capability':'m'," CORE ",'parameters':{'destination.ip4':'192.0.2.0/24'}}");

	(void)state;
	assert_encodes(message, 0,
		       "{'capability':'m','parameters':{'destination.ip4':'192.0.2.0/24'},"
		       "'registry':'http://ict-mplane.eu/registry/core','version':1}");
	assert_encodes(
		message, SN_MP_WRITE_SAFE,
		"{'capability':'m','parameters':{'destination.ip4':'192.0.2.0 ... "
		"192.0.2.255'},'registry':'http://ict-mplane.eu/registry/core','version':1}");
}

static void times_and_scopes_of_peers_are_understood(void **state)
{
	(void)state;
	assert_becomes("{'result':'m'," CORE ",'when':'2026-01-01T10:00:00Z ... "
		       "2026-01-01T10:00:01.5Z','results':['time'],"
		       "'resultvalues':[['2026-01-01T10:00:00Z'],['2026-01-01'],[null],[]]}",
		       "{'registry':'http://ict-mplane.eu/registry/core','result':'m',"
		       "'results':['time'],'resultvalues':[['2026-01-01 10:00:00.000000'],"
		       "['2026-01-01 00:00:00.000000'],['*'],['*']],'version':1,"
		       "'when':'2026-01-01 10:00:00.000000 ... 2026-01-01 10:00:01.500000'}");
	assert_becomes("{'specification':'m','when':'repeat now + 12s / 4s { now + 2s / 1s } '}",
		       "{'specification':'m','version':1,"
		       "'when':'repeat now + 12s / 4s { now + 2s / 1s }'}");
	assert_refused("{'specification':'m','when':'now + 1.5s'}", 0, -EINVAL, "'when'");
	assert_refused("{'specification':'m','when':7}", 0, -EINVAL, "'when' is not a text");
}

static void unknown_elements_are_kept_as_texts_unless_strict(void **state)
{
	static const char text[] =
		"{'result':'m'," CORE ",'when':'2026-01-01','metadata':{'q':'1'},"
		"'results':['never.heard.of','time'],"
		"'resultvalues':[['10E2','2026-01-01']]}";
	sn_automp struct sn_mp_message *message = decode(text);

	(void)state;
	assert_null(message->columns[0].element);
	assert_non_null(message->columns[1].element);
	assert_string_equal(sn_mp_cell(message, 0, 0), "10E2");
	assert_refused(text, SN_MP_READ_STRICT, -EINVAL, "'q' is in no registry");
	assert_refused("{'capability':'m','parameters':{'q':'1'}}", SN_MP_READ_STRICT, -EINVAL,
		       "parameter 'q' is in no registry");
	assert_refused("{'capability':'m','results':['q']}", SN_MP_READ_STRICT, -EINVAL,
		       "result 'q' is in no registry");
	assert_refused("{'capability':'m','registry':'http://192.0.2.1/r','results':['q']}",
		       SN_MP_READ_STRICT, -EINVAL, "'q' is in no registry");
}

static void token_of_an_exception_is_written_in_both_places_and_read_from_either(void **state)
{
	(void)state;
	assert_becomes("{'exception':'t','message':'no'}",
		       "{'exception':'t','message':'no','token':'t'}");
	assert_becomes("{'exception':null,'token':'t','message':'two\\nlines'}",
		       "{'exception':'t','message':'two\\nlines','token':'t'}");
	assert_becomes("{'exception':null,'version':1}", "{'exception':null,'message':''}");
	assert_becomes("{'exception':'t','token':''}",
		       "{'exception':'t','message':'','token':'t'}");
}

static void bare_messages_arrays_and_nested_envelopes_are_taken(void **state)
{
	sn_automp struct sn_mp_message *array = decode("[{'receipt':'m','token':'t'}, []]");
	sn_automp struct sn_mp_message *nested =
		decode("{'envelope':'q','contents':[{'envelope':'message','contents':"
		       "[{'receipt':'m','token':'t'}]}]}");

	(void)state;
	assert_int_equal(array->kind, SN_MP_ENVELOPE);
	assert_true(array->bare);
	assert_int_equal(array->content_count, 2);
	assert_true(array->contents[1]->bare);
	assert_string_equal(nested->verb, "q");
	assert_false(nested->bare);
	assert_string_equal(nested->contents[0]->contents[0]->token, "t");
	assert_encodes(nested->contents[0], SN_MP_BARE_ARRAY,
		       "[{'receipt':'m','token':'t','version':1}]");
	assert_encodes(nested->contents[0]->contents[0], SN_MP_BARE_ARRAY,
		       "{'receipt':'m','token':'t','version':1}");
}

static void short_rows_are_filled_up_and_empty_numbers_are_none(void **state)
{
	sn_automp struct sn_mp_message *message = decode(
		"{'result':'m'," CORE ",'when':'2026-01-01','resultvalues':[['',''],['x'],[]],"
		"'results':['location.civil','octets.ip']}");
	sn_automp struct sn_mp_message *none =
		decode("{'result':'m','when':'2026-01-01','resultvalues':[[]]}");

	(void)state;
	assert_int_equal(message->row_count, 3);
	assert_string_equal(sn_mp_cell(message, 0, 0), "");
	assert_null(sn_mp_cell(message, 0, 1));
	assert_string_equal(sn_mp_cell(message, 1, 0), "x");
	assert_null(sn_mp_cell(message, 1, 1));
	assert_int_equal(none->row_count, 0);
}

static void escapes_are_read_and_written(void **state)
{
	sn_automp struct sn_mp_message *message =
		decode("{'speci\\u0066ication':'m','parameters':{'\\u0061':"
		       "'\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001 \xc3\xa9'}}");

	(void)state;
	assert_string_equal(sn_mp_value(message, "a"),
			    "\xc3\xa9\xf0\x9f\x98\x80\"\\/\b\f\n\r\t\x01 \xc3\xa9");
	assert_encodes(
		message, 0,
		"{'parameters':{'a':'\xc3\xa9\xf0\x9f\x98\x80\\\"\\\\/\\b\\f\\n\\r\\t\\u0001 "
		"\xc3\xa9'},'specification':'m','version':1}");
}

static void people_get_two_blanks_a_level(void **state)
{
	sn_automp struct sn_mp_message *message =
		decode("{'envelope':'message','contents':[{'receipt':'m','results':['time'],"
		       "'parameters':{'a':'{[,:\\\"'}}, []]}");

	(void)state;
	assert_encodes(message, SN_MP_INDENT,
		       "{\n"
		       "  'contents': [\n"
		       "    {\n"
		       "      'parameters': {\n"
		       "        'a': '{[,:\\\"'\n"
		       "      },\n"
		       "      'receipt': 'm',\n"
		       "      'results': [\n"
		       "        'time'\n"
		       "      ],\n"
		       "      'version': 1\n"
		       "    },\n"
		       "    {\n"
		       "      'contents': [],\n"
		       "      'envelope': 'message',\n"
		       "      'version': 1\n"
		       "    }\n"
		       "  ],\n"
		       "  'envelope': 'message',\n"
		       "  'version': 1\n"
		       "}\n");
}

/* What breaks the reference implementation -------------------------------- */

static void forms_that_break_other_peers_are_taken_or_refused_with_a_reason(void **state)
{
	static const struct {
		const char *json, *reason; /* NULL: taken */
	} forms[] = {
		{"{'capability':'m'," CORE ",'when':'now'}", NULL},    /* no label */
		{"{'specification':'m'," CORE ",'when':'now'}", NULL}, /* no link, no label */
		{"{'receipt':'m','version':1,'token':'t'}", NULL},
		{"{'redemption':'m','version':1,'token':'t'}", NULL},
		{"{'interrupt':'m','version':1,'token':'t'}", NULL},
		{"{'specification':'m'," CORE ",'when':'now','parameters':{'source.port':0,"
		 "'connectivity.ip':false,'location.civil':''}}",
		 NULL},
		{"{'capability':'m'," CORE ",'when':'now','version':2}", "version 2"},
		{"{'capability':'m'," CORE ",'when':'now','export':'ipfix','link':'http://l/'}",
		 NULL},
		{"{'capability':'m'," CORE
		 ",'when':'now','parameters':{'source.ip4':'192.0.2.0/24'}}",
		 NULL},
		{"{'capability':'m'," CORE
		 ",'when':'now','parameters':{'source.ip4':'192.0.2.1, 192.0.2.2'}}",
		 NULL},
		{"{'capability':'m'," CORE ",'when':'now','parameters':{'source.port':'0..32'}}",
		 "parameter 'source.port'"},
		{"{'capability':'m'," CORE ",'when':'now','parameters':{'source.port':'0...32'}}",
		 "parameter 'source.port'"},
		{"{'capability':'m'," CORE ",'when':'now','parameters':{'connectivity.ip':'true'}}",
		 NULL},
		{"{'capability':'m'," CORE ",'when':'now','parameters':{'source.port':[1,2]}}",
		 "parameter 'source.port': a list"},
		{"{'capability':'m','registry':'http://192.0.2.1/unknown.json','when':'now',"
		 "'parameters':{'no.such.element':'*'},'metadata':{'neither.this':'1'},"
		 "'results':['nor.that']}",
		 NULL},
		{"{'result':'m'," CORE ",'when':'2026-01-01','results':['octets.ip'],"
		 "'resultvalues':[[null],['*']]}",
		 NULL},
		{"{'result':'m'," CORE ",'when':'2026-01-01','results':['octets.ip'],"
		 "'resultvalues':[['many']]}",
		 "row 1: result 'octets.ip'"},
		{"{'withdrawal':'m','token':'nobody knows it'}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		sn_automp struct sn_mp_message *message = NULL;
		struct sn_err err = {0};

		if (forms[i].reason != NULL) {
			assert_refused(forms[i].json, 0, -EINVAL, forms[i].reason);
			continue;
		}
		message = decode(forms[i].json);
		if (sn_mp_message_check(message, &err) != 0)
			fail_msg("%s: %s", forms[i].json, err.text);
	}
}

static void zero_false_and_empty_are_values(void **state)
{
	sn_automp struct sn_mp_message *message =
		decode("{'specification':'m'," CORE ",'parameters':{'source.port':0,"
		       "'connectivity.ip':false,'location.civil':'','cpuload':0.0}}");

	(void)state;
	assert_string_equal(sn_mp_value(message, "source.port"), "0");
	assert_string_equal(sn_mp_value(message, "connectivity.ip"), "False");
	assert_string_equal(sn_mp_value(message, "location.civil"), "");
	assert_string_equal(sn_mp_value(message, "cpuload"), "0");
}

static void export_is_kept_beside_the_link(void **state)
{
	sn_automp struct sn_mp_message *message =
		decode("{'capability':'collect','export':'mplane-https://a/','link':'https://b/'}");

	(void)state;
	assert_string_equal(message->export_url, "mplane-https://a/");
	assert_string_equal(message->link, "https://b/");
}

/* Refusals ---------------------------------------------------------------- */

static int count_lines(const struct sn_buf *text)
{
	int lines = 0;

	for (size_t i = 0; i < text->n; i++)
		lines += text->p[i] == '\n';
	return lines;
}

static void one_bad_message_does_not_silence_the_others(void **state)
{
	struct sn_buf skipped = {0};
	struct sn_err err = {0};
	struct sn_mp_message *message;

	(void)state;
	message =
		try_decode("{'envelope':'message','contents':[{'receipt':'m','token':'a'},"
			   "{'capability':'m'," CORE ",'parameters':{'destination.ip4':'x\\ny'}},7,"
			   "{'receipt':'m','token':'b'},"
			   "{'capability':'m','version':2}]}",
			   0, &skipped, &err);
	assert_non_null(message);
	assert_int_equal(message->content_count, 2);
	assert_string_equal(message->contents[1]->token, "b");
	assert_non_null(strstr(sn_buf_cstr(&skipped), "contents 2: parameter 'destination.ip4': "));
	assert_non_null(strstr(sn_buf_cstr(&skipped), "contents 3: not a message"));
	assert_non_null(strstr(sn_buf_cstr(&skipped), "contents 5: version 2"));
	/* A line each, whatever the bad value was. */
	assert_int_equal(count_lines(&skipped), 3);
	sn_mp_message_destroy(message);
	sn_buf_finish(&skipped);
}

static void refusals_name_the_place(void **state)
{
	static const struct {
		const char *json, *says;
	} bad[] = {
		{"", "empty"},
		{" ", "ends too early"},
		{"7", "not a message"},
		{"'capability'", "not a message"},
		{"{}", "not a message"},
		{"{'x':1}", "not a message"},
		{"{'capability':'m','result':'m'}", "both 'capability' and 'result'"},
		{"{'capability':'m','capability':'m'}", "both 'capability'"},
		{"{'capability':'m','label':'a','label':'b'}", "'label' is there twice"},
		{"{'capability':7}", "'capability' is not a text"},
		{"{'capability':'m','label':7}", "'label' is not a text"},
		{"{'capability':'m','label':'a\\nb'}", "'label' has a control character"},
		{"{'capability':'m','parameters':[]}", "'parameters' is not an object"},
		{"{'capability':'m','parameters':{'a b':'1'}}", "parameter 'a b': not a name"},
		{"{'capability':'m','parameters':{'':'1'}}", "not a name"},
		{"{'capability':'m','parameters':{'a':'1','a':'2'}}", "'a' is there twice"},
		{"{'capability':'m','parameters':{'a':'1','x#a':'2'}}", "'a' is there twice"},
		{"{'capability':'m','metadata':{'a':'1','a':'2'}}", "'a' is there twice"},
		{"{'capability':'m','metadata':{'a':{}}}", "metadata 'a': a list or an object"},
		{"{'capability':'m','metadata':7}", "'metadata' is not an object"},
		{"{'capability':'m','results':{}}", "'results' is not a list"},
		{"{'capability':'m','results':[7]}", "'results' is not a list of names"},
		{"{'capability':'m','results':['a','b','a']}", "result 'a' is there twice"},
		{"{'result':'m','results':['a'],'resultvalues':{}}", "not a list of rows"},
		{"{'result':'m','results':['a'],'resultvalues':[7]}", "not a list of rows"},
		{"{'result':'m','results':['a'],'resultvalues':[['1'],['1','2']]}",
		 "row 2: more values than results"},
		{"{'result':'m','resultvalues':[['1']]}", "without columns"},
		{"{'result':'m','results':['a'],'resultvalues':[[[]]]}",
		 "row 1: result 'a': a list"},
		{"{'envelope':'m','contents':{}}", "'contents' is not a list"},
		{"{'exception':{}}", "'exception' is not a text"},
		{"{'capability':'m'", "line 1, column 18: the text ends too early"},
		{"{'capability':'m'}x", "something behind the end"},
		{"{\n 'capability':'m',}", "line 2, column 19: a member without a name"},
		{"{'capability':'m' 'x':1}", "no ',' between values"},
		{"{'capability' 'm'}", "no ':'"},
		{"{'capability':m}", "neither a value nor a bracket"},
		{"{'capability':'m]}", "a string without an end"},
		{"{'capability':'m\n'}", "a control character in a string"},
		{"{'capability':'\\x'}", "an unknown escape"},
		{"{'capability':'\\u12g4'}", "four hex digits"},
		{"{'capability':'\\u0000'}", "a zero byte"},
		{"{'capability':'\\ud800x'}", "half of a surrogate pair"},
		{"{'capability':'\\ud800\\u0041'}", "half of a surrogate pair"},
		{"{'capability':'\\udc00'}", "half of a surrogate pair"},
		{"{'capability':'\xff'}", "not UTF-8"},
		{"{'capability':'\xc0\x80'}", "not UTF-8"},
		{"{'version':01,'capability':'m'}", "no ',' between values"},
		{"{'version':1.,'capability':'m'}", "decimal point"},
		{"{'version':1e,'capability':'m'}", "exponent"},
		{"{'version':-,'capability':'m'}", "without digits"},
		{"{'version':NaN,'capability':'m'}", "neither a value"},
		{"[{'capability':'m'},]", "neither a value"},
		{"[}", "neither a value"},
		{"{'a':[1}", "no ',' between values"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_refused(bad[i].json, 0, -EINVAL, bad[i].says);
}

/* Limits ------------------------------------------------------------------ */

/* `open` `count` times, then `middle`, then `close` as often. */
static char *repeated(const char *before, const char *open, size_t count, const char *middle,
		      const char *close, const char *after)
{
	struct sn_buf out = {0};

	sn_buf_adds(&out, before);
	for (size_t i = 0; i < count; i++)
		sn_buf_adds(&out, open);
	sn_buf_adds(&out, middle);
	for (size_t i = 0; i < count; i++)
		sn_buf_adds(&out, close);
	sn_buf_adds(&out, after);
	sn_buf_cstr(&out);
	return out.p;
}

static void depth_is_limited(void **state)
{
	sn_autofree char *most =
		repeated("{'capability':'m','x':", "[", SN_MP_DEPTH_MAX - 1, "", "]", "}");
	sn_autofree char *more =
		repeated("{'capability':'m','x':", "[", SN_MP_DEPTH_MAX, "", "]", "}");
	sn_autofree char *endless = repeated("", "[", 1000000, "", "", "");

	(void)state;
	sn_mp_message_destroy(decode(most));
	assert_refused(more, 0, -EINVAL, "nested too deep");
	assert_refused(endless, 0, -EINVAL, "nested too deep");
}

static void envelopes_in_each_other_are_limited(void **state)
{
	sn_autofree char *most = repeated("", "[", SN_MP_ENVELOPE_DEPTH, "", "]", "");
	sn_autofree char *more = repeated("", "[", SN_MP_ENVELOPE_DEPTH + 1, "", "]", "");
	struct sn_buf skipped = {0};

	(void)state;
	sn_mp_message_destroy(decode(most));
	sn_mp_message_destroy(try_decode(more, 0, &skipped, NULL));
	assert_non_null(strstr(sn_buf_cstr(&skipped), "more than 4 envelopes in each other"));
	sn_buf_finish(&skipped);
}

static void bytes_are_limited(void **state)
{
	char *text = sn_xmalloc(SN_MP_BYTES_MAX + 1);
	struct sn_mp_message *message;
	struct sn_err err = {0};

	(void)state;
	memset(text, ' ', SN_MP_BYTES_MAX + 1);
	memcpy(text, "{\"receipt\":\"m\"}", 15);
	message = sn_mp_decode(registries, text, SN_MP_BYTES_MAX, 0, NULL, &err);
	assert_non_null(message);
	assert_null(sn_mp_decode(registries, text, SN_MP_BYTES_MAX + 1, 0, NULL, &err));
	assert_int_equal(err.code, -E2BIG);
	sn_mp_message_destroy(message);
	free(text);
}

static void texts_and_values_are_limited(void **state)
{
	sn_autofree char *label =
		repeated("{'capability':'m','label':'", "l", SN_MP_TEXT_MAX, "", "", "'}");
	sn_autofree char *long_label =
		repeated("{'capability':'m','label':'", "l", SN_MP_TEXT_MAX + 1, "", "", "'}");
	sn_autofree char *value =
		repeated("{'receipt':'m','parameters':{'a':'", "v", SN_MP_VALUE_MAX, "", "", "'}}");
	sn_autofree char *long_value = repeated("{'receipt':'m','parameters':{'a':'", "v",
						SN_MP_VALUE_MAX + 1, "", "", "'}}");
	sn_autofree char *cell = repeated("{'result':'m','results':['a'],'resultvalues':[['", "v",
					  SN_MP_VALUE_MAX + 1, "", "", "']]}");
	sn_autofree char *meta = repeated("{'receipt':'m','metadata':{'a':'", "v",
					  SN_MP_VALUE_MAX + 1, "", "", "'}}");
	sn_autofree char *text =
		repeated("{'exception':'m','message':'", "v", SN_MP_VALUE_MAX + 1, "", "", "'}");
	sn_autofree char *name = repeated("{'receipt':'m','parameters':{'", "n", SN_MP_NAME_MAX + 1,
					  "", "", "':'1'}}");
	sn_autofree char *scope = repeated("{'receipt':'m','when':'now", " + 1s",
					   SN_MP_WHEN_TEXT_MAX / 5 + 1, "", "", "'}");

	(void)state;
	sn_mp_message_destroy(decode(label));
	assert_refused(long_label, 0, -E2BIG, "'label' is longer than 4096 bytes");
	sn_mp_message_destroy(decode(value));
	assert_refused(long_value, 0, -E2BIG, "parameter 'a'");
	assert_refused(cell, 0, -E2BIG, "row 1: result 'a'");
	assert_refused(meta, 0, -E2BIG, "metadata 'a'");
	assert_refused(text, 0, -E2BIG, "'message'");
	assert_refused(name, 0, -E2BIG, "longer than 128 bytes");
	assert_refused(scope, 0, -E2BIG, "'when' is longer");
}

/* A list of items that have their number inside. */
static char *numbered(const char *before, const char *item, int count, const char *item_end,
		      const char *after)
{
	struct sn_buf out = {0};

	sn_buf_adds(&out, before);
	for (int i = 0; i < count; i++)
		sn_buf_addf(&out, "%s%s%d%s", i > 0 ? "," : "", item, i, item_end);
	sn_buf_adds(&out, after);
	sn_buf_cstr(&out);
	return out.p;
}

static void counts_are_limited(void **state)
{
	static const struct {
		const char *before, *item, *item_end, *after;
		int most;
		const char *says;
	} lists[] = {
		{"{'receipt':'m','parameters':{", "'n", "':'1'", "}}", SN_MP_PARAMS_MAX,
		 "more than 256 parameters"},
		{"{'receipt':'m','metadata':{", "'n", "':'1'", "}}", SN_MP_METADATA_MAX,
		 "more than 256 metadata"},
		{"{'receipt':'m','results':[", "'n", "'", "]}", SN_MP_COLUMNS_MAX,
		 "more than 512 result"},
		{"{'result':'m','results':['a'],'resultvalues':[", "[", "]", "]}", SN_MP_ROWS_MAX,
		 "more than 100000 rows"},
		{"{'envelope':'m','contents':[", "{'receipt':'m','token':'", "'}", "]}",
		 SN_MP_CONTENTS_MAX, "more than 10000 messages"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(lists); i++) {
		sn_autofree char *most = numbered(lists[i].before, lists[i].item, lists[i].most,
						  lists[i].item_end, lists[i].after);
		sn_autofree char *more = numbered(lists[i].before, lists[i].item, lists[i].most + 1,
						  lists[i].item_end, lists[i].after);

		sn_mp_message_destroy(decode(most));
		assert_refused(more, 0, -E2BIG, lists[i].says);
	}
}

static void values_and_messages_of_a_whole_text_are_limited(void **state)
{
	/* Two results of half a million values and one more; nested envelopes. */
	sn_autofree char *half = repeated("{'result':'m','results':['a','b','c','d','e','f','g',"
					  "'h','i','j'],'resultvalues':[[]",
					  ",[]", SN_MP_CELLS_MAX / 20 - 1, "", "", "]}");
	sn_autofree char *most = sn_xasprintf("[%s,%s]", half, half);
	sn_autofree char *more = sn_xasprintf(
		"[%s,%s,{'result':'m','results':['a'],'resultvalues':[[]]}]", half, half);
	sn_autofree char *inner = numbered("[", "{'receipt':'m','token':'", 5000, "'}", "]");
	sn_autofree char *too_many = sn_xasprintf("[%s,%s]", inner, inner);

	(void)state;
	sn_mp_message_destroy(decode(most));
	assert_refused(more, 0, -E2BIG, "more than 1000000 values");
	assert_refused(too_many, 0, -E2BIG, "more than 10000 messages");
}

static void report_of_what_was_skipped_is_limited(void **state)
{
	sn_autofree char *text = numbered("[", "", 5000, "", "]");
	struct sn_buf skipped = {0};
	struct sn_mp_message *message = try_decode(text, 0, &skipped, NULL);

	(void)state;
	assert_int_equal(message->content_count, 0);
	assert_non_null(strstr(sn_buf_cstr(&skipped), "\nand 4900 more\n"));
	assert_true(skipped.n < 10000);
	sn_mp_message_destroy(message);
	sn_buf_finish(&skipped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_examples_are_read_checked_and_written_equal),
		cmocka_unit_test(messages_of_the_older_dialect_come_with_the_name_of_a_peer),
		cmocka_unit_test(keys_are_sorted_and_absent_sections_left_out),
		cmocka_unit_test(version_token_label_and_link_may_be_missing_and_null_is_missing),
		cmocka_unit_test(verb_is_measure_unless_it_is_said),
		cmocka_unit_test(unknown_keys_and_sections_of_other_kinds_are_passed_over),
		cmocka_unit_test(version_0_and_1_are_spoken_and_no_other),
		cmocka_unit_test(native_values_are_read_exactly_and_remembered),
		cmocka_unit_test(native_constraint_is_a_single_value),
		cmocka_unit_test(network_is_written_as_a_range_for_those_who_know_no_other),
		cmocka_unit_test(times_and_scopes_of_peers_are_understood),
		cmocka_unit_test(unknown_elements_are_kept_as_texts_unless_strict),
		cmocka_unit_test(
			token_of_an_exception_is_written_in_both_places_and_read_from_either),
		cmocka_unit_test(bare_messages_arrays_and_nested_envelopes_are_taken),
		cmocka_unit_test(short_rows_are_filled_up_and_empty_numbers_are_none),
		cmocka_unit_test(escapes_are_read_and_written),
		cmocka_unit_test(people_get_two_blanks_a_level),
		cmocka_unit_test(forms_that_break_other_peers_are_taken_or_refused_with_a_reason),
		cmocka_unit_test(zero_false_and_empty_are_values),
		cmocka_unit_test(export_is_kept_beside_the_link),
		cmocka_unit_test(one_bad_message_does_not_silence_the_others),
		cmocka_unit_test(refusals_name_the_place),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(envelopes_in_each_other_are_limited),
		cmocka_unit_test(bytes_are_limited),
		cmocka_unit_test(texts_and_values_are_limited),
		cmocka_unit_test(counts_are_limited),
		cmocka_unit_test(values_and_messages_of_a_whole_text_are_limited),
		cmocka_unit_test(report_of_what_was_skipped_is_limited),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
