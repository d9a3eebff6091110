/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number: numbers as Tstat's logs hold them, without printf(3).
 *
 * Each function writes at `p`, where SN_NUMBER_MAX bytes have to be there, no NUL,
 * and returns the end; what lies behind it, eight bytes at most, may have changed.
 */
#ifndef SONDE_METER_LOG_NUMBER_H
#define SONDE_METER_LOG_NUMBER_H

#include <stdint.h>

#define SN_NUMBER_MAX      340 /* "%f" of the largest double */
#define SN_NUMBER_DECIMALS 6   /* at most, of sn_put_fixed() */

char *sn_put_u64(char *p, uint64_t value);
char *sn_put_i64(char *p, int64_t value);
/* Nine digits, with leading zeros: nanoseconds. */
char *sn_put_nine(char *p, uint32_t value);
/* As printf("%.<decimals>f"): the exact value of the double, rounded to nearest, ties to even. */
char *sn_put_fixed(char *p, double value, unsigned decimals);
/* As printf("%g"). */
char *sn_put_general(char *p, double value);

#endif
