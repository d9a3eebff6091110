/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "data/dataset.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"uptime_seconds", SN_TYPE_F64, "s", "since the agent started"},
	{"resident_bytes", SN_TYPE_I64, "B", "resident memory of the agent"},
	{"cpu_seconds", SN_TYPE_F64, "s", "processor time of the agent so far"},
	{"load_1m", SN_TYPE_F64, "1", "load average of the machine over one minute"},
	{"spool_batches", SN_TYPE_I64, "1", "batches waiting for upload"},
	{"spool_bytes", SN_TYPE_I64, "B", "their size on disk"},
	{"dropped_rows", SN_TYPE_I64, "1",
	 "rows given up since start because disk or limit was full"},
	{"tasks_running", SN_TYPE_I64, "1", "standing tasks with a live process"},
	{"task_restarts", SN_TYPE_I64, "1", "processes of tasks started again since start"},
	{"disk_free_bytes", SN_TYPE_I64, "B", "free space where the spool lives"},
	{"clock_synchronised", SN_TYPE_BOOL, "", "the kernel says that the clock is disciplined"},
	{"clock_error_seconds", SN_TYPE_F64, "s", "the kernel's estimate of the clock's error"},
	{"missed_iterations", SN_TYPE_I64, "1",
	 "iterations of the present repeated tasks that were left out"},
};

const struct sn_dataset sn_dataset_health = {
	.name = "health",
	.version = 1,
	.title = "Node health",
	.help = "How the agent and its machine are doing, every ten seconds.",
	.columns = columns,
	.column_count = SN_COUNT(columns),
	.key = NULL,
	.chart = "resident_bytes",
};
