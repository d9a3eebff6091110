/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ping results from nodes into the store: first within this process (JSON Lines parsed and
 * stored, rows per second of processor time), then the whole way, from nodes with certificates
 * over TLS into a hub of its own, with the time that an acknowledgement takes.
 * Arguments: sonde-hub, nodes (32), seconds (10), rows per batch (256), rows per second (0: as
 * many as go), MMDB file that tells networks and countries of the targets (none).
 *
 * Each node has one batch under way.  What the nodes here cost is not in the hub's time, but they
 * share the machine with it.
 */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench/rows.h"
#include "data/codec.h"
#include "hub.h"
#include "process_seconds.h"
#include "store/store.h"
#include "tls_clients.h"

#define START_NS       (20513 * 86400 * SN_NS_PER_S)
#define BODIES         16 /* that differ, of each node */
#define TARGETS        10
#define STREAM         "0123456789abcdef0123456789abcdef"
#define ROWS_PER_GROUP 5000 /* of a commit, where there is no hub */

struct body {
	struct sn_buf text;
	char digest[65];
	uint8_t bytes[32];
};

struct node {
	char id[27];
	char *cert;
	struct tls_client *client;
	struct body bodies[BODIES];
	uint64_t next;
};

static struct bench {
	struct bench_hub hub;
	const char *annotate;
	unsigned node_count, seconds, rows;
	double rate;
	struct node *nodes;
	struct tls_clients *clients;
	struct bench_delays delays;
	unsigned errors;
} bench;

/* What nodes send ---------------------------------------------------------------- */

static void make_body(struct body *body, struct sn_prng *prng, unsigned number)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	char address[32];

	for (unsigned i = 0; i < bench.rows; i++) {
		unsigned at = number * bench.rows + i;

		/* Nodes leave their column `node` to the hub. */
		bench_add_ping(batch, prng, "", at % TARGETS,
			       START_NS + (int64_t)at * (SN_NS_PER_S / TARGETS) +
				       (int64_t)(sn_prng_u64(prng) % SN_NS_PER_MS),
			       at);
		sn_batch_set(batch, i, SN_COL_NODE, (struct sn_value){.type = SN_TYPE_NULL});
		snprintf(address, sizeof(address), "193.0.%u.%u", at % TARGETS, number);
		bench_set(batch, "address", BENCH_TEXT(address));
	}
	sn_jsonl_write(&body->text, batch);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, body->text.p, body->text.n, body->bytes);
	sn_hex(body->bytes, sizeof(body->bytes), body->digest);
	sn_batch_destroy(batch);
}

static void make_nodes(void)
{
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	bench.nodes = sn_new_n(struct node, bench.node_count);
	for (unsigned i = 0; i < bench.node_count; i++) {
		struct node *node = &bench.nodes[i];

		snprintf(node->id, sizeof(node->id), "01JNZ8W9E4T3Q7V5B2M6%06u", i % 1000000);
		for (unsigned k = 0; k < BODIES; k++)
			make_body(&node->bodies[k], &prng, k);
	}
}

/* Within this process --------------------------------------------------------------- */

static struct sn_batch *parse(const struct node *node, const struct body *body)
{
	struct sn_value id = {.type = SN_TYPE_TEXT, .s = sn_str(node->id)};
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_err err = {0};

	if (sn_jsonl_read(batch, sn_buf_str(&body->text), bench.rows, &err) != 0)
		bench_die(&err);
	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		sn_batch_set(batch, i, SN_COL_NODE, id);
	return batch;
}

static void run_direct(void)
{
	sn_autofree char *dir = sn_fs_join(bench.hub.dir, "store");
	double start = bench_cpu_seconds(), parsing = 0, taken;
	struct sn_store *store;
	struct sn_err err = {0};
	size_t rows = 0, waiting = 0;

	if (sn_store_open(dir, &store, &err) != 0)
		bench_die(&err);
	for (unsigned i = 0; i < bench.node_count * BODIES; i++) {
		struct node *node = &bench.nodes[i % bench.node_count];
		struct body *body = &node->bodies[i / bench.node_count];
		struct sn_batch_id id = {.node = node->id, .stream = STREAM, .seq = i};
		double before = bench_cpu_seconds();
		struct sn_batch *batch = parse(node, body);

		parsing += bench_cpu_seconds() - before;
		if (sn_store_append(store, &id, batch, &err) != 0)
			bench_die(&err);
		sn_batch_destroy(batch);
		rows += bench.rows;
		waiting += bench.rows;
		if (waiting >= ROWS_PER_GROUP && sn_store_commit(store, &err) != 0)
			bench_die(&err);
		waiting = waiting >= ROWS_PER_GROUP ? 0 : waiting;
	}
	if (sn_store_commit(store, &err) != 0)
		bench_die(&err);
	taken = bench_cpu_seconds() - start;
	sn_store_close(store);
	printf("JSON Lines into SQLite, one process  %8.0f rows/s of CPU (of that parsed %.0f)\n",
	       (double)rows / taken, (double)rows / parsing);
	fflush(stdout);
}

/* The hub ------------------------------------------------------------------------------ */

static void start_hub(void)
{
	sn_autofree char *annotate = sn_xasprintf("annotate=%s", bench.annotate);

	bench_hub_start(&bench.hub, (const char *[]){"retention_days=0", annotate, NULL});
}

/* As if it had joined. */
static void enrol(struct node *node, unsigned number)
{
	sn_autofree char *uri = sn_xasprintf("urn:sonde:node:%s", node->id);
	sn_autofree char *identity = sn_xasprintf("node:%s", node->id);
	sn_autofree char *sql = sn_xasprintf(
		"INSERT INTO nodes (id, name, enrolled) VALUES ('%s', 'n%u', 1)", node->id, number);
	struct sn_pki_issue order = {.uri = uri, .common_name = node->id, .usage = SN_PKI_CLIENT};

	bench_hub_change(&bench.hub, sql);
	node->cert = bench_hub_identify(&bench.hub, &order, "node", identity);
}

/* The whole way ---------------------------------------------------------------------------- */

static void answered(struct tls_client *client SN_UNUSED, unsigned status, struct sn_str body,
		     uint64_t sent_ns, void *ctx SN_UNUSED)
{
	bench_delays_add(&bench.delays, tls_now() - sent_ns);
	if (status != 200 && bench.errors++ < 3)
		fprintf(stderr, "status %u: %.*s\n", status, (int)SN_MIN(body.n, (size_t)300),
			body.p);
}

static void send_batch(struct node *node)
{
	const struct body *body = &node->bodies[node->next % BODIES];
	char path[128], headers[256];

	snprintf(path, sizeof(path), "/api/v1/node/batches/" STREAM "/%" PRIu64, node->next++);
	snprintf(headers, sizeof(headers),
		 "Sonde-Dataset: ping/1\r\nSonde-Rows: %u\r\nDigest: sha-256=%s\r\n", bench.rows,
		 body->digest);
	tls_client_send_with(node->client, "PUT", path, headers, sn_buf_str(&body->text));
}

static void connect_all(void)
{
	bench.clients = tls_clients_create(bench.hub.ca_pem.p, bench.hub.key.p, bench.hub.port,
					   answered, NULL);
	for (unsigned i = 0; i < bench.node_count; i++) {
		bench.nodes[i].client = tls_clients_add(bench.clients, bench.nodes[i].cert, i);
		tls_client_send(bench.nodes[i].client, "GET", "/api/v1/node/tasks",
				(struct sn_str){0});
	}
	while (tls_clients_pending(bench.clients) > 0)
		tls_clients_turn(bench.clients, 1000);
	bench.delays.count = 0;
}

static void report(double cpu, double own, double seconds)
{
	double rows = (double)bench.delays.count * bench.rows;

	bench_delays_sort(&bench.delays);
	printf("%u nodes over TLS into a hub  %8.0f rows/s, %.0f per CPU second of the hub "
	       "(%.2f cores, nodes %.2f); acknowledged after p50 %.1f, p99 %.1f, max %.1f ms\n",
	       bench.node_count, rows / seconds, rows / cpu, cpu / seconds, own / seconds,
	       bench_delays_quantile(&bench.delays, 0.5),
	       bench_delays_quantile(&bench.delays, 0.99), bench_delays_quantile(&bench.delays, 1));
	fflush(stdout);
}

static void run_hub(void)
{
	uint64_t start_ns = tls_now(), end_ns = start_ns + (uint64_t)bench.seconds * SN_NS_PER_S;
	double cpu = process_seconds(bench.hub.pid), own = bench_cpu_seconds(),
	       per_ns = bench.rate / 1e9;
	uint64_t now_ns = start_ns, sent = 0;
	unsigned at = 0;

	while (now_ns < end_ns) {
		bool idle = true;

		for (unsigned i = 0; i < bench.node_count; i++) {
			struct node *node = &bench.nodes[(at + i) % bench.node_count];

			if (tls_client_busy(node->client) ||
			    (per_ns > 0 &&
			     (double)sent * bench.rows > (double)(now_ns - start_ns) * per_ns))
				continue;
			send_batch(node);
			sent++;
			at = (at + i + 1) % bench.node_count;
			idle = false;
		}
		tls_clients_turn(bench.clients, idle ? 1 : 0);
		now_ns = tls_now();
	}
	while (tls_clients_pending(bench.clients) > 0)
		tls_clients_turn(bench.clients, 1000);
	now_ns = tls_now();
	report(process_seconds(bench.hub.pid) - cpu, bench_cpu_seconds() - own,
	       (double)(now_ns - start_ns) / 1e9);
}

static unsigned argument(int argc, char **argv, int i, unsigned otherwise)
{
	return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: bench_ingest sonde-hub [nodes [seconds [rows [rate]]]]\n");
		return 2;
	}
	bench_hub_init(&bench.hub, argv[1]);
	bench.node_count = argument(argc, argv, 2, 32);
	bench.seconds = argument(argc, argv, 3, 10);
	bench.rows = argument(argc, argv, 4, 256);
	bench.rate = argument(argc, argv, 5, 0);
	bench.annotate = argc > 6 ? argv[6] : "";
	signal(SIGPIPE, SIG_IGN);
	make_nodes();
	run_direct();
	start_hub();
	bench_hub_stop(&bench.hub);
	for (unsigned i = 0; i < bench.node_count; i++)
		enrol(&bench.nodes[i], i);
	start_hub();
	connect_all();
	run_hub();
	bench_hub_stop(&bench.hub);
	tls_clients_destroy(bench.clients);
	bench_hub_finish(&bench.hub);
	return bench.errors > 0;
}
