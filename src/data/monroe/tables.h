/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monroe/tables: the tables of the MONROE testbed, declared once as datasets
 * monroe_*: readers of its files, exports in its form and the catalogue use these.
 *
 * Columns have the names of the original tables in lower case, behind the common
 * ones; `time` is the record's own time, exactly, and `node` its NodeId as text.
 * Units are the original's.  Decimals are doubles: Unix seconds keep their
 * microseconds.  Counts that the original declared as decimals are integers.  Lists
 * and maps are texts in JSON.
 */
#ifndef SONDE_DATA_MONROE_TABLES_H
#define SONDE_DATA_MONROE_TABLES_H

#include "base/str.h"
#include "data/dataset.h"

struct sn_monroe_table {
	const struct sn_dataset *dataset;
	const char *name;         /* of the original table: "monroe_exp_ping", "devices" */
	const char *const *names; /* as the original spells them, by column; common ones: NULL */
	const char *key;          /* its primary key, lower case: "nodeid,iccid,timestamp" */
	const char *time;         /* the column that tells when */
	unsigned time_digits;     /* its unit is 10^digits ns: 9 for seconds, 6 for milliseconds */
	const char *lists;        /* columns that hold a list or map; "" if none does */
};

extern const struct sn_monroe_table *const sn_monroe_tables[];
extern const size_t sn_monroe_table_count;

/* By what records call it ("MONROE.META.DEVICE.GPS") or its own name, in any case; or NULL. */
const struct sn_monroe_table *sn_monroe_table_find(struct sn_str data_id);
const struct sn_monroe_table *sn_monroe_table_of(const struct sn_dataset *dataset); /* or NULL */
/* Whether `names`, separated by commas, has this one. */
bool sn_monroe_names_have(const char *names, const char *name);

/* exp.c */
extern const struct sn_dataset sn_dataset_monroe_exp_ping, sn_dataset_monroe_exp_udp_ping,
	sn_dataset_monroe_exp_http, sn_dataset_monroe_exp_http_download,
	sn_dataset_monroe_exp_nettest, sn_dataset_monroe_exp_headless_browser;
extern const struct sn_monroe_table sn_monroe_exp_ping, sn_monroe_exp_udp_ping, sn_monroe_exp_http,
	sn_monroe_exp_http_download, sn_monroe_exp_nettest, sn_monroe_exp_headless_browser;
/* traceroute.c */
extern const struct sn_dataset sn_dataset_monroe_exp_simple_traceroute,
	sn_dataset_monroe_exp_exhaustive_paris;
extern const struct sn_monroe_table sn_monroe_exp_simple_traceroute, sn_monroe_exp_exhaustive_paris;
/* tstat.c */
extern const struct sn_dataset sn_dataset_monroe_exp_tstat_tcp_complete,
	sn_dataset_monroe_exp_tstat_tcp_nocomplete, sn_dataset_monroe_exp_tstat_udp_complete,
	sn_dataset_monroe_exp_tstat_http_complete;
extern const struct sn_monroe_table sn_monroe_exp_tstat_tcp_complete,
	sn_monroe_exp_tstat_tcp_nocomplete, sn_monroe_exp_tstat_udp_complete,
	sn_monroe_exp_tstat_http_complete;
/* meta.c */
extern const struct sn_dataset sn_dataset_monroe_meta_device_modem,
	sn_dataset_monroe_meta_device_gps, sn_dataset_monroe_meta_device_wlan,
	sn_dataset_monroe_meta_node_sensor, sn_dataset_monroe_meta_node_event,
	sn_dataset_monroe_devices;
extern const struct sn_monroe_table sn_monroe_meta_device_modem, sn_monroe_meta_device_gps,
	sn_monroe_meta_device_wlan, sn_monroe_meta_node_sensor, sn_monroe_meta_node_event,
	sn_monroe_devices;

#endif
