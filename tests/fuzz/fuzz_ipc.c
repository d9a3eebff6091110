/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet is refused or comes out as a message that encodes to the same packet. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int pair[2] = {-1, -1};
	static struct sn_ipc_message message;
	static uint8_t again[12 + SN_IPC_PAYLOAD_MAX + 1];

	if (pair[0] < 0 && sn_ipc_pair(pair) != 0)
		abort();
	if (size == 0 || size > 2 * SN_IPC_PAYLOAD_MAX ||
	    send(pair[0], data, size, 0) != (ssize_t)size)
		return 0;
	if (sn_ipc_receive(pair[1], &message) != 0)
		return 0;
	if (message.size > SN_IPC_PAYLOAD_MAX || sn_ipc_send(pair[0], &message) != 0)
		abort();
	if (recv(pair[1], again, sizeof(again), 0) != (ssize_t)size ||
	    memcmp(again, data, size) != 0)
		abort();
	return 0;
}
