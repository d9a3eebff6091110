/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: the links of a relay, for people (a table) or programs (an object a line).
 */
#ifndef SONDE_DEMO_IMPAIR_SHOW_H
#define SONDE_DEMO_IMPAIR_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* `answer` is what sn_control_ask() gave for {"op":"show"}. */
void sn_impair_show(const json_t *answer, bool as_json, FILE *out);

#endif
