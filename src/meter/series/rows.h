/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: values of the series as rows of dataset `traffic`, written as JSON Lines.
 *
 * Values that cannot be told (averages without samples, the deviation of one) make
 * no row.  Lines gather in a buffer and are given away, whole ones, when it is large
 * or when it is flushed.  The first error is kept and given back by every flush.
 */
#ifndef SONDE_METER_SERIES_ROWS_H
#define SONDE_METER_SERIES_ROWS_H

#include "base/err.h"
#include "meter/series/series.h"

struct sn_traffic_rows;

/* 0 or a negative errno; `text` holds whole lines.  Never called twice at a time. */
typedef int sn_traffic_write_fn(struct sn_str text, void *ctx);

/* `named`: each line begins with its dataset's name (data/codec.h). */
struct sn_traffic_rows *sn_traffic_rows_create(bool named, sn_traffic_write_fn *write, void *ctx);
void sn_traffic_rows_destroy(struct sn_traffic_rows *rows); /* unflushed is lost; NULL is fine */
/* A sn_traffic_value_fn; `rows` is the struct sn_traffic_rows. */
void sn_traffic_rows_add(const struct sn_traffic_value *value, void *rows);
int sn_traffic_rows_flush(struct sn_traffic_rows *rows, struct sn_err *err);

#endif
