/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to the root helper: first byte the operation, the rest the payload.
 * Whatever passes must be safe to use: names terminated and with our prefix,
 * never user 0.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "priv/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sn_priv_policy policy = {
	.prefix = "sonde-",
	.users = {{1000, 1000}},
	.user_count = 1,
};

static void check_netns(const char *name)
{
	assert(memchr(name, '\0', SN_PRIV_NAME_MAX) != NULL);
	assert(strncmp(name, "sonde-", 6) == 0 && strchr(name, '/') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union sn_priv_request out;
	struct sn_err err = {0};

	if (size == 0)
		return 0;
	if (sn_priv_request_read(&policy, data[0], data + 1, size - 1, &out, &err) != 0) {
		assert(err.code < 0 && err.text[0] != '\0');
		return 0;
	}
	assert(data[0] > 0 && data[0] < SN_PRIV_OP_COUNT);
	if (data[0] == SN_PRIV_NETNS_CREATE || data[0] == SN_PRIV_NETNS_DELETE)
		check_netns(out.netns.name);
	if (data[0] == SN_PRIV_VETH_CREATE) {
		check_netns(out.veth.netns[0]);
		check_netns(out.veth.netns[1]);
		assert(strlen(out.veth.interface[1]) < 16);
	}
	if (data[0] == SN_PRIV_PROCESS_START) {
		check_netns(out.process.netns);
		assert(out.process.uid != 0 && out.process.gid != 0);
		assert(memchr(out.process.log, '\0', SN_PRIV_PATH_MAX) != NULL);
	}
	return 0;
}
