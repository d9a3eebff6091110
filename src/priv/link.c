/* SPDX-License-Identifier: Apache-2.0 */
#include "priv/link.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "priv/netns.h"

#define MESSAGE_MAX 1024
#define ANSWER_MAX  8192

struct veth_job {
	const struct sn_priv_veth *veth;
	int peer_netns;
};

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* One request, one acknowledgement, on a socket of the calling thread's namespace. */
static int transact(struct nlmsghdr *message)
{
	char answer[ANSWER_MAX];
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int code = 0;

	if (socket == NULL)
		return -errno;
	message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = 1;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) {
		code = -errno;
	} else {
		ssize_t size = mnl_socket_recvfrom(socket, answer, sizeof(answer));

		if (size < 0 || mnl_cb_run(answer, (size_t)size, 1, mnl_socket_get_portid(socket),
					   NULL, NULL) < 0)
			code = -errno;
	}
	mnl_socket_close(socket);
	return code;
}

static int make_veth(void *arg, struct sn_err *err)
{
	const struct veth_job *job = arg;
	const struct sn_priv_veth *veth = job->veth;
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_NEWLINK;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, veth->interface[0]);

	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, veth->interface[1]);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)job->peer_netns);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);

	int code = transact(message);

	return code == 0 ? 0
			 : sn_err_sys(err, code, "cannot make link '%s' in '%s' to '%s' in '%s'",
				      veth->interface[0], veth->netns[0], veth->interface[1],
				      veth->netns[1]);
}

int sn_link_veth_create(const struct sn_priv_veth *veth, struct sn_err *err)
{
	sn_autoclose int peer_netns = sn_netns_open(veth->netns[1], err);

	if (peer_netns < 0)
		return peer_netns;
	struct veth_job job = {veth, peer_netns};

	return sn_netns_run_named(veth->netns[0], make_veth, &job, err);
}

static int make_tap(void *arg, struct sn_err *err)
{
	const struct sn_priv_interface *tap = arg;
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	sn_autoclose int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '/dev/net/tun'");
	/* Checked to be shorter than IFNAMSIZ. */
	memcpy(request.ifr_name, tap->interface, strlen(tap->interface));
	if (ioctl(fd, TUNSETIFF, &request) != 0)
		return sn_err_sys(err, -errno, "cannot make TAP device '%s' in '%s'",
				  tap->interface, tap->netns);
	return sn_steal_fd(&fd);
}

int sn_link_tap_create(const struct sn_priv_interface *tap, struct sn_err *err)
{
	return sn_netns_run_named(tap->netns, make_tap, (void *)tap, err);
}

static int add_address(void *arg, struct sn_err *err)
{
	const struct sn_priv_address *address = arg;
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *header;

	message->nlmsg_type = RTM_NEWADDR;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifa_family = (unsigned char)address->family;
	header->ifa_prefixlen = (unsigned char)address->prefix_length;
	header->ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0;
	header->ifa_scope = RT_SCOPE_UNIVERSE;
	header->ifa_index = if_nametoindex(address->interface);
	if (header->ifa_index == 0)
		return sn_err_sys(err, -errno, "cannot find interface '%s' in '%s'",
				  address->interface, address->netns);
	mnl_attr_put(message, IFA_LOCAL, address_size(address->family), address->address);
	mnl_attr_put(message, IFA_ADDRESS, address_size(address->family), address->address);

	int code = transact(message);

	return code == 0 ? 0
			 : sn_err_sys(err, code, "cannot add address to '%s' in '%s'",
				      address->interface, address->netns);
}

int sn_link_address_add(const struct sn_priv_address *address, struct sn_err *err)
{
	return sn_netns_run_named(address->netns, add_address, (void *)address, err);
}

int sn_link_set_here(const char *interface, bool up, struct sn_err *err)
{
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header;

	message->nlmsg_type = RTM_NEWLINK;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifi_index = (int)if_nametoindex(interface);
	header->ifi_change = IFF_UP;
	header->ifi_flags = up ? IFF_UP : 0;
	if (header->ifi_index == 0)
		return sn_err_sys(err, -errno, "cannot find interface '%s'", interface);

	int code = transact(message);

	return code == 0 ? 0 : sn_err_sys(err, code, "cannot set link '%s'", interface);
}

static int set_link(void *arg, struct sn_err *err)
{
	const struct sn_priv_interface *interface = arg;

	return sn_link_set_here(interface->interface, interface->up != 0, err);
}

int sn_link_set(const struct sn_priv_interface *interface, struct sn_err *err)
{
	return sn_netns_run_named(interface->netns, set_link, (void *)interface, err);
}

static int add_route(void *arg, struct sn_err *err)
{
	const struct sn_priv_route *route = arg;
	size_t size = address_size(route->family);
	char buffer[MESSAGE_MAX];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header;

	message->nlmsg_type = RTM_NEWROUTE;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->rtm_family = (unsigned char)route->family;
	header->rtm_dst_len = (unsigned char)route->prefix_length;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = RTPROT_STATIC;
	header->rtm_scope = RT_SCOPE_UNIVERSE;
	header->rtm_type = RTN_UNICAST;
	if (route->prefix_length > 0)
		mnl_attr_put(message, RTA_DST, size, route->destination);
	mnl_attr_put(message, RTA_GATEWAY, size, route->gateway);

	int code = transact(message);

	return code == 0 ? 0 : sn_err_sys(err, code, "cannot add route in '%s'", route->netns);
}

int sn_link_route_add(const struct sn_priv_route *route, struct sn_err *err)
{
	return sn_netns_run_named(route->netns, add_route, (void *)route, err);
}
