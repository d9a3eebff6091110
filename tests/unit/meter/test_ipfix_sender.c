/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the collector: each transport, and collectors that are away, come back,
 * hang, or are not whom they say.
 */
#include "lib/test.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipfix_reader.h"
#include "ipfix_views.h"
#include "meter/ipfix/sender.h"
#include "net/pki.h"

static const struct sn_ipfix_patience hasty = {
	.timing = {.refresh_first_ns = 50 * SN_NS_PER_MS,
		   .refresh_ns = 100 * SN_NS_PER_MS,
		   .counts_ns = 60 * SN_NS_PER_S,
		   .stall_ns = 200 * SN_NS_PER_MS},
	.connect_ns = 500 * SN_NS_PER_MS,
	.pause_ns = 20 * SN_NS_PER_MS,
	.pause_max_ns = 100 * SN_NS_PER_MS,
	.farewell_ns = 500 * SN_NS_PER_MS,
	.batch_ns = 10 * SN_NS_PER_MS,
};

/* The exporter ---------------------------------------------------------------- */

struct exporter {
	struct sn_ipfix *ipfix;
	struct sn_sink sink;
	struct ipfix_test_view test;
	uint64_t added;
};

static void exporter_open_patient(struct exporter *exporter, const struct sn_ipfix_options *options,
				  const struct sn_ipfix_patience *patience)
{
	struct sn_err err = {0};

	memset(exporter, 0, sizeof(*exporter));
	if (sn_ipfix_create_patient(options, patience, &exporter->ipfix, &err) != 0)
		fail_msg("%s", err.text);
	exporter->sink = sn_ipfix_sink_create(exporter->ipfix);
	ipfix_test_view_tcp(&exporter->test);
}

static void exporter_open(struct exporter *exporter, const struct sn_ipfix_options *options)
{
	exporter_open_patient(exporter, options, &hasty);
}

static void exporter_add(struct exporter *exporter, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		/* Which record it is: seen again in octetDeltaCount. */
		exporter->test.view.period[SN_CLIENT].bytes = exporter->added++;
		assert_int_equal(
			exporter->sink.ops->flow(exporter->sink.sink, &exporter->test.view), 0);
	}
	assert_int_equal(exporter->sink.ops->flush(exporter->sink.sink, NULL), 0);
}

static struct sn_ipfix_stats stats_of(const struct exporter *exporter)
{
	struct sn_ipfix_stats stats;

	sn_ipfix_stats(exporter->ipfix, &stats);
	return stats;
}

static void exporter_close(struct exporter *exporter)
{
	exporter->sink.ops->destroy(exporter->sink.sink);
	sn_ipfix_destroy(exporter->ipfix);
}

/* Waits for what other threads do. */
#define wait_for(condition)                                                                        \
	do {                                                                                       \
		uint64_t end_ns_ = sn_mono_ns() + TEST_PATIENCE_NS;                                \
		while (!(condition)) {                                                             \
			if (sn_mono_ns() > end_ns_)                                                \
				fail_msg("never: %s", #condition);                                 \
			usleep(1000);                                                              \
		}                                                                                  \
	} while (0)

/* Collectors ------------------------------------------------------------------ */

static uint16_t bind_any(int fd, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof(address);
	const int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static int udp_collector(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	*port = bind_any(fd, *port);
	return fd;
}

static int tcp_collector(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	*port = bind_any(fd, *port);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static bool is_readable(int fd, int wait_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, wait_ms) == 1;
}

/* A datagram into the reader; false when none comes. */
static bool take_datagram(int fd, struct ipfix_reader *reader, int wait_ms)
{
	char message[65536];
	ssize_t size;

	if (!is_readable(fd, wait_ms))
		return false;
	size = recv(fd, message, sizeof(message), 0);
	assert_in_range(size, 1, SN_IPFIX_DATAGRAM_MAX);
	if (!ipfix_read(reader, message, (size_t)size))
		fail_msg("%s", reader->why);
	return true;
}

static int take_connection(int listener)
{
	int fd;

	assert_true(is_readable(listener, TEST_PATIENCE_MS));
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* All that comes until the other end closes, or `wait_ms` long nothing. */
static void take_bytes(int fd, struct sn_buf *bytes, int wait_ms)
{
	char part[65536];
	ssize_t size;

	while (is_readable(fd, wait_ms)) {
		size = recv(fd, part, sizeof(part), 0);
		if (size <= 0)
			return;
		sn_buf_add(bytes, part, (size_t)size);
	}
}

/* Complete messages only: the last may be cut off. */
static void read_whole_messages(struct ipfix_reader *reader, struct sn_buf *bytes)
{
	while (bytes->n >= SN_IPFIX_HEADER && ipfix_message_size(bytes->p) <= bytes->n) {
		size_t size = ipfix_message_size(bytes->p);

		if (!ipfix_read(reader, bytes->p, size))
			fail_msg("%s", reader->why);
		sn_buf_drop(bytes, size);
	}
}

/* Each number once, in order. */
static void take_number(const struct ipfix_record *record, void *ctx)
{
	uint64_t *next = ctx;

	if (record->template->scopes > 0)
		return;
	assert_int_equal(ipfix_number(record, 0, 1), *next);
	++*next;
}

static const char *collector_text(const char *scheme, uint16_t port)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s:127.0.0.1:%u", scheme, port);
	return text;
}

/* UDP ------------------------------------------------------------------------- */

static void datagrams_are_small_and_complete(void **state SN_UNUSED)
{
	struct ipfix_reader reader;
	struct exporter exporter;
	uint64_t next = 0;
	uint16_t port = 0;
	int fd = udp_collector(&port);

	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("udp", port),
						 .enterprise = 32473});
	ipfix_reader_init(&reader, take_number, &next);
	exporter_add(&exporter, 100);
	while (reader.records < 100)
		assert_true(take_datagram(fd, &reader, TEST_PATIENCE_MS));
	assert_true(reader.messages > 20);
	wait_for(stats_of(&exporter).records == 100);
	assert_int_equal(stats_of(&exporter).connects, 1);
	exporter_close(&exporter);
	ipfix_reader_finish(&reader);
	close(fd);
}

static void templates_are_told_again_and_again(void **state SN_UNUSED)
{
	struct ipfix_reader early, late;
	struct exporter exporter;
	uint16_t port = 0;
	int fd = udp_collector(&port);

	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("udp", port)});
	ipfix_reader_init(&early, NULL, NULL);
	ipfix_reader_init(&late, NULL, NULL);
	exporter_add(&exporter, 1);
	while (early.records < 1)
		assert_true(take_datagram(fd, &early, TEST_PATIENCE_MS));
	/* Somebody who missed all that can read what comes after the next refresh. */
	late.begun = true;
	late.sequence = early.sequence;
	late.domain = early.domain;
	while (late.template_count < early.template_count)
		assert_true(take_datagram(fd, &late, TEST_PATIENCE_MS));
	exporter_add(&exporter, 1);
	while (late.records < 1)
		assert_true(take_datagram(fd, &late, TEST_PATIENCE_MS));
	exporter_close(&exporter);
	ipfix_reader_finish(&early);
	ipfix_reader_finish(&late);
	close(fd);
}

static void udp_collector_that_comes_back_goes_on(void **state SN_UNUSED)
{
	struct sn_ipfix_stats stats;
	struct ipfix_reader reader;
	struct exporter exporter;
	uint16_t port = 0;
	int fd = udp_collector(&port);

	close(fd);
	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("udp", port)});
	exporter_add(&exporter, 50);
	wait_for(stats_of(&exporter).connects >= 2);
	fd = udp_collector(&port);
	ipfix_reader_init(&reader, NULL, NULL);
	do {
		/* Each attempt is a session of its own until one lives. */
		char first[65536];
		ssize_t size;

		assert_true(is_readable(fd, TEST_PATIENCE_MS));
		size = recv(fd, first, sizeof(first), 0);
		ipfix_reader_finish(&reader);
		ipfix_reader_init(&reader, NULL, NULL);
		if (!ipfix_read(&reader, first, (size_t)size))
			continue;
	} while (reader.messages == 0);
	exporter_add(&exporter, 50);
	do {
		assert_true(take_datagram(fd, &reader, TEST_PATIENCE_MS));
		stats = stats_of(&exporter);
	} while (stats.records + stats.lost_records < 100 || reader.records < stats.records);
	assert_int_equal(reader.records, stats.records);
	assert_int_equal(stats.records + stats.lost_records, 100);
	assert_true(stats.records >= 50);
	exporter_close(&exporter);
	ipfix_reader_finish(&reader);
	close(fd);
}

/* TCP ------------------------------------------------------------------------- */

static void every_record_arrives_over_tcp(void **state SN_UNUSED)
{
	struct ipfix_reader reader;
	struct exporter exporter;
	struct sn_buf bytes = {0};
	uint64_t next = 0;
	uint16_t port = 0;
	int listener = tcp_collector(&port), fd;

	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("tcp", port),
						 .enterprise = 32473});
	ipfix_reader_init(&reader, take_number, &next);
	exporter_add(&exporter, 5000);
	fd = take_connection(listener);
	while (reader.records < 5000) {
		take_bytes(fd, &bytes, 10);
		read_whole_messages(&reader, &bytes);
	}
	assert_true(stats_of(&exporter).messages < 100); /* large ones */
	exporter_close(&exporter);
	take_bytes(fd, &bytes, TEST_PATIENCE_MS);
	read_whole_messages(&reader, &bytes);
	assert_int_equal(bytes.n, 0);
	sn_buf_finish(&bytes);
	ipfix_reader_finish(&reader);
	close(fd);
	close(listener);
}

static void what_is_queued_is_sent_at_the_end(void **state SN_UNUSED)
{
	struct ipfix_reader reader;
	struct exporter exporter;
	struct sn_buf bytes = {0};
	uint16_t port = 0;
	int listener = tcp_collector(&port), fd;

	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("tcp", port)});
	ipfix_reader_init(&reader, NULL, NULL);
	exporter_add(&exporter, 10);
	exporter_close(&exporter);
	fd = take_connection(listener);
	take_bytes(fd, &bytes, TEST_PATIENCE_MS);
	read_whole_messages(&reader, &bytes);
	assert_int_equal(reader.records, 10);
	sn_buf_finish(&bytes);
	ipfix_reader_finish(&reader);
	close(fd);
	close(listener);
}

static void collector_that_is_away_costs_records_not_time(void **state SN_UNUSED)
{
	struct exporter exporter;
	struct sn_ipfix_stats stats;
	uint64_t start_ns = sn_mono_ns();
	uint16_t port = 0;
	int fd = tcp_collector(&port);

	close(fd);
	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("tcp", port),
						 .queue_bytes = SN_IPFIX_QUEUE_MIN});
	for (unsigned i = 0; i < 200; i++)
		exporter_add(&exporter, 100);
	stats = stats_of(&exporter);
	assert_in_range(stats.lost_records, 15000, 20000);
	assert_int_equal(stats.records, 0);
	exporter_close(&exporter);
	assert_true(sn_mono_ns() - start_ns < TEST_PATIENCE_NS);
}

static void collector_that_comes_back_gets_what_waited(void **state SN_UNUSED)
{
	struct ipfix_reader reader;
	struct exporter exporter;
	struct sn_buf bytes = {0};
	uint64_t next = 0;
	uint16_t port = 0;
	int listener = tcp_collector(&port), fd;

	close(listener);
	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("tcp", port)});
	ipfix_reader_init(&reader, take_number, &next);
	exporter_add(&exporter, 300);
	usleep(50000);
	listener = tcp_collector(&port);
	fd = take_connection(listener);
	exporter_add(&exporter, 300);
	while (reader.records < 600) {
		take_bytes(fd, &bytes, 10);
		read_whole_messages(&reader, &bytes);
	}
	assert_int_equal(stats_of(&exporter).lost_records, 0);
	exporter_close(&exporter);
	sn_buf_finish(&bytes);
	ipfix_reader_finish(&reader);
	close(fd);
	close(listener);
}

static void hanging_collector_is_left(void **state SN_UNUSED)
{
	const int small = 4096;
	struct sn_ipfix_stats stats;
	struct exporter exporter;
	uint16_t port = 0;
	uint64_t start_ns = sn_mono_ns();
	int listener = tcp_collector(&port);

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("tcp", port),
						 .queue_bytes = 1 << 20});
	/* Connections are made, nothing is ever read: buffers and queue run over. */
	do {
		exporter_add(&exporter, 1000);
		stats = stats_of(&exporter);
		assert_true(sn_mono_ns() - start_ns < TEST_PATIENCE_NS);
	} while (stats.connects < 2 || stats.lost_records == 0);
	exporter_close(&exporter);
	assert_true(sn_mono_ns() - start_ns < TEST_PATIENCE_NS);
	close(listener);
}

static void slow_collector_gets_everything_that_the_queue_holds(void **state SN_UNUSED)
{
	struct ipfix_reader reader;
	struct exporter exporter;
	struct sn_buf bytes = {0};
	char part[4096];
	uint64_t next = 0;
	uint16_t port = 0;
	int listener = tcp_collector(&port), fd;
	struct sn_ipfix_patience patience = hasty;

	/* However long this process has to wait for the processor. */
	patience.timing.stall_ns = TEST_PATIENCE_NS;
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){8192}, sizeof(int));
	exporter_open_patient(&exporter,
			      &(struct sn_ipfix_options){.collector = collector_text("tcp", port)},
			      &patience);
	ipfix_reader_init(&reader, take_number, &next);
	exporter_add(&exporter, 10000);
	fd = take_connection(listener);
	for (unsigned turn = 0; reader.records < 10000; turn++) {
		ssize_t size;

		assert_true(is_readable(fd, TEST_PATIENCE_MS));
		size = recv(fd, part, sizeof(part), 0);
		assert_true(size > 0);
		sn_buf_add(&bytes, part, (size_t)size);
		read_whole_messages(&reader, &bytes);
		if (turn % 16 == 0)
			usleep(1000);
	}
	assert_int_equal(stats_of(&exporter).connects, 1);
	exporter_close(&exporter);
	sn_buf_finish(&bytes);
	ipfix_reader_finish(&reader);
	close(fd);
	close(listener);
}

static void new_connection_begins_anew_and_nothing_is_told_twice(void **state SN_UNUSED)
{
	struct ipfix_reader first, second;
	struct exporter exporter;
	struct sn_buf bytes = {0};
	uint64_t next = 0;
	uint16_t port = 0;
	int listener = tcp_collector(&port), fd;

	exporter_open(&exporter,
		      &(struct sn_ipfix_options){.collector = collector_text("tcp", port)});
	ipfix_reader_init(&first, take_number, &next);
	exporter_add(&exporter, 10);
	fd = take_connection(listener);
	while (first.records < 10) {
		take_bytes(fd, &bytes, 10);
		read_whole_messages(&first, &bytes);
	}
	close(fd);
	sn_buf_clear(&bytes);
	usleep(20000);
	exporter_add(&exporter, 10);
	/* Sequence numbers and templates begin again: the reader knows of none. */
	ipfix_reader_init(&second, take_number, &next);
	fd = take_connection(listener);
	while (second.records < 10) {
		take_bytes(fd, &bytes, 10);
		read_whole_messages(&second, &bytes);
	}
	assert_int_equal(next, 20);
	exporter_close(&exporter);
	sn_buf_finish(&bytes);
	ipfix_reader_finish(&first);
	ipfix_reader_finish(&second);
	close(fd);
	close(listener);
}

/* TLS ------------------------------------------------------------------------- */

static struct identities {
	char dir[64];
	char ca[96], other_ca[96], certificate[96], key[96];
	struct sn_buf server_certificate, server_key;
	gnutls_certificate_credentials_t server;
} ids;

static void write_pem(char *path, const char *name, const struct sn_buf *pem)
{
	snprintf(path, sizeof(ids.ca), "%s/%s.pem", ids.dir, name);
	assert_int_equal(sn_fs_write_atomic(path, pem->p, pem->n, 0600, NULL), 0);
}

static void issue(const char *ca, const char *ca_key, const char *host, struct sn_buf *certificate,
		  struct sn_buf *key)
{
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;
	const char *hosts[] = {host, NULL};
	struct sn_buf csr = {0};

	assert_int_equal(sn_pki_key_generate(key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(key), "meter", &csr, NULL), 0);
	assert_int_equal(sn_pki_issue(&(struct sn_pki_issue){.ca_cert_pem = ca,
							     .ca_key_pem = ca_key,
							     .csr_pem = sn_buf_cstr(&csr),
							     .common_name = "meter",
							     .uri = "urn:sonde:node:meter",
							     .hosts = hosts,
							     .usage = SN_PKI_CLIENT | SN_PKI_SERVER,
							     .not_before_unix_s = now_s - 60,
							     .not_after_unix_s = now_s + 1800},
				      certificate, NULL),
			 0);
	sn_buf_finish(&csr);
}

static void make_ca(char *path, const char *name, struct sn_buf *certificate, struct sn_buf *key)
{
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;

	assert_int_equal(sn_pki_key_generate(key, NULL), 0);
	assert_int_equal(sn_pki_ca_create(sn_buf_cstr(key), name, now_s - 60, now_s + 3600,
					  certificate, NULL),
			 0);
	write_pem(path, name, certificate);
}

static int make_identities(void **state SN_UNUSED)
{
	struct sn_buf ca = {0}, ca_key = {0}, other = {0}, other_key = {0};
	struct sn_buf certificate = {0}, key = {0};
	gnutls_datum_t cert_datum, key_datum;

	strcpy(ids.dir, "/tmp/sonde-ipfix-tls-XXXXXX");
	assert_non_null(mkdtemp(ids.dir));
	make_ca(ids.ca, "ca", &ca, &ca_key);
	make_ca(ids.other_ca, "other", &other, &other_key);
	issue(sn_buf_cstr(&ca), sn_buf_cstr(&ca_key), "meter", &certificate, &key);
	write_pem(ids.certificate, "certificate", &certificate);
	write_pem(ids.key, "key", &key);
	issue(sn_buf_cstr(&ca), sn_buf_cstr(&ca_key), "127.0.0.1", &ids.server_certificate,
	      &ids.server_key);
	cert_datum = (gnutls_datum_t){(unsigned char *)ids.server_certificate.p,
				      (unsigned)ids.server_certificate.n};
	key_datum = (gnutls_datum_t){(unsigned char *)ids.server_key.p, (unsigned)ids.server_key.n};
	gnutls_certificate_allocate_credentials(&ids.server);
	assert_int_equal(gnutls_certificate_set_x509_key_mem(ids.server, &cert_datum, &key_datum,
							     GNUTLS_X509_FMT_PEM),
			 0);
	assert_int_equal(
		gnutls_certificate_set_x509_trust_file(ids.server, ids.ca, GNUTLS_X509_FMT_PEM), 1);
	sn_buf_finish(&ca);
	sn_buf_finish(&ca_key);
	sn_buf_finish(&other);
	sn_buf_finish(&other_key);
	sn_buf_finish(&certificate);
	sn_buf_finish(&key);
	return 0;
}

static int forget_identities(void **state SN_UNUSED)
{
	gnutls_certificate_free_credentials(ids.server);
	sn_buf_finish(&ids.server_certificate);
	sn_buf_finish(&ids.server_key);
	return sn_fs_remove_tree(ids.dir, NULL);
}

/* One connection that must bring a certificate; what it sends into `bytes`. */
struct tls_server {
	int listener;
	struct sn_buf bytes;
	int handshake;
	atomic_bool shaken; /* the handshake is over, one way or the other */
	unsigned status;    /* of the client's certificate */
};

static void *serve_tls(void *ctx)
{
	struct tls_server *server = ctx;
	gnutls_session_t session;
	char part[16384];
	ssize_t size;
	int fd = accept(server->listener, NULL, NULL);

	gnutls_init(&session, GNUTLS_SERVER);
	gnutls_priority_set_direct(session, SN_PKI_PRIORITY, NULL);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, ids.server);
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, TEST_PATIENCE_MS);
	server->handshake = gnutls_handshake(session);
	atomic_store(&server->shaken, true);
	if (server->handshake == 0)
		gnutls_certificate_verify_peers2(session, &server->status);
	while (server->handshake == 0 &&
	       (size = gnutls_record_recv(session, part, sizeof(part))) > 0)
		sn_buf_add(&server->bytes, part, (size_t)size);
	gnutls_deinit(session);
	close(fd);
	return NULL;
}

static void export_over_tls(struct tls_server *server, const char *ca, const char *host,
			    unsigned records, struct sn_ipfix_stats *stats)
{
	struct exporter exporter;
	pthread_t thread;
	char collector[64];
	uint16_t port = 0;

	memset(server, 0, sizeof(*server));
	server->listener = tcp_collector(&port);
	pthread_create(&thread, NULL, serve_tls, server);
	snprintf(collector, sizeof(collector), "tls:%s:%u", host, port);
	exporter_open(&exporter, &(struct sn_ipfix_options){.collector = collector,
							    .ca = ca,
							    .certificate = ids.certificate,
							    .key = ids.key});
	exporter_add(&exporter, records);
	/* So that the handshake is not cut short by the end. */
	wait_for(atomic_load(&server->shaken) &&
		 (server->handshake != 0 || stats_of(&exporter).connects > 0));
	*stats = stats_of(&exporter);
	exporter_close(&exporter);
	pthread_join(thread, NULL);
	close(server->listener);
}

static void collector_with_a_certificate_gets_everything(void **state SN_UNUSED)
{
	struct sn_ipfix_stats stats;
	struct ipfix_reader reader;
	struct tls_server server;

	export_over_tls(&server, ids.ca, "127.0.0.1", 3000, &stats);
	assert_int_equal(server.handshake, 0);
	assert_int_equal(server.status, 0); /* it knows who we are */
	ipfix_reader_init(&reader, NULL, NULL);
	if (!ipfix_read_stream(&reader, server.bytes.p, server.bytes.n))
		fail_msg("%s", reader.why);
	assert_int_equal(reader.records, 3000);
	assert_int_equal(stats.lost_records, 0);
	ipfix_reader_finish(&reader);
	sn_buf_finish(&server.bytes);
}

static void collector_of_a_stranger_gets_nothing(void **state SN_UNUSED)
{
	struct sn_ipfix_stats stats;
	struct tls_server server;

	export_over_tls(&server, ids.other_ca, "127.0.0.1", 10, &stats);
	assert_int_equal(server.bytes.n, 0);
	assert_int_equal(stats.records, 0);
	assert_int_equal(stats.connects, 0);
	sn_buf_finish(&server.bytes);
}

static void collector_by_another_name_gets_nothing(void **state SN_UNUSED)
{
	struct sn_ipfix_stats stats;
	struct tls_server server;

	/* The certificate says 127.0.0.1. */
	export_over_tls(&server, ids.ca, "localhost", 10, &stats);
	assert_int_equal(server.bytes.n, 0);
	assert_int_equal(stats.connects, 0);
	sn_buf_finish(&server.bytes);
}

static void key_of_another_certificate_is_refused(void **state SN_UNUSED)
{
	struct sn_ipfix_options options = {
		.collector = "tls:127.0.0.1", .ca = ids.ca, .certificate = ids.ca, .key = ids.key};
	struct sn_ipfix *ipfix;
	struct sn_err err;

	assert_int_equal(sn_ipfix_create(&options, &ipfix, &err), -EINVAL);
	assert_non_null(strstr(err.text, "cannot use"));
	options.certificate = ids.certificate;
	options.ca = ids.key;
	assert_int_equal(sn_ipfix_create(&options, &ipfix, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no CA certificate"));
}

static void expect_needs(const char *collector, bool network, bool names)
{
	struct sn_ipfix_options options = {.collector = collector};
	struct sn_ipfix *ipfix;
	struct sn_err err = {0};

	if (sn_ipfix_create(&options, &ipfix, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(sn_ipfix_needs_network(ipfix), network);
	assert_int_equal(sn_ipfix_needs_names(ipfix), names);
	sn_ipfix_destroy(ipfix);
}

static void only_a_collector_with_a_name_needs_names(void **state SN_UNUSED)
{
	expect_needs("udp:127.0.0.1:4739", true, false);
	expect_needs("tcp:[::1]:4739", true, false);
	expect_needs("udp:localhost", true, true);
	expect_needs("file:/dev/null", false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_are_small_and_complete),
		cmocka_unit_test(templates_are_told_again_and_again),
		cmocka_unit_test(udp_collector_that_comes_back_goes_on),
		cmocka_unit_test(every_record_arrives_over_tcp),
		cmocka_unit_test(what_is_queued_is_sent_at_the_end),
		cmocka_unit_test(collector_that_is_away_costs_records_not_time),
		cmocka_unit_test(collector_that_comes_back_gets_what_waited),
		cmocka_unit_test(hanging_collector_is_left),
		cmocka_unit_test(slow_collector_gets_everything_that_the_queue_holds),
		cmocka_unit_test(new_connection_begins_anew_and_nothing_is_told_twice),
		cmocka_unit_test(collector_with_a_certificate_gets_everything),
		cmocka_unit_test(collector_of_a_stranger_gets_nothing),
		cmocka_unit_test(collector_by_another_name_gets_nothing),
		cmocka_unit_test(key_of_another_certificate_is_refused),
		cmocka_unit_test(only_a_collector_with_a_name_needs_names),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, make_identities, forget_identities);
}
