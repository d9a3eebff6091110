/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classes: in which bins of the application histograms a flow is counted.
 *
 * Tstat has five views of the same bytes (application, HTTP content, web class,
 * TLS service, video container).  They all follow from one small number, the
 * class of the flow, so that a packet adds its bytes once.
 */
#ifndef SONDE_METER_SERIES_CLASSES_H
#define SONDE_METER_SERIES_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "meter/app/tcp.h"
#include "meter/app/udp.h"

/* Tstat's L7 index; the words are in histogram.c. */
enum { SN_L7_HTTP = 0, SN_L7_TLS = 33, SN_L7_UNKNOWN = 49, SN_L7_COUNT };

#define SN_HTTP_CODES   27 /* http_t - 1 */
#define SN_TLS_SERVICES 9

#define SN_VIDEO_CODES      8  /* contents of HTTP that may be a video */
#define SN_VIDEO_CONTAINERS 13 /* Tstat's vd_type from 1 on */

/*
 * 0 to 49 are applications without more; then HTTP by content, TLS by service, and videos over HTTP
 * by content and container.
 */
enum {
	SN_CLASS_HTTP = SN_L7_COUNT,
	SN_CLASS_TLS = SN_CLASS_HTTP + SN_HTTP_CODES,
	SN_CLASS_VIDEO = SN_CLASS_TLS + SN_TLS_SERVICES,
	SN_CLASSES = SN_CLASS_VIDEO + SN_VIDEO_CODES * SN_VIDEO_CONTAINERS,
};

#define SN_CLASS_NONE (-1)

struct sn_class_bins { /* SN_CLASS_NONE: not counted there */
	int8_t l7, http, web, tls, video;
};
/* `class_` is below SN_CLASSES. */
struct sn_class_bins sn_class_bins(unsigned class_);

/* Class of a connection by what is known so far; `app` may be NULL. */
unsigned sn_class_tcp(const struct sn_app_tcp *app);
unsigned sn_class_udp(uint8_t type); /* an application */
/* Tstat's TLS service by the name of the server: 0 other, 1 Google, ... */
unsigned sn_class_tls_service(struct sn_str name);

#endif
