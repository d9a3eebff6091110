/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by column for benchmarks: ping rows are those of 10 nodes with 10 targets each, five echo
 * requests a second with delays in nanoseconds as kernels tell them; rows of log_tcp_complete are
 * TLS connections of 4,000 clients to 20,000 servers with times in microseconds as in captures.
 */
#ifndef SONDE_TESTS_BENCH_COLUMNS_H
#define SONDE_TESTS_BENCH_COLUMNS_H

#include <math.h>
#include <stdio.h>

#include "base/rand.h"
#include "base/util.h"
#include "data/columns.h"

#define BENCH_START_NS (20513 * 86400 * SN_NS_PER_S)
#define BENCH_NODES    10
#define BENCH_TARGETS  10
#define BENCH_CLIENTS  4000
#define BENCH_SERVERS  20000
#define BENCH_NAMES    3000

/* A column is looked up once per place in the program. */
#define BENCH_COLUMN(columns_, name_)                                                              \
	({                                                                                         \
		static int column_ = -1;                                                           \
		if (column_ < 0)                                                                   \
			column_ = sn_dataset_column(sn_columns_dataset(columns_), name_);          \
		column_;                                                                           \
	})
#define BENCH_SET_I64(name_, value_)                                                               \
	sn_columns_set_i64(columns, BENCH_COLUMN(columns, name_), (int64_t)(value_))
#define BENCH_SET_F64(name_, value_)                                                               \
	sn_columns_set_f64(columns, BENCH_COLUMN(columns, name_), (value_))
#define BENCH_SET_TEXT(name_, ...)                                                                 \
	do {                                                                                       \
		char text_[64];                                                                    \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                       \
		sn_columns_set_text(columns, BENCH_COLUMN(columns, name_), sn_str(text_));         \
	} while (0)

static inline double bench_exponential(struct sn_prng *prng, double mean)
{
	return -mean * log(1 - sn_prng_unit(prng));
}

/* Long tails: a few are very large. */
static inline double bench_pareto(struct sn_prng *prng, double least, double shape)
{
	return least * pow(1 - sn_prng_unit(prng), -1 / shape);
}

/* Few are asked for often: place of 0 .. count - 1. */
static inline unsigned bench_popular(struct sn_prng *prng, unsigned count)
{
	return (unsigned)fmin(count - 1, bench_pareto(prng, 1, 0.7) - 1);
}

static inline void bench_add_ping_delays(struct sn_columns *columns, struct sn_prng *prng,
					 unsigned path)
{
	double mean = 0, squares = 0;
	int64_t delays[5];

	for (int i = 0; i < 5; i++) {
		int64_t delay = (int64_t)(5e6 + path * 1.37e6 + bench_exponential(prng, 3e5));
		double step = (double)delay - mean;
		int j = i;

		mean += step / (i + 1);
		squares += step * ((double)delay - mean);
		for (; j > 0 && delays[j - 1] > delay; j--)
			delays[j] = delays[j - 1];
		delays[j] = delay;
	}
	BENCH_SET_F64("rtt_min_seconds", (double)delays[0] / 1e9);
	BENCH_SET_F64("rtt_mean_seconds", mean / 1e9);
	BENCH_SET_F64("rtt_max_seconds", (double)delays[4] / 1e9);
	BENCH_SET_F64("rtt_stddev_seconds", sqrt(squares / 5) / 1e9);
	BENCH_SET_F64("rtt_p5_seconds", (double)delays[0] / 1e9);
	BENCH_SET_F64("rtt_p25_seconds", (double)delays[1] / 1e9);
	BENCH_SET_F64("rtt_p50_seconds", (double)delays[2] / 1e9);
	BENCH_SET_F64("rtt_p75_seconds", (double)delays[3] / 1e9);
	BENCH_SET_F64("rtt_p95_seconds", (double)delays[4] / 1e9);
}

static inline void bench_add_ping_columns(struct sn_columns *columns, struct sn_prng *prng,
					  size_t row)
{
	unsigned target = (unsigned)(row % BENCH_TARGETS),
		 node = (unsigned)(row / BENCH_TARGETS % BENCH_NODES);
	size_t second = row / BENCH_TARGETS / BENCH_NODES;

	sn_columns_add_row(columns);
	sn_columns_set_time(columns, SN_COL_TIME,
			    BENCH_START_NS + (int64_t)second * SN_NS_PER_S + target * 100000000LL +
				    node * 7919 + (int64_t)(sn_prng_u64(prng) % 200000));
	BENCH_SET_TEXT("node", "01JNZ8W9E4T3Q7V5B2M6K1R0%02u", node);
	BENCH_SET_TEXT("task", "01JNZ8W9E4T3Q7V5B2M6K1R0XP");
	BENCH_SET_I64("seq", second * BENCH_TARGETS + target);
	BENCH_SET_TEXT("target", "198.51.100.%u", target);
	BENCH_SET_TEXT("address", "198.51.100.%u", target);
	BENCH_SET_I64("family", 4);
	BENCH_SET_TEXT("source", "192.0.2.%u", node);
	BENCH_SET_I64("size_bytes", 56);
	BENCH_SET_I64("ttl", 64);
	BENCH_SET_F64("interval_seconds", 0.2);
	BENCH_SET_I64("sent_packets", 5);
	BENCH_SET_I64("received_packets", 5);
	BENCH_SET_I64("lost_packets", 0);
	BENCH_SET_F64("loss_ratio", 0);
	BENCH_SET_I64("duplicate_packets", 0);
	BENCH_SET_I64("reordered_packets", 0);
	BENCH_SET_I64("late_packets", 0);
	BENCH_SET_I64("send_errors", 0);
	bench_add_ping_delays(columns, prng, node * BENCH_TARGETS + target);
	BENCH_SET_I64("reply_ttl", 50 + target);
	BENCH_SET_TEXT("timestamps", "kernel");
	BENCH_SET_I64("missed_runs", 0);
	BENCH_SET_TEXT("status", "ok");
}

/* One side of a connection: packets and bytes that fit together. */
#define BENCH_SET_SIDE(p_, bytes_, segments_, acks_)                                               \
	do {                                                                                       \
		int64_t retx = sn_prng_u64(prng) % 20 == 0 ? 1 + (segments_) / 50 : 0;             \
		BENCH_SET_I64(p_ "pkts_all", (segments_) + (acks_) + 3);                           \
		BENCH_SET_I64(p_ "rst_cnt", sn_prng_u64(prng) % 12 == 0);                          \
		BENCH_SET_I64(p_ "ack_cnt", (segments_) + (acks_) + 2);                            \
		BENCH_SET_I64(p_ "ack_cnt_p", acks_);                                              \
		BENCH_SET_I64(p_ "bytes_uniq", bytes_);                                            \
		BENCH_SET_I64(p_ "pkts_data", (segments_) + retx);                                 \
		BENCH_SET_I64(p_ "bytes_all", (bytes_) + 1400 * retx);                             \
		BENCH_SET_I64(p_ "pkts_retx", retx);                                               \
		BENCH_SET_I64(p_ "bytes_retx", 1400 * retx);                                       \
		BENCH_SET_I64(p_ "pkts_ooo", sn_prng_u64(prng) % 30 == 0);                         \
		BENCH_SET_I64(p_ "syn_cnt", 1);                                                    \
		BENCH_SET_I64(p_ "fin_cnt", 1);                                                    \
		BENCH_SET_I64(p_ "f1323_opt", 1);                                                  \
		BENCH_SET_I64(p_ "tm_opt", sn_prng_u64(prng) % 4 != 0);                            \
		BENCH_SET_I64(p_ "win_scl", 6 + sn_prng_u64(prng) % 3);                            \
		BENCH_SET_I64(p_ "sack_opt", 1);                                                   \
		BENCH_SET_I64(p_ "sack_cnt", retx);                                                \
		BENCH_SET_I64(p_ "mss", sn_prng_u64(prng) % 8 == 0 ? 1410 : 1460);                 \
		BENCH_SET_I64(p_ "mss_max", SN_MIN((bytes_), 1418));                               \
		BENCH_SET_I64(p_ "mss_min", 30 + sn_prng_u64(prng) % 10);                          \
		BENCH_SET_I64(p_ "win_max", 64240 + 128 * (sn_prng_u64(prng) % 512));              \
		BENCH_SET_I64(p_ "win_min", 64240);                                                \
		BENCH_SET_I64(p_ "cwin_max",                                                       \
			      SN_MIN((bytes_), 14000 + 1418 * (int64_t)(segments_) / 20));         \
		BENCH_SET_I64(p_ "cwin_min", 30 + sn_prng_u64(prng) % 10);                         \
		BENCH_SET_I64(p_ "cwin_ini", SN_MIN((bytes_), 5000));                              \
		BENCH_SET_I64(p_ "pkts_rto", retx > 3);                                            \
		BENCH_SET_I64(p_ "pkts_fs", retx > 0);                                             \
		BENCH_SET_I64(p_ "ttl_min", 49 + sn_prng_u64(prng) % 15);                          \
		BENCH_SET_I64(p_ "ttl_max", 64);                                                   \
	} while (0)

/* As "%f" of milliseconds: from microseconds, exactly. */
static inline double bench_ms(double us)
{
	return floor(us) / 1e3;
}

static inline void bench_add_connection_times(struct sn_columns *columns, struct sn_prng *prng,
					      int64_t first_us, double rtt_us, int64_t segments)
{
	double durat = 4 * rtt_us + bench_exponential(prng, 3e6) + (double)segments * 20;

	BENCH_SET_F64("first", bench_ms((double)first_us));
	BENCH_SET_F64("last", bench_ms((double)first_us + durat));
	BENCH_SET_F64("durat", bench_ms(durat));
	BENCH_SET_F64("c_first", bench_ms(rtt_us * 1.05));
	BENCH_SET_F64("s_first", bench_ms(rtt_us * 2.1 + bench_exponential(prng, 1000)));
	BENCH_SET_F64("c_last", bench_ms(durat * 0.9));
	BENCH_SET_F64("s_last", bench_ms(durat * 0.95));
	BENCH_SET_F64("c_first_ack", bench_ms(rtt_us * 1.01));
	BENCH_SET_F64("s_first_ack", bench_ms(rtt_us * 2.02));
	BENCH_SET_F64("c_rtt_avg", rtt_us * 1.1 / 1e3); /* a quotient */
	BENCH_SET_F64("c_rtt_min", bench_ms(rtt_us));
	BENCH_SET_F64("c_rtt_max", bench_ms(rtt_us * 1.1 + bench_exponential(prng, 5000)));
	BENCH_SET_F64("c_rtt_std", floor(bench_exponential(prng, 2000) * 1e3) / 1e6);
	BENCH_SET_I64("c_rtt_cnt", SN_MIN(segments, 40));
	BENCH_SET_F64("s_rtt_avg", floor((200 + bench_exponential(prng, 300)) * 1e3) / 1e6);
	BENCH_SET_F64("s_rtt_min", bench_ms(100 + bench_exponential(prng, 50)));
	BENCH_SET_F64("s_rtt_max", bench_ms(1000 + bench_exponential(prng, 3000)));
	BENCH_SET_F64("s_rtt_std", floor(bench_exponential(prng, 400) * 1e3) / 1e6);
	BENCH_SET_I64("s_rtt_cnt", segments);
	BENCH_SET_F64("c_last_handshakeT", bench_ms(rtt_us * 2.2));
	BENCH_SET_F64("s_last_handshakeT", bench_ms(rtt_us * 3.1));
	BENCH_SET_F64("c_appdataT", bench_ms(rtt_us * 2.3 + bench_exponential(prng, 500)));
	BENCH_SET_F64("s_appdataT", bench_ms(rtt_us * 3.2 + bench_exponential(prng, 2000)));
	BENCH_SET_F64("req_tm", bench_ms((double)first_us - 30000 + bench_exponential(prng, 2000)));
	BENCH_SET_F64("res_tm", bench_ms((double)first_us - 1000));
}

static inline void bench_add_connection(struct sn_columns *columns, struct sn_prng *prng,
					size_t row)
{
	unsigned client = bench_popular(prng, BENCH_CLIENTS),
		 name = bench_popular(prng, BENCH_NAMES);
	unsigned server = (name * 7 + bench_popular(prng, 8)) % BENCH_SERVERS;
	int64_t up = 517 + (int64_t)fmin(bench_pareto(prng, 600, 1.1), 1e9);
	int64_t down = 3000 + (int64_t)fmin(bench_pareto(prng, 2000, 0.9), 1e10);
	int64_t sent = 2 + up / 1418, received = 3 + down / 1418;
	int64_t first_us =
		BENCH_START_NS / 1000 + (int64_t)row * 900 + (int64_t)bench_exponential(prng, 2e5);

	sn_columns_add_row(columns);
	/* What most lines have in most columns. */
	for (size_t i = SN_COL_COMMON; i < sn_columns_dataset(columns)->column_count; i++) {
		enum sn_type type = sn_columns_dataset(columns)->columns[i].type;

		if (type == SN_TYPE_I64)
			sn_columns_set_i64(columns, (int)i, 0);
		else if (type == SN_TYPE_F64)
			sn_columns_set_f64(columns, (int)i, 0);
	}
	sn_columns_set_time(columns, SN_COL_TIME, first_us * 1000);
	BENCH_SET_TEXT("c_ip", "10.%u.%u.%u", client / 250 % 16, client * 7 % 250, client % 250);
	BENCH_SET_I64("c_port", 32768 + sn_prng_u64(prng) % 28000);
	BENCH_SET_TEXT("s_ip", "%u.%u.%u.%u", 11 + server % 180, server * 31 % 256,
		       server * 17 % 256, server * 131 % 256);
	BENCH_SET_I64("s_port", 443);
	BENCH_SET_SIDE("c_", up, sent, received / 2);
	BENCH_SET_SIDE("s_", down, received, sent);
	bench_add_connection_times(columns, prng, first_us, 4000 + bench_exponential(prng, 2e4),
				   received);
	BENCH_SET_I64("c_isint", 1);
	BENCH_SET_I64("con_t", 8192);
	BENCH_SET_I64("c_pkts_push", 2 + sent / 4);
	BENCH_SET_I64("s_pkts_push", 2 + received / 8);
	BENCH_SET_TEXT("c_tls_SNI", "www%u.site-%u.example", name % 3, name);
	if (name % 3 == 0)
		BENCH_SET_TEXT("s_tls_SCN", "*.site-%u.example", name);
	BENCH_SET_I64("c_npnalpn", 6);
	BENCH_SET_I64("s_npnalpn", 2 + 2 * (name % 2));
	BENCH_SET_I64("tls_session_stat", sn_prng_u64(prng) % 3);
	BENCH_SET_I64("c_appdataB", 518 + sn_prng_u64(prng) % 300);
	BENCH_SET_I64("s_appdataB", 2000 + sn_prng_u64(prng) % 3000);
	BENCH_SET_TEXT("fqdn", "www%u.site-%u.example", name % 3, name);
	BENCH_SET_TEXT("dns_rslv", "10.0.0.%u", 1 + client % 2);
	BENCH_SET_TEXT("c_TLSvers", "0304");
	BENCH_SET_TEXT("s_TLSvers", name % 4 == 0 ? "0303" : "0304");
}

/* What the values are as such: the measure that speeds are told in. */
static inline double bench_values_bytes(const struct sn_columns *columns)
{
	double bytes = 0;

	for (size_t i = 0; i < sn_columns_dataset(columns)->column_count; i++) {
		struct sn_vector vector = sn_columns_vector(columns, (int)i);

		bytes += vector.type == SN_TYPE_BOOL   ? 1.0 * vector.rows
			 : vector.type == SN_TYPE_TEXT ? 0.0
						       : 8.0 * vector.rows;
		for (size_t row = 0; vector.type == SN_TYPE_TEXT && row < vector.rows; row++)
			bytes += (double)vector.s[row].n;
	}
	return bytes;
}

#endif
