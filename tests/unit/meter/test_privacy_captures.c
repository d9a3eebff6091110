/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real captures through a meter with every output there is, under policies that hide internal
 * addresses or names: then everything that was written is searched for them.  What has to be
 * hidden is found by another way: addresses by decoding the packets, inside and outside of
 * tunnels; names by a run without a policy.  SONDE_CAPTURES names another directory.
 */
#include "lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/util.h"
#include "ipfix_reader.h"
#include "meter/app/names.h"
#include "meter/capture/file.h"
#include "meter/ipfix/ipfix.h"
#include "meter/log/log.h"
#include "meter/output/rows.h"
#include "meter/output/summary.h"
#include "meter/worker.h"
#include "net/enrich.h"
#include "secrets.h"

#define FILES_MAX 256
#define WORD_MIN  8 /* shorter ones stand anywhere */

static const char internal_networks[] =
	"10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\nfc00::/7\nfe80::/10\n";
static const char datasets[] = "flow,tstat_tcp_complete,tstat_tcp_nocomplete,tstat_udp_complete,"
			       "tstat_http_complete,tstat_dns_complete";

static char *captures[FILES_MAX];
static size_t capture_count;
static struct sn_networks *internal;
static struct sn_inside inside;
static struct secrets secrets;
static char directory[] = "/tmp/sonde-test-XXXXXX";

/* One run ------------------------------------------------------------------------------- */

struct outputs {
	struct sn_tstat_logs *logs;
	struct sn_rows_out *json;
	struct sn_ipfix *both, *single;
	struct sn_summary *summary;
	int fd;
};

static char *path_of(const char *name)
{
	return sn_fs_join(directory, name);
}

static void must(int result, const struct sn_err *err)
{
	if (result != 0)
		fail_msg("%s", err->text);
}

static void open_logs(struct outputs *outputs)
{
	struct sn_tstat_options options = {.name = "logs", .step_ns = SN_TSTAT_STEP_NS_DEFAULT};
	sn_autofree char *path = path_of("logs");
	struct sn_err err;

	must(sn_fs_mkdirs(path, 0700, &err), &err);
	options.directory = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(options.directory >= 0);
	sn_tstat_choice_default(&options.choice);
	for (unsigned i = 0; i < SN_TSTAT_LOGS; i++)
		options.choice.on[i] = true;
	options.choice.tcp_level = 31;
	options.choice.video_level = 63;
	options.choice.http_urls = 2;
	options.choice.mid_stream = true;
	must(sn_tstat_logs_create(&options, &outputs->logs, &err), &err);
}

static struct sn_ipfix *open_ipfix(const char *name, bool uniflow, const struct sn_privacy *policy)
{
	sn_autofree char *path = path_of(name), *collector = sn_xasprintf("file:%s", path);
	struct sn_ipfix_options options = {
		.collector = collector, .domain = 1, .enterprise = 99999, .uniflow = uniflow};
	struct sn_ipfix *ipfix = NULL;
	struct sn_err err;

	must(sn_ipfix_create(&options, &ipfix, &err), &err);
	sn_ipfix_set_privacy(ipfix, policy);
	return ipfix;
}

static void open_outputs(struct outputs *outputs, const struct sn_privacy *policy)
{
	sn_autofree char *path = path_of("rows");
	struct sn_rows_options rows = {.name = "rows", .datasets = datasets};
	struct sn_err err;

	open_logs(outputs);
	outputs->fd = rows.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(sn_rows_out_create(&rows, &outputs->json, &err), &err);
	outputs->both = open_ipfix("both.ipfix", false, policy);
	outputs->single = open_ipfix("single.ipfix", true, policy);
	outputs->summary = sn_summary_create(SN_SUMMARY_TOP_MAX);
}

static void write_summary(const struct outputs *outputs)
{
	struct sn_worker_stats stats = {.app_memory_bytes = 0};
	struct sn_summary_facts facts = {.source = "captures", .worker = &stats};
	sn_autofree char *path = path_of("summary");
	struct sn_buf text = {0};
	struct sn_err err;

	sn_summary_write(outputs->summary, &facts, &text);
	must(sn_fs_write_atomic(path, text.p, text.n, 0600, &err), &err);
	sn_buf_finish(&text);
}

static void close_outputs(struct outputs *outputs)
{
	write_summary(outputs);
	sn_tstat_logs_destroy(outputs->logs);
	sn_rows_out_destroy(outputs->json);
	sn_ipfix_destroy(outputs->both);
	sn_ipfix_destroy(outputs->single);
	sn_summary_destroy(outputs->summary);
	close(outputs->fd);
}

static const char *source_name(uint16_t source SN_UNUSED, void *ctx SN_UNUSED)
{
	return "capture";
}

static void add_sink(struct sn_worker_options *options, struct sn_sink sink)
{
	options->sinks[options->sink_count++] = sink;
}

/* Packets of one capture through a worker with these sinks. */
static void run_capture(const char *path, struct sn_worker_options *options)
{
	struct sn_capture_file *file = NULL;
	struct sn_worker *worker = sn_worker_create(options);
	struct sn_packet packets[64];
	struct sn_err err = {0};
	int count;

	must(sn_capture_file_open(path, &file, &err), &err);
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		must(sn_worker_packets(worker, sn_capture_file_link(file), packets, (size_t)count,
				       0),
		     &err);
	must(sn_worker_finish(worker, &err), &err);
	sn_worker_destroy(worker);
	sn_capture_file_close(file);
}

struct run {
	struct sn_orders orders;
	struct sn_name_pool *names;
	struct sn_dns_cache *cache;
	struct sn_worker_options options;
};

static void open_run(struct run *run, struct sn_privacy *policy)
{
	const struct sn_orders_values values = {
		.privacy = policy, .http = true, .dns = true, .http_urls = true};

	*run = (struct run){.names = sn_name_pool_create(64U << 20)};
	run->cache = sn_dns_cache_create(run->names, SN_DNS_CACHE_DEFAULT);
	sn_orders_init(&run->orders, &values);
	run->options = (struct sn_worker_options){.names = run->names,
						  .orders = &run->orders,
						  .community_id = true,
						  .source_name = source_name};
	sn_meter_options_default(&run->options.meter);
	run->options.meter.inside = &inside;
	run->options.meter.dns_cache = run->cache;
}

static void close_run(struct run *run)
{
	sn_dns_cache_destroy(run->cache);
	sn_name_pool_destroy(run->names);
	sn_orders_finish(&run->orders);
}

/* Everything into every output; the policy is taken over. */
static void meter_all(struct sn_privacy *policy)
{
	struct outputs outputs = {0};
	struct run run;

	open_outputs(&outputs, policy);
	open_run(&run, policy);
	for (size_t i = 0; i < capture_count; i++) {
		run.options.sink_count = 0;
		add_sink(&run.options, sn_tstat_sink_create(outputs.logs));
		add_sink(&run.options, sn_rows_sink_create(outputs.json));
		add_sink(&run.options, sn_ipfix_sink_create(outputs.both));
		add_sink(&run.options, sn_ipfix_sink_create(outputs.single));
		add_sink(&run.options, sn_summary_sink_create(outputs.summary));
		run_capture(captures[i], &run.options);
	}
	close_outputs(&outputs);
	close_run(&run);
}

/* What has to be hidden ----------------------------------------------------------------- */

static void add_internal(const uint64_t address[2], uint8_t family)
{
	uint8_t ip[16];

	memcpy(ip, address, sizeof(ip));
	if (sn_networks_has(internal, address, family))
		secrets_add_address(&secrets, ip, family);
}

static void add_addresses_of(const char *path)
{
	struct sn_capture_file *file = NULL;
	struct sn_packet packet;
	struct sn_err err;

	must(sn_capture_file_open(path, &file, &err), &err);
	while (sn_capture_file_read(file, &packet, 1, &err) > 0) {
		for (unsigned tunnels = 0; tunnels <= SN_DECODE_TUNNELS_MAX; tunnels++) {
			struct sn_decoded decoded = {.family = 0};

			sn_decode(sn_capture_file_link(file), tunnels, &packet, &decoded);
			if (decoded.family == 0)
				continue;
			add_internal(decoded.src, decoded.family);
			add_internal(decoded.dst, decoded.family);
		}
	}
	sn_capture_file_close(file);
}

static bool is_address(char *text)
{
	char *port = strrchr(text, ':');
	uint8_t ip[16];

	if (inet_pton(AF_INET6, text, ip) == 1)
		return true;
	if (port != NULL)
		*port = '\0';
	if (inet_pton(AF_INET, text, ip) == 1)
		return true;
	if (port != NULL)
		*port = ':';
	return false;
}

/* Names and whatever looks like them; addresses of the outside may be told. */
static void add_word(struct sn_str word)
{
	sn_autofree char *text = NULL;

	word = sn_str_trim(word);
	while (word.n > 0 && word.p[word.n - 1] == '.')
		word.n--;
	if (word.n < WORD_MIN || memchr(word.p, '.', word.n) == NULL)
		return;
	text = sn_xstrndup(word.p, word.n);
	if (!is_address(text))
		sn_map_set(secrets.words, text, &secrets);
}

static int take_flow(void *sink SN_UNUSED, const struct sn_view_flow *view)
{
	add_word(view->fqdn);
	add_word(view->tls_server_name);
	add_word(view->tls_certificate_name);
	add_word(view->http_host);
	add_word(view->quic_server_name);
	add_word(view->quic_agent);
	return 0;
}

static int take_http(void *sink SN_UNUSED, const struct sn_view_http *view)
{
	add_word(view->host);
	add_word(view->path);
	add_word(view->referer);
	add_word(view->cookie);
	add_word(view->set_cookie);
	add_word(view->location);
	add_word(view->user_agent);
	return 0;
}

static int take_dns(void *sink SN_UNUSED, const struct sn_view_dns *view)
{
	add_word(view->name);
	if (view->event->entry == SN_DNS_RESPONSE)
		add_word(view->answer);
	return 0;
}

static const struct sn_sink_ops collecting = {
	.flow = take_flow, .http = take_http, .dns = take_dns};

static void add_words(void)
{
	struct run run;

	open_run(&run, NULL);
	for (size_t i = 0; i < capture_count; i++) {
		run.options.sink_count = 0;
		add_sink(&run.options, (struct sn_sink){&collecting, NULL});
		run_capture(captures[i], &run.options);
	}
	close_run(&run);
}

/* The search ---------------------------------------------------------------------------- */

struct search {
	bool words; /* names are looked for, too */
	size_t files, bytes, found;
	char last[1024]; /* what was found last and where */
};

/* Value by value, so that those are found that look like any number. */
struct values {
	const struct secrets *what;
	struct finding *finding;
	bool hit;
};

static void search_record(const struct ipfix_record *record, void *ctx)
{
	struct values *values = ctx;

	for (unsigned i = 0; i < record->template->count; i++)
		values->hit |= secrets_in_value(values->what, record->values[i], values->finding);
}

static bool search_ipfix(const struct secrets *what, struct sn_str text, struct finding *finding)
{
	struct values values = {what, finding, false};
	struct ipfix_reader reader;
	bool sound;

	ipfix_reader_init(&reader, search_record, &values);
	sound = ipfix_read_stream(&reader, text.p, text.n);
	if (!sound)
		fail_msg("%s", reader.why);
	ipfix_reader_finish(&reader);
	return values.hit || secrets_in_bytes(what, text, finding);
}

static void search_file(struct search *search, const char *path, const struct secrets *what)
{
	struct sn_buf text = {0};
	struct finding finding;
	struct sn_err err;
	bool binary = strstr(path, ".ipfix") != NULL, hit;

	must(sn_fs_read(path, 1U << 30, &text, &err), &err);
	search->files++;
	search->bytes += text.n;
	hit = binary ? search_ipfix(what, sn_buf_str(&text), &finding)
		     : secrets_in_text(what, sn_buf_str(&text), &finding);
	if (hit) {
		search->found++;
		snprintf(search->last, sizeof(search->last), "%s, byte %zu: %s", path, finding.at,
			 finding.what);
	}
	sn_buf_finish(&text);
}

static void search_tree(struct search *search, const char *path, const struct secrets *what)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL) {
		search_file(search, path, what);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		sn_autofree char *child = sn_fs_join(path, entry->d_name);

		if (entry->d_name[0] != '.')
			search_tree(search, child, what);
	}
	closedir(dir);
}

/* Looks through all that was written and removes it. */
static void search_all(struct search *search)
{
	struct secrets addresses = {.addresses = secrets.addresses, .words = sn_map_create(NULL)};
	struct sn_err err;

	search_tree(search, directory, search->words ? &secrets : &addresses);
	sn_map_destroy(addresses.words);
	must(sn_fs_remove_tree(directory, &err), &err);
	must(sn_fs_mkdirs(directory, 0700, &err), &err);
}

static struct sn_privacy *policy_of(const char *lines)
{
	struct sn_privacy *policy = sn_privacy_create();
	struct sn_err err;

	must(sn_privacy_parse(policy, sn_str(lines), "lines", &err), &err);
	sn_privacy_set_key(policy, (const uint8_t *)"0123456789abcdefghijklmnopqrstuv");
	return policy;
}

static void nothing_is_found_with(struct sn_privacy *policy, bool words)
{
	struct search search = {.words = words};

	meter_all(policy);
	search_all(&search);
	assert_true(search.files > 10 && search.bytes > 100000);
	if (search.found > 0)
		fail_msg("%zu of %zu files tell a secret: %s", search.found, search.files,
			 search.last);
}

static void captures_have_something_to_hide(void **state SN_UNUSED)
{
	assert_true(sn_map_count(secrets.addresses) > 20);
	assert_true(sn_map_count(secrets.words) > 20);
}

/* Else the search itself would be blind. */
static void without_a_policy_every_output_tells_addresses(void **state SN_UNUSED)
{
	static const char *const outputs[] = {"logs", "rows", "both.ipfix", "single.ipfix",
					      "summary"};
	struct search all = {.words = false};

	meter_all(NULL);
	for (size_t i = 0; i < SN_COUNT(outputs); i++) {
		struct search search = {.words = false};
		struct secrets addresses = {.addresses = secrets.addresses,
					    .words = sn_map_create(NULL)};
		sn_autofree char *path = path_of(outputs[i]);

		search_tree(&search, path, &addresses);
		sn_map_destroy(addresses.words);
		if (search.found == 0)
			fail_msg("nothing is found in '%s'", outputs[i]);
	}
	search_all(&all);
}

static void dropped_addresses_are_nowhere(void **state SN_UNUSED)
{
	nothing_is_found_with(policy_of("internal_address drop\nurl keep\ncookie keep\n"), false);
}

static void encrypted_addresses_are_nowhere(void **state SN_UNUSED)
{
	nothing_is_found_with(policy_of("internal_address cryptopan\nurl keep\ncookie keep\n"),
			      false);
}

static void hashed_addresses_are_nowhere(void **state SN_UNUSED)
{
	nothing_is_found_with(policy_of("internal_address hash\nurl keep\ncookie keep\n"), false);
}

static void addresses_hidden_as_the_reference_does_are_nowhere(void **state SN_UNUSED)
{
	struct sn_privacy *policy = policy_of("url keep\ncookie keep\n");

	sn_privacy_set_tstat(policy, internal, NULL, NULL, true);
	nothing_is_found_with(policy, false);
}

static void dropped_names_are_nowhere(void **state SN_UNUSED)
{
	nothing_is_found_with(
		policy_of("internal_address drop\nname drop\nagent drop\nanswer drop\n"), true);
}

static void hashed_and_encrypted_names_are_nowhere(void **state SN_UNUSED)
{
	nothing_is_found_with(policy_of("internal_address truncate 0/0\nname hash\nagent hash\n"
					"url hash\ncookie hash\nanswer hash\n"),
			      true);
	nothing_is_found_with(policy_of("internal_address cryptopan\nname cryptopan\nagent drop\n"),
			      true);
}

/* Setup --------------------------------------------------------------------------------- */

static bool is_capture(const char *name)
{
	const char *end = strrchr(name, '.');

	return end != NULL && strcmp(end, ".pcap") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int set_up(void **state SN_UNUSED)
{
	const char *where = getenv("SONDE_CAPTURES");
	DIR *dir;
	struct dirent *entry;
	struct sn_err err;

	where = where != NULL ? where : SN_TEST_DATA "/pcap";
	dir = opendir(where);
	if (dir == NULL || mkdtemp(directory) == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL && capture_count < FILES_MAX) {
		if (is_capture(entry->d_name))
			captures[capture_count++] = sn_fs_join(where, entry->d_name);
	}
	closedir(dir);
	qsort(captures, capture_count, sizeof(captures[0]), by_name);
	internal = sn_networks_parse(sn_str(internal_networks), "internal", &err);
	inside.internal = internal;
	secrets_init(&secrets);
	for (size_t i = 0; i < capture_count; i++)
		add_addresses_of(captures[i]);
	add_words();
	return 0;
}

static int tear_down(void **state SN_UNUSED)
{
	struct sn_err err;

	for (size_t i = 0; i < capture_count; i++)
		free(captures[i]);
	secrets_finish(&secrets);
	sn_networks_destroy(internal);
	return sn_fs_remove_tree(directory, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_have_something_to_hide),
		cmocka_unit_test(without_a_policy_every_output_tells_addresses),
		cmocka_unit_test(dropped_addresses_are_nowhere),
		cmocka_unit_test(encrypted_addresses_are_nowhere),
		cmocka_unit_test(hashed_addresses_are_nowhere),
		cmocka_unit_test(addresses_hidden_as_the_reference_does_are_nowhere),
		cmocka_unit_test(dropped_names_are_nowhere),
		cmocka_unit_test(hashed_and_encrypted_names_are_nowhere),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
