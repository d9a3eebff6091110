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
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "net/pki.h"
#include "process_seconds.h"
#include "tls_clients.h"

#define POLL_NS    (10 * SN_NS_PER_S)
#define LATE_NS    (POLL_NS / 10)
#define LIFE_S     86400
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
	char dir[64];
	const char *hub_path;
	uint16_t port;
	pid_t hub;
	unsigned count;
	struct sn_buf ca_pem, ca_key, key, csr;
	char **certs; /* of components, then one of a client */
	struct tls_clients *clients;
	struct tls_client **components, *client;

	uint64_t *delays;
	size_t delay_count, delay_room;
	unsigned errors;
	/* The whole measurement under way on each component. */
	char (*tokens)[33];
	bool *has_work;
} bench;

static void die(const struct sn_err *err)
{
	fprintf(stderr, "bench_supervisor: %s\n", err->text);
	exit(1);
}

static char *path_of(const char *name)
{
	return sn_fs_join(bench.dir, name);
}

/* The hub ---------------------------------------------------------------- */

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void start_hub(void)
{
	sn_autofree char *state = path_of("hub"), *log = path_of("hub.log");
	sn_autofree char *file = path_of("policy.yaml"), *ready = path_of("hub/hub.json");
	sn_autofree char *listen = sn_xasprintf("listen=127.0.0.1:%u", bench.port);
	sn_autofree char *rules = sn_xasprintf("policy=%s", file);
	/* A client that waits for a quick result would be most of the time; ten minutes between
	 * two polls are nothing that a lease shall end for. */
	const char *argv[] = {bench.hub_path,
			      "--state",
			      state,
			      "--set",
			      listen,
			      "--set",
			      rules,
			      "--set",
			      "local=none",
			      "--set",
			      "mplane_wait=0s",
			      "--set",
			      "mplane_lease=1h",
			      NULL};

	unlink(ready);
	bench.hub = fork();
	if (bench.hub == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		pin(0);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	for (int i = 0; i < 500 && !sn_fs_exists(ready); i++)
		usleep(20000);
	if (!sn_fs_exists(ready)) {
		fprintf(stderr, "bench_supervisor: the hub does not start, see %s\n", log);
		exit(1);
	}
	usleep(200000);
}

static void stop_hub(void)
{
	kill(bench.hub, SIGTERM);
	waitpid(bench.hub, NULL, 0);
}

static unsigned long hub_megabytes(void)
{
	sn_autofree char *path = sn_xasprintf("/proc/%d/statm", (int)bench.hub);
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

static char *issue(const char *unit, const char *name, int64_t now_s)
{
	sn_autofree char *ou = sn_xasprintf("OU=%s", unit);
	const char *subject[] = {"DC=org", "DC=mplane", "O=BENCH", ou, NULL};
	struct sn_pki_issue order = {
		.ca_cert_pem = bench.ca_pem.p,
		.ca_key_pem = bench.ca_key.p,
		.csr_pem = bench.csr.p,
		.subject = subject,
		.common_name = name,
		.usage = SN_PKI_CLIENT | SN_PKI_SERVER,
		.not_before_unix_s = now_s - 60,
		.not_after_unix_s = now_s + LIFE_S,
	};
	struct sn_buf pem = {0};
	struct sn_err err = {0};

	if (sn_pki_issue(&order, &pem, &err) != 0)
		die(&err);
	sn_buf_cstr(&pem);
	return pem.p;
}

/* The hub knows what its CA has signed; this is the same without ten thousand requests. */
static void record(sqlite3 *db, const char *pem)
{
	struct sn_pki_info info;
	struct sn_err err = {0};
	sqlite3_stmt *insert;

	if (sn_pki_info(pem, &info, &err) != 0)
		die(&err);
	sqlite3_prepare_v2(db,
			   "INSERT INTO certificates (serial, uri, fingerprint, issued, expires,"
			   " kind, identity) VALUES (?, '', ?, ?, ?, 'component', ?)",
			   -1, &insert, NULL);
	sqlite3_bind_text(insert, 1, info.serial, -1, SQLITE_STATIC);
	sqlite3_bind_text(insert, 2, info.fingerprint, -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 3, info.not_before_unix_s * SN_NS_PER_S);
	sqlite3_bind_int64(insert, 4, info.not_after_unix_s * SN_NS_PER_S);
	sqlite3_bind_text(insert, 5, info.dotted, -1, SQLITE_STATIC);
	if (sqlite3_step(insert) != SQLITE_DONE) {
		fprintf(stderr, "bench_supervisor: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
	sqlite3_finalize(insert);
}

static void read_file(const char *name, struct sn_buf *out)
{
	sn_autofree char *path = path_of(name);
	struct sn_err err = {0};

	if (sn_fs_read(path, 65536, out, &err) != 0)
		die(&err);
	sn_buf_cstr(out);
}

static void make_identities(void)
{
	sn_autofree char *path = path_of("hub/control.sqlite");
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;
	struct sn_err err = {0};
	sqlite3 *db;

	read_file("hub/pki/ca.pem", &bench.ca_pem);
	read_file("hub/pki/ca.key", &bench.ca_key);
	if (sn_pki_key_generate(&bench.key, &err) != 0)
		die(&err);
	sn_buf_cstr(&bench.key);
	if (sn_pki_csr_create(bench.key.p, "bench", &bench.csr, &err) != 0)
		die(&err);
	sn_buf_cstr(&bench.csr);
	bench.certs = sn_new_n(char *, bench.count + 1);
	sqlite3_open(path, &db);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	for (unsigned i = 0; i <= bench.count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "c%u", i);
		bench.certs[i] = issue(i < bench.count ? "Components" : "Clients", name, now_s);
		record(db, bench.certs[i]);
	}
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
}

/* Requests ----------------------------------------------------------------- */

static void note_delay(uint64_t since_ns)
{
	if (bench.delay_count == bench.delay_room) {
		bench.delay_room = bench.delay_room * 2 + 1024;
		bench.delays = sn_xrealloc(bench.delays, bench.delay_room, sizeof(uint64_t));
	}
	bench.delays[bench.delay_count++] = tls_now() - since_ns;
}

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

	note_delay(sent_ns);
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

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void report(const char *what, unsigned operations, double cpu, uint64_t wall_ns)
{
	size_t late = 0;

	qsort(bench.delays, bench.delay_count, sizeof(uint64_t), compare);
	for (size_t i = 0; i < bench.delay_count; i++)
		late += bench.delays[i] > LATE_NS;
	printf("%-34s %8u in %5.1f s, %5.2f CPU s: %8.0f per CPU second; "
	       "p50 %6.2f ms, p99 %7.2f ms, max %7.2f ms, late %zu\n",
	       what, operations, (double)wall_ns / 1e9, cpu, operations / cpu,
	       (double)bench.delays[bench.delay_count / 2] / 1e6,
	       (double)bench.delays[bench.delay_count * 99 / 100] / 1e6,
	       (double)bench.delays[bench.delay_count - 1] / 1e6, late);
	fflush(stdout);
	bench.delay_count = 0;
}

/* What is measured ----------------------------------------------------------- */

static void connect_all(void)
{
	uint64_t start_ns = tls_now();
	double cpu = process_seconds(bench.hub);

	bench.clients = tls_clients_create(bench.ca_pem.p, bench.key.p, bench.port, answered, NULL);
	bench.components = sn_new_n(struct tls_client *, bench.count);
	for (unsigned i = 0; i < bench.count; i++) {
		bench.components[i] = tls_clients_add(bench.clients, bench.certs[i], i);
		tls_client_send(bench.components[i], "GET", "/livez", (struct sn_str){0});
		while (tls_clients_pending(bench.clients) > 64)
			tls_clients_turn(bench.clients, 1000);
	}
	bench.client = tls_clients_add(bench.clients, bench.certs[bench.count], bench.count);
	drain();
	report("connections with mutual TLS", bench.count, process_seconds(bench.hub) - cpu,
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
	double cpu = process_seconds(bench.hub);

	for (unsigned i = 0; i < bench.count; i++) {
		send_registration(i);
		while (tls_clients_pending(bench.clients) > 64)
			tls_clients_turn(bench.clients, 1000);
	}
	drain();
	report(what, bench.count, process_seconds(bench.hub) - cpu, tls_now() - start_ns);
}

static void poll_for(uint64_t length_ns)
{
	uint64_t start_ns = tls_now(), due_ns = start_ns;
	double cpu = process_seconds(bench.hub);
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
	cpu = process_seconds(bench.hub) - cpu;
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
	double cpu = process_seconds(bench.hub);

	for (unsigned i = 0; i < rounds; i++)
		measure_once(i, i);
	report("measurements, all five steps", rounds, process_seconds(bench.hub) - cpu,
	       tls_now() - start_ns);
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : 60;
	struct rlimit files = {65536, 65536};
	sn_autofree char *file = NULL;
	struct sn_err err = {0};
	FILE *rules;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench.hub_path = argv[1];
	bench.count = argc > 2 ? (unsigned)atoi(argv[2]) : 10000;
	bench.port = (uint16_t)(20000 + getpid() % 20000);
	bench.tokens = calloc(bench.count, sizeof(*bench.tokens));
	bench.has_work = calloc(bench.count, sizeof(*bench.has_work));
	setrlimit(RLIMIT_NOFILE, &files);
	snprintf(bench.dir, sizeof(bench.dir), "/tmp/sonde-bench-XXXXXX");
	if (mkdtemp(bench.dir) == NULL)
		return 1;
	file = path_of("policy.yaml");
	rules = fopen(file, "we");
	fputs(policy, rules);
	fclose(rules);
	start_hub();
	stop_hub();
	make_identities();
	start_hub();
	pin(1);
	connect_all();
	registrations("registrations");
	registrations("registrations again (refresh)");
	poll_for(seconds * SN_NS_PER_S);
	registrations("registrations again (refresh)");
	measurements();
	tls_clients_destroy(bench.clients);
	stop_hub();
	sn_fs_remove_tree(bench.dir, &err);
	if (bench.errors > 0)
		fprintf(stderr, "%u unexpected answers\n", bench.errors);
	return bench.errors > 0;
}
