/* SPDX-License-Identifier: Apache-2.0 */
/*
 * announce: how a probe tells a repository that it has logs (MATH).
 *
 *	POST /DBSImport
 *	{"CallBackUrl":"probe.example.net:3001","StreamName":"lab","StreamType":"log_tcp_complete_v15",
 *	 "StartTime":1772366400}
 *
 * CallBackUrl is host and port, to be asked by plain HTTP; where certificates are used it has
 * "https://" in front.  Other members are skipped (old senders add one called XMLName).
 */
#ifndef SONDE_TRANSFER_ANNOUNCE_H
#define SONDE_TRANSFER_ANNOUNCE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "transfer/path.h"

#define SN_MATH_URL_MAX  256
#define SN_MATH_TYPE_MAX 64

struct sn_math_announcement {
	char callback[SN_MATH_URL_MAX];
	char stream[SN_MATH_STREAM_MAX + 1];
	char type[SN_MATH_TYPE_MAX];
	int64_t start_s; /* Unix time; 0: from the beginning */
};

/* -EINVAL says which member is no good. */
int sn_math_announcement_read(struct sn_str json, struct sn_math_announcement *announcement,
			      struct sn_err *err);
void sn_math_announcement_write(const struct sn_math_announcement *announcement,
				struct sn_buf *out);
/* "host:port", "http://host:port" or "https://host:port", without a path. */
bool sn_math_callback_is_good(const char *url);
/* Its host, without brackets; -EINVAL if there is none. */
int sn_math_callback_host(const char *url, char *host, size_t size);

/* Tells one repository, again and again until it was told; then no more. */
struct sn_math_announcer;
struct sn_math_announcer_config { /* texts are copied */
	struct sn_loop *loop;
	const char *repository; /* URL, or host:port for plain HTTP */
	const char *ca_file, *cert_file, *key_file;
	const struct sn_math_announcement *announcement;
	/* `err` NULL: it was told; else why not, once for each reason. */
	void (*on_outcome)(const char *repository, const struct sn_err *err, void *ctx);
	void *ctx;
};
int sn_math_announcer_create(const struct sn_math_announcer_config *config,
			     struct sn_math_announcer **announcer, struct sn_err *err);
void sn_math_announcer_destroy(struct sn_math_announcer *announcer); /* NULL is fine */

#endif
