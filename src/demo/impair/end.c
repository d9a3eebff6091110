/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/impair/end.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"

#define RECEIVE_BUFFER (8 * 1024 * 1024)

static int interface_name(struct sn_str text, char out[IFNAMSIZ], struct sn_err *err)
{
	if (text.n == 0 || text.n >= IFNAMSIZ)
		return sn_err_set(err, -EINVAL, "'%.*s' is no interface name (1 to %d characters)",
				  (int)SN_MIN(text.n, 40U), text.p, IFNAMSIZ - 1);
	memset(out, 0, IFNAMSIZ);
	memcpy(out, text.p, text.n);
	return 0;
}

static int set_up(const char *name)
{
	struct ifreq request = {0};
	sn_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(request.ifr_name, name, IFNAMSIZ);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

static int open_tap(struct sn_end *end, struct sn_str text, struct sn_err *err)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int code = interface_name(text, request.ifr_name, err), header = SN_END_HEADER;
	sn_autoclose int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (code != 0)
		return code;
	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '/dev/net/tun'");
	if (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) != 0)
		return sn_err_sys(err, -errno, "cannot make TAP device '%s'", request.ifr_name);
	code = set_up(request.ifr_name);
	if (code != 0)
		return sn_err_sys(err, code, "cannot set up '%s'", request.ifr_name);
	*end = (struct sn_end){.fd = sn_steal_fd(&fd), .is_tap = true, .header = SN_END_HEADER};
	return 0;
}

/* Bound only when it is complete, so that no frame comes without its header. */
static int bind_packet_socket(int fd, int index)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	struct packet_mreq all = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
	int one = 1, buffer = RECEIVE_BUFFER;

	/* More than the limit for ordinary users where we may, else as much as we get. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -errno;
	return 0;
}

static int open_interface(struct sn_end *end, struct sn_str text, struct sn_err *err)
{
	char name[IFNAMSIZ];
	int code = interface_name(text, name, err);
	int index = code == 0 ? (int)if_nametoindex(name) : 0;

	if (code != 0)
		return code;
	if (index == 0)
		return sn_err_sys(err, -errno, "cannot find interface '%s'", name);
	sn_autoclose int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open a packet socket (CAP_NET_RAW?)");
	code = bind_packet_socket(fd, index);
	if (code != 0)
		return sn_err_sys(err, code, "cannot attach to interface '%s'", name);
	*end = (struct sn_end){.fd = sn_steal_fd(&fd), .is_socket = true, .header = SN_END_HEADER};
	return 0;
}

static int look_at_socket(struct sn_end *end, struct sn_err *err)
{
	int domain = 0, type = 0, with_header = 0;
	socklen_t length = sizeof(int);

	getsockopt(end->fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	getsockopt(end->fd, SOL_SOCKET, SO_TYPE, &type, &length);
	if (type == SOCK_STREAM)
		return sn_err_set(err, -EINVAL, "'fd:%d' is a stream: it keeps no frames apart",
				  end->fd);
	end->is_socket = true;
	if (domain == AF_PACKET &&
	    getsockopt(end->fd, SOL_PACKET, PACKET_VNET_HDR, &with_header, &length) == 0 &&
	    with_header != 0)
		end->header = SN_END_HEADER;
	return 0;
}

static int take_fd(struct sn_end *end, struct sn_str text, struct sn_err *err)
{
	struct ifreq request = {0};
	uint64_t number;
	int size = 0;

	if (sn_parse_u64(text, 3, 65535, &number) != 0 || fcntl((int)number, F_GETFD) < 0)
		return sn_err_set(err, -EBADF, "'fd:%.*s' is no open descriptor from 3 on",
				  (int)SN_MIN(text.n, 20U), text.p);
	*end = (struct sn_end){.fd = (int)number};
	fcntl(end->fd, F_SETFD, FD_CLOEXEC);
	fcntl(end->fd, F_SETFL, fcntl(end->fd, F_GETFL) | O_NONBLOCK);
	if (ioctl(end->fd, TUNGETIFF, &request) != 0)
		return look_at_socket(end, err);
	end->is_tap = true;
	if ((request.ifr_flags & (IFF_TAP | IFF_NO_PI)) != (IFF_TAP | IFF_NO_PI))
		return sn_err_set(err, -EINVAL,
				  "'fd:%d' is no TAP device without packet information", end->fd);
	if ((request.ifr_flags & IFF_VNET_HDR) != 0 && ioctl(end->fd, TUNGETVNETHDRSZ, &size) == 0)
		end->header = (unsigned)size;
	if (end->header != 0 && end->header != SN_END_HEADER)
		return sn_err_set(err, -EINVAL, "'fd:%d' has headers of %u bytes instead of %d",
				  end->fd, end->header, SN_END_HEADER);
	return 0;
}

int sn_end_open(struct sn_end *end, struct sn_str text, struct sn_err *err)
{
	static const struct {
		const char *scheme;
		int (*open)(struct sn_end *end, struct sn_str text, struct sn_err *err);
	} schemes[] = {{"tap:", open_tap}, {"if:", open_interface}, {"fd:", take_fd}};

	end->fd = -1;
	for (size_t i = 0; i < SN_COUNT(schemes); i++) {
		size_t skip = strlen(schemes[i].scheme);

		if (sn_str_has_prefix(text, schemes[i].scheme))
			return schemes[i].open(end, (struct sn_str){text.p + skip, text.n - skip},
					       err);
	}
	return sn_err_set(err, -EINVAL, "'%.*s' is no end of a link (tap:NAME, if:NAME or fd:N)",
			  (int)SN_MIN(text.n, 40U), text.p);
}

void sn_end_close(struct sn_end *end)
{
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
}

int sn_end_fit(const struct sn_end *a, const struct sn_end *b, struct sn_err *err)
{
	if (a->header == b->header)
		return 0;
	return sn_err_set(err, -EINVAL,
			  "one end marks offloaded frames and the other cannot (hand over a TAP "
			  "device with IFF_VNET_HDR, or use tap: or if: on both sides)");
}

ssize_t sn_end_read(const struct sn_end *end, void *frame, size_t size)
{
	return end->is_socket ? recv(end->fd, frame, size, MSG_DONTWAIT | MSG_TRUNC)
			      : read(end->fd, frame, size);
}

bool sn_end_write(const struct sn_end *end, const void *frame, size_t size)
{
	ssize_t done = end->is_socket ? send(end->fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL)
				      : write(end->fd, frame, size);

	return done == (ssize_t)size;
}

void sn_end_set_carrier(const struct sn_end *end, bool on)
{
	int carrier = on;

	if (end->is_tap)
		ioctl(end->fd, TUNSETCARRIER, &carrier);
}
