/* SPDX-License-Identifier: Apache-2.0 */
/*
 * util: the few macros that every file needs: containers, sizes, ownership.
 */
#ifndef SONDE_BASE_UTIL_H
#define SONDE_BASE_UTIL_H

#include <stddef.h>

#define sn_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define SN_COUNT(array)                    (sizeof(array) / sizeof((array)[0]))
#define SN_MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define SN_MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define SN_PRINTF(fmt, args)               __attribute__((format(printf, fmt, args)))
#define SN_UNUSED                          __attribute__((unused))

#define SN_NS_PER_US 1000LL
#define SN_NS_PER_MS 1000000LL
#define SN_NS_PER_S  1000000000LL

/* Cleanup attributes: `sn_autofree char *p = ...;` is freed when it leaves its scope. */
void sn_cleanup_free(void *pointer_to_pointer);
void sn_cleanup_close(int *fd);
#define sn_autofree  __attribute__((cleanup(sn_cleanup_free)))
#define sn_autoclose __attribute__((cleanup(sn_cleanup_close)))

/* Hand the value over: returns it and leaves NULL (or -1) behind. */
#define sn_steal(ptr)                                                                              \
	({                                                                                         \
		__typeof__(*(ptr)) stolen_ = *(ptr);                                               \
		*(ptr) = NULL;                                                                     \
		stolen_;                                                                           \
	})
int sn_steal_fd(int *fd);

#endif
