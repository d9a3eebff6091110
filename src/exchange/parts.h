/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts: rows of an import, gathered per dataset and UTC day until there are enough for a block.
 *
 * What a part holds follows from the rows alone and their order, never from time or
 * memory of the machine: whoever reads the same file again gets the same parts, so that
 * an import that was cut off goes on where the store knows no part yet.  Memory is
 * bounded (SN_PARTS_WEIGHT_MAX, roughly) however many days the rows are from.
 */
#ifndef SONDE_EXCHANGE_PARTS_H
#define SONDE_EXCHANGE_PARTS_H

#include <stdint.h>

#include "data/columns.h"

#define SN_PARTS_ROWS       32768 /* of a part, if memory allows; then it is a block that stays */
#define SN_PARTS_STEP_ROWS  512   /* most rows to be added between two looks at what is due */
#define SN_PARTS_DAYS_MAX   64    /* pairs of dataset and day that are gathered at once */
#define SN_PARTS_WEIGHT_MAX (64 * 1024 * 1024) /* bytes, estimated */

struct sn_parts;

struct sn_part {
	struct sn_columns *rows; /* of one dataset and day; stays the owner's */
	int32_t day;             /* since 1970-01-01 */
	uint64_t seq;            /* from 0 */
	size_t place;            /* internal */
};

struct sn_parts *sn_parts_create(void);
void sn_parts_destroy(struct sn_parts *parts);

/* Where rows of that day go; stays until sn_parts_done() says that they are stored. */
struct sn_columns *sn_parts_place(struct sn_parts *parts, const struct sn_dataset *dataset,
				  int32_t day);
/* Rows were added, of so many bytes in the file: to be told before asking what is due. */
void sn_parts_added(struct sn_parts *parts, uint64_t bytes);
/* The next part to be stored; with `all` whatever is there.  False: none is due. */
bool sn_parts_next(struct sn_parts *parts, bool all, struct sn_part *part);
/* It is stored: its rows are forgotten. */
void sn_parts_done(struct sn_parts *parts, const struct sn_part *part);

#endif
