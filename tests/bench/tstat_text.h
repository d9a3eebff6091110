/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of one of Tstat's logs, for benchmarks that read them. */
#ifndef SONDE_TESTS_BENCH_TSTAT_TEXT_H
#define SONDE_TESTS_BENCH_TSTAT_TEXT_H

#include <string.h>

#include "base/buf.h"
#include "base/rand.h"
#include "data/tstat/columns.h"

/* A number of so many digits or fewer, as counters have: mostly small. */
static inline unsigned long long bench_some_number(struct sn_prng *prng)
{
	static const unsigned long long limits[] = {1, 1, 1, 2, 10, 100, 3000, 1000000};
	uint64_t random = sn_prng_u64(prng);

	return (random >> 8) % limits[random % SN_COUNT(limits)];
}

static inline void bench_add_text(struct sn_buf *out, const char *name, struct sn_prng *prng)
{
	uint64_t random = sn_prng_u64(prng);

	if (strcmp(name, "c_ip") == 0 || strcmp(name, "s_ip") == 0)
		sn_buf_addf(out, "10.%u.%u.%u", (unsigned)(random % 200),
			    (unsigned)(random >> 8 & 255), (unsigned)(random >> 16 & 255));
	else if (strcmp(name, "http_res") == 0)
		sn_buf_adds(out, random % 2 == 0 ? "200" : "---");
	else if (random % 3 == 0 && (strcmp(name, "c_tls_SNI") == 0 || strcmp(name, "fqdn") == 0))
		sn_buf_addf(out, "host%u.example.net", (unsigned)(random >> 8) % 5000);
	else
		sn_buf_addc(out, '-');
}

static inline void bench_add_field(struct sn_buf *out, const struct sn_tstat_column *column,
				   uint64_t first_us, struct sn_prng *prng)
{
	uint64_t random = sn_prng_u64(prng);

	if (column->type == SN_TSTAT_TYPE_TEXT)
		bench_add_text(out, column->name, prng);
	else if (strcmp(column->name, "first") == 0 || strcmp(column->name, "last") == 0)
		sn_buf_addf(out, "%f", (double)(first_us + random % 5000000) / 1000.0);
	else if (strcmp(column->name, "req_tm") == 0 || strcmp(column->name, "res_tm") == 0)
		sn_buf_adds(out, "0.0");
	else if (column->type == SN_TSTAT_TYPE_MS)
		sn_buf_addf(out, "%f", random % 4 == 0 ? 0 : (double)(random % 5000000) / 1000.0);
	else
		sn_buf_addf(out, "%llu", bench_some_number(prng));
}

static inline void bench_make_log(struct sn_buf *out, const struct sn_tstat_table *table,
				  size_t rows)
{
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	sn_tstat_write_header(out, table, 31);
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = 0; i < table->count; i++) {
			if (i > 0)
				sn_buf_addc(out, ' ');
			bench_add_field(out, &table->columns[i], 1772366400000000 + row * 1234,
					&prng);
		}
		sn_buf_addc(out, '\n');
	}
}

#endif
