/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as values: unlike net/addr they carry no port, no interface and no family of sockets.
 */
#include "mplane/value_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int sn_mp_address_parse(struct sn_str text, struct sn_mp_address *address)
{
	char copy[INET6_ADDRSTRLEN];

	*address = (struct sn_mp_address){0};
	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n) != NULL)
		return -EINVAL;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	address->v6 = strchr(copy, ':') != NULL;
	return inet_pton(address->v6 ? AF_INET6 : AF_INET, copy, address->bytes) == 1 ? 0 : -EINVAL;
}

char *sn_mp_address_format(const struct sn_mp_address *address, char *out)
{
	out[0] = '\0';
	(void)inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->bytes, out,
			SN_MP_ADDRESS_TEXT_MAX);
	return out;
}
