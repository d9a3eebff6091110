/* SPDX-License-Identifier: Apache-2.0 */
#include "priv/request.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum field_kind {
	FIELD_NETNS,           /* name with our prefix */
	FIELD_NETNS_OR_OWN,    /* the same, or empty */
	FIELD_INTERFACE,       /* name of a network interface */
	FIELD_INTERFACE_OR_NO, /* the same, or empty */
	FIELD_FAMILY,
	FIELD_PREFIX_LENGTH, /* together with the family at FAMILY's place in the same struct */
	FIELD_UP,
	FIELD_PORT,
	FIELD_ZERO,
	FIELD_PROGRAM,
	FIELD_USER, /* uid, and the gid behind it */
	FIELD_PATH, /* absolute */
	FIELD_PID,
	FIELD_SIGNAL,
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
};

struct op {
	const char *name;
	size_t size;
	struct field fields[5]; /* ends with a NULL name if shorter */
};

#define FIELD(struct_name, member, field_kind)                                                     \
	{                                                                                          \
#member, field_kind, offsetof(struct struct_name, member)                          \
	}

static const struct op ops[SN_PRIV_OP_COUNT] = {
	[SN_PRIV_NETNS_CREATE] = {"netns-create",
				  sizeof(struct sn_priv_netns),
				  {FIELD(sn_priv_netns, name, FIELD_NETNS)}},
	[SN_PRIV_NETNS_DELETE] = {"netns-delete",
				  sizeof(struct sn_priv_netns),
				  {FIELD(sn_priv_netns, name, FIELD_NETNS)}},
	[SN_PRIV_NETNS_SWEEP] = {"netns-sweep", 0, {{NULL}}},
	[SN_PRIV_VETH_CREATE] = {"veth-create",
				 sizeof(struct sn_priv_veth),
				 {FIELD(sn_priv_veth, netns[0], FIELD_NETNS),
				  FIELD(sn_priv_veth, netns[1], FIELD_NETNS),
				  FIELD(sn_priv_veth, interface[0], FIELD_INTERFACE),
				  FIELD(sn_priv_veth, interface[1], FIELD_INTERFACE)}},
	[SN_PRIV_TAP_CREATE] = {"tap-create",
				sizeof(struct sn_priv_interface),
				{FIELD(sn_priv_interface, netns, FIELD_NETNS),
				 FIELD(sn_priv_interface, interface, FIELD_INTERFACE)}},
	[SN_PRIV_ADDRESS_ADD] = {"address-add",
				 sizeof(struct sn_priv_address),
				 {FIELD(sn_priv_address, netns, FIELD_NETNS),
				  FIELD(sn_priv_address, interface, FIELD_INTERFACE),
				  FIELD(sn_priv_address, family, FIELD_FAMILY),
				  FIELD(sn_priv_address, prefix_length, FIELD_PREFIX_LENGTH)}},
	[SN_PRIV_LINK_SET] = {"link-set",
			      sizeof(struct sn_priv_interface),
			      {FIELD(sn_priv_interface, netns, FIELD_NETNS),
			       FIELD(sn_priv_interface, interface, FIELD_INTERFACE),
			       FIELD(sn_priv_interface, up, FIELD_UP)}},
	[SN_PRIV_ROUTE_ADD] = {"route-add",
			       sizeof(struct sn_priv_route),
			       {FIELD(sn_priv_route, netns, FIELD_NETNS),
				FIELD(sn_priv_route, family, FIELD_FAMILY),
				FIELD(sn_priv_route, prefix_length, FIELD_PREFIX_LENGTH)}},
	[SN_PRIV_CAPTURE_SOCKET] = {"capture-socket",
				    sizeof(struct sn_priv_interface),
				    {FIELD(sn_priv_interface, netns, FIELD_NETNS_OR_OWN),
				     FIELD(sn_priv_interface, interface, FIELD_INTERFACE)}},
	[SN_PRIV_PING_SOCKET] = {"ping-socket",
				 sizeof(struct sn_priv_interface),
				 {FIELD(sn_priv_interface, netns, FIELD_NETNS_OR_OWN),
				  FIELD(sn_priv_interface, interface, FIELD_INTERFACE_OR_NO),
				  FIELD(sn_priv_interface, family, FIELD_FAMILY)}},
	[SN_PRIV_LISTEN_SOCKET] = {"listen-socket",
				   sizeof(struct sn_priv_listen),
				   {FIELD(sn_priv_listen, netns, FIELD_NETNS),
				    FIELD(sn_priv_listen, family, FIELD_FAMILY),
				    FIELD(sn_priv_listen, port, FIELD_PORT),
				    FIELD(sn_priv_listen, reserved, FIELD_ZERO)}},
	[SN_PRIV_PROCESS_START] = {"process-start",
				   sizeof(struct sn_priv_process),
				   {FIELD(sn_priv_process, netns, FIELD_NETNS),
				    FIELD(sn_priv_process, program, FIELD_PROGRAM),
				    FIELD(sn_priv_process, uid, FIELD_USER),
				    FIELD(sn_priv_process, config, FIELD_PATH),
				    FIELD(sn_priv_process, log, FIELD_PATH)}},
	[SN_PRIV_PROCESS_SIGNAL] = {"process-signal",
				    sizeof(struct sn_priv_signal),
				    {FIELD(sn_priv_signal, pid, FIELD_PID),
				     FIELD(sn_priv_signal, signal, FIELD_SIGNAL)}},
};

static const char *const programs[SN_PRIV_PROGRAM_COUNT] = {
	[SN_PRIV_PROGRAM_NODE] = "sonde-node",
	[SN_PRIV_PROGRAM_METER] = "sonde-meter",
	[SN_PRIV_PROGRAM_PROBE] = "sonde-probe",
	[SN_PRIV_PROGRAM_DEMO_HOST] = "sonde-demo-host",
};

static const int signals[] = {0, SIGHUP, SIGINT, SIGTERM, SIGKILL, SIGUSR1, SIGSTOP, SIGCONT};

const char *sn_priv_op_name(uint32_t op)
{
	return op < SN_PRIV_OP_COUNT && ops[op].name != NULL ? ops[op].name : "?";
}

const char *sn_priv_program_name(int program)
{
	return program > 0 && program < SN_PRIV_PROGRAM_COUNT ? programs[program] : NULL;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

int sn_priv_prefix_check(const char *prefix, struct sn_err *err)
{
	size_t length = strlen(prefix);

	if (length < 2 || length > SN_PRIV_NAME_MAX / 2 || prefix[0] == '-' ||
	    strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
		return sn_err_set(err, -EINVAL,
				  "cannot use prefix '%.40s': it needs 2 to %d of a-z, 0-9 and '-' "
				  "and a letter or digit first",
				  prefix, SN_PRIV_NAME_MAX / 2);
	return 0;
}

/* Prefix, then at least one more of a-z, 0-9 and '-': nothing that could climb out of a path. */
static int check_netns(const struct sn_priv_policy *policy, const char *name)
{
	size_t prefix = strlen(policy->prefix);
	size_t length = strnlen(name, SN_PRIV_NAME_MAX);

	if (length == SN_PRIV_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (!is_name_char(name[i]))
			return -EINVAL;
	if (length <= prefix || memcmp(name, policy->prefix, prefix) != 0)
		return -EPERM;
	return 0;
}

static int check_interface(const char *name)
{
	size_t length = strnlen(name, SN_PRIV_NAME_MAX);

	if (length == 0 || length >= IFNAMSIZ || name[0] == '.')
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (!is_name_char(name[i]) && !(name[i] >= 'A' && name[i] <= 'Z') &&
		    name[i] != '.' && name[i] != '_')
			return -EINVAL;
	return 0;
}

static int check_path(const char *path)
{
	size_t length = strnlen(path, SN_PRIV_PATH_MAX);

	return length > 1 && length < SN_PRIV_PATH_MAX && path[0] == '/' ? 0 : -EINVAL;
}

static int check_user(const struct sn_priv_policy *policy, const uint32_t pair[2])
{
	if (pair[0] == 0 || pair[1] == 0)
		return -EPERM;
	for (unsigned i = 0; i < policy->user_count; i++)
		if (policy->users[i].uid == pair[0] && policy->users[i].gid == pair[1])
			return 0;
	return -EPERM;
}

static int check_signal(int number)
{
	for (size_t i = 0; i < SN_COUNT(signals); i++)
		if (signals[i] == number)
			return 0;
	return -EINVAL;
}

static int32_t read_i32(const void *at)
{
	int32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Both structs that carry a prefix length carry a family, at a place the compiler knows. */
static int check_prefix_length(const struct op *op, const unsigned char *request, uint32_t length)
{
	bool is_address = op == &ops[SN_PRIV_ADDRESS_ADD];
	int family = read_i32(request + (is_address ? offsetof(struct sn_priv_address, family)
						    : offsetof(struct sn_priv_route, family)));

	if (is_address && length == 0)
		return -EINVAL;
	return length <= (family == AF_INET ? 32U : 128U) ? 0 : -EINVAL;
}

static int check_field(const struct sn_priv_policy *policy, const struct op *op,
		       const struct field *field, const unsigned char *request)
{
	const void *at = request + field->offset;
	const char *text = at;

	switch (field->kind) {
	case FIELD_NETNS_OR_OWN:
		return text[0] == '\0' ? 0 : check_netns(policy, text);
	case FIELD_NETNS:
		return check_netns(policy, text);
	case FIELD_INTERFACE_OR_NO:
		return text[0] == '\0' ? 0 : check_interface(text);
	case FIELD_INTERFACE:
		return check_interface(text);
	case FIELD_FAMILY:
		return read_i32(at) == AF_INET || read_i32(at) == AF_INET6 ? 0 : -EINVAL;
	case FIELD_PREFIX_LENGTH:
		return check_prefix_length(op, request, (uint32_t)read_i32(at));
	case FIELD_UP:
		return read_i32(at) == 0 || read_i32(at) == 1 ? 0 : -EINVAL;
	case FIELD_PORT:
		return 0; /* every value is a port; 0 is any free one */
	case FIELD_ZERO:
		return memcmp(at, "\0", 2) == 0 ? 0 : -EINVAL;
	case FIELD_PROGRAM:
		return sn_priv_program_name(read_i32(at)) != NULL ? 0 : -EPERM;
	case FIELD_USER:
		return check_user(policy, (uint32_t[2]){(uint32_t)read_i32(at),
							(uint32_t)read_i32(text + 4)});
	case FIELD_PATH:
		return check_path(text);
	case FIELD_PID:
		return read_i32(at) > 1 ? 0 : -EINVAL;
	case FIELD_SIGNAL:
		return check_signal(read_i32(at));
	}
	return -EINVAL;
}

static int refuse(const struct op *op, const struct field *field, int code, struct sn_err *err)
{
	if (code == -EPERM)
		return sn_err_set(err, code, "request '%s' refused: this '%s' is not allowed here",
				  op->name, field->name);
	return sn_err_set(err, code, "request '%s' refused: bad '%s'", op->name, field->name);
}

int sn_priv_request_read(const struct sn_priv_policy *policy, uint32_t op_number,
			 const void *payload, size_t size, union sn_priv_request *out,
			 struct sn_err *err)
{
	if (op_number >= SN_PRIV_OP_COUNT || ops[op_number].name == NULL)
		return sn_err_set(err, -EINVAL, "request refused: no operation %u", op_number);

	const struct op *op = &ops[op_number];

	if (size != op->size)
		return sn_err_set(err, -EINVAL, "request '%s' refused: %zu bytes instead of %zu",
				  op->name, size, op->size);
	memset(out, 0, sizeof(*out));
	if (size > 0)
		memcpy(out, payload, size);
	for (size_t i = 0; i < SN_COUNT(op->fields) && op->fields[i].name != NULL; i++) {
		const struct field *field = &op->fields[i];
		int code = check_field(policy, op, field, (const unsigned char *)out);

		if (code != 0)
			return refuse(op, field, code, err);
	}
	return 0;
}
