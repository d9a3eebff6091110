/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub: a hub of its own for a benchmark, on a free port of loopback with its state in a new
 * directory, and as many identities as are wanted: they are made with the key of its CA and
 * written into its database, which is the same as ten thousand requests.
 *
 * In this order: init; start and stop, so that there are a CA and a database; identify as often as
 * needed; start.  What does not go ends the benchmark.
 */
#ifndef SONDE_BENCH_HUB_H
#define SONDE_BENCH_HUB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "net/pki.h"

struct bench_hub {
	const char *program;
	char dir[64]; /* for the benchmark, too; the hub's state is in hub/ */
	uint16_t port;
	int core; /* that it may run on; -1: any */
	pid_t pid;
	struct sn_buf ca_pem, key; /* the key is that of all identities */
	struct sn_buf ca_key, csr;
	struct sqlite3 *db; /* open from the first identity to the next start */
};

void bench_hub_init(struct bench_hub *hub, const char *program);
/* `settings` are "name=value", beside its address and that there is no local peer; NULL ends them.
 * Comes back when it answers. */
void bench_hub_start(struct bench_hub *hub, const char *const *settings);
void bench_hub_stop(struct bench_hub *hub);
/*
 * A certificate by `order` (CA, request and times are filled in), known to the hub as what it has
 * signed for an identity of `kind`; `identity` NULL: the dotted subject.  PEM, malloc'ed.
 */
char *bench_hub_identify(struct bench_hub *hub, const struct sn_pki_issue *order, const char *kind,
			 const char *identity);
/* One more change of its database, SQL. */
void bench_hub_change(struct bench_hub *hub, const char *sql);
/* Of a hub that was stopped: its directory, unless BENCH_KEEP is in the environment. */
void bench_hub_finish(struct bench_hub *hub);

/* How long answers took. */
struct bench_delays {
	uint64_t *ns;
	size_t count, room;
};
void bench_delays_add(struct bench_delays *delays, uint64_t ns);
/* For those below. */
void bench_delays_sort(struct bench_delays *delays);
/* In milliseconds, of sorted ones; 0 the shortest, 1 the longest, 0.5 the median; 0 of none. */
double bench_delays_quantile(const struct bench_delays *delays, double part);

_Noreturn void bench_die(const struct sn_err *err);

#endif
