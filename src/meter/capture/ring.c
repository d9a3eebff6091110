/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/ring.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/dlt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "meter/capture/fanout.h"
#include "meter/capture/filter.h"

#define BLOCK_BYTES (256 * 1024) /* holds the largest packet that offloading makes */
#define FRAME_BYTES 2048         /* V3 packs frames by their size; this only has to divide */
#define RETIRE_MS   50           /* a block that is not full is handed over after this time */
#define LAST_MS     120          /* so it has been, certainly, after this */

struct sn_ring {
	int fd, link, index;
	bool loopback;
	uint32_t snaplen;
	char interface[IFNAMSIZ];
	uint8_t *map;
	unsigned blocks, current;
	struct sn_ring_stats stats;
	int missed_fd; /* the interface's own count of drops; negative: unknown */
	uint64_t missed_before;
};

/* What a kind of interface delivers in front of IP. */
static const struct {
	unsigned short hardware;
	int link;
} kinds[] = {
	{ARPHRD_ETHER, DLT_EN10MB}, {ARPHRD_LOOPBACK, DLT_EN10MB}, {ARPHRD_NONE, DLT_RAW},
	{ARPHRD_RAWIP, DLT_RAW},    {ARPHRD_PPP, DLT_RAW},         {ARPHRD_TUNNEL, DLT_RAW},
	{ARPHRD_TUNNEL6, DLT_RAW},  {ARPHRD_SIT, DLT_RAW},         {ARPHRD_IPGRE, DLT_RAW},
};

static int find_link(unsigned short hardware)
{
	for (size_t i = 0; i < SN_COUNT(kinds); i++)
		if (kinds[i].hardware == hardware)
			return kinds[i].link;
	return -1;
}

static int open_socket(const char *interface, struct sn_err *err)
{
	/* Protocol 0: deaf until filter and ring are in place and it is bound. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		return fd;
	if (errno == EPERM || errno == EACCES)
		return sn_err_set(err, -EPERM,
				  "cannot capture on '%s': it needs CAP_NET_RAW (run as root, or "
				  "setcap cap_net_raw+ep on the program)",
				  interface);
	return sn_err_sys(err, -errno, "cannot capture on '%s'", interface);
}

static int check_socket(int fd, struct sn_err *err)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
		return sn_err_sys(err, -errno, "cannot use descriptor %d as capture socket", fd);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	if (domain != AF_PACKET || type != SOCK_RAW)
		return sn_err_set(err, -EINVAL,
				  "cannot use descriptor %d as capture socket: it is not a raw "
				  "packet socket",
				  fd);
	return 0;
}

static int bound_index(int fd)
{
	struct sockaddr_ll address = {0};
	socklen_t size = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &size) != 0 ? -errno
									: address.sll_ifindex;
}

/* Asked of the socket, because it may live in another network namespace than we do. */
static int name_of_index(struct sn_ring *ring, const char *expected, struct sn_err *err)
{
	struct ifreq request = {.ifr_ifindex = ring->index};

	if (ring->index <= 0)
		return sn_err_set(err, -EINVAL,
				  "cannot use descriptor %d as capture socket: it is not bound to "
				  "an interface",
				  ring->fd);
	if (ioctl(ring->fd, SIOCGIFNAME, &request) != 0)
		return sn_err_sys(err, -errno, "cannot name the interface of descriptor %d",
				  ring->fd);
	memcpy(ring->interface, request.ifr_name, IFNAMSIZ);
	if (expected != NULL && strcmp(expected, ring->interface) != 0)
		return sn_err_set(err, -EINVAL,
				  "cannot capture on '%s': descriptor %d is bound to '%s'",
				  expected, ring->fd, ring->interface);
	return 0;
}

static int index_of_name(struct sn_ring *ring, const char *name, struct sn_err *err)
{
	struct ifreq request = {0};

	if (strlen(name) >= IFNAMSIZ)
		return sn_err_set(err, -ENODEV, "cannot capture on '%s': no such interface", name);
	strcpy(request.ifr_name, name);
	strcpy(ring->interface, name);
	if (ioctl(ring->fd, SIOCGIFINDEX, &request) != 0)
		return sn_err_set(err, -ENODEV,
				  "cannot capture on '%s': no such interface (see: ip link)", name);
	ring->index = request.ifr_ifindex;
	return 0;
}

static int find_kind(struct sn_ring *ring, struct sn_err *err)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, ring->interface, IFNAMSIZ);
	if (ioctl(ring->fd, SIOCGIFHWADDR, &request) != 0)
		return sn_err_sys(err, -errno, "cannot capture on '%s'", ring->interface);

	unsigned short hardware = request.ifr_hwaddr.sa_family;

	ring->loopback = hardware == ARPHRD_LOOPBACK;
	ring->link = find_link(hardware);
	if (ring->link < 0)
		return sn_err_set(err, -ENOTSUP,
				  "cannot capture on '%s': its hardware type %u is not supported",
				  ring->interface, hardware);
	return 0;
}

int sn_ring_set_filter(struct sn_ring *ring, const char *expression, struct sn_err *err)
{
	struct sn_filter filter;
	int result = sn_filter_init(&filter, expression, ring->link, ring->snaplen, err);

	if (result == 0)
		result = sn_filter_attach(&filter, ring->fd, err);
	sn_filter_finish(&filter);
	return result;
}

/*
 * On loopback each packet passes twice, leaving and arriving: the copy that leaves is neither
 * counted nor kept.  A kernel that cannot tell them apart (before 4.20) counts it, is_echo() drops
 * it.
 */
static void ignore_echoes(const struct sn_ring *ring)
{
	const int on = 1;

	if (ring->loopback)
		setsockopt(ring->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
}

/* Until all rings of a group are there, each of them would see the packets of the others. */
static int attach_nothing(struct sn_ring *ring, struct sn_err *err)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};

	if (setsockopt(ring->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return sn_err_sys(err, -errno, "cannot attach a filter on '%s'", ring->interface);
	return 0;
}

static int map_ring(struct sn_ring *ring, size_t bytes, struct sn_err *err)
{
	int version = TPACKET_V3;
	struct tpacket_req3 request = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = (unsigned)(bytes / BLOCK_BYTES),
		.tp_frame_size = FRAME_BYTES,
		.tp_frame_nr = (unsigned)(bytes / BLOCK_BYTES) * (BLOCK_BYTES / FRAME_BYTES),
		.tp_retire_blk_tov = RETIRE_MS,
	};

	if (setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) != 0)
		return sn_err_sys(err, -errno,
				  "cannot make a capture ring of %zu bytes on '%s' (try a smaller "
				  "--buffer)",
				  bytes, ring->interface);

	void *map = mmap(NULL, (size_t)request.tp_block_nr * BLOCK_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring->fd, 0);

	if (map == MAP_FAILED)
		return sn_err_sys(err, -errno, "cannot map the capture ring of '%s'",
				  ring->interface);
	ring->map = map;
	ring->blocks = request.tp_block_nr;
	return 0;
}

static int join(struct sn_ring *ring, const struct sn_ring_options *options, struct sn_err *err)
{
	struct packet_mreq membership = {.mr_ifindex = ring->index, .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ring->index,
	};

	if (options->promiscuous && setsockopt(ring->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP,
					       &membership, sizeof(membership)) != 0)
		return sn_err_sys(err, -errno, "cannot make '%s' promiscuous", ring->interface);
	if (options->fd < 0 && bind(ring->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return sn_err_sys(err, -errno, "cannot capture on '%s'", ring->interface);
	return 0;
}

/* 0 when it cannot be known. */
static uint64_t read_missed(const struct sn_ring *ring)
{
	char text[32] = "";
	ssize_t size = ring->missed_fd >= 0 ? pread(ring->missed_fd, text, sizeof(text) - 1, 0) : 0;

	return size > 0 ? strtoull(text, NULL, 10) : 0;
}

static int open_attribute(const struct sn_ring *ring, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", ring->interface, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Of another network namespace than that of /sys there may be an interface of the same name. */
static void open_missed(struct sn_ring *ring)
{
	char text[32] = "";
	int fd = open_attribute(ring, "ifindex");

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && atoi(text) == ring->index)
		ring->missed_fd = open_attribute(ring, "statistics/rx_missed_errors");
	close(fd);
	ring->missed_before = read_missed(ring);
}

static int find_interface(struct sn_ring *ring, const struct sn_ring_options *options,
			  struct sn_err *err)
{
	int result;

	if (options->fd < 0) {
		ring->fd = open_socket(options->interface, err);
		return ring->fd < 0 ? ring->fd : index_of_name(ring, options->interface, err);
	}
	ring->fd = options->fd;
	result = check_socket(ring->fd, err);
	if (result < 0)
		return result;
	ring->index = bound_index(ring->fd);
	return name_of_index(ring, options->interface, err);
}

/* A ring that is open and bound, but passes nothing yet. */
static int open_deaf(const struct sn_ring_options *options, struct sn_ring **ring,
		     struct sn_err *err)
{
	struct sn_ring *opened = sn_new(struct sn_ring);
	size_t bytes = SN_MIN(SN_MAX(options->buffer_bytes, (size_t)SN_RING_BUFFER_MIN),
			      (size_t)SN_RING_BUFFER_MAX);
	int result;

	opened->fd = opened->missed_fd = -1;
	opened->snaplen = options->snaplen;
	result = find_interface(opened, options, err);
	if (result == 0)
		result = find_kind(opened, err);
	if (result == 0)
		ignore_echoes(opened);
	if (result == 0)
		result = attach_nothing(opened, err);
	if (result == 0)
		result = map_ring(opened, bytes, err);
	if (result == 0)
		result = join(opened, options, err);
	if (result < 0) {
		sn_ring_close(opened);
		return result;
	}
	*ring = opened;
	return 0;
}

static int open_rings(const struct sn_ring_options *options, unsigned count, struct sn_ring **rings,
		      struct sn_err *err)
{
	struct sn_ring_options another = *options;
	int result = open_deaf(options, &rings[0], err);
	int group = -1;

	for (unsigned i = 1; result == 0 && i < count; i++) {
		another.fd = -1;
		another.interface = rings[0]->interface;
		result = open_deaf(&another, &rings[i], err);
	}
	for (unsigned i = 0; result == 0 && count > 1 && i < count; i++)
		result = sn_fanout_join(rings[i]->fd, options->by_ports, &group, err);
	for (unsigned i = 0; result == 0 && i < count; i++)
		result = sn_ring_set_filter(rings[i], options->filter, err);
	return result;
}

int sn_ring_open_group(const struct sn_ring_options *options, unsigned count,
		       struct sn_ring **rings, struct sn_err *err)
{
	struct sn_ring *opened[SN_RING_GROUP_MAX] = {NULL};
	int result;

	assert(count > 0 && count <= SN_RING_GROUP_MAX);
	result = open_rings(options, count, opened, err);
	if (result < 0) {
		for (unsigned i = 0; i < count; i++)
			sn_ring_close(opened[i]);
		return result;
	}
	open_missed(opened[0]);
	memcpy(rings, opened, count * sizeof(*rings));
	return 0;
}

int sn_ring_open(const struct sn_ring_options *options, struct sn_ring **ring, struct sn_err *err)
{
	return sn_ring_open_group(options, 1, ring, err);
}

void sn_ring_close(struct sn_ring *ring)
{
	if (ring == NULL)
		return;
	if (ring->missed_fd >= 0)
		close(ring->missed_fd);
	if (ring->map != NULL)
		munmap(ring->map, (size_t)ring->blocks * BLOCK_BYTES);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring);
}

int sn_ring_fd(const struct sn_ring *ring)
{
	return ring->fd;
}

const char *sn_ring_interface(const struct sn_ring *ring)
{
	return ring->interface;
}

int sn_ring_link(const struct sn_ring *ring)
{
	return ring->link;
}

/* Of kernels that do not leave them out themselves: see ignore_echoes(). */
static bool is_echo(const struct sn_ring *ring, const struct tpacket3_hdr *header)
{
	const struct sockaddr_ll *address =
		(const void *)((const uint8_t *)header + TPACKET_ALIGN(sizeof(*header)));

	return ring->loopback && address->sll_pkttype == PACKET_OUTGOING;
}

static struct sn_packet make_packet(const struct tpacket3_hdr *header, uint16_t link)
{
	return (struct sn_packet){
		.time_ns = (int64_t)header->tp_sec * SN_NS_PER_S + header->tp_nsec,
		.data = (const uint8_t *)header + header->tp_mac,
		.captured = header->tp_snaplen,
		.length = SN_MAX(header->tp_len, header->tp_snaplen),
		.link = link,
	};
}

static size_t walk_block(const struct sn_ring *ring, const struct tpacket_block_desc *block,
			 sn_ring_packets_fn *fn, void *ctx)
{
	const uint8_t *p = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
	struct sn_packet batch[SN_RING_BATCH];
	size_t handed = 0, count = 0;

	for (uint32_t left = block->hdr.bh1.num_pkts; left > 0; left--) {
		const struct tpacket3_hdr *header = (const void *)p;

		if (!is_echo(ring, header))
			batch[count++] = make_packet(header, (uint16_t)ring->link);
		p += header->tp_next_offset;
		if (count == SN_RING_BATCH || (left == 1 && count > 0)) {
			fn(batch, count, ctx);
			handed += count;
			count = 0;
		}
	}
	return handed;
}

size_t sn_ring_drain(struct sn_ring *ring, sn_ring_packets_fn *fn, void *ctx)
{
	size_t handed = 0;

	for (unsigned i = 0; i < ring->blocks; i++) {
		struct tpacket_block_desc *block =
			(void *)(ring->map + (size_t)ring->current * BLOCK_BYTES);
		uint32_t *status = &block->hdr.bh1.block_status;

		if ((__atomic_load_n(status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
			break;
		handed += walk_block(ring, block, fn, ctx);
		__atomic_store_n(status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring->current = (ring->current + 1) % ring->blocks;
	}
	return handed;
}

void sn_ring_finish(struct sn_ring *ring, sn_ring_packets_fn *fn, void *ctx)
{
	const int on = 1;
	struct sn_err err;

	/* Locked, because another thread may be about to change the filter. */
	attach_nothing(ring, &err);
	setsockopt(ring->fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
	poll(NULL, 0, LAST_MS);
	sn_ring_drain(ring, fn, ctx);
}

int sn_ring_read_stats(struct sn_ring *ring, struct sn_ring_stats *stats)
{
	struct tpacket_stats_v3 since = {0}; /* the kernel starts again from 0 at each call */
	socklen_t size = sizeof(since);

	if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &since, &size) != 0)
		return -errno;
	ring->stats.seen += since.tp_packets;
	ring->stats.dropped += since.tp_drops;
	ring->stats.stalls += since.tp_freeze_q_cnt;
	*stats = ring->stats;
	return 0;
}

int sn_ring_read_losses(struct sn_ring *ring, struct sn_capture_losses *losses)
{
	struct sn_ring_stats stats = {0};
	int result = sn_ring_read_stats(ring, &stats);

	if (result < 0)
		return result;
	*losses = (struct sn_capture_losses){
		.packets = stats.seen - stats.dropped,
		.kernel_drops = stats.dropped,
		.interface_drops = read_missed(ring) - ring->missed_before,
	};
	snprintf(losses->interface, sizeof(losses->interface), "%s", ring->interface);
	return 0;
}

bool sn_ring_alive(const struct sn_ring *ring)
{
	return bound_index(ring->fd) == ring->index;
}
