#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What may happen to hub, node and prober at any moment, and must lose and double nothing.

usage: kill.py PROGRAM_DIR [SEED]

A node pings loopback all the time.  Programs are killed (SIGKILL) and started again, held
(SIGSTOP) and let go, and their disks fill up.  After each part the numbers of the node's rows in
the store, counted by the hub and once more here, must be complete and unique.
"""
import collections
import contextlib
import os
import random
import signal
import sys
import time

from sonde_e2e import isolate, tap
from sonde_e2e.parts import Hub, Node, assert_complete, drained
from sonde_e2e.place import Place, children, sleep_at_random
from sonde_e2e.tap import Skip
from sonde_e2e.wait import until

KILLS = 60  # of hub, node and prober together
SMALL_DISK = 3 * 1024 * 1024


class World:
    def __init__(self, place, seed):
        self.place, self.prng = place, random.Random(seed)
        self.hub = Hub(place)
        self.node = Node(place, "attic", heartbeat_interval="500ms")
        self.no_ping = isolate.why_no_ping(place)
        if self.no_ping is None:
            self.start()

    def start(self):
        self.hub.start().ready()
        self.node.join(self.hub)
        # Some thirty rows a second, in a few batches.
        targets = [f"127.0.0.{i}" for i in range(1, 31)] + isolate.loopback_targets()[1:]
        self.hub.api.post("/api/v1/measurements", {
            "name": "loopback", "capability": "ping", "nodes": [self.node.id], "when": "now ... future / 1s",
            "parameters": {"targets": targets, "count": 2, "interval": "20ms", "timeout": "100ms"}})
        self.node.start().online(self.hub)
        until("the first rows", 20, lambda: self.rows() > 0)

    def describe(self):
        return self.place.describe()

    def need_ping(self):
        if self.no_ping:
            raise Skip(self.no_ping)

    def rows(self):
        return self.hub.api.check("attic")["rows"]

    def settle(self):
        """Both run, new rows still come, and all that were numbered are there: the check."""
        for program in (self.hub, self.node):
            if not program.alive():
                program.start()
        self.hub.ready()
        self.node.online(self.hub, 30)
        before = self.rows()
        until("rows after the trouble", 40, lambda: self.rows() > before)
        drained(self.hub, self.node)
        check = self.hub.api.check("attic")
        assert_complete(check)
        return check


@contextlib.contextmanager
def set_up(programs, seed):
    with Place(programs) as place:
        yield World(place, seed)


def kill_program(program, pause):
    program.kill()
    time.sleep(pause)
    program.start()


def kill_prober(world):
    """The node starts it again; False if none ran at this moment."""
    probes = children(world.node.pid, "sonde-probe")
    for pid in probes:
        os.kill(pid, signal.SIGKILL)
    return bool(probes)


def killed_at_random_moments_nothing_is_lost_or_doubled(world):
    world.need_ping()
    killed = collections.Counter()
    start = time.monotonic()
    while sum(killed.values()) < KILLS or min(killed[name] for name in ("hub", "node", "probe")) < KILLS // 6:
        assert time.monotonic() - start < 500, f"too slow: {killed}"
        sleep_at_random(world.prng, 0.02, 1.0)
        victim = world.prng.choice(("hub", "node", "node", "probe", "probe"))
        if victim == "hub":
            kill_program(world.hub, world.prng.uniform(0, 0.3))
        elif victim == "node":
            kill_program(world.node, world.prng.uniform(0, 0.3))
        elif not kill_prober(world):
            continue
        killed[victim] += 1
    check = world.settle()
    tap.note(f"{dict(killed)} in {time.monotonic() - start:.0f} s, {check['rows']} rows")


def all_at_once_is_survived_too(world):
    world.need_ping()
    for _ in range(3):
        sleep_at_random(world.prng, 0.1, 1.0)
        kill_prober(world)
        world.hub.signal(signal.SIGKILL)
        world.node.signal(signal.SIGKILL)
        world.hub.wait(10)
        world.node.wait(10)
        for program in world.prng.sample([world.hub, world.node], 2):
            program.start()
    world.settle()


def rows_in_the_store_are_the_numbers_from_zero(world):
    """Counted from the rows themselves, not by the hub."""
    world.need_ping()
    upto = world.settle()["rows"]
    numbers = collections.Counter()
    for dataset in ("ping", "health", "flow"):
        numbers.update(row["seq"] for row in world.hub.api.rows(dataset, node=world.node.id, limit=100000))
    twice = [number for number, count in numbers.items() if count > 1]
    missing = [number for number in range(upto) if number not in numbers]
    assert not twice and not missing, (twice[:10], missing[:10])


def held_hub_delays_but_loses_nothing(world):
    world.need_ping()
    world.hub.signal(signal.SIGSTOP)
    time.sleep(4)
    world.hub.signal(signal.SIGCONT)
    world.settle()


def held_node_and_prober_lose_nothing_that_has_a_number(world):
    world.need_ping()
    probes = children(world.node.pid, "sonde-probe")
    for pid in (*probes, world.node.pid):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    for pid in (world.node.pid, *probes):
        os.kill(pid, signal.SIGCONT)
    world.settle()


def fill(path):
    """Takes all space of the file system; returns the file that holds it."""
    ballast = path / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)
        with contextlib.suppress(OSError):
            while True:
                file.write(b"\0")
    return ballast


def on_small_disk(world, program, directory):
    """The program's directory on a disk of its own, full for a while."""
    world.need_ping()
    assert program.stop() == 0
    kept = {entry.relative_to(directory): entry.read_bytes() for entry in directory.rglob("*") if entry.is_file()}
    if not isolate.mount_tmpfs(world.place, directory, SMALL_DISK + sum(map(len, kept.values()))):
        program.start()
        world.settle()
        raise Skip("no right to mount a small file system")
    for name, content in kept.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
        (directory / name).chmod(0o600)
    program.start()
    world.settle()


def full_disk_of_the_node_is_told_and_survived(world):
    on_small_disk(world, world.node, world.node.state / "spool")
    ballast = fill(world.node.state / "spool")
    until("the node tells of what it had to drop", 30,
          lambda: world.hub.api.node("attic")["spool"]["dropped_rows"] > 0, pause=0.2)
    assert world.node.alive()
    problems = world.hub.api.node("attic")["problems"]
    tap.note(f"told: {problems}")
    ballast.unlink()
    check = world.settle()
    assert check["missing"] == 0, check


def full_disk_of_the_hub_is_waited_out(world):
    on_small_disk(world, world.hub, world.hub.state / "store")
    ballast = fill(world.hub.state / "store")
    until("batches wait on the node", 60, lambda: len(world.node.spooled()) >= 5, pause=0.2)
    assert world.hub.alive() and world.node.alive()
    before = world.hub.api.check("attic")["rows"]
    assert before > 0
    ballast.unlink()
    until("the waiting batches arrive", 60, lambda: world.rows() > before, pause=0.2)
    world.settle()


def everything_ends_in_order(world):
    world.need_ping()
    assert world.node.stop() == 0
    assert world.hub.stop() == 0
    for program in world.place.started:
        for word in ("Sanitizer", "runtime error", "ssertion"):
            assert word not in program.log_text(), f"{program.name}: {word}"


CASES = [
    killed_at_random_moments_nothing_is_lost_or_doubled,
    all_at_once_is_survived_too,
    rows_in_the_store_are_the_numbers_from_zero,
    held_hub_delays_but_loses_nothing,
    held_node_and_prober_lose_nothing_that_has_a_number,
    full_disk_of_the_node_is_told_and_survived,
    full_disk_of_the_hub_is_waited_out,
    everything_ends_in_order,
]


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up, seconds=200, before=isolate.enter))
