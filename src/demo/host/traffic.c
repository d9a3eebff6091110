/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "traffic"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pace.h"
#include "base/rand.h"
#include "demo/host/dns.h"
#include "demo/host/host.h"
#include "net/addr.h"

#define LANES_MAX      8
#define SIZES_MAX      64
#define HEAD_MAX       16384 /* of an HTTP answer */
#define DNS_TIMEOUT    (3 * SN_NS_PER_S)
#define HTTP_TIMEOUT   (30 * SN_NS_PER_S)
#define READ_SIZE      65536
#define READS_PER_TURN 16

struct traffic;

/* One exchange after the other towards one resolver, over its family. */
struct lane {
	struct traffic *traffic;
	struct sn_pace pace;
	struct sn_timer timeout;
	struct sn_io io; /* of the socket of the running step; fd -1 while idle */
	struct sn_addr resolver, server;
	bool fetching; /* else asking */
	uint16_t query_id;
	unsigned round;
	uint64_t started_ns, body_size, body_start;
	uint64_t sent, received;
	struct sn_buf head; /* the answer's beginning, until its headers end */
	unsigned status;
};

struct traffic {
	struct sn_loop *loop;
	const struct sn_host_config *config;
	uint64_t sizes[SIZES_MAX];
	unsigned size_count;
	struct lane lanes[LANES_MAX];
	unsigned lane_count;
	int output; /* -1: none */
	uint64_t written;
};

/* Lines ------------------------------------------------------------------- */

static int open_output(struct traffic *traffic, struct sn_err *err)
{
	const char *path = traffic->config->output;

	traffic->output = -1;
	if (path[0] == '\0')
		return 0;
	traffic->output = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (traffic->output < 0)
		return sn_err_sys(err, -errno, "cannot open '%s'", path);
	return 0;
}

/* The old file stays one generation, so that disk use has a bound. */
static void set_aside(struct traffic *traffic)
{
	sn_autofree char *old = sn_xasprintf("%s.1", traffic->config->output);
	struct sn_err err;

	close(traffic->output);
	if (rename(traffic->config->output, old) != 0 || open_output(traffic, &err) != 0) {
		sn_warn("no more lines are written: cannot set '%s' aside",
			traffic->config->output);
		traffic->output = -1;
	}
	traffic->written = 0;
}

static void write_ends(const struct lane *lane, struct sn_jw *jw)
{
	const struct sn_addr *server = lane->fetching ? &lane->server : &lane->resolver;
	struct sn_addr local = {.length = sizeof(local.in6)};
	char text[SN_ADDR_TEXT_MAX];

	if (getsockname(lane->io.fd, &local.sa, &local.length) != 0)
		return;
	sn_jw_kcstr(jw, "c_ip", sn_addr_format(&local, text, sizeof(text)));
	sn_jw_ku64(jw, "c_port", sn_addr_port(&local));
	sn_jw_kcstr(jw, "s_ip", sn_addr_format(server, text, sizeof(text)));
	sn_jw_ku64(jw, "s_port", sn_addr_port(server));
}

/* What TCP sent again makes a meter count more than the application did: say how much. */
static void write_fetch(const struct lane *lane, struct sn_jw *jw)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	getsockopt(lane->io.fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	sn_jw_ku64(jw, "status", lane->status);
	sn_jw_ku64(jw, "body_bytes", lane->body_start > 0 ? lane->received - lane->body_start : 0);
	sn_jw_ku64(jw, "retransmissions", info.tcpi_total_retrans);
}

static void write_line(struct lane *lane, const char *error)
{
	struct traffic *traffic = lane->traffic;
	struct sn_buf out = {0};
	struct sn_jw jw;

	if (traffic->output < 0)
		return;
	sn_jw_init(&jw, &out);
	sn_jw_object(&jw);
	sn_jw_ktime(&jw, "time", sn_loop_wall_now(traffic->loop));
	sn_jw_kcstr(&jw, "kind", lane->fetching ? "http" : "dns");
	write_ends(lane, &jw);
	sn_jw_ku64(&jw, "sent_bytes", lane->sent);
	sn_jw_ku64(&jw, "received_bytes", lane->received);
	if (lane->fetching)
		write_fetch(lane, &jw);
	sn_jw_kdouble(&jw, "duration_seconds",
		      (double)(sn_loop_now(traffic->loop) - lane->started_ns) / 1e9);
	sn_jw_kcstr(&jw, "error", error);
	sn_jw_object_end(&jw);
	sn_buf_addc(&out, '\n');
	if (write(traffic->output, out.p, out.n) != (ssize_t)out.n)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot write '%s'", traffic->config->output);
	traffic->written += out.n;
	sn_buf_finish(&out);
	if (traffic->written > SN_DEMO_OUTPUT_MAX)
		set_aside(traffic);
}

/* Steps -------------------------------------------------------------------- */

static void close_socket(struct lane *lane)
{
	sn_timer_stop(&lane->timeout);
	if (lane->io.fd < 0)
		return;
	sn_io_stop(&lane->io);
	close(lane->io.fd);
	lane->io.fd = -1;
}

/* Ends the running step, with its line. */
static void end_step(struct lane *lane, const char *error)
{
	write_line(lane, error);
	close_socket(lane);
}

static void timed_out(struct sn_timer *timer)
{
	end_step(sn_container_of(timer, struct lane, timeout), "timeout");
}

/* A connected socket on the loop; 0 or negative errno. */
static int begin_step(struct lane *lane, int type, const struct sn_addr *peer, sn_io_fn *fn,
		      int events, int64_t timeout_ns)
{
	int fd = socket(peer->sa.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	lane->started_ns = sn_loop_now(lane->traffic->loop);
	lane->sent = lane->received = lane->body_start = 0;
	lane->status = 0;
	sn_buf_clear(&lane->head);
	if (fd < 0)
		return -errno;
	sn_io_init(&lane->io, lane->traffic->loop, fd, fn);
	if ((connect(fd, &peer->sa, peer->length) != 0 && errno != EINPROGRESS) ||
	    sn_io_start(&lane->io, events) != 0)
		return -errno;
	sn_timer_in(&lane->timeout, (uint64_t)timeout_ns);
	return 0;
}

/* Three digits behind "HTTP/1.1 ", and where the body begins. */
static void look_for_body(struct lane *lane)
{
	const char *end = memmem(lane->head.p, lane->head.n, "\r\n\r\n", 4);
	uint64_t status;

	if (end == NULL)
		return;
	lane->body_start = (uint64_t)(end - lane->head.p) + 4;
	if (lane->head.n >= 12 && memcmp(lane->head.p, "HTTP/1.", 7) == 0 &&
	    sn_parse_u64((struct sn_str){lane->head.p + 9, 3}, 100, 999, &status) == 0)
		lane->status = (unsigned)status;
}

static void take_piece(struct lane *lane, const char *data, size_t size)
{
	lane->received += size;
	if (lane->body_start > 0 || lane->head.n >= HEAD_MAX)
		return;
	sn_buf_add(&lane->head, data, SN_MIN(size, HEAD_MAX - lane->head.n));
	look_for_body(lane);
}

static void end_fetch(struct lane *lane)
{
	bool complete = lane->status == 200 && lane->body_start > 0 &&
			lane->received - lane->body_start == lane->body_size;

	end_step(lane, complete ? NULL : "incomplete");
}

static void send_request(struct lane *lane)
{
	struct sn_buf out = {0};
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(lane->io.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		end_step(lane, strerror(error));
		return;
	}
	sn_buf_addf(&out,
		    "GET /bytes/%llu HTTP/1.1\r\nHost: %s\r\nUser-Agent: sonde-demo\r\n"
		    "Connection: close\r\n\r\n",
		    (unsigned long long)lane->body_size, lane->traffic->config->host);
	if (send(lane->io.fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n) {
		end_step(lane, strerror(errno));
	} else {
		lane->sent = out.n;
		sn_io_start(&lane->io, SN_IO_READ);
	}
	sn_buf_finish(&out);
}

static void fetch_ready(struct sn_io *io, int events)
{
	struct lane *lane = sn_container_of(io, struct lane, io);
	char data[READ_SIZE];

	if ((events & SN_IO_WRITE) != 0 || lane->sent == 0) {
		send_request(lane);
		return;
	}
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t got = recv(io->fd, data, sizeof(data), 0);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0) {
			end_step(lane, strerror(errno));
			return;
		}
		if (got == 0) {
			end_fetch(lane);
			return;
		}
		take_piece(lane, data, (size_t)got);
	}
}

static void start_fetch(struct lane *lane, const uint8_t address[16])
{
	struct traffic *traffic = lane->traffic;
	int code;

	lane->fetching = true;
	lane->server = lane->resolver;
	if (lane->server.sa.sa_family == AF_INET)
		memcpy(&lane->server.in.sin_addr, address, 4);
	else
		memcpy(&lane->server.in6.sin6_addr, address, 16);
	sn_addr_set_port(&lane->server, (uint16_t)traffic->config->port);
	lane->body_size = traffic->sizes[lane->round++ % traffic->size_count];
	code = begin_step(lane, SOCK_STREAM, &lane->server, fetch_ready, SN_IO_WRITE, HTTP_TIMEOUT);
	if (code != 0)
		end_step(lane, strerror(-code));
}

static uint16_t query_type(const struct lane *lane)
{
	return lane->resolver.sa.sa_family == AF_INET ? SN_DNS_A : SN_DNS_AAAA;
}

static void answer_ready(struct sn_io *io, int events SN_UNUSED)
{
	struct lane *lane = sn_container_of(io, struct lane, io);
	unsigned char data[SN_DNS_MESSAGE_MAX];
	ssize_t size = recv(io->fd, data, sizeof(data), MSG_TRUNC);
	uint8_t address[16];
	int code;

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size < 0 || (size_t)size > sizeof(data)) {
		end_step(lane, size < 0 ? strerror(errno) : "answer too long");
		return;
	}
	lane->received += (uint64_t)size;
	code = sn_dns_reply_parse(data, (size_t)size, lane->query_id, query_type(lane), address);
	if (code == -EAGAIN)
		return; /* somebody else's: ours may still come */
	end_step(lane, code == 0 ? NULL : strerror(-code));
	if (code == 0)
		start_fetch(lane, address);
}

static void ask(struct lane *lane)
{
	struct sn_buf query = {0};
	int code;

	lane->fetching = false;
	sn_random(&lane->query_id, sizeof(lane->query_id));
	code = sn_dns_query_write(lane->query_id, lane->traffic->config->host, query_type(lane),
				  &query);
	if (code == 0)
		code = begin_step(lane, SOCK_DGRAM, &lane->resolver, answer_ready, SN_IO_READ,
				  DNS_TIMEOUT);
	if (code == 0 && send(lane->io.fd, query.p, query.n, MSG_NOSIGNAL) != (ssize_t)query.n)
		code = -errno;
	if (code == 0)
		lane->sent = query.n;
	else
		end_step(lane, strerror(-code));
	sn_buf_finish(&query);
}

static void due(struct sn_pace *pace, uint64_t missed SN_UNUSED, void *ctx SN_UNUSED)
{
	struct lane *lane = sn_container_of(pace, struct lane, pace);

	/* One that is still running has its place in the rhythm. */
	if (lane->io.fd < 0)
		ask(lane);
}

/* Making it ------------------------------------------------------------------ */

static int read_sizes(struct traffic *traffic, struct sn_err *err)
{
	const struct sn_conf_texts *sizes = &traffic->config->sizes;

	if (sizes->count == 0 || sizes->count > SIZES_MAX)
		return sn_err_set(err, -EINVAL, "key 'sizes': 1 to %d of them are needed",
				  SIZES_MAX);
	for (unsigned i = 0; i < sizes->count; i++)
		if (sn_parse_size(sn_str(sizes->items[i]), &traffic->sizes[i]) != 0 ||
		    traffic->sizes[i] > SN_DEMO_BODY_MAX)
			return sn_err_set(err, -EINVAL,
					  "key 'sizes': '%.40s' is no size up to 100MiB",
					  sizes->items[i]);
	traffic->size_count = sizes->count;
	return 0;
}

static int add_lane(struct traffic *traffic, const char *resolver, struct sn_err *err)
{
	struct lane *lane = &traffic->lanes[traffic->lane_count];

	if (traffic->lane_count == LANES_MAX)
		return sn_err_set(err, -E2BIG, "key 'resolvers': more than %d", LANES_MAX);
	if (sn_addr_parse(sn_str(resolver), SN_DNS_PORT, &lane->resolver) != 0)
		return sn_err_set(err, -EINVAL, "key 'resolvers': '%.80s' is no address", resolver);
	lane->traffic = traffic;
	lane->io.fd = -1;
	sn_timer_init(&lane->timeout, traffic->loop, timed_out);
	traffic->lane_count++;
	return 0;
}

/* Lanes are spread over the period, so that they do not meet. */
static void start_lanes(struct traffic *traffic)
{
	uint64_t period = (uint64_t)traffic->config->period;
	uint64_t now = sn_loop_now(traffic->loop);

	for (unsigned i = 0; i < traffic->lane_count; i++)
		sn_pace_start(&traffic->lanes[i].pace, traffic->loop,
			      now + i * period / traffic->lane_count, period, due, NULL);
}

static void destroy(struct sn_host *host)
{
	struct traffic *traffic = (struct traffic *)host;

	if (traffic == NULL)
		return;
	for (unsigned i = 0; i < traffic->lane_count; i++) {
		sn_pace_stop(&traffic->lanes[i].pace);
		close_socket(&traffic->lanes[i]);
		sn_buf_finish(&traffic->lanes[i].head);
	}
	if (traffic->output >= 0)
		close(traffic->output);
	free(traffic);
}

static struct sn_host *create(struct sn_loop *loop, const struct sn_host_config *config,
			      struct sn_err *err)
{
	struct traffic *traffic = sn_new(struct traffic);
	int code;

	*traffic = (struct traffic){.loop = loop, .config = config, .output = -1};
	code = read_sizes(traffic, err);
	if (code == 0 && config->resolvers.count == 0)
		code = sn_err_set(err, -EINVAL, "key 'resolvers': whom to ask is missing");
	for (unsigned i = 0; i < config->resolvers.count && code == 0; i++)
		code = add_lane(traffic, config->resolvers.items[i], err);
	if (code == 0)
		code = open_output(traffic, err);
	if (code != 0) {
		destroy((struct sn_host *)traffic);
		return NULL;
	}
	start_lanes(traffic);
	return (struct sn_host *)traffic;
}

const struct sn_host_role sn_host_traffic = {"traffic", create, destroy};
