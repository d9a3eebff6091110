#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What mass ping costs: sonde-probe beside fping in turns, on 10,000 loopback addresses.

usage: bench_ping.py PROGRAM [TARGETS [ROUNDS]]

Both send 5 requests of 56 bytes to each target, one a second and target.  Twice:
 - even: fping spaces its requests evenly (-i), as sonde-probe always does;
 - burst: fping sends each round as fast as it can (-i 0), its cheapest way.
CPU time is user and system time of the whole process as the kernel accounts it.  Prints the
medians and the median of the ratios.  Exit code 1 when the goal of the design is missed in the
even form (two thirds of fping) or more than fping is used in the other, 77 without fping or the
right to send.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

COUNT = 5
PERIOD_MS = 1000
SIZE = 56
GOAL = 2 / 3


def addresses(count):
    """127.1.0.1 and on; the last byte is neither 0 nor 255."""
    return [f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}" for i in range(count)]


def cpu_seconds(command):
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            tail = output.read()[-300:].decode(errors="replace").strip()
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {tail}")
    return usage.ru_utime + usage.ru_stime


def compare(name, ours, theirs, rounds):
    sonde, fping = [], []
    for _ in range(rounds):
        sonde.append(cpu_seconds(ours))
        fping.append(cpu_seconds(theirs))
    ratio = statistics.median(a / b for a, b in zip(sonde, fping))
    print(f"{name:6}  sonde-probe {statistics.median(sonde):6.3f} s"
          f" [{min(sonde):.3f}..{max(sonde):.3f}]"
          f"  fping {statistics.median(fping):6.3f} s [{min(fping):.3f}..{max(fping):.3f}]"
          f"  ratio {ratio:.2f}", flush=True)
    return ratio


def main():
    program = sys.argv[1]
    targets = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    if shutil.which("fping") is None:
        print("# skipped: fping is not installed")
        return 77
    if subprocess.run([program, "ping", "-q", "-c", "1", "127.0.0.1"], stdout=subprocess.DEVNULL,
                      check=False).returncode == 3:
        print("# skipped: this user may not send ICMP echo requests")
        return 77
    with tempfile.NamedTemporaryFile("w", suffix=".targets") as file:
        file.write("\n".join(addresses(targets)) + "\n")
        file.flush()
        ours = [program, "ping", "-c", str(COUNT), "-i", f"{PERIOD_MS}ms", "-s", str(SIZE),
                "-f", file.name]
        theirs = ["fping", "-q", "-c", str(COUNT), "-p", str(PERIOD_MS), "-b", str(SIZE),
                  "-f", file.name]
        print(f"{targets} targets, {COUNT} requests each, {PERIOD_MS} ms apart; CPU seconds, "
              f"median of {rounds} [min..max]", flush=True)
        even = compare("even", ours, theirs + ["-i", str(PERIOD_MS / targets)], rounds)
        burst = compare("burst", ours, theirs + ["-i", "0"], rounds)
    print(f"goal: {GOAL:.2f} (even) and 1.00 (burst)")
    return 0 if even <= GOAL and burst <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
