# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share.

tap        cases as functions, results as TAP
wait       conditions with deadlines
place      a directory, its programs, and their orderly or disorderly end
api        the hub's API over urllib
parts      a hub and a node as programs of a place
feeder     a client that sends batches without end, each until it is acknowledged
isolate    network, mounts and capabilities of the test's own, where the kernel allows it
clickhouse ClickHouse servers and ZooKeeper as programs of a place
"""
