/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/util.h"

struct settings {
	char *name, *note;
	bool verbose;
	uint64_t port;
	double share;
	int64_t interval_ns;
	uint64_t limit_bytes, rate_bps;
	struct sn_conf_texts urls;
};

#define KEY(n, t, m, d, ...)                                                                       \
	{                                                                                          \
		.name = n, .type = t, .offset = offsetof(struct settings, m), .default_text = d,   \
		.help = "help of " n, __VA_ARGS__                                                  \
	}
static const struct sn_conf_key keys[] = {
	KEY("name", SN_CONF_TEXT, name, NULL),
	KEY("note", SN_CONF_TEXT, note, NULL, .optional = true),
	KEY("verbose", SN_CONF_BOOL, verbose, "no"),
	KEY("port", SN_CONF_U64, port, "8443", .min = 1, .max = 65535),
	KEY("share", SN_CONF_DOUBLE, share, "0.1"),
	KEY("interval", SN_CONF_DURATION, interval_ns, "10s", .min = SN_NS_PER_MS,
	    .max = 3600 * SN_NS_PER_S),
	KEY("limit", SN_CONF_SIZE, limit_bytes, "64MiB"),
	KEY("rate", SN_CONF_RATE, rate_bps, "20Mbit"),
	KEY("urls", SN_CONF_TEXTS, urls, "https://a, https://b"),
};
static const struct sn_conf_schema schema = {"sonde-test", keys, SN_COUNT(keys),
					     sizeof(struct settings)};

static int load(const char *yaml, struct settings *out, struct sn_err *err)
{
	*err = (struct sn_err){0};
	return sn_conf_load_text(&schema, "test.yaml", sn_str(yaml), out, err);
}

static void defaults_fill_what_a_file_leaves_out(void **state)
{
	struct settings s = {0};
	struct sn_err err;

	(void)state;
	assert_int_equal(load("# comment\nname: n1\nport: 1\n", &s, &err), 0);
	assert_string_equal(s.name, "n1");
	assert_null(s.note);
	assert_false(s.verbose);
	assert_int_equal(s.port, 1);
	assert_true(s.share == 0.1);
	assert_int_equal(s.interval_ns, 10 * SN_NS_PER_S);
	assert_int_equal(s.limit_bytes, 64 << 20);
	assert_int_equal(s.rate_bps, 20000000);
	assert_int_equal(s.urls.count, 2);
	assert_string_equal(s.urls.items[1], "https://b");
	sn_conf_release(&schema, &s);
	assert_null(s.name);
}

static void every_type_is_read(void **state)
{
	struct settings s = {0};
	struct sn_err err;

	(void)state;
	assert_int_equal(load("name: \"two words: # no comment\"\nnote: ''\nverbose: yes\n"
			      "port: 65535\nshare: 2.5e-3\ninterval: 1h\nlimit: 2GB\n"
			      "rate: 500kbit\nurls:\n  - x\n  - 'a, b'\n",
			      &s, &err),
			 0);
	assert_string_equal(s.name, "two words: # no comment");
	assert_string_equal(s.note, "");
	assert_true(s.verbose);
	assert_true(s.share == 2.5e-3);
	assert_int_equal(s.interval_ns, 3600 * SN_NS_PER_S);
	assert_int_equal(s.limit_bytes, 2000000000);
	assert_int_equal(s.rate_bps, 500000);
	assert_int_equal(s.urls.count, 2);
	assert_string_equal(s.urls.items[1], "a, b");
	sn_conf_release(&schema, &s);

	assert_int_equal(load("{name: n, urls: one}", &s, &err), 0);
	assert_int_equal(s.urls.count, 1);
	sn_conf_release(&schema, &s);
	assert_int_equal(load("{name: n, urls: []}", &s, &err), 0);
	assert_int_equal(s.urls.count, 0);
	sn_conf_release(&schema, &s);
}

static void bad_files_are_refused_with_line_key_and_reason(void **state)
{
	static const struct {
		const char *yaml, *says[3];
	} cases[] = {
		{"name: a\nintervall: 3s\n", {"line 2", "'intervall'", "did you mean 'interval'"}},
		{"name: a\nzzzzzzzz: 3s\n", {"line 2", "'zzzzzzzz'", "--print-config"}},
		{"name: a\n\nname: b\n", {"line 3", "'name'", "twice"}},
		{"name: a\nport: http\n", {"line 2", "'port'", "'http' is not a whole number"}},
		{"name: a\nport: 0\n", {"line 2", "'0' is out of range", "1 to 65535"}},
		{"name: a\nport: 65536\n", {"line 2", "'65536' is out of range", "1 to 65535"}},
		{"name: a\ninterval: 2h\n", {"line 2", "'2h' is out of range", "1ms to 1h"}},
		{"name: a\ninterval: 10\n", {"line 2", "'interval'", "a time like"}},
		{"name: a\nverbose: maybe\n", {"line 2", "'verbose'", "true or false"}},
		{"name: a\nlimit: lots\n", {"line 2", "'limit'", "a size like"}},
		{"name: a\nrate: fast\n", {"line 2", "'rate'", "a rate like"}},
		{"name: a\nshare: nan\n", {"line 2", "'share'", "a number"}},
		{"name: [a]\n", {"line 1", "'name'", "must be a text"}},
		{"name: {a: b}\n", {"line 1", "'name'", "must be a text"}},
		{"name: a\nurls: [[x]]\n", {"line 2", "'urls'", "not a text"}},
		{"name:\n", {"line 1", "'name'", "no value"}},
		{"name: ~\n", {"line 1", "'name'", "no value"}},
		{"port: 1\n", {"'name' is missing", "help of name", ""}},
		{"", {"'name' is missing", "", ""}},
		{"--- \n", {"'name' is missing", "", ""}},
		{"- name\n", {"line 1", "key: value", ""}},
		{"name: a\n---\nname: b\n", {"second document", "", ""}},
		{"name: a\n  port: 1\n", {"line 2", "", ""}},
		{"name: \"a\n", {"line 2", "", ""}},
		{"? [a]\n: b\n", {"line 1", "plain word", ""}},
		{"name: &x a\nnote: *x\n", {"line 2", "'note'", ""}},
		{"name: \"a\\0b\"\n", {"line 1", "'name'", ""}},
		{"name: a\xff\n", {"byte", "UTF-8", ""}},
	};
	struct settings s = {0};
	const struct settings zero = {0};
	struct sn_err err;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		if (load(cases[i].yaml, &s, &err) != -EINVAL && err.code != -ERANGE)
			fail_msg("accepted: %s", cases[i].yaml);
		assert_memory_equal(&s, &zero, sizeof(s));
		if (strstr(err.text, "cannot use 'test.yaml': ") != err.text)
			fail_msg("no file in: %s", err.text);
		for (size_t j = 0; j < 3; j++) {
			if (cases[i].says[j] != NULL && strstr(err.text, cases[i].says[j]) == NULL)
				fail_msg("'%s' is not in: %s", cases[i].says[j], err.text);
		}
	}
}

static void list_entries_are_limited(void **state)
{
	struct sn_buf yaml = {0};
	struct settings s = {0};
	struct sn_err err;

	(void)state;
	sn_buf_adds(&yaml, "name: a\nurls:\n");
	for (int i = 0; i < SN_CONF_TEXTS_MAX; i++)
		sn_buf_adds(&yaml, "  - x\n");
	assert_int_equal(load(sn_buf_cstr(&yaml), &s, &err), 0);
	assert_int_equal(s.urls.count, SN_CONF_TEXTS_MAX);
	sn_conf_release(&schema, &s);
	sn_buf_adds(&yaml, "  - x\n");
	assert_int_equal(load(sn_buf_cstr(&yaml), &s, &err), -E2BIG);
	sn_buf_finish(&yaml);
}

static void what_is_printed_loads_to_the_same(void **state)
{
	static const char *const texts[] = {
		"plain",    "",           "~",         "null",        "yes",
		"a: b",     "# x",        "'q'",       "\"d\"",       " lead",
		"trail ",   "two\nlines", "tab\there", "\xc2\x85nel", "\xe2\x80\xa8ls",
		"\xc3\xa9", "- dash",     "@at",       "{brace",      "\x7f"};
	struct settings s = {0}, again = {0};
	struct sn_buf first = {0}, second = {0};
	struct sn_err err;

	(void)state;
	assert_int_equal(load("{name: a, urls: [], interval: 1500us, limit: 1025, rate: 0, "
			      "share: 0.1, port: 7}",
			      &s, &err),
			 0);
	for (size_t i = 0; i < SN_COUNT(texts); i++) {
		free(s.name);
		s.name = sn_xstrdup(texts[i]);
		sn_buf_clear(&first);
		sn_buf_clear(&second);
		sn_conf_print(&schema, &s, &first);
		if (load(sn_buf_cstr(&first), &again, &err) != 0)
			fail_msg("%s in:\n%s", err.text, sn_buf_cstr(&first));
		assert_string_equal(again.name, texts[i]);
		assert_int_equal(again.interval_ns, 1500000);
		assert_int_equal(again.limit_bytes, 1025);
		sn_conf_print(&schema, &again, &second);
		assert_string_equal(sn_buf_cstr(&first), sn_buf_cstr(&second));
		sn_conf_release(&schema, &again);
	}
	sn_conf_release(&schema, &s);
	sn_buf_finish(&first);
	sn_buf_finish(&second);
}

static void one_key_is_set_from_the_command_line(void **state)
{
	struct settings s = {0};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_conf_defaults(&schema, &s, &err), 0);
	assert_int_equal(sn_conf_set(&schema, &s, "name", SN_STR("n"), &err), 0);
	assert_string_equal(s.name, "n");
	assert_int_equal(sn_conf_set(&schema, &s, "urls", SN_STR("x, y,"), &err), 0);
	assert_int_equal(s.urls.count, 2);
	assert_string_equal(s.urls.items[1], "y");
	assert_int_equal(sn_conf_set(&schema, &s, "urls", SN_STR(""), &err), 0);
	assert_int_equal(s.urls.count, 0);
	assert_int_equal(sn_conf_set(&schema, &s, "prt", SN_STR("1"), &err), -EINVAL);
	assert_non_null(strstr(err.text, "did you mean 'port'"));
	assert_int_equal(sn_conf_set(&schema, &s, "port", SN_STR("0"), &err), -ERANGE);
	assert_int_equal(s.port, 8443);
	assert_int_equal(sn_conf_set(&schema, &s, "name", SN_STR("\xff"), &err), -EINVAL);
	assert_string_equal(s.name, "n");
	sn_conf_release(&schema, &s);
}

static void a_file_is_named_when_it_cannot_be_used(void **state)
{
	char path[] = "/tmp/sonde-test-XXXXXX";
	struct settings s = {0};
	struct sn_err err = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "name: a\nprot: 1\n", 16), 16);
	close(fd);
	assert_int_equal(sn_conf_load(&schema, path, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "line 2"));
	unlink(path);
	assert_int_equal(sn_conf_load(&schema, path, &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_fill_what_a_file_leaves_out),
		cmocka_unit_test(every_type_is_read),
		cmocka_unit_test(bad_files_are_refused_with_line_key_and_reason),
		cmocka_unit_test(list_entries_are_limited),
		cmocka_unit_test(what_is_printed_loads_to_the_same),
		cmocka_unit_test(one_key_is_set_from_the_command_line),
		cmocka_unit_test(a_file_is_named_when_it_cannot_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
