/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns: named network namespaces, as bind mounts below /run/netns, so that
 * `ip netns` sees them and they live without a process inside.
 *
 * The helper's own namespace never changes: whatever has to happen inside one
 * runs on a thread that enters it and ends.
 */
#ifndef SONDE_PRIV_NETNS_H
#define SONDE_PRIV_NETNS_H

#include "base/err.h"

/* Runs inside the namespace; returns 0, a descriptor or a negative errno. */
typedef int sn_netns_fn(void *arg, struct sn_err *err);

int sn_netns_open(const char *name, struct sn_err *err); /* descriptor or negative errno */
/* Calls `fn` in that namespace and returns what it returned; `netns_fd` stays the caller's. */
int sn_netns_run(int netns_fd, sn_netns_fn *fn, void *arg, struct sn_err *err);
/* Open by name, run, close. */
int sn_netns_run_named(const char *name, sn_netns_fn *fn, void *arg, struct sn_err *err);

/*
 * A new one with loopback up and set up for unprivileged measurements: forwarding
 * on, ping sockets and ports below 1024 for everyone, IPv6 addresses usable at once
 * (no duplicate address detection).  -EEXIST if the name is taken.
 */
int sn_netns_create(const char *name, struct sn_err *err);
int sn_netns_delete(const char *name, struct sn_err *err); /* absent is -ENOENT */
/* Deletes every namespace whose name begins with `prefix`. */
int sn_netns_sweep(const char *prefix, struct sn_err *err);

#endif
