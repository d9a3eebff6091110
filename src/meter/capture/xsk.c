/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/xsk.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/dlt.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "base/clock.h"
#include "base/mem.h"
#include "meter/capture/filter.h"

#define FRAME_BYTES  4096
#define FRAMES_MIN   512
#define FRAMES_MAX   (1U << 18)
#define STAMP_MARK   0x65646e6f73 /* says that a stamp is in front of a packet */
#define BUSY_TURN_MS 10
#define BUSY_TURNS   50
#define DRAIN_ROUNDS 64 /* of SN_RING_BATCH packets per queue */
#define LAST_MS      20 /* packets on their way through the program have arrived after this */

_Static_assert(SN_XSK_PACKET_MAX <= FRAME_BYTES - 256 - 256, "headroom of kernel and driver");

/* What the program writes in front of a packet. */
struct stamp {
	uint64_t mark, mono_ns;
};

struct queue {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion, rx;
	uint8_t *area;
	size_t area_bytes;
	uint32_t frames;
};

struct sn_xsk {
	char interface[IFNAMSIZ];
	unsigned index, queue_count;
	int map_fd, program_fd, link_fd, epoll_fd;
	pthread_mutex_t filter_lock; /* it may be changed from elsewhere */
	struct sn_filter filter;
	bool has_filter, gone;
	uint32_t snaplen;
	uint64_t packets;
	struct queue queues[SN_XSK_QUEUES_MAX];
};

/* The program -------------------------------------------------------------------- */

#define INSN(op, to, from, offset, value)                                                          \
	{                                                                                          \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (value)  \
	}
#define CALL(function)        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define MOVE(to, from)        INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define SET(to, value)        INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define LOAD32(to, from, at)  INSN(BPF_LDX | BPF_MEM | BPF_W, to, from, at, 0)
#define STORE64(to, at, from) INSN(BPF_STX | BPF_MEM | BPF_DW, to, from, at, 0)
#define WIDE(to, kind, low, high)                                                                  \
	INSN(BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, low), INSN(0, 0, 0, 0, high)

/*
 * Stamp the packet if there is room in front of it, then give it to the socket of its queue; pass
 * it on to the system if there is none.
 */
static int load_program(int map_fd)
{
	const struct bpf_insn code[] = {
		MOVE(6, 1),
		SET(2, -(int)sizeof(struct stamp)),
		CALL(BPF_FUNC_xdp_adjust_meta),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 10, 0), /* no room */
		CALL(BPF_FUNC_ktime_get_ns),
		LOAD32(2, 6, offsetof(struct xdp_md, data_meta)),
		LOAD32(3, 6, offsetof(struct xdp_md, data)),
		MOVE(4, 2),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, sizeof(struct stamp)),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 4, 0), /* never, but the verifier asks */
		WIDE(5, 0, (int)(STAMP_MARK & UINT32_MAX), (int)(STAMP_MARK >> 32)),
		STORE64(2, offsetof(struct stamp, mark), 5),
		STORE64(2, offsetof(struct stamp, mono_ns), 0),
		LOAD32(2, 6, offsetof(struct xdp_md, rx_queue_index)),
		WIDE(1, BPF_PSEUDO_MAP_FD, map_fd, 0),
		SET(3, XDP_PASS),
		CALL(BPF_FUNC_redirect_map),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "sonde_meter", "Apache-2.0", code, SN_COUNT(code),
			     NULL);
}

/* Opening -------------------------------------------------------------------------- */

static int refuse(const struct sn_xsk *xsk, int code, const char *what, struct sn_err *err)
{
	if (code == -EPERM || code == -EACCES)
		return sn_err_set(err, -EPERM,
				  "cannot use AF_XDP on '%s': it needs CAP_NET_ADMIN, CAP_NET_RAW "
				  "and CAP_BPF to %s",
				  xsk->interface, what);
	if (code == -EBUSY || code == -EEXIST)
		return sn_err_set(err, -EBUSY,
				  "cannot use AF_XDP on '%s': another program is there (see: ip "
				  "link show)",
				  xsk->interface);
	return sn_err_set(err, code, "cannot use AF_XDP on '%s': to %s: %s", xsk->interface, what,
			  strerror(-code));
}

static unsigned count_queues(int fd, struct ifreq *request)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	unsigned count;

	request->ifr_data = (void *)&channels;
	if (ioctl(fd, SIOCETHTOOL, request) != 0)
		return 1; /* drivers with one queue need not answer */
	count = channels.combined_count + channels.rx_count;
	return SN_MAX(count, 1U);
}

static int look_at_interface(struct sn_xsk *xsk, int fd, struct sn_err *err)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, xsk->interface, IFNAMSIZ);
	if (ioctl(fd, SIOCGIFINDEX, &request) != 0)
		return sn_err_set(err, -ENODEV,
				  "cannot capture on '%s': no such interface (see: ip link)",
				  xsk->interface);
	xsk->index = (unsigned)request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return sn_err_set(err, -ENOTSUP, "cannot use AF_XDP on '%s': it is no Ethernet",
				  xsk->interface);
	xsk->queue_count = count_queues(fd, &request);
	if (xsk->queue_count > SN_XSK_QUEUES_MAX)
		return sn_err_set(err, -ENOTSUP,
				  "cannot use AF_XDP on '%s': it has %u receive queues, more than "
				  "%d (see: ethtool -L)",
				  xsk->interface, xsk->queue_count, SN_XSK_QUEUES_MAX);
	return 0;
}

static int find_interface(struct sn_xsk *xsk, const char *name, struct sn_err *err)
{
	int fd, result;

	if (strlen(name) >= IFNAMSIZ)
		return sn_err_set(err, -ENODEV, "cannot capture on '%s': no such interface", name);
	strcpy(xsk->interface, name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(xsk, -errno, "open a socket", err);
	result = look_at_interface(xsk, fd, err);
	close(fd);
	return result;
}

/* A power of two: rings are counted with masks. */
static uint32_t frames_of(size_t bytes)
{
	uint32_t frames = FRAMES_MIN;

	while (frames < FRAMES_MAX && (size_t)frames * 2 * FRAME_BYTES <= bytes)
		frames *= 2;
	return frames;
}

/* All frames are the kernel's until they come back with packets in them. */
static void fill_up(struct queue *queue)
{
	uint32_t at = 0;

	xsk_ring_prod__reserve(&queue->fill, queue->frames, &at);
	for (uint32_t i = 0; i < queue->frames; i++)
		*xsk_ring_prod__fill_addr(&queue->fill, at + i) = (uint64_t)i * FRAME_BYTES;
	xsk_ring_prod__submit(&queue->fill, queue->frames);
}

/* The kernel takes a moment to let go of a queue that was captured before. */
static int bind_queue(struct sn_xsk *xsk, unsigned number, const struct xsk_socket_config *config)
{
	struct queue *queue = &xsk->queues[number];
	int result = -EBUSY;

	for (int turn = 0; turn < BUSY_TURNS && result == -EBUSY; turn++) {
		if (turn > 0)
			usleep(BUSY_TURN_MS * 1000);
		result = xsk_socket__create(&queue->socket, xsk->interface, number, queue->umem,
					    &queue->rx, NULL, config);
	}
	return result;
}

static int open_queue(struct sn_xsk *xsk, unsigned number, size_t bytes, struct sn_err *err)
{
	struct queue *queue = &xsk->queues[number];
	struct xsk_umem_config umem = {.comp_size = XSK_RING_CONS__DEFAULT_NUM_DESCS,
				       .frame_size = FRAME_BYTES};
	struct xsk_socket_config config = {
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP,
	};
	int result;

	queue->frames = umem.fill_size = config.rx_size = frames_of(bytes);
	queue->area_bytes = (size_t)queue->frames * FRAME_BYTES;
	queue->area = mmap(NULL, queue->area_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (queue->area == MAP_FAILED) {
		queue->area = NULL;
		return refuse(xsk, -errno, "get memory for packets", err);
	}
	result = xsk_umem__create(&queue->umem, queue->area, queue->area_bytes, &queue->fill,
				  &queue->completion, &umem);
	if (result != 0)
		return refuse(xsk, result, "share memory with the kernel (see: ulimit -l)", err);
	fill_up(queue);
	result = bind_queue(xsk, number, &config);
	if (result != 0)
		return refuse(xsk, result, "bind to a receive queue", err);
	result = xsk_socket__update_xskmap(queue->socket, xsk->map_fd);
	return result == 0 ? 0 : refuse(xsk, result, "put a socket into the map", err);
}

static int watch_queues(struct sn_xsk *xsk, struct sn_err *err)
{
	xsk->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (xsk->epoll_fd < 0)
		return refuse(xsk, -errno, "wait for packets", err);
	for (unsigned i = 0; i < xsk->queue_count; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		if (epoll_ctl(xsk->epoll_fd, EPOLL_CTL_ADD, xsk_socket__fd(xsk->queues[i].socket),
			      &event) != 0)
			return refuse(xsk, -errno, "wait for packets", err);
	}
	return 0;
}

/* In the driver if it can, else in front of the stack.  The link ends with its descriptor. */
static int attach(struct sn_xsk *xsk, struct sn_err *err)
{
	static const uint32_t modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	int result = 0;

	for (size_t i = 0; i < SN_COUNT(modes); i++) {
		LIBBPF_OPTS(bpf_link_create_opts, options, .flags = modes[i]);

		result = bpf_link_create(xsk->program_fd, (int)xsk->index, BPF_XDP, &options);
		if (result >= 0) {
			xsk->link_fd = result;
			return 0;
		}
	}
	return refuse(xsk, result, "attach a program", err);
}

static int make_program(struct sn_xsk *xsk, struct sn_err *err)
{
	libbpf_set_print(NULL);
	xsk->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "sonde_meter", sizeof(int), sizeof(int),
				     xsk->queue_count, NULL);
	if (xsk->map_fd < 0)
		return refuse(xsk, xsk->map_fd, "make a map", err);
	xsk->program_fd = load_program(xsk->map_fd);
	return xsk->program_fd < 0 ? refuse(xsk, xsk->program_fd, "load a program", err) : 0;
}

int sn_xsk_set_filter(struct sn_xsk *xsk, const char *expression, struct sn_err *err)
{
	bool wanted = expression != NULL && expression[0] != '\0';
	struct sn_filter filter = {0}, before;
	int result =
		wanted ? sn_filter_init(&filter, expression, DLT_EN10MB, xsk->snaplen, err) : 0;

	if (result < 0)
		return result;
	pthread_mutex_lock(&xsk->filter_lock);
	before = xsk->filter;
	xsk->filter = filter;
	xsk->has_filter = wanted;
	pthread_mutex_unlock(&xsk->filter_lock);
	sn_filter_finish(&before);
	return 0;
}

int sn_xsk_open(const struct sn_ring_options *options, struct sn_xsk **xsk, struct sn_err *err)
{
	struct sn_xsk *opened = sn_new(struct sn_xsk);
	int result;

	pthread_mutex_init(&opened->filter_lock, NULL);
	opened->snaplen = options->snaplen;
	opened->map_fd = opened->program_fd = opened->link_fd = opened->epoll_fd = -1;
	result = find_interface(opened, options->interface, err);
	if (result == 0)
		result = sn_xsk_set_filter(opened, options->filter, err);
	if (result == 0)
		result = make_program(opened, err);
	for (unsigned i = 0; result == 0 && i < opened->queue_count; i++)
		result = open_queue(opened, i, options->buffer_bytes / opened->queue_count, err);
	if (result == 0)
		result = watch_queues(opened, err);
	if (result == 0)
		result = attach(opened, err);
	if (result < 0) {
		sn_xsk_close(opened);
		return result;
	}
	*xsk = opened;
	return 0;
}

static void close_queue(struct queue *queue)
{
	if (queue->socket != NULL)
		xsk_socket__delete(queue->socket);
	if (queue->umem != NULL)
		xsk_umem__delete(queue->umem);
	if (queue->area != NULL)
		munmap(queue->area, queue->area_bytes);
}

void sn_xsk_close(struct sn_xsk *xsk)
{
	if (xsk == NULL)
		return;

	const int fds[] = {xsk->link_fd, xsk->epoll_fd, xsk->program_fd, xsk->map_fd};

	for (size_t i = 0; i < SN_COUNT(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (unsigned i = 0; i < SN_XSK_QUEUES_MAX; i++)
		close_queue(&xsk->queues[i]);
	sn_filter_finish(&xsk->filter);
	pthread_mutex_destroy(&xsk->filter_lock);
	free(xsk);
}

int sn_xsk_fd(const struct sn_xsk *xsk)
{
	return xsk->epoll_fd;
}

const char *sn_xsk_interface(const struct sn_xsk *xsk)
{
	return xsk->interface;
}

int sn_xsk_link(const struct sn_xsk *xsk SN_UNUSED)
{
	return DLT_EN10MB;
}

/* Packets ---------------------------------------------------------------------------- */

struct now {
	int64_t wall_ns, ahead_ns; /* of the wall clock before the monotonic one */
};

/* The stamp is wiped, so that it is not taken for that of the next packet in this frame. */
static int64_t take_stamp(const struct queue *queue, uint64_t address, const struct now *now)
{
	struct stamp stamp;
	uint8_t *p = queue->area + address - sizeof(stamp);

	if (address < sizeof(stamp))
		return now->wall_ns;
	memcpy(&stamp, p, sizeof(stamp));
	memset(p, 0, sizeof(stamp));
	return stamp.mark == STAMP_MARK ? (int64_t)stamp.mono_ns + now->ahead_ns : now->wall_ns;
}

static struct sn_packet make_packet(const struct sn_xsk *xsk, const struct queue *queue,
				    const struct xdp_desc *descriptor, const struct now *now)
{
	return (struct sn_packet){
		.time_ns = take_stamp(queue, descriptor->addr, now),
		.data = queue->area + descriptor->addr,
		.captured = SN_MIN(descriptor->len, xsk->snaplen),
		.length = descriptor->len,
		.link = DLT_EN10MB,
	};
}

/* As many frames as were taken: there is always room for them. */
static void return_frames(struct queue *queue, uint32_t first, uint32_t count)
{
	uint32_t at = 0;

	xsk_ring_prod__reserve(&queue->fill, count, &at);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t address = xsk_ring_cons__rx_desc(&queue->rx, first + i)->addr;

		*xsk_ring_prod__fill_addr(&queue->fill, at + i) = address - address % FRAME_BYTES;
	}
	xsk_ring_prod__submit(&queue->fill, count);
	xsk_ring_cons__release(&queue->rx, count);
	if (xsk_ring_prod__needs_wakeup(&queue->fill))
		recvfrom(xsk_socket__fd(queue->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static size_t drain_some(struct sn_xsk *xsk, struct queue *queue, const struct now *now,
			 size_t *handed, sn_ring_packets_fn *fn, void *ctx)
{
	struct sn_packet batch[SN_RING_BATCH];
	size_t chosen = 0;
	uint32_t at = 0, count = xsk_ring_cons__peek(&queue->rx, SN_RING_BATCH, &at);

	pthread_mutex_lock(&xsk->filter_lock);
	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *descriptor = xsk_ring_cons__rx_desc(&queue->rx, at + i);

		batch[chosen] = make_packet(xsk, queue, descriptor, now);
		chosen += !xsk->has_filter || sn_filter_match(&xsk->filter, &batch[chosen]);
	}
	pthread_mutex_unlock(&xsk->filter_lock);
	if (chosen > 0)
		fn(batch, chosen, ctx);
	if (count > 0)
		return_frames(queue, at, count);
	*handed += chosen;
	return count;
}

size_t sn_xsk_drain(struct sn_xsk *xsk, sn_ring_packets_fn *fn, void *ctx)
{
	struct now now = {.wall_ns = sn_wall_ns()};
	size_t handed = 0;

	now.ahead_ns = now.wall_ns - (int64_t)sn_mono_ns();
	for (unsigned i = 0; i < xsk->queue_count; i++)
		for (int round = 0; round < DRAIN_ROUNDS; round++)
			if (drain_some(xsk, &xsk->queues[i], &now, &handed, fn, ctx) <
			    SN_RING_BATCH)
				break;
	xsk->packets += handed;
	return handed;
}

void sn_xsk_finish(struct sn_xsk *xsk, sn_ring_packets_fn *fn, void *ctx)
{
	struct now now = {.wall_ns = sn_wall_ns()};
	size_t handed = 0;

	/* The program leaves the interface with its link. */
	if (xsk->link_fd >= 0)
		close(xsk->link_fd);
	xsk->link_fd = -1;
	poll(NULL, 0, LAST_MS);
	now.ahead_ns = now.wall_ns - (int64_t)sn_mono_ns();
	for (unsigned i = 0; i < xsk->queue_count; i++)
		while (drain_some(xsk, &xsk->queues[i], &now, &handed, fn, ctx) > 0)
			;
	xsk->packets += handed;
}

int sn_xsk_read_losses(struct sn_xsk *xsk, struct sn_capture_losses *losses)
{
	*losses = (struct sn_capture_losses){.packets = xsk->packets};
	snprintf(losses->interface, sizeof(losses->interface), "%s", xsk->interface);
	for (unsigned i = 0; i < xsk->queue_count; i++) {
		struct xdp_statistics statistics = {0};
		socklen_t size = sizeof(statistics);

		if (getsockopt(xsk_socket__fd(xsk->queues[i].socket), SOL_XDP, XDP_STATISTICS,
			       &statistics, &size) != 0)
			return -errno;
		losses->kernel_drops += statistics.rx_dropped + statistics.rx_ring_full;
	}
	return 0;
}

/* The kernel takes the sockets off an interface that goes, and leaves an error behind. */
bool sn_xsk_alive(struct sn_xsk *xsk)
{
	for (unsigned i = 0; i < xsk->queue_count; i++) {
		int error = 0;
		socklen_t size = sizeof(error);

		getsockopt(xsk_socket__fd(xsk->queues[i].socket), SOL_SOCKET, SO_ERROR, &error,
			   &size);
		xsk->gone = xsk->gone || error == ENETDOWN;
	}
	return !xsk->gone;
}
