/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/app.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "meter/app/app_internal.h"

const struct sn_app_refusal_info sn_app_refusal_info[SN_APP_REFUSALS] = {
	[SN_APP_DNS_MALFORMED] = {"dns_malformed", "DNS messages that contradict themselves"},
	[SN_APP_TLS_MALFORMED] = {"tls_malformed", "TLS handshakes that contradict themselves"},
	[SN_APP_TLS_TOO_LONG] = {"tls_too_long", "TLS handshakes longer than the limit"},
	[SN_APP_QUIC_MALFORMED] = {"quic_malformed",
				   "QUIC packets that do not decrypt or contradict themselves"},
	[SN_APP_HTTP_TOO_LONG] = {"http_too_long", "HTTP header lines longer than the limit"},
	[SN_APP_RTP_TOO_MANY] = {"rtp_too_many", "media streams beyond the limit of one flow"},
	[SN_APP_NAMES_FULL] = {"names_full", "names not kept because the memory for them is full"},
};

struct sn_apps *sn_apps_create(const struct sn_apps_options *options)
{
	struct sn_apps *apps = sn_new(struct sn_apps);

	assert(options->off || options->names != NULL);
	apps->names = options->names;
	apps->dns_cache = options->dns_cache;
	apps->off = options->off;
	sn_app_tcp_init(apps);
	apps->udp = sn_app_udp_pools_create();
	return apps;
}

void sn_apps_destroy(struct sn_apps *apps)
{
	if (apps == NULL)
		return;
	sn_app_tcp_finish(apps);
	sn_app_udp_pools_destroy(apps->udp);
	free(apps);
}

void sn_apps_set_watch(struct sn_apps *apps, const struct sn_app_watch *watch)
{
	apps->watch = *watch;
}

uint64_t sn_apps_refused(const struct sn_apps *apps, enum sn_app_refusal reason)
{
	return apps->refused[reason];
}

size_t sn_apps_memory(const struct sn_apps *apps)
{
	return sizeof(*apps) + apps->scratch_bytes + sn_pool_memory(&apps->tcp_pool) +
	       sn_pool_memory(&apps->parser_pool) + sn_pool_memory(&apps->tls_pool) +
	       sn_pool_memory(&apps->tls_reader_pool) + sn_pool_memory(&apps->http_pool) +
	       sn_pool_memory(&apps->dns_pool) + sn_pool_memory(&apps->video_pool) +
	       sn_app_udp_pools_memory(apps->udp);
}

void sn_app_name_once(struct sn_apps *apps, struct sn_name **slot, struct sn_str text)
{
	if (*slot != NULL || text.n == 0)
		return;
	*slot = sn_name_take(apps->names, text);
	if (*slot == NULL)
		app_refuse(apps, SN_APP_NAMES_FULL);
}

void sn_app_name_drop(struct sn_apps *apps, struct sn_name **slot)
{
	sn_name_give(apps->names, *slot);
	*slot = NULL;
}

void *sn_app_scratch_take(struct sn_apps *apps, size_t size)
{
	if (size > SN_APP_SCRATCH_MAX - apps->scratch_bytes)
		return NULL;
	apps->scratch_bytes += size;
	return sn_xmalloc(size);
}

void sn_app_scratch_give(struct sn_apps *apps, void *scratch, size_t size)
{
	if (scratch == NULL)
		return;
	assert(apps->scratch_bytes >= size);
	apps->scratch_bytes -= size;
	free(scratch);
}
