# SPDX-License-Identifier: Apache-2.0
"""What rows of measurements say."""


def answered(row):
    """All requests of a ping.  That a busy machine sent one late is told in its row, too."""
    on_time = row["status"] == "ok" or "behind schedule" in row["error"]
    return on_time and row["received_packets"] == row["sent_packets"] > 0
