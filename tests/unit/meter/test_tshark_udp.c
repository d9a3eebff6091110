/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions of DNS, server names and versions of QUIC in all captures, as tshark
 * finds them and as we do.  SONDE_CAPTURES names another directory of captures.
 */
#include "lib/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/app/dns.h"
#include "meter/app/names.h"
#include "meter/app/quic.h"
#include "meter/app/tls.h"
#include "meter/app/udp.h"
#include "meter/capture/file.h"
#include "meter/meter.h"

#define FACTS_MAX 4000
#define FACT_MAX  300

/* "question NAME", "server NAME", "version PORT PORT VERSION", each once. */
struct facts {
	char *texts[FACTS_MAX];
	size_t count;
};
static struct facts ours, theirs;

static bool has(const struct facts *facts, const char *text)
{
	for (size_t i = 0; i < facts->count; i++)
		if (strcmp(facts->texts[i], text) == 0)
			return true;
	return false;
}

static void add(struct facts *facts, const char *text)
{
	if (has(facts, text))
		return;
	assert_true(facts->count < FACTS_MAX);
	facts->texts[facts->count++] = sn_xstrdup(text);
}

static const char *captures(void)
{
	const char *given = getenv("SONDE_CAPTURES");

	return given != NULL ? given : SN_TEST_DATA "/pcap";
}

/* Ours ----------------------------------------------------------------------- */

static void keep_question(const struct sn_dns_event *event, const struct sn_flow *flow,
			  void *ctx SN_UNUSED)
{
	char text[FACT_MAX];

	if (event->entry != SN_DNS_REQUEST || sn_flow_port(flow, !event->side) != 53)
		return;
	snprintf(text, sizeof(text), "question %.*s", (int)event->name.n - 1, event->name.p);
	add(&ours, text);
}

static void keep_version(const struct sn_flow *flow, unsigned side, uint32_t version)
{
	char text[FACT_MAX];

	if (version == 0)
		return;
	snprintf(text, sizeof(text), "version %u %u 0x%08x", sn_flow_port(flow, side),
		 sn_flow_port(flow, !side), version);
	add(&ours, text);
}

static void keep(const struct sn_flow *flow, enum sn_flow_end end SN_UNUSED, void *ctx SN_UNUSED)
{
	const struct sn_udp_flow *udp = sn_flow_udp(flow);
	char text[FACT_MAX];

	if (udp == NULL || udp->app == NULL)
		return;
	for (unsigned side = 0; side < 2; side++)
		if (!sn_quic_is_google(udp->app->quic_version[side]))
			keep_version(flow, side, udp->app->quic_version[side]);
	if (udp->app->quic_server_name == NULL)
		return;
	snprintf(text, sizeof(text), "server %s", udp->app->quic_server_name->text);
	add(&ours, text);
}

static void meter_capture(const char *path)
{
	struct sn_app_watch watch = {.dns = keep_question};
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_apps_options apps_options = {.names = names};
	struct sn_apps *apps = sn_apps_create(&apps_options);
	struct sn_meter_options options;
	struct sn_meter *meter;
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	struct sn_err err;
	int count;

	sn_apps_set_watch(apps, &watch);
	sn_meter_options_default(&options);
	options.apps = apps;
	meter = sn_meter_create(&options, keep, NULL);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		sn_meter_packets(meter, sn_capture_file_link(file), packets, (size_t)count, 0);
	sn_meter_flush(meter);
	sn_capture_file_close(file);
	sn_meter_destroy(meter);
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
}

static void meter_all(void)
{
	DIR *dir = opendir(captures());
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		sn_autofree char *path = sn_xasprintf("%s/%s", captures(), entry->d_name);

		if (strstr(entry->d_name, ".pcap") != NULL)
			meter_capture(path);
	}
	closedir(dir);
}

/* Theirs --------------------------------------------------------------------- */

/* Adds a fact for each line that tshark prints; `form` has a %s for the line. */
static void ask(const char *merged, const char *filter, const char *fields, const char *form)
{
	sn_autofree char *command = sn_xasprintf("tshark -n -r '%s' -Y '%s' -T fields -E "
						 "separator=/s -E occurrence=f %s 2>/dev/null",
						 merged, filter, fields);
	FILE *out = popen(command, "r");
	char line[FACT_MAX];

	assert_non_null(out);
	while (fgets(line, sizeof(line), out) != NULL) {
		sn_autofree char *fact = NULL;

		line[strcspn(line, "\n")] = '\0';
		fact = sn_xasprintf("%s%s", form, line);
		add(&theirs, fact);
	}
	assert_int_equal(pclose(out), 0);
}

static bool is_there(const char *program)
{
	sn_autofree char *command = sn_xasprintf("command -v %s >/dev/null 2>&1", program);

	return system(command) == 0;
}

static void ask_all(void)
{
	char merged[] = "/tmp/sonde-merged-XXXXXX";
	sn_autofree char *command = NULL;
	int fd = mkstemp(merged);

	assert_true(fd >= 0);
	close(fd);
	command = sn_xasprintf("mergecap -a -w '%s' '%s'/*.pcap 2>/dev/null", merged, captures());
	/* Damaged captures are merged as far as they can be read. */
	if (system(command) < 0)
		fail_msg("cannot run mergecap");
	ask(merged, "dns.flags.response == 0 && (udp.dstport == 53 || tcp.dstport == 53)",
	    "-e dns.qry.name", "question ");
	ask(merged, "quic && tls.handshake.extensions_server_name",
	    "-e tls.handshake.extensions_server_name", "server ");
	ask(merged, "gquic.tag.sni", "-e gquic.tag.sni", "server ");
	ask(merged, "quic.long.packet_type == 0 || quic.long.packet_type_v2 == 1",
	    "-e udp.srcport -e udp.dstport -e quic.version", "version ");
	unlink(merged);
}

static unsigned missing(const struct facts *facts, const struct facts *in, const char *who)
{
	unsigned count = 0;

	for (size_t i = 0; i < facts->count; i++) {
		const char *text = facts->texts[i];

		/* We keep names of hosts only, as Tstat: no "server4:443". */
		if (has(in, text) ||
		    (strncmp(text, "server ", 7) == 0 && !sn_tls_is_name(sn_str(text + 7))))
			continue;
		print_message("# only %s: %s\n", who, text);
		count++;
	}
	return count;
}

static void tshark_finds_the_same(void **state SN_UNUSED)
{
	if (!is_there("tshark") || !is_there("mergecap")) {
		print_message("# skipped: there is no tshark or no mergecap here\n");
		skip();
	}
	meter_all();
	ask_all();
	print_message("# %zu facts, tshark %zu\n", ours.count, theirs.count);
	assert_true(ours.count > 10);
	assert_int_equal(missing(&ours, &theirs, "ours") + missing(&theirs, &ours, "tshark's"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tshark_finds_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
