/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throttle: how often something went wrong lately, per key.
 *
 * For failed logins: keys are addresses and user names, so they come from outside
 * and their number is limited; when the table is full the oldest makes room.
 */
#ifndef SONDE_HUB_THROTTLE_H
#define SONDE_HUB_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define SN_THROTTLE_KEYS    1024
#define SN_THROTTLE_KEY_MAX 96

struct sn_throttle;

struct sn_throttle *sn_throttle_create(uint64_t window_ns);
void sn_throttle_destroy(struct sn_throttle *throttle);
/* How many failures of `key` lie in the window that ends now. */
unsigned sn_throttle_count(const struct sn_throttle *throttle, const char *key, uint64_t now_ns);
void sn_throttle_fail(struct sn_throttle *throttle, const char *key, uint64_t now_ns);
void sn_throttle_forget(struct sn_throttle *throttle, const char *key);

#endif
