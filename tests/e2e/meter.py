#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Meters on a node: Tstat's logs by the hour, their rows in the hub, and switching what is logged while it runs.

usage: meter.py PROGRAM_DIR
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

from sonde_e2e import isolate, tap
from sonde_e2e.mplane import Peer
from sonde_e2e.parts import Hub, Node
from sonde_e2e.place import Place, Program, children
from sonde_e2e.tap import Skip
from sonde_e2e.wait import holds, until

NOBODY = 65534
LEASE_SECONDS = 60
CORE_COLUMNS, END_TO_END = "c_pkts_all:3", "c_rtt_avg:"
LABEL = "tstat-log_tcp_complete-end_to_end"
RESULTS = ["rtt.average.ms", "rtt.min.ms", "rtt.max.ms", "rtt.stddev", "rtt.samples", "ttl.min", "ttl.max"]
# All that Tstat has but the columns that are switched on later.
RUNTIME_CONF = """[log]
log_tcp_complete = 1
log_udp_complete = 1
log_http_complete = 0
[options]
tcplog_end_to_end = 0   # switched
tcplog_layer7 = 1
"""


def connection_on_loopback(words=b"hello"):
    """A TCP connection from its first to its last segment; the port of its server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            served, _ = server.accept()
            with served:
                client.sendall(words)
                served.recv(100)
    return port


def datagram_on_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        sender.sendto(b"datagram", receiver.getsockname())
        return receiver.getsockname()[1]


class World:
    def __init__(self, place):
        self.place = place
        done = place.run("sonde-meter", "-i", "lo", "-d", "100ms", "-j")
        self.no_capture = None if done.returncode == 0 else done.stderr.strip()
        self.hub = Hub(place).start().ready()
        self.node = Node(place, "attic")
        self.node.join(self.hub)
        self.meters = self.node.state / "meters"
        self.meters.mkdir(mode=0o755)
        (self.meters / "runtime.conf").write_text(RUNTIME_CONF, encoding="utf-8")
        self.logs = self.meters / "tstat" / "lo"
        self.node.start().online(self.hub)
        self.component = None
        self.standing = self.killed = None

    def describe(self):
        return self.place.describe()

    def need_capture(self):
        if self.no_capture:
            raise Skip(self.no_capture)

    def sonde(self, *words, code=0):
        where = self.hub.api.where()
        token = self.place.path / "token"
        token.write_text(where["token"], encoding="utf-8")
        self.place.env |= {"SONDE_URL": where["url"], "SONDE_TOKEN_FILE": str(token)}
        done = self.place.run("sonde", *words, seconds=60)
        assert done.returncode == code, f"exit code {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}"
        return done

    def rows(self, dataset, port):
        """What `sonde results` shows of that server's port."""
        done = self.sonde("results", dataset, "--json")
        return [row for row in map(json.loads, done.stdout.splitlines()) if row["s_port"] == port]

    def processes(self, word):
        """Meters of the node whose command line has that option."""
        found = []
        for pid in children(self.node.pid, "sonde-meter"):
            with contextlib.suppress(OSError):
                if word in pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0"):
                    found.append(pid)
        return found

    def directories(self):
        return sorted(entry for entry in self.logs.iterdir() if entry.name.endswith(".out"))

    def header(self):
        """First line of the newest directory's log of TCP connections; a file just made has none for a moment."""
        def first_line():
            with open(self.directories()[-1] / "log_tcp_complete", encoding="utf-8") as log:
                line = log.readline()
            return line if line.endswith("\n") else None
        connection_on_loopback()
        return until("the log has its header", 5, first_line)

    def becomes_detailed(self, detailed, seconds=10):
        def looks_so():
            header = self.header()
            assert CORE_COLUMNS in header, header
            return (END_TO_END in header) == detailed
        until(f"the log {'has' if detailed else 'has no'} round trips", seconds, looks_so, pause=0.1)

    def control(self, method="GET", path="/v1/settings"):
        """What the meter's own socket answers."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(self.meters / "control" / "lo.sock"))
            stream.sendall(f"{method} {path} HTTP/1.1\r\nHost: meter\r\nConnection: close\r\n\r\n".encode())
            text = b"".join(iter(lambda: stream.recv(65536), b""))
        return json.loads(text.split(b"\r\n\r\n", 1)[1])


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


# Before there is a meter -------------------------------------------------------------


def switch_without_a_meter_fails_and_says_why(world):
    done = world.sonde("measure", LABEL, "--when", "now + 1s", code=1)
    assert "no meter writes any" in done.stderr, done.stderr


# Rows and logs --------------------------------------------------------------------------


def meter_brings_rows_of_tcp_and_udp_to_the_hub(world):
    world.need_capture()
    done = world.sonde("measure", "tstat", "interface=lo", "--when", "now ... future", "--detach")
    world.standing = done.stdout.strip()
    until("the meter answers", 20, world.control)
    tcp, udp = connection_on_loopback(b"12345"), datagram_on_loopback()
    row, = until("the connection in the hub", 30, lambda: world.rows("tstat_tcp_complete", tcp), pause=0.3)
    assert row["c_bytes_uniq"] == 5 and row["c_syn_cnt"] == row["s_syn_cnt"] == 1 and row["c_ip"] == "127.0.0.1", row
    assert row["node"] == world.node.id and row["task"] == world.standing, row
    # One datagram alone is over after ten seconds.
    row, = until("the datagram in the hub", 40, lambda: world.rows("tstat_udp_complete", udp), pause=0.3)
    assert row["c_pkts_all"] == 1 and row["c_bytes_all"] == 8 and row["s_pkts_all"] == 0, row
    assert world.rows("tstat_tcp_complete", udp) == [], "rows are mixed up"


def logs_lie_in_directories_named_by_their_time(world):
    world.need_capture()
    name = world.directories()[-1].name
    begun = time.mktime(time.strptime(name, "%Y_%m_%d_%H_%M.out"))
    assert abs(time.time() - begun) < 3600, name
    world.becomes_detailed(False)
    port = connection_on_loopback()
    log = world.directories()[-1] / "log_tcp_complete"
    until("a line of the log", 10, lambda: re.search(rf"^127\.0\.0\.1 \d+ .* 127\.0\.0\.1 {port} ",
                                                     log.read_text(encoding="utf-8"), re.MULTILINE))
    assert not (log.parent / "log_http_complete").exists(), "runtime.conf switched it off"


def logs_are_for_all_and_control_is_not(world):
    world.need_capture()
    log = world.directories()[-1] / "log_tcp_complete"
    for path in [log, *log.parents]:
        if path == world.place.path.parent:
            break
        assert os.stat(path).st_mode & (0o004 if path == log else 0o001), f"{path} is closed to others"
    socket_path = world.meters / "control" / "lo.sock"
    assert os.stat(socket_path.parent).st_mode & 0o777 == 0o700
    assert os.stat(socket_path).st_mode & 0o777 == 0o600
    if os.geteuid() != 0:
        return
    for path, allowed in ((log, True), (socket_path.parent, False), (world.node.state / "identity.pem", False)):
        done = subprocess.run(["ls" if path.is_dir() else "cat", str(path)], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, check=False)
        # In the sandbox of an ordinary user nobody else may exist.
        assert (done.returncode == 0) == allowed, f"{path}: {done.stderr}"


def second_meter_of_an_interface_leaves_the_logs_alone(world):
    world.need_capture()
    before = world.processes("--directory")
    other = world.sonde("measure", "tstat", "interface=lo", "datasets=tstat_udp_complete", "--when", "now + 20s",
                        "--detach").stdout.strip()
    until("both run", 20, lambda: len(world.processes("--interface")) == 2)
    assert world.processes("--directory") == before and len(world.processes("--control")) == 1
    datagram_on_loopback()

    def of_the_other():
        datagram_on_loopback()  # the first ones may have come before it looked
        return [row for row in world.hub.api.rows("tstat_udp_complete") if row["task"] == other]
    until("rows of the second meter", 40, of_the_other, pause=0.3)
    assert not [row for row in world.hub.api.rows("tstat_tcp_complete") if row["task"] == other], "rows are mixed up"
    until("it is over", 30, lambda: len(world.processes("--interface")) == 1)


def flows_are_metered_beside_it(world):
    world.need_capture()
    identity = world.sonde("measure", "flow", "interface=lo", "idle-timeout=1s", "--when", "now + 10s",
                           "--detach").stdout.strip()
    until("both run", 20, lambda: len(world.processes("--interface")) == 2)
    ports = set()

    def of_ours():
        ports.add(connection_on_loopback())  # the first ones may have come before it looked
        return [row for row in world.hub.api.rows("flow") if row.get("s_port") in ports]
    row = until("the flow", 30, of_ours, pause=0.3)[0]
    assert row["task"] == identity, row
    until("it is over", 30, lambda: len(world.processes("--interface")) == 1)


# Switching --------------------------------------------------------------------------------


def killed_holder_leaves_its_lease(world):
    """A later case waits for the end of the lease."""
    world.need_capture()
    holder = Program(world.place, "holder", "sonde-meter", "--control", world.meters / "control" / "lo.sock",
                     "--switch", "log_dns_complete=1")
    holder.start()
    until("it holds", 10, lambda: world.control()["values"]["log_dns_complete"])
    holder.kill()
    world.killed = time.monotonic()
    settings = world.control()
    assert settings["values"]["log_dns_complete"] and len(settings["leases"]) == 1, settings


def columns_are_switched_through_the_hub_for_a_while(world):
    world.need_capture()
    world.becomes_detailed(False)
    began = time.monotonic()
    identity = world.sonde("measure", LABEL, "--node", "attic", "--when", "now + 15s", "--detach").stdout.strip()
    world.becomes_detailed(True, 5)
    holds("it is so all the time", max(0, 5 - (time.monotonic() - began)), lambda: END_TO_END in world.header())
    world.becomes_detailed(False, 20)
    assert time.monotonic() - began < LEASE_SECONDS, "it goes back at once, not with the end of a lease"
    until("it is done", 10, lambda: world.hub.api.get(f"/api/v1/measurements/{identity}")["state"] == "done")


def killed_switch_of_the_node_holds_on_and_goes_back(world):
    world.need_capture()
    identity = world.sonde("measure", LABEL, "--node", "attic", "--when", "now + 1h", "--detach").stdout.strip()
    world.becomes_detailed(True, 8)
    victim, = world.processes("--switch")
    os.kill(victim, signal.SIGKILL)
    until("another takes its place", 10, lambda: world.processes("--switch") not in ([], [victim]))
    assert END_TO_END in world.header(), "it went back although it is still wanted"
    world.sonde("measure", "stop", identity)
    until("the scope is over", 20, lambda: not world.processes("--switch"))
    # What the killed one held ends with its lease.
    leases = [lease for lease in world.control()["leases"] if "tcplog_end_to_end" in lease["changes"]]
    assert len(leases) == 1, leases
    world.control("DELETE", f"/v1/leases/{leases[0]['lease']}")
    world.becomes_detailed(False)


def component_of_the_same_meters_switches_them(world):
    world.need_capture()
    world.component = Program(world.place, "component", "sonde-node", "component", "--json", "--plain", "--listen",
                              "127.0.0.1:0", "--source", "127.0.0.1", "--name", "tStat-Proxy-01", "--meters",
                              world.meters)
    client = Peer(world.component.start().first_line()["url"], "org.example.Clients.c1")
    offered, = client.find(LABEL)
    assert offered["results"] == RESULTS and list(offered["parameters"]) == ["System_ID"], offered
    specification = {"specification": "measure", "version": 1, "registry": offered["registry"], "label": f"{LABEL}-1",
                     "token": "t1", "when": "now + 15s", "parameters": {"System_ID": "tStat-Proxy-01"},
                     "results": RESULTS}
    world.becomes_detailed(False)
    answer = client.say(specification, "/")
    assert "receipt" in answer or "result" in answer, answer
    world.becomes_detailed(True, 6)
    world.becomes_detailed(False, 20)
    result = until("the result", 15, lambda: [found for found in [client.redeem("t1")] if "result" in found], pause=0.3)[0]
    assert result["results"] == RESULTS and result["token"] == "t1", result


def interrupted_specification_switches_back(world):
    world.need_capture()
    client = Peer(world.component.first_line()["url"], "org.example.Clients.c1")
    receipt = client.say({"specification": "measure", "version": 1, "registry": client.find(LABEL)[0]["registry"],
                          "label": f"{LABEL}-2", "token": "t2", "when": "now ... future",
                          "parameters": {"System_ID": "tStat-Proxy-01"}, "results": RESULTS}, "/")
    assert "receipt" in receipt, receipt
    world.becomes_detailed(True, 5)
    client.say({"interrupt": receipt.pop("receipt"), **receipt})
    world.becomes_detailed(False, 5)
    assert world.component.stop() == 0


def runtime_conf_is_the_operators(world):
    world.need_capture()
    values = world.control()["values"]
    assert values["tcplog_layer7"] and not values["tcplog_end_to_end"] and not values["log_http_complete"], values


def finished_logs_are_compressed_and_three_directories_stay(world):
    world.need_capture()

    def tidied():
        directories = world.directories()  # four for the moment between a beginning and the tidying after it
        return len(directories) == 3 and all(
            entry.suffix == ".gz" for directory in directories[:-1] for entry in directory.iterdir())
    until("the finished ones are compressed", 20, tidied, pause=0.2)
    log = world.directories()[-2] / "log_tcp_complete.gz"
    text = subprocess.run(["gzip", "-dc", str(log)], capture_output=True, text=True, check=True).stdout
    assert CORE_COLUMNS in text.splitlines()[0], text[:200]


# Over and again ------------------------------------------------------------------------------------


def restarted_node_takes_its_logs_up_again(world):
    world.need_capture()
    meter, = world.processes("--directory")
    os.kill(meter, signal.SIGKILL)
    until("another meter", 20, lambda: world.processes("--directory") not in ([], [meter]))
    until("it answers where the other did", 20, world.control)
    assert world.node.stop() == 0
    world.node.start().online(world.hub)
    until("the meter answers", 20, world.control)
    port = connection_on_loopback()
    until("rows again", 30, lambda: world.rows("tstat_tcp_complete", port), pause=0.3)
    assert len(world.processes("--directory")) == 1


def holder_that_ends_in_order_takes_its_switch_back(world):
    world.need_capture()
    holder = Program(world.place, "last-holder", "sonde-meter", "--control", world.meters / "control" / "lo.sock",
                     "--switch", "log_dns_complete=1", "-d", "1s")
    holder.start()
    assert holder.wait(10) == 0
    assert not world.control()["values"]["log_dns_complete"], "what ends in order goes back at once"
    world.sonde("measure", "stop", world.standing)
    until("the meter is gone", 20, lambda: not world.processes("--interface"))


def killed_holders_switch_goes_back_within_its_lease(world):
    world.need_capture()
    left = LEASE_SECONDS + 3 - (time.monotonic() - world.killed)
    until("it goes back", max(left, 1), lambda: not world.control()["values"]["log_dns_complete"], pause=0.5)
    assert world.control()["leases"] == []


CASES = [
    switch_without_a_meter_fails_and_says_why,
    meter_brings_rows_of_tcp_and_udp_to_the_hub,
    logs_lie_in_directories_named_by_their_time,
    logs_are_for_all_and_control_is_not,
    runtime_conf_is_the_operators,
    killed_holder_leaves_its_lease,
    second_meter_of_an_interface_leaves_the_logs_alone,
    flows_are_metered_beside_it,
    columns_are_switched_through_the_hub_for_a_while,
    killed_switch_of_the_node_holds_on_and_goes_back,
    component_of_the_same_meters_switches_them,
    interrupted_specification_switches_back,
    finished_logs_are_compressed_and_three_directories_stay,
    killed_holders_switch_goes_back_within_its_lease,
    restarted_node_takes_its_logs_up_again,
    holder_that_ends_in_order_takes_its_switch_back,
]


if __name__ == "__main__":
    isolate.enter()
    sys.exit(tap.run(CASES, set_up(sys.argv[1])))
