/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/fanout.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/util.h"

#define TAG_BYTES      4
#define TAGS           2 /* behind the one that the kernel takes off itself */
#define IPV4_ADDRESSES 12
#define IPV6_ADDRESSES 8
#define IPV6_WORDS     8 /* of both addresses */
#define INSN_MAX       128
#define GOLDEN_RATIO   0x9e3779b1U

struct program {
	struct sock_filter code[INSN_MAX];
	unsigned n;
};

static void add(struct program *p, uint16_t code, uint32_t k)
{
	p->code[p->n++] = (struct sock_filter)BPF_STMT(code, k);
}

/* Goes on behind the next `count` instructions unless A is `k`. */
static void unless_skip(struct program *p, uint32_t k, uint8_t count)
{
	p->code[p->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, count);
}

/* Source xor destination, word by word, mixed: the same in both directions. */
static void add_hash(struct program *p, uint32_t at, unsigned words)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + at);
	for (unsigned i = 1; i < words; i++) {
		add(p, BPF_MISC | BPF_TAX, 0);
		add(p, BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + at + 4 * i);
		add(p, BPF_ALU | BPF_XOR | BPF_X, 0);
	}
	add(p, BPF_ALU | BPF_MUL | BPF_K, GOLDEN_RATIO);
	add(p, BPF_ALU | BPF_RSH | BPF_K, 16);
	add(p, BPF_RET | BPF_A, 0);
}

#define HASH_INSNS(words) (1 + 3 * ((words)-1) + 3)

/* A is the ethertype of what begins `at` bytes behind the network header. */
static void add_level(struct program *p, uint32_t at)
{
	unless_skip(p, ETH_P_IP, HASH_INSNS(2));
	add_hash(p, at + IPV4_ADDRESSES, 2);
	unless_skip(p, ETH_P_IPV6, HASH_INSNS(IPV6_WORDS));
	add_hash(p, at + IPV6_ADDRESSES, IPV6_WORDS);
}

/* Everything that is not IP, also a load behind the end, goes to the first socket. */
static void build(struct program *p)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL);
	add_level(p, 0);
	for (uint32_t tag = 1; tag <= TAGS; tag++) {
		add(p, BPF_LD | BPF_H | BPF_ABS, SKF_NET_OFF + tag * TAG_BYTES - 2);
		add_level(p, tag * TAG_BYTES);
	}
	add(p, BPF_RET | BPF_K, 0);
}

static int set_program(int fd, struct sn_err *err)
{
	struct program p = {.n = 0};
	struct sock_fprog program = {.filter = p.code};

	build(&p);
	program.len = (unsigned short)p.n;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof(program)) != 0)
		return sn_err_sys(err, -errno, "cannot spread packets over several rings");
	return 0;
}

int sn_fanout_join(int fd, bool by_ports, int *group, struct sn_err *err)
{
	bool first = *group < 0;
	unsigned type =
		by_ports ? PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG : PACKET_FANOUT_CBPF;
	unsigned value = (first ? 0U : (unsigned)*group) |
			 (type | (first ? PACKET_FANOUT_FLAG_UNIQUEID : 0U)) << 16;
	socklen_t size = sizeof(value);

	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, size) != 0)
		return sn_err_sys(err, -errno, "cannot join the rings of an interface");
	if (!first)
		return 0;
	if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, &size) != 0)
		return sn_err_sys(err, -errno, "cannot number the rings of an interface");
	*group = (int)(value & UINT16_MAX);
	return by_ports ? 0 : set_program(fd, err);
}
