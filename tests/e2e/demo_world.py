#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo world, headless: what the store says against what was configured.

usage: demo_world.py PROGRAM_DIR

Needs root: `sonde demo` makes network namespaces.  Round-trip times are compared with the delays
of the links on the way, losses with the binomial distribution, bytes of flows with what the
programs say that made them.  Then links are broken and mended while it runs, and at the end, also
after a crash, nothing may be left.
"""
import collections
import contextlib
import datetime
import functools
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from sonde_e2e import tap
from sonde_e2e.api import Api
from sonde_e2e.parts import assert_complete
from sonde_e2e.place import Place, Program, resident_bytes, running
from sonde_e2e.wait import until

OBSERVED_SECONDS = 30
OBSERVATIONS = 3
VISIBLE_SECONDS = 5  # from `break` to the first row that shows it
EARLY, LATE = 0.0001, 0.0025  # seconds that a minimum may be off the configured delay
ROUGHLY = 0.02  # and that of a single run
JITTER_SHARE = 0.5  # of the jitter on the way may be in a minimum of some hundred packets
UNLIKELY = 1e-6
NODE_BYTES_MAX, HUB_BYTES_MAX = 12 << 20, 100 << 20

# Links between a host and the transit router that it is behind.
BEHIND = {
    "node-1": ("transit-1", ["node-1", "access-1"]), "node-2": ("transit-1", ["node-2", "access-1"]),
    "node-3": ("transit-2", ["node-3", "access-2"]), "node-4": ("transit-2", ["node-4", "access-2"]),
    "content": ("transit-2", ["content"]), "resolver": ("transit-1", ["resolver"]),
}
ADDRESSES = {
    "192.0.2.2": "node-1", "2001:db8:1:1::2": "node-1", "192.0.2.6": "node-2", "2001:db8:1:2::2": "node-2",
    "198.51.100.2": "node-3", "2001:db8:2:1::2": "node-3", "198.51.100.6": "node-4", "2001:db8:2:2::2": "node-4",
    "203.0.113.18": "content", "2001:db8:0:10::2": "content",
    "203.0.113.34": "resolver", "2001:db8:0:20::2": "resolver",
}
NODES = ["node-1", "node-2", "node-3", "node-4"]
CLEAN_NODES = ["node-1", "node-3"]  # no loss on their lines: what crosses them can be counted exactly
NETNS_DIR = pathlib.Path("/run/netns")


class Demo(Program):
    def __init__(self, place, name="demo"):
        self.state = place.path / name
        super().__init__(place, name, "sonde", "demo", "--headless", "--json", "--port", "0", "--state", self.state)
        self.said, self.prefix = None, None
        self.api = Api(self.state / "hub" / "hub.json")

    def ready(self):
        self.said = self.first_line(90)
        assert self.said["event"] == "ready", self.said
        self.prefix = self.said["prefix"]
        return self

    def pids(self):
        return json.loads((self.state / "run.json").read_text(encoding="utf-8"))["programs"]

    def change(self, *arguments):
        done = self.place.run("sonde", "demo", *arguments, "--state", self.state, "--json")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def links(self):
        return {link["link"]: link for link in map(json.loads, self.change("status").splitlines())}

    def namespaces(self):
        if not NETNS_DIR.is_dir():
            return []
        return sorted(entry.name for entry in NETNS_DIR.iterdir() if entry.name.startswith(self.prefix))

    def end(self):
        super().end()
        # Its helper cleans up behind a killed one; the directory is needed until then.
        with contextlib.suppress(AssertionError):
            if self.prefix:
                until("cleaned up", 15, lambda: not self.namespaces())


class World:
    def __init__(self, place):
        self.place = place
        self.interfaces_before = interfaces()
        self.demo = Demo(place).start().ready()
        self.rows, self.since, self.until = {}, None, None

    def describe(self):
        logs = [self.place.describe()]
        for log in sorted((self.demo.state / "log").glob("*.log")) if self.demo.state.exists() else []:
            logs.append(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-8:]))
        return "\n".join(logs)


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


def interfaces():
    return sorted(entry.name for entry in pathlib.Path("/sys/class/net").iterdir())


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def path(from_host, to_host):
    """Names of the links between two hosts."""
    (side, links), (other_side, other_links) = BEHIND[from_host], BEHIND[to_host]
    shared = set(links) & set(other_links)
    return [link for link in links + other_links if link not in shared] + (["transit"] if side != other_side else [])


def pairs(rows):
    """(node, target, family) to its rows."""
    found = {}
    for row in rows:
        found.setdefault((row["node_name"], ADDRESSES[row["target"]], row["family"]), []).append(row)
    return found


def expected_rtt(links, way, family):
    """Both directions: delay, and the time that the slowest bit takes for an echo of 56 bytes."""
    bits = 8 * (14 + (20 if family == 4 else 40) + 8 + 56)
    seconds = 0
    for name in way:
        for direction in ("ab", "ba"):
            line = links[name][direction]
            seconds += line["delay_seconds"]
            if line["rate_bits_per_second"]:
                seconds += bits / line["rate_bits_per_second"]
    return seconds


def binomial_tail(sent, lost, share):
    """Probability of a count at least as far from the mean as `lost` on its side."""
    if share <= 0:
        return 1.0 if lost == 0 else 0.0

    def probability(count):
        return math.exp(math.lgamma(sent + 1) - math.lgamma(count + 1) - math.lgamma(sent - count + 1)
                        + count * math.log(share) + (sent - count) * math.log1p(-share))
    counts = range(0, lost + 1) if lost < sent * share else range(lost, sent + 1)
    return min(1.0, sum(map(probability, counts)))


def demo_is_ready_with_four_nodes_online(world):
    nodes = {node["name"]: node for node in world.demo.api.items("/api/v1/nodes")}
    assert sorted(nodes) == NODES, sorted(nodes)
    for node in nodes.values():
        assert node["state"] == "online" and node["place"] and node["latitude"] is not None, node
    assert len(world.demo.namespaces()) == 11, world.demo.namespaces()
    owner = os.stat(world.demo.state / "hub").st_uid
    assert owner != 0 or "SUDO_UID" in os.environ, "the hub's files belong to root"
    for name, pid in world.demo.pids().items():
        uids = re.search(r"^Uid:\s+(\d+)\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
        assert name == "sonde-priv" or uids[1] == uids[2] == str(owner), f"{name} runs as {uids[0]}"


def observed(case):
    """Such a case judges what was observed, in real time: where the machine was too busy for that, once more."""
    @functools.wraps(case)
    def judge(world):
        for left in reversed(range(OBSERVATIONS)):
            if world.until is None:
                observe(world)
            try:
                case(world)
                return
            except AssertionError as problem:
                if left == 0:
                    raise
                tap.note(f"observed again: {problem}")
                world.until = None
    return judge


def observe(world):
    time.sleep(3)
    world.since = now()
    time.sleep(OBSERVED_SECONDS)
    world.until = now()
    names = {node["id"]: node["name"] for node in world.demo.api.items("/api/v1/nodes")}
    time.sleep(3)
    rows = world.demo.api.rows("ping", since=world.since, until=world.until, limit=100000)
    for row in rows:
        row["node_name"] = names[row["node"]]
    world.rows = pairs(rows)


@observed
def nodes_reach_everybody_over_both_families(world):
    assert len(world.rows) == len(NODES) * 5 * 2, sorted(world.rows)
    for key, found in world.rows.items():
        assert len(found) >= OBSERVED_SECONDS / 2 - 3, (key, len(found))
        assert all(row["sent_packets"] == 10 and row["send_errors"] == 0 for row in found), key


@observed
def round_trip_minima_are_the_configured_delays(world):
    links = world.demo.links()
    worst = 0
    for (node, target, family), found in world.rows.items():
        way = path(node, target)
        expected = expected_rtt(links, way, family)
        jitter = sum(links[name][direction]["jitter_seconds"] for name in way for direction in ("ab", "ba"))
        least = min(row["rtt_min_seconds"] for row in found if row["received_packets"] > 0)
        worst = worst if jitter else max(worst, least - expected)
        assert -EARLY <= least - expected <= LATE + JITTER_SHARE * jitter, \
            f"{node} to {target} (IPv{family}): {least * 1e3:.3f} ms, configured {expected * 1e3:.3f} ms"
    tap.note(f"without jitter at most {worst * 1e3:.3f} ms above the configured delays")


@observed
def losses_are_within_binomial_bounds(world):
    links = world.demo.links()
    for (node, target, family), found in world.rows.items():
        sent = sum(row["sent_packets"] for row in found)
        lost = sum(row["lost_packets"] for row in found)
        kept, burst = 1.0, 1.0
        for name in path(node, target):
            for direction in ("ab", "ba"):
                kept *= 1 - links[name][direction]["loss_ratio"]
                burst = max(burst, 2 * links[name][direction]["burst_frames"])
        # Losses in bursts count like fewer, independent ones.
        tail = binomial_tail(round(sent / burst), round(lost / burst), 1 - kept)
        assert tail >= UNLIKELY, f"{node} to {target} (IPv{family}): {lost} of {sent} lost, configured {1 - kept:.4f}"
        for row in found:
            assert row["sent_packets"] == row["received_packets"] + row["lost_packets"], row
    clean = [key for key in world.rows if not {"node-2", "node-4"} & set(key[:2])]
    assert sum(row["lost_packets"] for key in clean for row in world.rows[key]) == 0, "lost on clean lines"


def all_exchanges(world, name):
    """What the traffic program of a node says it did so far; its last line may still be growing."""
    text = (world.demo.state / "traffic" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def exchanges(world, name):
    """The same in the time observed."""
    return [line for line in all_exchanges(world, name) if world.since <= line["time"] < world.until]


def endpoints(line):
    return line["c_ip"], line["c_port"], line["s_ip"], line["s_port"]


@observed
def flows_have_exactly_the_bytes_that_were_sent(world):
    compared = 0
    for name in CLEAN_NODES:
        wanted = {}
        for line in exchanges(world, name):
            if line["error"] is None and line.get("retransmissions", 0) == 0:
                wanted[endpoints(line)] = line
        assert len(wanted) >= OBSERVED_SECONDS, (name, len(wanted))

        def sums():
            found = {}
            rows = world.demo.api.rows("flow", node=world.demo.api.node(name)["id"], limit=100000)
            for row in rows:
                key = (row["c_ip"], row.get("c_port"), row["s_ip"], row.get("s_port"))
                if key in wanted and row["time"] >= world.since[:19]:
                    total = found.setdefault(key, {"c": 0, "s": 0, "rows": []})
                    total["c"] += row["c_payload_bytes"]
                    total["s"] += row["s_payload_bytes"]
                    total["rows"].append(row)
            return found if len(found) == len(wanted) else None
        found = until(f"all flows of {name}", 30, sums, pause=0.5)
        # A client port that the kernel gave out twice makes two flows under one name, and what a busy server sends
        # again is payload once more: both are set aside.
        uses = collections.Counter(endpoints(line) for line in all_exchanges(world, name))
        for key, line in wanted.items():
            total = found[key]
            if uses[key] > 1 or any(row.get("s_retransmitted_packets") for row in total["rows"]):
                continue
            compared += 1
            assert (total["c"], total["s"]) == (line["sent_bytes"], line["received_bytes"]), (line, total["rows"])
            for row in total["rows"]:
                overhead = row["c_bytes"] - row["c_payload_bytes"] + row["s_bytes"] - row["s_payload_bytes"]
                assert overhead >= (row["c_packets"] + row["s_packets"]) * 28, row
            if line["kind"] == "http":
                assert all(row["protocol"] == "tcp" for row in total["rows"]), total
                assert total["rows"][0]["state"] == "complete", total["rows"]
            else:
                assert total["rows"][0]["protocol"] == "udp", total["rows"]
    assert compared >= OBSERVED_SECONDS, compared
    tap.note(f"{compared} exchanges compared")


@observed
def handshakes_take_the_round_trip(world):
    links = world.demo.links()
    for name in CLEAN_NODES:
        rows = world.demo.api.rows("flow", node=world.demo.api.node(name)["id"], s_port=80, since=world.since,
                                   until=world.until, limit=10000)
        times = [row["handshake_rtt_seconds"] for row in rows if row.get("handshake_rtt_seconds") is not None]
        expected = sum(links[link][way]["delay_seconds"] for link in path(name, "content") for way in ("ab", "ba"))
        assert times and -EARLY <= min(times) - expected <= LATE, (name, min(times, default=None), expected)


def shows_within(world, what, check):
    """Seconds until the newest rows show something."""
    start = time.monotonic()
    until(what, VISIBLE_SECONDS, check, pause=0.1)
    took = time.monotonic() - start
    tap.note(f"{what}: after {took:.2f} s")
    return took


def newest(world, node, target, since):
    return world.demo.api.rows("ping", node=world.demo.api.node(node)["id"], target=target, since=since, limit=50)


@contextlib.contextmanager
def broken(world, kind, link, *value):
    """Broken for the time of the block, and mended whatever happens in it."""
    world.demo.change("break", kind, link, *value)
    try:
        assert world.demo.links()[link]["ab"]["changed"]
        yield
    finally:
        world.demo.change("mend", link)
        assert not world.demo.links()[link]["ab"]["changed"]


def broken_loss_shows_within_five_seconds_and_goes_when_mended(world):
    # Seen from node-3, which reaches the hub on another way.
    for link, target in (("content", "203.0.113.18"), ("access-1", "192.0.2.2")):
        begin = now()
        with broken(world, "loss", link):
            shows_within(world, f"loss on '{link}' in the store",
                         lambda: any(row["lost_packets"] > 0 for row in newest(world, "node-3", target, "-15s")
                                     if ends_after(row, begin)))
        mended = now()
        until("runs without loss", 15, lambda: (
            lambda rows: len(rows) >= 2 and all(row["lost_packets"] == 0 for row in rows))(
                newest(world, "node-3", target, mended)))


def ends_after(row, moment):
    """Whether some of the row's packets were sent after the moment."""
    began = datetime.datetime.fromisoformat(row["time"][:26] + "+00:00")
    length = datetime.timedelta(seconds=row["sent_packets"] * row["interval_seconds"])
    return began + length > datetime.datetime.fromisoformat(moment[:26] + "+00:00")


def broken_delay_shows_with_its_size(world):
    begin = now()
    with broken(world, "delay", "node-3", "60ms"):
        expected = expected_rtt(world.demo.links(), path("node-1", "node-3"), 4)
        assert expected > 0.18, expected
        shows_within(world, "delay of node-3 in the store",
                     lambda: any(row["received_packets"] > 0 and row["rtt_max_seconds"] > expected - EARLY
                                 for row in newest(world, "node-1", "198.51.100.2", begin)))
        # On a busy machine all ten of a run may be late.
        until("a run with that delay throughout, and no more", 20, lambda: any(
            row["received_packets"] == 10 and expected - EARLY < row["rtt_min_seconds"] < expected + ROUGHLY
            for row in newest(world, "node-1", "198.51.100.2", begin)))


def node_that_is_cut_off_catches_up(world):
    before = world.demo.api.check("node-2")["rows"]
    with broken(world, "down", "node-2"):
        until("node-2 is offline", 20, lambda: world.demo.api.node("node-2")["state"] == "offline")
        begin = now()
        time.sleep(3)
    until("node-2 is online again", 30, lambda: world.demo.api.node("node-2")["state"] == "online")
    rows = until("its rows from the time without a hub", 40,
                 lambda: newest(world, "node-2", "203.0.113.34", begin), pause=0.3)
    assert any(row["status"] == "failed" or row["lost_packets"] > 0 for row in rows), rows
    assert world.demo.api.check("node-2")["rows"] > before


def every_node_is_complete_and_unique(world):
    for name in NODES:
        until(f"complete rows of {name}", 30, lambda: world.demo.api.check(name)["missing"] == 0, pause=0.3)
        assert_complete(world.demo.api.check(name))


def programs_are_small(world):
    pids = world.demo.pids()
    sizes = {name: resident_bytes(pid) for name, pid in pids.items()}
    tap.note("resident MB: " + ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sorted(sizes.items())))
    if b"__asan_init" in (world.place.programs / "sonde-node").read_bytes():
        raise tap.Skip("built with a sanitizer")
    for name in NODES:
        assert sizes[name] <= NODE_BYTES_MAX, (name, sizes[name])
    assert sizes["sonde-hub"] <= HUB_BYTES_MAX, sizes["sonde-hub"]


def mistakes_are_named(world):
    for code, pattern, arguments in (
            (2, "nonsense", ["break", "nonsense", "node-1"]),
            (1, "no-link", ["break", "loss", "no-link", "5%"]),
            (2, "many", ["break", "loss", "node-1", "many"]),
            (1, "no-link", ["mend", "no-link"])):
        done = world.place.run("sonde", "demo", *arguments, "--state", world.demo.state)
        assert done.returncode == code and pattern in done.stderr, (arguments, done)
    done = world.place.run("sonde", "demo", "--headless", "--port", "0", "--state", world.demo.state)
    assert done.returncode == 1 and str(world.demo.state) in done.stderr, done
    assert world.demo.alive()


def leftovers(world, demo):
    """What still tells of a demo: namespaces, devices, processes, files."""
    left = [f"namespace {name}" for name in demo.namespaces()]
    left += [f"interface {name}" for name in interfaces() if name not in world.interfaces_before]
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(demo.state) in (entry / "cmdline").read_text() and running(int(entry.name)):
                left.append(f"process {entry.name}")
    if demo.state.is_dir():
        left += [f"file {entry.name}" for entry in demo.state.iterdir()]
    return left


def interrupted_demo_leaves_nothing(world):
    pids = world.demo.pids().values()
    world.demo.signal(signal.SIGINT)
    assert world.demo.wait(30) == 0, world.demo.status
    assert not leftovers(world, world.demo), leftovers(world, world.demo)
    assert not any(map(running, pids)), "programs outlived the demo"


def killed_demo_is_cleaned_up_by_its_helper(world):
    world.demo.start().ready()
    pids = list(world.demo.pids().values())
    world.demo.kill()
    until("the helper has cleaned up", 20, lambda: not world.demo.namespaces() and not any(map(running, pids)))


def crashed_demo_is_cleaned_up_by_the_next_start(world):
    world.demo.start().ready()
    helper = world.demo.pids()["sonde-priv"]
    pids = list(world.demo.pids().values())
    # Both at once: nobody is left to clean up.
    os.kill(helper, signal.SIGKILL)
    world.demo.kill()
    until("the helper is gone", 5, lambda: not running(helper))
    assert world.demo.namespaces(), "the test wants something to be left over"
    world.demo.start().ready()
    assert len(world.demo.namespaces()) == 11, world.demo.namespaces()
    assert not any(map(running, pids)), "programs of the crashed demo still run"
    assert len(world.demo.api.items("/api/v1/nodes")) == 4
    world.demo.signal(signal.SIGTERM)
    assert world.demo.wait(30) == 0
    assert not leftovers(world, world.demo), leftovers(world, world.demo)


CASES = [
    demo_is_ready_with_four_nodes_online,
    nodes_reach_everybody_over_both_families,
    round_trip_minima_are_the_configured_delays,
    losses_are_within_binomial_bounds,
    flows_have_exactly_the_bytes_that_were_sent,
    handshakes_take_the_round_trip,
    broken_loss_shows_within_five_seconds_and_goes_when_mended,
    broken_delay_shows_with_its_size,
    node_that_is_cut_off_catches_up,
    every_node_is_complete_and_unique,
    programs_are_small,
    mistakes_are_named,
    interrupted_demo_leaves_nothing,
    killed_demo_is_cleaned_up_by_its_helper,
    crashed_demo_is_cleaned_up_by_the_next_start,
]


def why_not():
    """None, or what this machine lacks."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    done = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "may not make network namespaces"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    reason = why_not()
    if reason:
        tap.skip_all(CASES, reason)
        return 0
    return tap.run(CASES, set_up(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
