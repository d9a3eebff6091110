/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page as another server lists its capabilities with: its links stay on their host and
 * resolve to themselves; as JSON it is refused or becomes one flat list.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "peer/listing.h"

#define BASE "http://192.0.2.1:8890/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(struct sn_str href, void *ctx SN_UNUSED)
{
	struct sn_buf once = {0}, twice = {0};

	if (href.n == 0 || href.n > SN_PEER_LINK_MAX || strlen(href.p) != href.n)
		abort();
	if (sn_peer_link_resolve(BASE "capability", href.p, &once) == 0) {
		if (strncasecmp(sn_buf_cstr(&once), BASE, strlen(BASE)) != 0)
			abort();
		if (once.n <= SN_PEER_LINK_MAX &&
		    (sn_peer_link_resolve(BASE, sn_buf_cstr(&once), &twice) != 0 ||
		     strcmp(sn_buf_cstr(&once), sn_buf_cstr(&twice)) != 0))
			abort();
	}
	sn_buf_finish(&once);
	sn_buf_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sn_mp_registries *registries;
	sn_automp struct sn_mp_message *list = NULL;
	struct sn_buf skipped = {0};
	struct sn_err err = {0};

	if (registries == NULL)
		registries = sn_mp_registries_create();
	sn_peer_links((struct sn_str){(const char *)data, size}, 1000, follow, NULL);
	list = sn_peer_listing_read(registries, data, size, &skipped, &err);
	if (list == NULL && err.text[0] == '\0')
		abort();
	for (size_t i = 0; list != NULL && i < list->content_count; i++) {
		if (list->contents[i]->kind == SN_MP_ENVELOPE)
			abort();
	}
	sn_buf_finish(&skipped);
	return 0;
}
