/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: how others reach a running meter: HTTP on a Unix socket that only its
 * user may open, and a runtime.conf that is read again when it changes.
 *
 *   GET    /v1/settings        values and leases (control/settings.h)
 *   PATCH  /v1/settings        {"changes": {NAME: VALUE}, "for": "5m"}; without "for" for good
 *   DELETE /v1/leases/NUMBER   end a change for a time before its time
 *   GET    /v1/stats           what was seen and lost
 *   GET    /metrics            the same for Prometheus
 *
 * The last also over TCP on loopback, where whoever is on this machine may ask: it
 * tells numbers only.
 *
 * It runs in a thread of its own; the functions given are called from there.
 */
#ifndef SONDE_METER_CONTROL_SERVER_H
#define SONDE_METER_CONTROL_SERVER_H

#include "base/buf.h"
#include "meter/control/settings.h"

struct sn_control_options {
	const char *socket_path;          /* NULL: no socket */
	const char *metrics_address;      /* ADDRESS:PORT on loopback, for /metrics; NULL: none */
	const char *runtime_conf;         /* NULL: none; read by the caller at the start */
	int64_t check_ns;                 /* how often to look at that file */
	unsigned checks;                  /* it must have been the same so many times */
	struct sn_settings_values values; /* at the start */
	sn_settings_apply_fn *apply;
	json_t *(*stats)(void *ctx);
	void (*metrics)(struct sn_buf *out, bool open_metrics, void *ctx);
	void *ctx;
};

struct sn_control;
/* Opens the socket; an old one of that name is replaced unless somebody answers on it. */
int sn_control_create(const struct sn_control_options *options, struct sn_control **control,
		      struct sn_err *err);
/* From here on it answers. */
int sn_control_start(struct sn_control *control, struct sn_err *err);
void sn_control_destroy(struct sn_control *control); /* waits for its thread; NULL is fine */

#endif
