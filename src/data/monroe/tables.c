/* SPDX-License-Identifier: Apache-2.0 */
#include "data/monroe/tables.h"

#include <ctype.h>
#include <string.h>

#include "base/util.h"

const struct sn_monroe_table *const sn_monroe_tables[] = {
	&sn_monroe_exp_ping,
	&sn_monroe_exp_udp_ping,
	&sn_monroe_exp_http,
	&sn_monroe_exp_http_download,
	&sn_monroe_exp_nettest,
	&sn_monroe_exp_headless_browser,
	&sn_monroe_exp_simple_traceroute,
	&sn_monroe_exp_exhaustive_paris,
	&sn_monroe_exp_tstat_tcp_complete,
	&sn_monroe_exp_tstat_tcp_nocomplete,
	&sn_monroe_exp_tstat_udp_complete,
	&sn_monroe_exp_tstat_http_complete,
	&sn_monroe_meta_device_modem,
	&sn_monroe_meta_device_gps,
	&sn_monroe_meta_device_wlan,
	&sn_monroe_meta_node_sensor,
	&sn_monroe_meta_node_event,
	&sn_monroe_devices,
};
const size_t sn_monroe_table_count = SN_COUNT(sn_monroe_tables);

/* Records have dots where tables have underscores. */
static bool is_called(const char *name, struct sn_str data_id)
{
	for (size_t i = 0; i < data_id.n; i++) {
		char c = (char)tolower((unsigned char)data_id.p[i]);

		if (name[i] == '\0' || name[i] != (c == '.' ? '_' : c))
			return false;
	}
	return name[data_id.n] == '\0';
}

const struct sn_monroe_table *sn_monroe_table_find(struct sn_str data_id)
{
	for (size_t i = 0; i < sn_monroe_table_count; i++)
		if (is_called(sn_monroe_tables[i]->name, data_id))
			return sn_monroe_tables[i];
	return NULL;
}

const struct sn_monroe_table *sn_monroe_table_of(const struct sn_dataset *dataset)
{
	for (size_t i = 0; i < sn_monroe_table_count; i++)
		if (sn_monroe_tables[i]->dataset == dataset)
			return sn_monroe_tables[i];
	return NULL;
}

bool sn_monroe_names_have(const char *names, const char *name)
{
	struct sn_str rest = sn_str(names), part;

	while (sn_str_split(&rest, ',', &part))
		if (sn_str_eqc(part, name))
			return true;
	return false;
}
