/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

int sn_filter_init(struct sn_filter *filter, const char *expression, int link, uint32_t snaplen,
		   struct sn_err *err)
{
	const char *text = expression != NULL ? expression : "";
	pcap_t *dead = pcap_open_dead(link, (int)snaplen);
	int result = 0;

	*filter = (struct sn_filter){0};
	if (dead == NULL)
		return sn_err_set(err, -ENOMEM, "cannot compile filter '%s': out of memory", text);
	if (pcap_compile(dead, &filter->program, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
		result = sn_err_set(err, -EINVAL, "cannot compile filter '%s': %s (see %s)", text,
				    pcap_geterr(dead), "pcap-filter(7)");
	pcap_close(dead);
	return result;
}

void sn_filter_finish(struct sn_filter *filter)
{
	if (filter->program.bf_insns != NULL)
		pcap_freecode(&filter->program);
	*filter = (struct sn_filter){0};
}

bool sn_filter_match(const struct sn_filter *filter, const struct sn_packet *packet)
{
	return bpf_filter(filter->program.bf_insns, packet->data, packet->length,
			  packet->captured) != 0;
}

/* libpcap's and the kernel's instruction have the same layout under two names. */
_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "BPF instruction");

int sn_filter_attach(const struct sn_filter *filter, int fd, struct sn_err *err)
{
	struct sock_fprog program = {
		.len = (unsigned short)filter->program.bf_len,
		.filter = (struct sock_filter *)(void *)filter->program.bf_insns,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return sn_err_sys(err, -errno, "cannot attach the filter to the capture socket");
	return 0;
}
