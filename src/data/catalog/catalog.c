/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of all datasets and methods; a new one is a file beside this one and a line here. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/util.h"
#include "data/dataset.h"
#include "data/method.h"
#include "data/monroe/tables.h"

const struct sn_dataset *const sn_catalog[] = {
	&sn_dataset_ping,
	&sn_dataset_flow,
	&sn_dataset_health,
	&sn_dataset_traffic,
	&sn_dataset_tstat_tcp_complete,
	&sn_dataset_tstat_tcp_nocomplete,
	&sn_dataset_tstat_udp_complete,
	&sn_dataset_tstat_http_complete,
	&sn_dataset_tstat_dns_complete,
	&sn_dataset_tstat_video_complete,
	&sn_dataset_tstat_mm_complete,
	&sn_dataset_tstat_chat_complete,
	&sn_dataset_tstat_chat_messages,
	&sn_dataset_tstat_tcp_periodic,
	&sn_dataset_tstat_udp_periodic,
	&sn_dataset_monroe_exp_ping,
	&sn_dataset_monroe_exp_udp_ping,
	&sn_dataset_monroe_exp_http,
	&sn_dataset_monroe_exp_http_download,
	&sn_dataset_monroe_exp_nettest,
	&sn_dataset_monroe_exp_headless_browser,
	&sn_dataset_monroe_exp_simple_traceroute,
	&sn_dataset_monroe_exp_exhaustive_paris,
	&sn_dataset_monroe_exp_tstat_tcp_complete,
	&sn_dataset_monroe_exp_tstat_tcp_nocomplete,
	&sn_dataset_monroe_exp_tstat_udp_complete,
	&sn_dataset_monroe_exp_tstat_http_complete,
	&sn_dataset_monroe_meta_device_modem,
	&sn_dataset_monroe_meta_device_gps,
	&sn_dataset_monroe_meta_device_wlan,
	&sn_dataset_monroe_meta_node_sensor,
	&sn_dataset_monroe_meta_node_event,
	&sn_dataset_monroe_devices,
};
const size_t sn_catalog_count = SN_COUNT(sn_catalog);

const struct sn_method *const sn_methods[] = {
	&sn_method_ping,
	&sn_method_flow,
	&sn_method_tstat,
	&sn_method_meter_switch,
};
const size_t sn_method_count = SN_COUNT(sn_methods);

/* Written before the count is, so that other threads see whole entries only. */
static const struct sn_dataset *added[SN_CATALOG_ADDED_MAX];
static atomic_size_t added_count;

size_t sn_catalog_size(void)
{
	return sn_catalog_count + atomic_load(&added_count);
}

const struct sn_dataset *sn_catalog_at(size_t i)
{
	assert(i < sn_catalog_size());
	return i < sn_catalog_count ? sn_catalog[i] : added[i - sn_catalog_count];
}

int sn_catalog_add(const struct sn_dataset *dataset)
{
	size_t count = atomic_load(&added_count);

	if (sn_catalog_find(dataset->name) != NULL)
		return -EEXIST;
	if (count >= SN_CATALOG_ADDED_MAX)
		return -E2BIG;
	added[count] = dataset;
	atomic_store(&added_count, count + 1);
	return 0;
}

const struct sn_dataset *sn_catalog_find(const char *name)
{
	for (size_t i = 0; i < sn_catalog_size(); i++)
		if (strcmp(sn_catalog_at(i)->name, name) == 0)
			return sn_catalog_at(i);
	return NULL;
}

const struct sn_method *sn_method_find(const char *name)
{
	for (size_t i = 0; i < sn_method_count; i++)
		if (strcmp(sn_methods[i]->name, name) == 0)
			return sn_methods[i];
	return NULL;
}
