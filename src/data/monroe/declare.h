/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monroe/declare: from a list of columns X(type, name, original, unit, help) to the
 * dataset and its table.  Only files of this directory include this.
 */
#ifndef SONDE_DATA_MONROE_DECLARE_H
#define SONDE_DATA_MONROE_DECLARE_H

#include "base/util.h"
#include "data/monroe/tables.h"

/* clang-format off */

/* What most records begin with. */
#define SN_MONROE_NODE(X) \
	X(TEXT, "nodeid", "NodeId", "", "number of the node")
#define SN_MONROE_ICCID(X) \
	X(TEXT, "iccid", "Iccid", "", "identifier of the SIM card")
#define SN_MONROE_GUID(X) \
	X(TEXT, "guid", "Guid", "", "run of the experiment")
#define SN_MONROE_TIMESTAMP(X) \
	X(F64, "timestamp", "Timestamp", "s", "when, Unix time (UTC)")
#define SN_MONROE_SEQUENCE(X) \
	X(I64, "sequencenumber", "SequenceNumber", "1", "number of the record in its run")
#define SN_MONROE_DATAID(X) \
	X(TEXT, "dataid", "DataId", "", "kind of record")
#define SN_MONROE_VERSION(X) \
	X(I64, "dataversion", "DataVersion", "1", "version of the kind of record")
#define SN_MONROE_OPERATOR(X) \
	X(TEXT, "operator", "Operator", "", "name of the mobile network")

/* clang-format on */

#define SN_MONROE_COLUMN(type_, name_, original_, unit_, help_)                                    \
	{(name_), SN_TYPE_##type_, (unit_), (help_)},
#define SN_MONROE_ORIGINAL(type_, name_, original_, unit_, help_) (original_),

/* `list` names its columns; the last five: of struct sn_dataset and struct sn_monroe_table. */
#define SN_MONROE_TABLE(id, list, original_, title_, help_, series_, chart_, key_, time_, digits_, \
			lists_)                                                                    \
	static const struct sn_column id##_columns[] = {SN_COMMON_COLUMNS,                         \
							list(SN_MONROE_COLUMN)};                   \
	static const char *const id##_names[] = {NULL, NULL, NULL, NULL,                           \
						 list(SN_MONROE_ORIGINAL)};                        \
	const struct sn_dataset sn_dataset_monroe_##id = {                                         \
		.name = "monroe_" #id,                                                             \
		.version = 1,                                                                      \
		.title = (title_),                                                                 \
		.help = (help_),                                                                   \
		.columns = id##_columns,                                                           \
		.column_count = SN_COUNT(id##_columns),                                            \
		.key = (series_),                                                                  \
		.chart = (chart_),                                                                 \
	};                                                                                         \
	const struct sn_monroe_table sn_monroe_##id = {                                            \
		.dataset = &sn_dataset_monroe_##id,                                                \
		.name = (original_),                                                               \
		.names = id##_names,                                                               \
		.key = (key_),                                                                     \
		.time = (time_),                                                                   \
		.time_digits = (digits_),                                                          \
		.lists = (lists_),                                                                 \
	}

#define SN_MONROE_SECONDS 9 /* digits of a unit in nanoseconds */
#define SN_MONROE_MILLIS  6

#endif
