/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as a fleet sends them, for the benchmarks of codec and store; and the processor's clock. */
#ifndef SONDE_TESTS_BENCH_ROWS_H
#define SONDE_TESTS_BENCH_ROWS_H

#include <stdio.h>
#include <sys/resource.h>

#include "base/rand.h"
#include "base/util.h"
#include "data/batch.h"

/* User and system time of this process, in seconds. */
static inline double bench_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline void bench_set(struct sn_batch *batch, const char *column, struct sn_value value)
{
	sn_batch_set(batch, sn_batch_rows(batch) - 1,
		     sn_dataset_column(sn_batch_dataset(batch), column), value);
}

#define BENCH_TEXT(text)  ((struct sn_value){.type = SN_TYPE_TEXT, .s = sn_str(text)})
#define BENCH_I64(number) ((struct sn_value){.type = SN_TYPE_I64, .i = (number)})
#define BENCH_F64(number) ((struct sn_value){.type = SN_TYPE_F64, .f = (number)})

/* One run of five echo requests, all answered, as the prober reports it. */
static inline void bench_add_ping(struct sn_batch *batch, struct sn_prng *prng, const char *node,
				  unsigned target, int64_t time_ns, int64_t seq)
{
	static const char *const delays[] = {
		"rtt_min_seconds", "rtt_p5_seconds",  "rtt_p25_seconds", "rtt_p50_seconds",
		"rtt_p75_seconds", "rtt_p95_seconds", "rtt_max_seconds"};
	double delay = 0.01 + (double)(sn_prng_u64(prng) % 1000000) / 1e9;
	char address[32];

	snprintf(address, sizeof(address), "10.%u.%u.%u", target / 65536, target / 256 % 256,
		 target % 256);
	sn_batch_add_row(batch);
	sn_batch_set_time(batch, SN_COL_TIME, time_ns);
	sn_batch_set_text(batch, SN_COL_NODE, sn_str(node));
	sn_batch_set_text(batch, SN_COL_TASK, SN_STR("01JNZ8W9E4T3Q7V5B2M6K1R0XP"));
	sn_batch_set_i64(batch, SN_COL_SEQ, seq);
	bench_set(batch, "target", BENCH_TEXT(address));
	bench_set(batch, "address", BENCH_TEXT(address));
	bench_set(batch, "family", BENCH_I64(4));
	bench_set(batch, "source", BENCH_TEXT("192.0.2.77"));
	bench_set(batch, "size_bytes", BENCH_I64(56));
	bench_set(batch, "ttl", BENCH_I64(64));
	bench_set(batch, "interval_seconds", BENCH_F64(0.2));
	bench_set(batch, "sent_packets", BENCH_I64(5));
	bench_set(batch, "received_packets", BENCH_I64(5));
	bench_set(batch, "lost_packets", BENCH_I64(0));
	bench_set(batch, "loss_ratio", BENCH_F64(0));
	bench_set(batch, "duplicate_packets", BENCH_I64(0));
	bench_set(batch, "reordered_packets", BENCH_I64(0));
	bench_set(batch, "late_packets", BENCH_I64(0));
	bench_set(batch, "send_errors", BENCH_I64(0));
	for (size_t i = 0; i < SN_COUNT(delays); i++)
		bench_set(batch, delays[i], BENCH_F64(delay + (double)(i * 1000 * 137) / 1e9));
	bench_set(batch, "rtt_mean_seconds", BENCH_F64(delay + sn_prng_unit(prng) / 1e6));
	bench_set(batch, "rtt_stddev_seconds", BENCH_F64(sn_prng_unit(prng) / 1e6));
	bench_set(batch, "reply_ttl", BENCH_I64(57));
	bench_set(batch, "timestamps", BENCH_TEXT("kernel"));
	bench_set(batch, "missed_runs", BENCH_I64(0));
	bench_set(batch, "status", BENCH_TEXT("ok"));
}

#endif
