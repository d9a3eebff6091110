/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_net.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define BATCH_MAX     64
#define BATCH_MIN     4
#define BATCH_BYTES   (256 * 1024) /* of buffers, where replies are large */
#define IP_HEADER_MAX 60
#define CONTROL_BYTES 192 /* timestamp, hop limit, packet info, extended error */
#define ROUNDS_MAX    64  /* batches per call: senders must get their turn too */
#define SEND_TRIES    4

struct sn_ping_batch {
	unsigned count;
	size_t buffer_size;
	struct mmsghdr messages[BATCH_MAX];
	struct iovec vectors[BATCH_MAX];
	struct sockaddr_storage names[BATCH_MAX];
	union {
		struct cmsghdr align;
		unsigned char bytes[CONTROL_BYTES];
	} controls[BATCH_MAX];
	unsigned char buffers[];
};

static struct sn_ping_batch *batch_create(size_t payload_size)
{
	size_t size = IP_HEADER_MAX + SN_ICMP_HEADER_SIZE + payload_size;
	size_t count = SN_MIN(SN_MAX(BATCH_BYTES / size, (size_t)BATCH_MIN), (size_t)BATCH_MAX);
	struct sn_ping_batch *batch = sn_xcalloc(1, sizeof(*batch) + count * size);

	batch->count = (unsigned)count;
	batch->buffer_size = size;
	for (size_t i = 0; i < count; i++) {
		batch->vectors[i] = (struct iovec){batch->buffers + i * size, size};
		batch->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &batch->names[i],
			.msg_iov = &batch->vectors[i],
			.msg_iovlen = 1,
			.msg_control = &batch->controls[i],
		};
	}
	return batch;
}

/* Messages read, 0 if there are none, or a negative errno. */
static int batch_read(struct sn_ping_batch *batch, int fd, int flags)
{
	int n;

	/* The kernel shortens these to what it filled in. */
	for (unsigned i = 0; i < batch->count; i++) {
		batch->messages[i].msg_hdr.msg_namelen = sizeof(batch->names[i]);
		batch->messages[i].msg_hdr.msg_controllen = CONTROL_BYTES;
	}
	do {
		n = recvmmsg(fd, batch->messages, batch->count, flags | MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	return n;
}

static void copy_addr(struct sn_addr *out, const void *name, socklen_t length)
{
	*out = (struct sn_addr){.length = SN_MIN(length, (socklen_t)sizeof(out->in6))};
	memcpy(&out->sa, name, out->length);
}

/* Replies --------------------------------------------------------------------------------- */

struct details { /* what came beside the bytes */
	int ttl;
	struct sn_addr local;
	bool stamped;
	int64_t wall_ns;
};

static void local_v4(const struct in_addr *address, struct sn_addr *local)
{
	*local = (struct sn_addr){.in = {.sin_family = AF_INET, .sin_addr = *address},
				  .length = sizeof(local->in)};
}

static void read_detail(const struct cmsghdr *control, struct details *details)
{
	const void *data = CMSG_DATA(control);
	int level = control->cmsg_level, type = control->cmsg_type;
	struct timespec time;
	struct in_pktinfo info4;
	struct in6_pktinfo info6;

	if (level == SOL_SOCKET && type == SCM_TIMESTAMPNS) {
		memcpy(&time, data, sizeof(time));
		details->wall_ns = (int64_t)time.tv_sec * SN_NS_PER_S + time.tv_nsec;
		details->stamped = true;
	} else if ((level == IPPROTO_IP && type == IP_TTL) ||
		   (level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT)) {
		memcpy(&details->ttl, data, sizeof(details->ttl));
	} else if (level == IPPROTO_IP && type == IP_PKTINFO) {
		memcpy(&info4, data, sizeof(info4));
		local_v4(&info4.ipi_addr, &details->local);
	} else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
		memcpy(&info6, data, sizeof(info6));
		details->local = (struct sn_addr){
			.in6 = {.sin6_family = AF_INET6, .sin6_addr = info6.ipi6_addr},
			.length = sizeof(details->local.in6),
		};
	}
}

static void read_details(struct msghdr *header, struct details *details)
{
	*details = (struct details){.ttl = -1};
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
	     control = CMSG_NXTHDR(header, control))
		read_detail(control, details);
}

/* The kernel's stamp if it lies in the past and the clocks agree, else the time of reading. */
static void set_time(struct sn_ping_reply *reply, const struct sn_ping_net *net,
		     const struct details *details, bool clock_steady, uint64_t now_ns)
{
	reply->read_ns = reply->received_ns = now_ns;
	reply->kernel_stamp = false;
	if (!details->stamped || !clock_steady)
		return;
	reply->received_ns = sn_stamp_to_mono(&net->stamp, details->wall_ns);
	reply->kernel_stamp = reply->received_ns <= now_ns;
	if (!reply->kernel_stamp)
		reply->received_ns = now_ns;
}

static void hear(struct sn_ping_lane *lane, struct mmsghdr *message, bool clock_steady,
		 uint64_t now_ns)
{
	struct msghdr *header = &message->msg_hdr;
	struct sn_ping_net *net = lane->net;
	struct sn_ping_sink *sink = net->port.sink;
	bool ip_header = lane->sock.raw && lane->sock.family == AF_INET;
	struct details details;
	struct sn_ping_reply reply;

	if (sn_icmp_parse_reply(lane->sock.family, ip_header, header->msg_iov->iov_base,
				message->msg_len, &reply.icmp) != 0)
		return;
	if (lane->sock.raw && reply.icmp.id != lane->sock.id)
		return;
	read_details(header, &details);
	copy_addr(&reply.from, header->msg_name, header->msg_namelen);
	reply.ttl = reply.icmp.has_ip_header ? reply.icmp.ttl : details.ttl;
	if (reply.icmp.has_ip_header)
		local_v4(&reply.icmp.local, &reply.local);
	else
		reply.local = details.local;
	set_time(&reply, net, &details, clock_steady, now_ns);
	sink->on_reply(sink, &reply);
}

static bool read_clocks(struct sn_ping_net *net, uint64_t *now_ns)
{
	uint64_t before_ns = sn_mono_ns();
	int64_t wall_ns = sn_wall_ns();

	*now_ns = sn_mono_ns();
	return sn_stamp_read(&net->stamp, before_ns, wall_ns, *now_ns);
}

static void receive_replies(struct sn_ping_lane *lane)
{
	struct sn_ping_batch *batch = lane->net->batch;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		uint64_t now_ns;
		int n = batch_read(batch, lane->sock.fd, 0);
		bool clock_steady;

		/* The error of an earlier request, reported once: the details are in the queue. */
		if (n < 0) {
			lane->errors_waiting = true;
			continue;
		}
		if (n == 0)
			return;
		clock_steady = read_clocks(lane->net, &now_ns);
		for (int i = 0; i < n; i++)
			hear(lane, &batch->messages[i], clock_steady, now_ns);
		if ((unsigned)n < batch->count)
			return;
	}
}

/* Errors ---------------------------------------------------------------------------------- */

static const struct sock_extended_err *find_error(struct msghdr *header, size_t *room)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
	     control = CMSG_NXTHDR(header, control)) {
		bool v4 = control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR;
		bool v6 = control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR;

		*room = control->cmsg_len - CMSG_LEN(0);
		if ((v4 || v6) && *room >= sizeof(struct sock_extended_err))
			return (const void *)CMSG_DATA(control);
	}
	return NULL;
}

static void hear_error(struct sn_ping_lane *lane, struct mmsghdr *message)
{
	struct msghdr *header = &message->msg_hdr;
	struct sn_ping_sink *sink = lane->net->port.sink;
	int family = lane->sock.family;
	size_t room, name_size = family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);
	const struct sock_extended_err *kernel = find_error(header, &room);
	struct sn_ping_error error = {0};
	uint16_t id;

	if (kernel == NULL ||
	    (kernel->ee_origin != SO_EE_ORIGIN_ICMP && kernel->ee_origin != SO_EE_ORIGIN_ICMP6))
		return;
	if (sn_icmp_parse_quote(family, header->msg_iov->iov_base, message->msg_len, &id,
				&error.seq) != 0)
		return;
	/* Raw sockets are told of the errors of everybody's requests. */
	if (lane->sock.raw && id != lane->sock.id)
		return;
	copy_addr(&error.to, header->msg_name, header->msg_namelen);
	error.type = kernel->ee_type;
	error.code = kernel->ee_code;
	if (room >= sizeof(*kernel) + name_size &&
	    SO_EE_OFFENDER(kernel)->sa_family == (sa_family_t)family)
		copy_addr(&error.reporter, SO_EE_OFFENDER(kernel), (socklen_t)name_size);
	sink->on_error(sink, &error);
}

static void receive_errors(struct sn_ping_lane *lane)
{
	struct sn_ping_batch *batch = lane->net->batch;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		int n = batch_read(batch, lane->sock.fd, MSG_ERRQUEUE);

		for (int i = 0; i < n; i++)
			hear_error(lane, &batch->messages[i]);
		if (n < (int)batch->count) {
			lane->errors_waiting = false;
			return;
		}
	}
}

static void lane_receive(struct sn_ping_lane *lane)
{
	if (lane->sock.fd < 0)
		return;
	receive_replies(lane);
	if (lane->errors_waiting)
		receive_errors(lane);
}

static void lane_ready(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_ping_lane *lane = sn_container_of(io, struct sn_ping_lane, io);

	/* A queue of errors makes the socket ready too and is not announced otherwise. */
	lane->errors_waiting = true;
	lane_receive(lane);
}

/* Port ------------------------------------------------------------------------------------ */

static struct sn_ping_net *net_of(struct sn_ping_port *port)
{
	return sn_container_of(port, struct sn_ping_net, port);
}

static int net_send(struct sn_ping_port *port, const struct sn_addr *to, uint16_t seq,
		    const struct sn_icmp_token *token, uint64_t *sent_ns)
{
	struct sn_ping_net *net = net_of(port);
	struct sn_ping_lane *lane = to->sa.sa_family == AF_INET6 ? &net->v6 : &net->v4;
	int rc = 0;

	if (lane->sock.fd < 0) {
		*sent_ns = sn_mono_ns();
		return -EAFNOSUPPORT;
	}
	sn_icmp_request_stamp(&lane->request, lane->sock.id, seq, token);
	for (int i = 0; i < SEND_TRIES; i++) {
		*sent_ns = sn_mono_ns();
		if (sendto(lane->sock.fd, lane->request.bytes, lane->request.size, MSG_DONTWAIT,
			   &to->sa, to->length) >= 0)
			return 0;
		rc = -errno;
		if (rc == -EAGAIN || rc == -ENOBUFS)
			return rc;
		/* An ICMP error of an earlier request is reported by failing this one, once. */
		lane->errors_waiting = true;
	}
	return rc;
}

static void net_receive(struct sn_ping_port *port)
{
	struct sn_ping_net *net = net_of(port);

	lane_receive(&net->v4);
	lane_receive(&net->v6);
}

static uint64_t net_drops(struct sn_ping_port *port)
{
	struct sn_ping_net *net = net_of(port);

	return (uint64_t)sn_ping_socket_drops(&net->v4.sock) + sn_ping_socket_drops(&net->v6.sock);
}

static const struct sn_ping_port_ops net_ops = {
	.send = net_send,
	.receive = net_receive,
	.drops = net_drops,
};

/* Lifetime -------------------------------------------------------------------------------- */

static void lane_init(struct sn_ping_lane *lane, struct sn_ping_net *net, int family,
		      size_t payload_size)
{
	*lane = (struct sn_ping_lane){.net = net, .sock = {.fd = -1, .family = family}};
	sn_icmp_request_init(&lane->request, family, payload_size);
}

void sn_ping_net_init(struct sn_ping_net *net, size_t payload_size)
{
	uint64_t now_ns;

	*net = (struct sn_ping_net){.port = {.ops = &net_ops}};
	lane_init(&net->v4, net, AF_INET, payload_size);
	lane_init(&net->v6, net, AF_INET6, payload_size);
	net->batch = batch_create(payload_size);
	read_clocks(net, &now_ns);
}

static struct sn_ping_lane *lane_for(struct sn_ping_net *net, int family)
{
	return family == AF_INET6 ? &net->v6 : &net->v4;
}

bool sn_ping_net_has(const struct sn_ping_net *net, int family)
{
	return (family == AF_INET6 ? &net->v6 : &net->v4)->sock.fd >= 0;
}

int sn_ping_net_add(struct sn_ping_net *net, struct sn_ping_socket *sock)
{
	struct sn_ping_lane *lane = lane_for(net, sock->family);

	if (lane->sock.fd >= 0) {
		sn_ping_socket_close(sock);
		return -EEXIST;
	}
	lane->sock = *sock;
	sock->fd = -1;
	return 0;
}

int sn_ping_net_start(struct sn_ping_net *net, struct sn_loop *loop)
{
	struct sn_ping_lane *lanes[] = {&net->v4, &net->v6};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < SN_COUNT(lanes); i++) {
		if (lanes[i]->sock.fd < 0)
			continue;
		sn_io_init(&lanes[i]->io, loop, lanes[i]->sock.fd, lane_ready);
		rc = sn_io_start(&lanes[i]->io, SN_IO_READ);
	}
	return rc;
}

static void lane_finish(struct sn_ping_lane *lane)
{
	if (lane->net == NULL)
		return;
	sn_io_stop(&lane->io);
	sn_ping_socket_close(&lane->sock);
	sn_icmp_request_finish(&lane->request);
}

void sn_ping_net_finish(struct sn_ping_net *net)
{
	lane_finish(&net->v4);
	lane_finish(&net->v6);
	free(net->batch);
	net->batch = NULL;
}
