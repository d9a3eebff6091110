/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three roles together on loopback: traffic asks the resolver, fetches from the
 * content server, and its lines say exactly what went over the sockets.
 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "demo/host/host.h"
#include "net/addr.h"

static char dir[] = "/tmp/sonde-host-test-XXXXXX";

/* Free a moment ago; good enough on loopback. */
static unsigned free_port(int type)
{
	struct sn_addr addr;
	int fd = socket(AF_INET, type, 0);

	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &addr), 0);
	assert_int_equal(bind(fd, &addr.sa, addr.length), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &addr.length), 0);
	close(fd);
	return sn_addr_port(&addr);
}

static struct sn_host_config load(const char *yaml)
{
	struct sn_host_config config = {0};
	struct sn_err err;

	if (sn_conf_load_text(&sn_host_schema, "test", sn_str(yaml), &config, &err) != 0)
		fail_msg("%s", err.text);
	return config;
}

struct part {
	struct sn_host_config config;
	struct sn_host *host;
	const struct sn_host_role *role;
};

static struct part prepare(const char *yaml)
{
	struct part part = {.config = load(yaml)};

	part.role = sn_host_role_find(part.config.role, NULL);
	assert_non_null(part.role);
	return part;
}

static void run(struct part *part, struct sn_loop *loop)
{
	struct sn_err err = {0};

	part->host = part->role->create(loop, &part->config, &err);
	if (part->host == NULL)
		fail_msg("%s", err.text);
}

static void stop(struct part *part)
{
	part->role->destroy(part->host);
	sn_conf_release(&sn_host_schema, &part->config);
}

static unsigned count_lines(const char *path, struct sn_buf *text)
{
	unsigned lines = 0;

	sn_buf_clear(text);
	if (sn_fs_read(path, 1 << 20, text, NULL) != 0)
		return 0;
	for (size_t i = 0; i < text->n; i++)
		lines += text->p[i] == '\n';
	return lines;
}

static int64_t number(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void check_line(const json_t *line, unsigned dns_port, unsigned http_port,
		       const int64_t *sizes, unsigned *fetches)
{
	bool http = strcmp(json_string_value(json_object_get(line, "kind")), "http") == 0;

	assert_true(json_is_null(json_object_get(line, "error")));
	assert_string_equal(json_string_value(json_object_get(line, "c_ip")), "127.0.0.1");
	assert_string_equal(json_string_value(json_object_get(line, "s_ip")), "127.0.0.1");
	assert_int_equal(number(line, "s_port"), http ? http_port : dns_port);
	assert_true(number(line, "c_port") > 0);
	if (!http) {
		/* Header 12, name 23, type and class 4; the answer has a record of 16 more. */
		assert_int_equal(number(line, "sent_bytes"), 39);
		assert_int_equal(number(line, "received_bytes"), 55);
		return;
	}
	assert_int_equal(number(line, "status"), 200);
	assert_int_equal(number(line, "body_bytes"), sizes[*fetches % 3]);
	assert_true(number(line, "received_bytes") > number(line, "body_bytes"));
	assert_true(number(line, "sent_bytes") > 80);
	(*fetches)++;
}

static void traffic_resolves_and_fetches_in_turn(void **state SN_UNUSED)
{
	static const int64_t sizes[] = {0, 1000, 300000};
	unsigned http_port = free_port(SOCK_STREAM), dns_port = free_port(SOCK_DGRAM), fetches = 0;
	sn_autofree char *output = sn_fs_join(dir, "lines");
	sn_autofree char *content_yaml =
		sn_xasprintf("role: content\nlisten: ['127.0.0.1:%u']\n", http_port);
	sn_autofree char *resolver_yaml =
		sn_xasprintf("role: resolver\nlisten: ['127.0.0.1:%u']\n"
			     "records: [content.sonde.example 127.0.0.1]\n",
			     dns_port);
	sn_autofree char *traffic_yaml =
		sn_xasprintf("role: traffic\nresolvers: ['127.0.0.1:%u']\nport: %u\n"
			     "sizes: [0, 1000, 300kB]\nperiod: 20ms\noutput: %s\n",
			     dns_port, http_port, output);
	struct sn_loop *loop = sn_loop_create(NULL);
	struct part content = prepare(content_yaml), resolver = prepare(resolver_yaml),
		    traffic = prepare(traffic_yaml);
	struct sn_buf text = {0};
	struct sn_str rest, line;
	uint64_t end = sn_mono_ns() + TEST_PATIENCE_NS;

	run(&content, loop);
	run(&resolver, loop);
	run(&traffic, loop);
	while (count_lines(output, &text) < 12 && sn_mono_ns() < end)
		sn_loop_turn(loop, 10 * SN_NS_PER_MS);
	assert_true(count_lines(output, &text) >= 12);
	rest = sn_buf_str(&text);
	while (sn_str_split(&rest, '\n', &line) && line.n > 0) {
		struct sn_err err;
		json_t *json = sn_json_parse(line.p, line.n, &err);

		assert_non_null(json);
		check_line(json, dns_port, http_port, sizes, &fetches);
		json_decref(json);
	}
	assert_true(fetches >= 6);
	stop(&traffic);
	stop(&resolver);
	stop(&content);
	sn_loop_destroy(loop);
	sn_buf_finish(&text);
}

static void a_dead_server_is_an_error_in_the_line(void **state SN_UNUSED)
{
	unsigned http_port = free_port(SOCK_STREAM), dns_port = free_port(SOCK_DGRAM);
	sn_autofree char *output = sn_fs_join(dir, "dead");
	sn_autofree char *resolver_yaml =
		sn_xasprintf("role: resolver\nlisten: ['127.0.0.1:%u']\n"
			     "records: [content.sonde.example 127.0.0.1]\n",
			     dns_port);
	sn_autofree char *traffic_yaml =
		sn_xasprintf("role: traffic\nresolvers: ['127.0.0.1:%u', '127.0.0.1:%u']\n"
			     "port: %u\nsizes: [10]\nperiod: 10ms\noutput: %s\n",
			     dns_port, free_port(SOCK_DGRAM), http_port, output);
	struct sn_loop *loop = sn_loop_create(NULL);
	struct part resolver = prepare(resolver_yaml), traffic = prepare(traffic_yaml);
	struct sn_buf text = {0};
	uint64_t end = sn_mono_ns() + TEST_PATIENCE_NS;
	unsigned refused = 0;

	run(&resolver, loop);
	run(&traffic, loop);
	while (count_lines(output, &text) < 10 && sn_mono_ns() < end)
		sn_loop_turn(loop, 10 * SN_NS_PER_MS);
	sn_buf_cstr(&text);
	for (const char *p = text.p; (p = strstr(p, "\"Connection refused\"")) != NULL; p++)
		refused++;
	/* Of the fetches (nobody listens) and of the questions to the port where nobody is. */
	assert_true(refused >= 4);
	stop(&traffic);
	stop(&resolver);
	sn_loop_destroy(loop);
	sn_buf_finish(&text);
}

static void refuse(const char *yaml, const char *reason)
{
	struct sn_host_config config = load(yaml);
	struct sn_loop *loop = sn_loop_create(NULL);
	struct sn_err err = {0};
	const struct sn_host_role *role = sn_host_role_find(config.role, &err);

	if (role != NULL)
		assert_null(role->create(loop, &config, &err));
	if (strstr(err.text, reason) == NULL)
		fail_msg("%s gave '%s'", yaml, err.text);
	sn_loop_destroy(loop);
	sn_conf_release(&sn_host_schema, &config);
}

static void a_wrong_configuration_is_refused_by_key(void **state SN_UNUSED)
{
	refuse("role: dancer\n", "'dancer' is not content, resolver or traffic");
	refuse("role: content\nlisten: [here]\n", "'here' is no address");
	refuse("role: content\nlisten: ['192.0.2.1:80']\n", "192.0.2.1:80");
	refuse("role: resolver\nlisten: [there]\n", "'there' is no address");
	refuse("role: resolver\nrecords: [x]\n", "record 'x'");
	refuse("role: traffic\n", "key 'sizes'");
	refuse("role: traffic\nsizes: [101MiB]\n", "'101MiB' is no size");
	refuse("role: traffic\nsizes: [1]\n", "key 'resolvers'");
	refuse("role: traffic\nsizes: [1]\nresolvers: [x]\n", "'x' is no address");
	refuse("role: traffic\nsizes: [1]\nresolvers: ['192.0.2.1']\noutput: /nowhere/x\n",
	       "/nowhere/x");
}

static int make_dir(void **state SN_UNUSED)
{
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state SN_UNUSED)
{
	return sn_fs_remove_tree(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traffic_resolves_and_fetches_in_turn),
		cmocka_unit_test(a_dead_server_is_an_error_in_the_line),
		cmocka_unit_test(a_wrong_configuration_is_refused_by_key),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
