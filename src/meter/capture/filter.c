/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

#include "meter/capture/file.h"

/* libpcap's and the kernel's instruction have the same layout under two names. */
_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "BPF instruction");

int sn_filter_init(struct sn_filter *filter, const char *expression, int link, uint32_t snaplen,
		   struct sn_err *err)
{
	const char *text = expression != NULL ? expression : "";
	pcap_t *dead = pcap_open_dead(link, (int)snaplen);
	struct bpf_program program = {0};
	int result = 0;

	*filter = (struct sn_filter){0};
	if (dead == NULL)
		return sn_err_set(err, -ENOMEM, "cannot compile filter '%s': out of memory", text);
	if (pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
		result = sn_err_set(err, -EINVAL, "cannot compile filter '%s': %s (see %s)", text,
				    pcap_geterr(dead), "pcap-filter(7)");
	pcap_close(dead);
	if (result == 0)
		*filter = (struct sn_filter){.code = program.bf_insns, .length = program.bf_len};
	return result;
}

void sn_filter_finish(struct sn_filter *filter)
{
	struct bpf_program program = {.bf_insns = filter->code, .bf_len = filter->length};

	pcap_freecode(&program);
	*filter = (struct sn_filter){0};
}

bool sn_filter_match(const struct sn_filter *filter, const struct sn_packet *packet)
{
	return bpf_filter(filter->code, packet->data, packet->length, packet->captured) != 0;
}

int sn_filter_attach(const struct sn_filter *filter, int fd, struct sn_err *err)
{
	struct sock_fprog program = {.len = (unsigned short)filter->length, .filter = filter->code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return sn_err_sys(err, -errno, "cannot attach the filter to the capture socket");
	return 0;
}

static int add_link(struct sn_filter_set *set, int link, struct sn_err *err)
{
	struct sn_filter *filter = &set->links[set->count].filter;
	int result = sn_filter_init(filter, set->expression, link, SN_CAPTURE_PACKET_MAX, err);

	set->links[set->count].link = link;
	set->links[set->count++].refused = result < 0;
	return result;
}

int sn_filter_set_init(struct sn_filter_set *set, const char *expression, int link,
		       struct sn_err *err)
{
	*set = (struct sn_filter_set){.expression = expression};
	return expression != NULL && expression[0] != '\0' ? add_link(set, link, err) : 0;
}

void sn_filter_set_finish(struct sn_filter_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		sn_filter_finish(&set->links[i].filter);
	*set = (struct sn_filter_set){0};
}

bool sn_filter_set_match(struct sn_filter_set *set, const struct sn_packet *packet)
{
	struct sn_err err;
	size_t i = 0;

	if (set->count == 0)
		return true;
	while (i < set->count && set->links[i].link != packet->link)
		i++;
	if (i == SN_FILTER_LINKS_MAX)
		return false;
	if (i == set->count)
		add_link(set, packet->link, &err);
	return !set->links[i].refused && sn_filter_match(&set->links[i].filter, packet);
}
