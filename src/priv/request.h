/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: the checks that stand before every operation of the root helper.
 *
 * A table says for each operation how large its struct is and what each field
 * may hold; nothing of a request is looked at before its row has been walked.
 * Pure: no system call, so that tests and the fuzzer reach all of it.
 */
#ifndef SONDE_PRIV_REQUEST_H
#define SONDE_PRIV_REQUEST_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "priv/ops.h"

#define SN_PRIV_USERS_MAX 16

struct sn_priv_user {
	uid_t uid;
	gid_t gid;
};

/* What this helper was started for; never changed by a request. */
struct sn_priv_policy {
	const char *prefix; /* names of namespaces begin with it */
	/* Who may ask, and as whom programs may run. */
	struct sn_priv_user users[SN_PRIV_USERS_MAX];
	unsigned user_count;
};

union sn_priv_request {
	struct sn_priv_netns netns;
	struct sn_priv_veth veth;
	struct sn_priv_interface interface;
	struct sn_priv_address address;
	struct sn_priv_route route;
	struct sn_priv_listen listen;
	struct sn_priv_process process;
	struct sn_priv_signal signal;
};

/* Copies a checked request to `out`; -EINVAL (malformed) or -EPERM (not allowed) with the field. */
int sn_priv_request_read(const struct sn_priv_policy *policy, uint32_t op, const void *payload,
			 size_t size, union sn_priv_request *out, struct sn_err *err);
/* "netns-create"; "?" for an unknown number. */
const char *sn_priv_op_name(uint32_t op);
/* File name of a program of the table; NULL for an unknown number. */
const char *sn_priv_program_name(int program);
/* A prefix must itself be a sane, non-empty beginning of a name. */
int sn_priv_prefix_check(const char *prefix, struct sn_err *err);

#endif
