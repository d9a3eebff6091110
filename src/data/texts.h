/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts: where rows on their way keep their texts.
 *
 * Internal to data/.  Bytes live in chunks that never move, so that values may
 * point into them; they go all at once, or those of the last row are taken back.
 */
#ifndef SONDE_DATA_TEXTS_H
#define SONDE_DATA_TEXTS_H

#include "base/str.h"

struct sn_texts {                     /* zeroed is empty and valid */
	struct sn_texts_chunk *chunk; /* the one being filled */
	size_t mark;                  /* what of that chunk sn_texts_take_back() leaves */
};

void sn_texts_finish(struct sn_texts *texts);
void sn_texts_clear(struct sn_texts *texts); /* keeps some memory for the next texts */
/* A copy, cut at a zero byte and, between two characters, at SN_TEXT_MAX. */
struct sn_str sn_texts_add(struct sn_texts *texts, struct sn_str text);
void sn_texts_mark(struct sn_texts *texts);      /* all that is there now is to stay */
void sn_texts_take_back(struct sn_texts *texts); /* what was added behind the mark is gone */

#endif
