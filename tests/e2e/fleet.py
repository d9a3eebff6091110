#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Four nodes on networks of their own measure for one hub, now and on a schedule, whatever is killed.

usage: fleet.py PROGRAM_DIR [SEED [ITERATIONS [PERIOD_SECONDS]]]

"fleet.py DIR 1 60 60" is an hour of one measurement a minute.
"""
import collections
import contextlib
import datetime
import json
import random
import sys
import time

from sonde_e2e import isolate, lan, tap
from sonde_e2e.parts import Hub, Node, assert_complete, drained
from sonde_e2e.place import Place
from sonde_e2e.tap import Skip
from sonde_e2e.wait import until

NAMES = ("rome", "oslo", "lima", "pune")
PLACES = {"rome": "IT", "oslo": "NO", "lima": "PE", "pune": "IN"}


class World:
    def __init__(self, place, seed, iterations, period):
        self.place, self.prng = place, random.Random(seed)
        self.iterations, self.period = iterations, period
        self.missing = lan.why_not()
        if self.missing:
            return
        hosts = [lan.Host(place, name, number) for number, name in enumerate(NAMES, 1)]
        self.hub = Hub(place, listen="0.0.0.0:0")
        # Every node reaches it at the near end of its own wire.
        self.hub.argv[self.hub.argv.index("listen=0.0.0.0:0")] = f"listen=0.0.0.0:{self.hub.port}"
        self.hub.argv += ["--set", "names=" + ",".join(host.ours for host in hosts)]
        self.hub.start().ready()
        self.nodes = {}
        for host in hosts:
            node = Node(place, host.name, heartbeat_interval="500ms", country=PLACES[host.name],
                        hub_urls=f"https://{host.ours}:{self.hub.port}")
            node.join(self.hub)
            host.take_in(node).start()
            node.host = host
            self.nodes[host.name] = node
        for node in self.nodes.values():
            node.online(self.hub)
        until("all four offer ping", 20, lambda: len(self.providers("ping")) == 4)

    def describe(self):
        return self.place.describe()

    def need_wires(self):
        if self.missing:
            raise Skip(self.missing)

    def providers(self, label):
        found = self.hub.api.get(f"/api/v1/capabilities/{label}")["items"]
        return found[0]["providers"] if found else []

    def sonde(self, *words, **options):
        where = self.hub.api.where()
        token = self.place.path / "token"
        token.write_text(where["token"], encoding="utf-8")  # a new one at each start
        self.place.env |= {"SONDE_URL": where["url"], "SONDE_TOKEN_FILE": str(token)}
        return self.place.run("sonde", *words, **options)

    def measure(self, *words):
        """The rows, and the exit code."""
        done = self.sonde("measure", *words, "--json", seconds=60)
        return [json.loads(line) for line in done.stdout.splitlines()], done

    def name_of(self, row):
        return next(name for name, node in self.nodes.items() if node.id == row["node"])

    def near_end(self):
        """An address that every node reaches: the hub's end of the first wire."""
        return self.nodes["rome"].host.ours


def measure_ping_on_all_four_returns_four_results(world):
    world.need_wires()
    rows, done = world.measure("ping", world.near_end(), "count=2", "interval=50ms")
    assert done.returncode == 0, done.stderr
    assert sorted(world.name_of(row) for row in rows) == sorted(NAMES), rows
    assert all(row["received_packets"] == 2 and row["loss_ratio"] == 0 for row in rows), rows


def chosen_nodes_measure_and_the_others_do_not(world):
    world.need_wires()
    rows, done = world.measure("ping", world.near_end(), "count=1", "--node", "rome,lima")
    assert done.returncode == 0 and sorted(map(world.name_of, rows)) == ["lima", "rome"], (rows, done.stderr)
    rows, done = world.measure("ping", world.near_end(), "count=1", "--country", "NO")
    assert done.returncode == 0 and list(map(world.name_of, rows)) == ["oslo"], (rows, done.stderr)
    world.hub.api.call("PATCH", "/api/v1/nodes/pune", {"tags": ["mobile"]})
    rows, done = world.measure("ping", world.near_end(), "count=1", "--tag", "mobile")
    assert done.returncode == 0 and list(map(world.name_of, rows)) == ["pune"], (rows, done.stderr)


def known_names_of_mplane_measure_too(world):
    world.need_wires()
    rows, done = world.measure("ping-average-ip4", f"destination.ip4={world.near_end()}", "--for", "2s", "--every", "1s")
    assert done.returncode == 0, done.stderr
    assert sorted(map(world.name_of, rows)) == sorted(NAMES), rows
    assert all(row["sent_packets"] == 2 for row in rows), rows


def node_that_is_away_gets_its_part_when_it_comes_back(world):
    world.need_wires()
    pune = world.nodes["pune"]
    pune.stop()
    until("the hub misses pune", 20, lambda: world.hub.api.node("pune")["state"] == "offline")
    given = world.hub.api.post("/api/v1/measurements", {
        "capability": "ping", "parameters": {"targets": [world.near_end()], "count": 1}, "when": "now + 1h / 2s"})
    ident = given["id"]
    until("the other three measure", 20, lambda: world.hub.api.get(f"/api/v1/measurements/{ident}")["results"] >= 3)
    pune.start().online(world.hub)
    until("pune measures as well", 20, lambda: any(
        part["name"] == "pune" and part["results"] > 0
        for part in world.hub.api.get(f"/api/v1/measurements/{ident}")["parts"]))
    stopped = world.hub.api.post(f"/api/v1/measurements/{ident}/stop")
    assert stopped["state"] in ("stopped", "running"), stopped
    until("all have stopped", 20, lambda: world.hub.api.get(f"/api/v1/measurements/{ident}")["state"] == "stopped")


def what_cannot_be_measured_is_said_before_anything_starts(world):
    world.need_wires()
    for words, code, reason in (
            (("ping", "count=0", "127.0.0.1"), 1, "count"),
            (("ping", "cuont=1", "127.0.0.1"), 2, "count"),
            (("pnig", "127.0.0.1"), 1, "ping"),
            (("ping", "127.0.0.1", "--node", "roma"), 1, "rome"),
            (("ping", "127.0.0.1", "--when", "now + 1.5s"), 1, "1.5s"),
            (("ping", "127.0.0.1", "--country", "XX"), 1, "chosen")):
        done = world.sonde("measure", *words)
        assert done.returncode == code and reason in done.stderr, (words, done.returncode, done.stderr)


def scheduled_results_come_once_each_whoever_is_killed(world):
    """Each node, each iteration: exactly one result."""
    world.need_wires()
    period = datetime.timedelta(seconds=world.period)
    given = world.hub.api.post("/api/v1/measurements", {
        "capability": "ping", "name": "schedule",
        "parameters": {"targets": [world.near_end()], "count": 1, "timeout": "500ms"},
        "when": f"repeat now + {(world.iterations - 1) * world.period}s / {world.period}s"})
    start = datetime.datetime.fromisoformat(given["starts"][:26].rstrip("Z") + "+00:00")
    end = start + period * world.iterations
    kills = collections.Counter()
    while datetime.datetime.now(datetime.timezone.utc) < end - period:
        time.sleep(world.prng.uniform(0.5, 1.5) * world.period)
        victim = world.prng.choice((world.hub, *world.nodes.values()))
        victim.kill()
        kills[victim.name] += 1
        time.sleep(world.prng.uniform(0, 0.2) * min(world.period, 10))
        victim.start()
    world.hub.ready()
    until("the schedule has ended", 3 * world.period + 60,
          lambda: world.hub.api.get(f"/api/v1/measurements/{given['id']}")["state"] == "done", pause=0.5)
    found = collections.Counter()
    for row in world.hub.api.rows("ping", task=given["id"]):
        at = datetime.datetime.fromisoformat(row["time"][:26].rstrip("Z") + "+00:00")
        found[(world.name_of(row), (at - start) // period)] += 1
    wanted = {(name, number) for name in NAMES for number in range(world.iterations)}
    lost = sorted(wanted - found.keys())
    extra = {key: count for key, count in found.items() if count > 1 or key not in wanted}
    tap.note(f"{dict(kills)} killed; {sum(found.values())} results of {len(wanted)}")
    assert not lost and not extra, (lost[:20], extra)
    for node in world.nodes.values():
        drained(world.hub, node)
        assert_complete(world.hub.api.check(node.name))


def everything_ends_in_order(world):
    world.need_wires()
    for program in (*world.nodes.values(), world.hub):
        assert program.stop() == 0, program.name
        for word in ("Sanitizer", "runtime error", "ssertion"):
            assert word not in program.log_text(), f"{program.name}: {word}"


CASES = [
    measure_ping_on_all_four_returns_four_results,
    chosen_nodes_measure_and_the_others_do_not,
    known_names_of_mplane_measure_too,
    node_that_is_away_gets_its_part_when_it_comes_back,
    what_cannot_be_measured_is_said_before_anything_starts,
    scheduled_results_come_once_each_whoever_is_killed,
    everything_ends_in_order,
]


@contextlib.contextmanager
def set_up(programs, seed, iterations, period):
    with Place(programs) as place:
        yield World(place, seed, iterations, period)


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up, seconds=lambda iterations, period: iterations * period + 240,
                      numbers=(12, 3), before=isolate.enter))
