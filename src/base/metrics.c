/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

void sn_metrics_init(struct sn_metrics *metrics, struct sn_buf *out, bool open_metrics)
{
	*metrics = (struct sn_metrics){.out = out, .open = open_metrics};
}

void sn_metrics_family(struct sn_metrics *metrics, const char *name, enum sn_metric_type type,
		       const char *unit, const char *help)
{
	const char *end = type == SN_METRIC_COUNTER && !metrics->open ? "_total" : "";

	metrics->family = name;
	metrics->type = type;
	sn_buf_addf(metrics->out, "# HELP %s%s %s\n", name, end, help);
	sn_buf_addf(metrics->out, "# TYPE %s%s %s\n", name, end,
		    type == SN_METRIC_COUNTER ? "counter" : "gauge");
	if (metrics->open && unit[0] != '\0')
		sn_buf_addf(metrics->out, "# UNIT %s %s\n", name, unit);
}

static void add_escaped(struct sn_buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			sn_buf_adds(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			sn_buf_addc(out, '\\');
		sn_buf_addc(out, *value);
	}
}

static void add_number(struct sn_buf *out, double value)
{
	if (value == floor(value) && fabs(value) < 1e15)
		sn_buf_add_i64(out, (int64_t)value);
	else
		sn_buf_addf(out, "%.15g", value);
}

void sn_metrics_sample(struct sn_metrics *metrics, double value, const char *const *labels)
{
	const char *before = "{";

	sn_buf_adds(metrics->out, metrics->family);
	if (metrics->type == SN_METRIC_COUNTER)
		sn_buf_adds(metrics->out, "_total");
	for (; labels != NULL && labels[0] != NULL; labels += 2) {
		sn_buf_addf(metrics->out, "%s%s=\"", before, labels[0]);
		add_escaped(metrics->out, labels[1]);
		sn_buf_addc(metrics->out, '"');
		before = ",";
	}
	if (before[0] == ',')
		sn_buf_addc(metrics->out, '}');
	sn_buf_addc(metrics->out, ' ');
	add_number(metrics->out, value);
	sn_buf_addc(metrics->out, '\n');
}

void sn_metrics_process(struct sn_metrics *metrics)
{
	struct sn_buf text = {0};
	unsigned long pages = 0;
	struct timespec cpu;

	if (sn_fs_read("/proc/self/statm", 4096, &text, NULL) == 0 &&
	    sscanf(sn_buf_cstr(&text), "%*u %lu", &pages) == 1) {
		sn_metrics_family(metrics, "process_resident_memory_bytes", SN_METRIC_GAUGE,
				  "bytes", "Resident memory of this process.");
		sn_metrics_sample(metrics, (double)pages * (double)sysconf(_SC_PAGESIZE), NULL);
	}
	sn_buf_finish(&text);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	sn_metrics_family(metrics, "process_cpu_seconds", SN_METRIC_COUNTER, "seconds",
			  "Processor time of this process.");
	sn_metrics_sample(metrics, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9, NULL);
}

void sn_metrics_end(struct sn_metrics *metrics)
{
	if (metrics->open)
		sn_buf_adds(metrics->out, "# EOF\n");
}
