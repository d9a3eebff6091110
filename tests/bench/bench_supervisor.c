/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub as an mPlane supervisor: registrations, polls, and whole measurements
 * (specification, poll, receipt, result, redemption) per second of its processor time,
 * over mutual TLS with an identity for each component; and whether anything is late when
 * all components poll every ten seconds and the hub has one core.
 * Arguments: sonde-hub, components (10000), seconds of polling (60).
 *
 * "Late" is an answer that takes longer than a tenth of the interval of polling.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "hub.h"
#include "process_seconds.h"
#include "tls_clients.h"

#define POLL_NS    (10 * SN_NS_PER_S)
#define LATE_NS    (POLL_NS / 10)
#define ROUNDS_MAX 500 /* whole measurements that are made, one after the other */

static const char policy[] = "roles:\n"
			     "  component: org.mplane.BENCH.Components.*\n"
			     "  client: org.mplane.BENCH.Clients.*\n"
			     "rules:\n"
			     "  - allow: [register, deliver]\n"
			     "    roles: component\n"
			     "    capabilities: \"*\"\n"
			     "  - allow: [discover, measure, read, stop]\n"
			     "    roles: client\n"
			     "    capabilities: \"*\"\n";

static struct bench {
	struct bench_hub hub;
	unsigned count;
	char **certs; /* of components, then one of a client */
	struct tls_clients *clients;
	struct tls_client **components, *client;
	struct bench_delays delays;
	unsigned errors;
	/* The whole measurement under way on each component. */
	char (*tokens)[33];
	bool *has_work;
} bench;

/* The hub ---------------------------------------------------------------- */

static void start_hub(void)
{
	sn_autofree char *file = sn_fs_join(bench.hub.dir, "policy.yaml");
	sn_autofree char *rules = sn_xasprintf("policy=%s", file);
	struct sn_err err = {0};

	if (sn_fs_write_atomic(file, policy, strlen(policy), 0600, &err) != 0)
		bench_die(&err);
	/* A client that waits for a quick result would be most of the time; ten minutes between
	 * two polls are nothing that a lease shall end for. */
	bench_hub_start(&bench.hub,
			(const char *[]){rules, "mplane_wait=0s", "mplane_lease=1h", NULL});
}

static unsigned long hub_megabytes(void)
{
	sn_autofree char *path = sn_xasprintf("/proc/%d/statm", (int)bench.hub.pid);
	unsigned long pages = 0;
	FILE *file = fopen(path, "re");

	if (file != NULL) {
		if (fscanf(file, "%*u %lu", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return pages * (unsigned long)sysconf(_SC_PAGESIZE) >> 20;
}

/* Identities --------------------------------------------------------------- */

static char *identify(const char *unit, unsigned number)
{
	sn_autofree char *ou = sn_xasprintf("OU=%s", unit), *name = sn_xasprintf("c%u", number);
	const char *subject[] = {"DC=org", "DC=mplane", "O=BENCH", ou, NULL};
	struct sn_pki_issue order = {
		.subject = subject,
		.common_name = name,
		.usage = SN_PKI_CLIENT | SN_PKI_SERVER,
	};

	return bench_hub_identify(&bench.hub, &order, "component", NULL);
}

static void make_identities(void)
{
	bench.certs = sn_new_n(char *, bench.count + 1);
	for (unsigned i = 0; i <= bench.count; i++)
		bench.certs[i] = identify(i < bench.count ? "Components" : "Clients", i);
}

/* Requests ----------------------------------------------------------------- */

/* The text behind "key": " in JSON that the hub wrote. */
static bool find_text(struct sn_str body, const char *key, char *out, size_t size)
{
	sn_autofree char *wanted = sn_xasprintf("\"%s\":", key);
	const char *at = memmem(body.p, body.n, wanted, strlen(wanted)), *end;

	if (at == NULL)
		return false;
	at += strlen(wanted);
	at += *at == ' ';
	end = memchr(at + 1, '"', body.n - (size_t)(at + 1 - body.p));
	if (*at != '"' || end == NULL || (size_t)(end - at - 1) >= size)
		return false;
	memcpy(out, at + 1, (size_t)(end - at - 1));
	out[end - at - 1] = '\0';
	return true;
}

static void answered(struct tls_client *client, unsigned status, struct sn_str body,
		     uint64_t sent_ns, void *ctx SN_UNUSED)
{
	unsigned number = tls_client_number(client);
	char kind[64];

	bench_delays_add(&bench.delays, tls_now() - sent_ns);
	if (status != 200 && bench.errors++ < 3)
		fprintf(stderr, "status %u: %.*s\n", status, (int)SN_MIN(body.n, 200), body.p);
	if (memmem(body.p, body.n, "\"exception\"", 11) != NULL && bench.errors++ < 3)
		fprintf(stderr, "%.*s\n", (int)SN_MIN(body.n, 300), body.p);
	if (number < bench.count && memmem(body.p, body.n, "\"specification\"", 15) != NULL &&
	    find_text(body, "specification", kind, sizeof(kind)))
		bench.has_work[number] =
			find_text(body, "token", bench.tokens[number], sizeof(bench.tokens[0]));
}

static void drain(void)
{
	while (tls_clients_pending(bench.clients) > 0)
		tls_clients_turn(bench.clients, 1000);
}

static void report(const char *what, unsigned operations, double cpu, uint64_t wall_ns)
{
	size_t late = 0;

	bench_delays_sort(&bench.delays);
	for (size_t i = 0; i < bench.delays.count; i++)
		late += bench.delays.ns[i] > LATE_NS;
	printf("%-34s %8u in %5.1f s, %5.2f CPU s: %8.0f per CPU second; "
	       "p50 %6.2f ms, p99 %7.2f ms, max %7.2f ms, late %zu\n",
	       what, operations, (double)wall_ns / 1e9, cpu, operations / cpu,
	       bench_delays_quantile(&bench.delays, 0.5),
	       bench_delays_quantile(&bench.delays, 0.99), bench_delays_quantile(&bench.delays, 1),
	       late);
	fflush(stdout);
	bench.delays.count = 0;
}

/* What is measured ----------------------------------------------------------- */

static void connect_all(void)
{
	uint64_t start_ns = tls_now();
	double cpu = process_seconds(bench.hub.pid);

	bench.clients = tls_clients_create(bench.hub.ca_pem.p, bench.hub.key.p, bench.hub.port,
					   answered, NULL);
	bench.components = sn_new_n(struct tls_client *, bench.count);
	for (unsigned i = 0; i < bench.count; i++) {
		bench.components[i] = tls_clients_add(bench.clients, bench.certs[i], i);
		tls_client_send(bench.components[i], "GET", "/livez", (struct sn_str){0});
		while (tls_clients_pending(bench.clients) > 64)
			tls_clients_turn(bench.clients, 1000);
	}
	bench.client = tls_clients_add(bench.clients, bench.certs[bench.count], bench.count);
	drain();
	report("connections with mutual TLS", bench.count, process_seconds(bench.hub.pid) - cpu,
	       tls_now() - start_ns);
}

static void send_registration(unsigned i)
{
	sn_autofree char *body = sn_xasprintf(
		"{\"envelope\":\"message\",\"version\":1,\"contents\":["
		"{\"capability\":\"measure\",\"version\":1,"
		"\"registry\":\"http://mplane.corvid.ch/registry/loopback\","
		"\"label\":\"test-loopback\",\"token\":\"cap\",\"link\":\"\","
		"\"when\":\"now ... future\",\"parameters\":{\"test.input\":\"*\"},"
		"\"metadata\":{\"System_ID\":\"bench-%u\"},\"results\":[\"test.output\"]}]}",
		i);

	tls_client_send(bench.components[i], "POST", "/register/capability", sn_str(body));
}

static void registrations(const char *what)
{
	uint64_t start_ns = tls_now();
	double cpu = process_seconds(bench.hub.pid);

	for (unsigned i = 0; i < bench.count; i++) {
		send_registration(i);
		while (tls_clients_pending(bench.clients) > 64)
			tls_clients_turn(bench.clients, 1000);
	}
	drain();
	report(what, bench.count, process_seconds(bench.hub.pid) - cpu, tls_now() - start_ns);
}

static void poll_for(uint64_t length_ns)
{
	uint64_t start_ns = tls_now(), due_ns = start_ns;
	double cpu = process_seconds(bench.hub.pid);
	unsigned sent = 0;

	while (due_ns - start_ns < length_ns) {
		uint64_t now_ns = tls_now();

		if (now_ns < due_ns) {
			tls_clients_turn(bench.clients, (int)((due_ns - now_ns) / SN_NS_PER_MS));
			continue;
		}
		/* One that still waits for its last answer is late already; it is counted there. */
		if (!tls_client_busy(bench.components[sent % bench.count]))
			tls_client_send(bench.components[sent % bench.count], "GET",
					"/show/specification", (struct sn_str){0});
		sent++;
		due_ns = start_ns + (uint64_t)((double)sent * POLL_NS / bench.count);
		tls_clients_turn(bench.clients, 0);
	}
	drain();
	cpu = process_seconds(bench.hub.pid) - cpu;
	report("polls, each component every 10 s", sent, cpu, tls_now() - start_ns);
	printf("%34s the hub used %.0f %% of its core and %lu MB\n", "",
	       100 * cpu / ((double)(tls_now() - start_ns) / 1e9), hub_megabytes());
}

static void ask_as_client(const char *path, const char *body)
{
	tls_client_send(bench.client, "POST", path, sn_str(body));
	while (tls_client_busy(bench.client))
		tls_clients_turn(bench.clients, 1000);
}

/* One measurement on one component, all steps of it. */
static void measure_once(unsigned number, unsigned component)
{
	sn_autofree char *identity = sn_xasprintf("org.mplane.BENCH.Components.c%u", component);
	/* Dialect B names the component; the rest is the same for both. */
	sn_autofree char *specification = sn_xasprintf(
		"{\"%s\":{\"specification\":\"measure\",\"version\":1,"
		"\"registry\":\"http://mplane.corvid.ch/registry/loopback\","
		"\"label\":\"test-loopback-%u\",\"token\":\"%032x\",\"when\":\"now\","
		"\"parameters\":{\"test.input\":\"%u\"},\"results\":[\"test.output\"]}}",
		identity, number, number, number);
	sn_autofree char *redemption = NULL;

	ask_as_client("/register/specification", specification);
	bench.has_work[component] = false;
	tls_client_send(bench.components[component], "GET", "/show/specification",
			(struct sn_str){0});
	drain();
	if (!bench.has_work[component]) {
		if (bench.errors++ < 3)
			fprintf(stderr, "component %u was given no work\n", component);
		return;
	}
	for (int result = 0; result < 2; result++) {
		sn_autofree char *message = sn_xasprintf(
			"{\"%s\":\"measure\",\"version\":1,"
			"\"registry\":\"http://mplane.corvid.ch/registry/loopback\","
			"\"label\":\"test-loopback-%u\",\"token\":\"%s\",\"when\":\"%s\","
			"\"parameters\":{\"test.input\":\"%u\"},\"results\":[\"test.output\"]%s}",
			result ? "result" : "receipt", number, bench.tokens[component],
			result ? "2026-01-01 00:00:00.000000" : "now", number,
			result ? ",\"resultvalues\":[[\"echo\"]]" : "");

		tls_client_send(bench.components[component], "POST", "/register/result",
				sn_str(message));
		drain();
	}
	redemption = sn_xasprintf("{\"redemption\":\"measure\",\"version\":1,\"token\":\"%032x\"}",
				  number);
	ask_as_client("/show/result", redemption);
}

static void measurements(void)
{
	unsigned rounds = SN_MIN(bench.count, (unsigned)ROUNDS_MAX);
	uint64_t start_ns = tls_now();
	double cpu = process_seconds(bench.hub.pid);

	for (unsigned i = 0; i < rounds; i++)
		measure_once(i, i);
	report("measurements, all five steps", rounds, process_seconds(bench.hub.pid) - cpu,
	       tls_now() - start_ns);
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : 60;
	struct rlimit files = {65536, 65536};
	cpu_set_t second;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench.count = argc > 2 ? (unsigned)atoi(argv[2]) : 10000;
	bench.tokens = calloc(bench.count, sizeof(*bench.tokens));
	bench.has_work = calloc(bench.count, sizeof(*bench.has_work));
	setrlimit(RLIMIT_NOFILE, &files);
	bench_hub_init(&bench.hub, argv[1]);
	bench.hub.core = 0;
	start_hub();
	bench_hub_stop(&bench.hub);
	make_identities();
	start_hub();
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	sched_setaffinity(0, sizeof(second), &second);
	connect_all();
	registrations("registrations");
	registrations("registrations again (refresh)");
	poll_for(seconds * SN_NS_PER_S);
	registrations("registrations again (refresh)");
	measurements();
	tls_clients_destroy(bench.clients);
	bench_hub_stop(&bench.hub);
	bench_hub_finish(&bench.hub);
	if (bench.errors > 0)
		fprintf(stderr, "%u unexpected answers\n", bench.errors);
	return bench.errors > 0;
}
