/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill_store: puts rows into a store that nobody has open, the same ones each time.
 *
 * usage: fill_store STORE DATASET ROWS FIRST SECONDS [NODE]
 *
 * Rows begin at FIRST (RFC 3339) and are spread evenly over so many seconds; values
 * follow from their numbers.  Positions of `monroe_meta_device_gps` are a walk.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/columns.h"
#include "data/monroe/tables.h"
#include "store/store.h"

#define PART   65536
#define DAY_NS (86400 * SN_NS_PER_S)

struct fill {
	struct sn_store *store;
	const struct sn_dataset *dataset;
	const char *node;
	uint64_t rows, seq;
	int64_t first_ns, length_ns;
};

/* Mixed enough that neighbours have little in common; splitmix64. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static const char *const texts[] = {
	"example.net", "with, comma", "with \"quotes\"", "gr\xc3\xbc\xc3\x9f\x65", "two\nlines", "",
};

static bool set_place(struct sn_columns *columns, const struct fill *fill, int column, uint64_t k)
{
	const char *name = fill->dataset->columns[column].name;
	double way = (double)k / 1000;

	if (strcmp(name, "latitude") == 0)
		sn_columns_set_f64(columns, column, round((48.1 + 0.05 * sin(way)) * 1e6) / 1e6);
	else if (strcmp(name, "longitude") == 0)
		sn_columns_set_f64(columns, column, round((11.5 + 0.05 * cos(way)) * 1e6) / 1e6);
	else if (strcmp(name, "nmea") == 0)
		sn_columns_set_text(columns, column, SN_STR("$GPRMC,120000.00,A\r\n"));
	else if (strcmp(name, "nodeid") == 0)
		sn_columns_set_text(columns, column, sn_str(fill->node));
	else if (strcmp(name, "devicemode") == 0)
		sn_columns_set_i64(columns, column, (int64_t)(k / 7 % 6));
	else if (strcmp(name, "iccid") == 0)
		sn_columns_set_text(columns, column,
				    k % 2 == 0 ? SN_STR("8939101") : SN_STR("8939102"));
	else if (strcmp(name, "timestamp") == 0)
		sn_columns_set_f64(columns, column,
				   (double)(fill->first_ns / SN_NS_PER_S) + (double)k);
	else
		return false;
	return true;
}

static void set_value(struct sn_columns *columns, const struct fill *fill, int column, uint64_t k)
{
	uint64_t value = mix(k * 256 + (uint64_t)column);

	if (set_place(columns, fill, column, k) || value % 16 == 0)
		return; /* some have none */
	switch (fill->dataset->columns[column].type) {
	case SN_TYPE_BOOL:
		sn_columns_set_bool(columns, column, value % 2);
		break;
	case SN_TYPE_F64:
		sn_columns_set_f64(columns, column, (double)(value % 100000) / 8192);
		break;
	case SN_TYPE_TEXT:
		sn_columns_set_text(columns, column, sn_str(texts[value / 16 % SN_COUNT(texts)]));
		break;
	case SN_TYPE_TIME:
		sn_columns_set_time(columns, column,
				    fill->first_ns + (int64_t)(value % 1000000007));
		break;
	default:
		sn_columns_set_i64(columns, column, (int64_t)(value % 1000000));
	}
}

static void add_row(struct sn_columns *columns, const struct fill *fill, uint64_t k,
		    int64_t time_ns)
{
	sn_columns_add_row(columns);
	sn_columns_set_time(columns, SN_COL_TIME, time_ns);
	sn_columns_set_text(columns, SN_COL_NODE, sn_str(fill->node));
	sn_columns_set_i64(columns, SN_COL_SEQ, (int64_t)k);
	for (int i = SN_COL_COMMON; i < (int)fill->dataset->column_count; i++)
		set_value(columns, fill, i, k);
}

static int put(struct fill *fill, struct sn_columns *columns, struct sn_err *err)
{
	char stream[33];
	struct sn_batch_id id = {.node = fill->node, .stream = stream, .seq = fill->seq++};
	uint64_t name = 0;
	int rc;

	for (const char *p = fill->dataset->name; *p != '\0'; p++)
		name = mix(name + (uint8_t)*p);
	snprintf(stream, sizeof(stream), "%016" PRIx64 "%016" PRIx64, name,
		 mix((uint64_t)fill->first_ns));
	if (sn_columns_rows(columns) == 0)
		return 0;
	rc = sn_store_put(fill->store, &id, columns, err);
	sn_columns_clear(columns);
	return rc <= 0 ? rc : sn_err_set(err, -EEXIST, "these rows are there already");
}

static int fill_all(struct fill *fill, struct sn_err *err)
{
	struct sn_columns *columns = sn_columns_create(fill->dataset);
	int64_t day = fill->first_ns / DAY_NS;
	int rc = 0;

	for (uint64_t k = 0; rc == 0 && k < fill->rows; k++) {
		int64_t time_ns = fill->first_ns + (int64_t)((double)fill->length_ns *
							     ((double)k / (double)fill->rows));

		if (time_ns / DAY_NS != day || sn_columns_rows(columns) == PART)
			rc = put(fill, columns, err);
		day = time_ns / DAY_NS;
		add_row(columns, fill, k, time_ns);
	}
	if (rc == 0)
		rc = put(fill, columns, err);
	sn_columns_destroy(columns);
	return rc;
}

int main(int argc, char **argv)
{
	struct fill fill = {.node = argc > 6 ? argv[6] : "206"};
	struct sn_err err = {0};
	int64_t seconds = 0;
	int rc;

	if (argc < 6 || (fill.dataset = sn_catalog_find(argv[2])) == NULL ||
	    sn_parse_u64(sn_str(argv[3]), 1, UINT32_MAX, &fill.rows) != 0 ||
	    sn_parse_time(sn_str(argv[4]), 0, &fill.first_ns) != 0 ||
	    sn_parse_i64(sn_str(argv[5]), 1, 1000000000, &seconds) != 0) {
		fprintf(stderr, "usage: fill_store STORE DATASET ROWS FIRST SECONDS [NODE]\n");
		return 2;
	}
	fill.length_ns = seconds * SN_NS_PER_S;
	rc = sn_store_open(argv[1], &fill.store, &err);
	if (rc == 0) {
		rc = fill_all(&fill, &err);
		sn_store_close(fill.store);
	}
	if (rc != 0)
		fprintf(stderr, "fill_store: %s\n", err.text);
	return rc != 0;
}
