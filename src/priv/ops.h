/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops: the fixed operations of the root helper, as its clients see them.
 *
 * A request is one of the structs below in one ipc message (base/ipc.h), the
 * message type is the operation.  The answer has the same type and id, a struct
 * sn_priv_answer as payload and, where the operation makes one, a descriptor.
 * The helper checks every field (NUL-terminated, name pattern, known enum, size
 * equal to the struct's) and refuses anything else; it never reads more than
 * this.  Names of namespaces must begin with the prefix it was started with.
 */
#ifndef SONDE_PRIV_OPS_H
#define SONDE_PRIV_OPS_H

#include <netinet/in.h>
#include <stdint.h>

#define SN_PRIV_NAME_MAX 32
#define SN_PRIV_PATH_MAX 256
#define SN_PRIV_TEXT_MAX 512

enum sn_priv_op {
	SN_PRIV_NETNS_CREATE = 1, /* netns; forwarding, ping sockets and low ports allowed inside */
	SN_PRIV_NETNS_DELETE,     /* netns */
	SN_PRIV_NETNS_SWEEP,      /* remove every namespace with our prefix: after a crash */
	SN_PRIV_VETH_CREATE,      /* link: one end in each of two namespaces */
	SN_PRIV_TAP_CREATE,       /* tap: returns the descriptor; the device lives as long as it */
	SN_PRIV_ADDRESS_ADD,      /* address on an interface */
	SN_PRIV_LINK_SET,         /* up or down */
	SN_PRIV_ROUTE_ADD,        /* route */
	SN_PRIV_CAPTURE_SOCKET,   /* socket: AF_PACKET bound to the interface; returns it */
	SN_PRIV_PING_SOCKET,      /* socket: raw ICMP or ICMPv6; returns it */
	SN_PRIV_LISTEN_SOCKET,    /* listen: TCP listener inside a namespace; returns it */
	SN_PRIV_PROCESS_START, /* process: a program of the table as an ordinary user in a namespace
				*/
	SN_PRIV_PROCESS_SIGNAL, /* signal one of the processes started here */
	SN_PRIV_OP_COUNT
};

struct sn_priv_netns {
	char name[SN_PRIV_NAME_MAX];
};

struct sn_priv_veth {
	char netns[2][SN_PRIV_NAME_MAX];
	char interface[2][SN_PRIV_NAME_MAX];
};

/* For CAPTURE and PING an empty netns means the caller's own. */
struct sn_priv_interface {
	char netns[SN_PRIV_NAME_MAX];
	char interface[SN_PRIV_NAME_MAX];
	int32_t family; /* PING_SOCKET: AF_INET or AF_INET6 */
	int32_t up;     /* LINK_SET */
};

struct sn_priv_address {
	char netns[SN_PRIV_NAME_MAX];
	char interface[SN_PRIV_NAME_MAX];
	int32_t family;
	uint8_t address[16];
	uint32_t prefix_length;
};

struct sn_priv_route {
	char netns[SN_PRIV_NAME_MAX];
	int32_t family;
	uint8_t destination[16];
	uint32_t prefix_length; /* 0 with a zero destination: default */
	uint8_t gateway[16];
};

struct sn_priv_listen {
	char netns[SN_PRIV_NAME_MAX];
	int32_t family;
	uint8_t address[16];
	uint16_t port, reserved;
};

enum sn_priv_program { /* the only programs that PROCESS_START runs */
		       SN_PRIV_PROGRAM_NODE = 1,
		       SN_PRIV_PROGRAM_METER,
		       SN_PRIV_PROGRAM_PROBE,
		       SN_PRIV_PROGRAM_DEMO_HOST,
		       SN_PRIV_PROGRAM_COUNT
};

/*
 * Run as `<program> --config <path>` with the user and group; user 0 is refused, and so is
 * another user than the client's own, unless that is root or the one that started the helper.
 */
struct sn_priv_process {
	char netns[SN_PRIV_NAME_MAX];
	int32_t program;
	uint32_t uid, gid;
	char config[SN_PRIV_PATH_MAX];
	char log[SN_PRIV_PATH_MAX]; /* standard output and error are appended here, opened as the
				       user */
};

struct sn_priv_signal {
	int32_t pid, signal;
};

struct sn_priv_answer {
	int32_t error; /* 0 or negative errno */
	int32_t pid;   /* of PROCESS_START */
	char text[SN_PRIV_TEXT_MAX];
};

#endif
