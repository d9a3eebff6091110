/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: numbers about a program in the text formats of monitoring: OpenMetrics
 * 1.0, and Prometheus 0.0.4 for those who do not ask for the former.
 *
 * The formats differ in how counters are declared (OpenMetrics: the family has no
 * _total, the sample has) and in the `# EOF` line.
 */
#ifndef SONDE_BASE_METRICS_H
#define SONDE_BASE_METRICS_H

#include <stdbool.h>

#include "base/buf.h"

enum sn_metric_type { SN_METRIC_GAUGE, SN_METRIC_COUNTER };

struct sn_metrics {
	struct sn_buf *out;
	bool open; /* OpenMetrics */
	const char *family;
	enum sn_metric_type type;
};

void sn_metrics_init(struct sn_metrics *metrics, struct sn_buf *out, bool open_metrics);
/* Declares a family; samples of it follow.  `unit` is the last part of the name, or "". */
void sn_metrics_family(struct sn_metrics *metrics, const char *name, enum sn_metric_type type,
		       const char *unit, const char *help);
/* `labels`: SN_LABELS(name, value, ...), or NULL for none; values are escaped. */
void sn_metrics_sample(struct sn_metrics *metrics, double value, const char *const *labels);
#define SN_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Memory and processor time of this process, under the names that all programs use. */
void sn_metrics_process(struct sn_metrics *metrics);
void sn_metrics_end(struct sn_metrics *metrics);

#endif
