#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub and a node on loopback: joining, measuring, being shut out, and what bad input gets.

usage: single_node.py PROGRAM_DIR
"""
import contextlib
import csv
import io
import json
import os
import pathlib
import re
import socket
import ssl
import sys
import time

from sonde_e2e import isolate, tap
from sonde_e2e.api import ApiError, Events, ask_as_node, node_connection
from sonde_e2e.parts import Hub, Node, assert_complete, drained, free_ports
from sonde_e2e.place import Place, children, running
from sonde_e2e.tap import Skip
from sonde_e2e.rows import answered
from sonde_e2e.wait import PATIENCE, holds, until

REVOKE_SECONDS = 5


class World:
    def __init__(self, place):
        self.place = place
        self.hub = Hub(place)
        self.other_hub = Hub(place, "other-hub")
        self.node = Node(place, "attic")
        self.stranger = Node(place, "stranger")
        self.no_ping = isolate.why_no_ping(place)
        self.targets = isolate.loopback_targets()

    def describe(self):
        return self.place.describe()

    def need_ping(self):
        if self.no_ping:
            raise Skip(self.no_ping)

    def fails(self, code, pattern, program, *arguments):
        done = self.place.run(program, *arguments)
        assert done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr}"
        assert re.search(pattern, done.stderr), f"'{pattern}' is not in: {done.stderr}"
        assert done.stderr.count("\n") <= 3, f"more than a message: {done.stderr}"


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


def hub_says_where_it_is(world):
    said = world.hub.start().first_line()
    assert said["url"] == f"http://127.0.0.1:{world.hub.local_port}", said
    assert said["login_url"].startswith(said["url"] + "/login?token="), said
    world.hub.ready()
    assert os.stat(world.hub.api.hub_file).st_mode & 0o777 == 0o600
    nodes = world.hub.api.get("/api/v1/hub")["nodes"]
    assert nodes["online"] == nodes["offline"] == 0, nodes


def second_hub_on_the_same_state_is_refused(world):
    world.fails(1, r"hub", "sonde-hub", "--state", world.hub.state, "--set", "local=none", "--set",
                f"listen=127.0.0.1:{free_ports(1)[0]}", "--set", "announce=false")


def node_joins_with_a_token(world):
    world.node.join(world.hub)
    shown = world.hub.api.node("attic")
    assert shown["id"] == world.node.id and shown["state"] == "offline", shown
    assert os.stat(world.node.state / "identity.pem").st_mode & 0o777 == 0o600


def token_works_once(world):
    token = world.hub.invite(name="cellar")
    first = Node(world.place, "cellar")
    assert first.join(world.hub, token).returncode == 0
    done = Node(world.place, "cellar-2").join(world.hub, token)
    assert done.returncode == 3 and "used" in done.stderr, done


def expired_token_is_refused(world):
    token = world.hub.invite(expires_in="1s")
    time.sleep(1.2)
    done = Node(world.place, "late").join(world.hub, token)
    assert done.returncode == 3 and "expired" in done.stderr, done


def made_up_token_is_refused(world):
    token = world.hub.invite()
    made_up = ("0" if token[0] != "0" else "1") + token[1:]
    done = Node(world.place, "guesser").join(world.hub, made_up)
    assert done.returncode == 3, done
    done = Node(world.place, "typist").join(world.hub, "nonsense")
    assert done.returncode == 2 and "token" in done.stderr, done


def hub_that_is_not_the_tokens_is_refused(world):
    world.other_hub.start().ready()
    done = Node(world.place, "misled").join(world.other_hub, world.hub.invite())
    assert done.returncode == 3, done
    assert not (world.place.path / "misled" / "identity.pem").exists()


def started_node_is_online(world):
    world.node.start()
    world.node.online(world.hub)
    shown = world.hub.api.node("attic")
    assert "ping" in shown["methods"] and shown["version"], shown


def results_of_a_standing_measurement_arrive(world):
    world.need_ping()
    task = world.hub.api.post("/api/v1/measurements", {
        "name": "loopback", "capability": "ping", "nodes": ["attic"], "when": "now ... future / 1s",
        "parameters": {"targets": world.targets, "count": 2, "interval": "20ms", "timeout": "800ms"},
    })
    rows = until("rows of all targets", 20, lambda: {
        row["target"]: row for row in world.hub.api.rows("ping", limit=50)
    }.keys() >= set(world.targets) and world.hub.api.rows("ping", limit=50))
    for row in rows:
        assert row["node"] == world.node.id and row["task"] == task["id"], row
        assert row["sent_packets"] == 2 and row["lost_packets"] == 0 and answered(row), row
        assert 0 < row["rtt_min_seconds"] <= row["rtt_p50_seconds"] <= row["rtt_max_seconds"] < 0.5, row
        assert row["timestamps"] == "kernel", row


def shell_measures_on_our_hub(world):
    world.need_ping()
    where = world.hub.api.where()
    token = world.place.path / "token"
    token.write_text(where["token"], encoding="ascii")
    token.chmod(0o600)
    lines = ["listcap", "set targets 127.0.0.1", "set count 2", "runcap ping", "showmeas ping-0"]
    world.place.env["SONDE_TOKEN_FILE"] = str(token)
    try:
        done = world.place.run("sonde", "shell", "--hub", where["url"], *(word for line in lines for word in ("-c", line)))
    finally:
        del world.place.env["SONDE_TOKEN_FILE"]
    assert done.returncode == 0 and re.search(r"^ping +\w{32}  attic$", done.stdout, re.M), done
    assert re.search(r"  127\.0\.0\.1  127\.0\.0\.1  4 .* ok ", done.stdout), done.stdout


def results_are_the_same_in_all_forms(world):
    world.need_ping()
    # The oldest of many: what comes meanwhile is newer.
    query = {"limit": 4 * len(world.targets), "order": "oldest"}
    until("rows beyond these", 20, lambda: len(world.hub.api.rows("ping", limit=100)) >= 2 * query["limit"])
    lines = world.hub.api.rows("ping", **query)
    items = world.hub.api.get("/api/v1/datasets/ping/rows", **query)["items"]
    with world.hub.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", **query) as answer:
        table = list(csv.DictReader(io.StringIO(answer.read().decode(), newline="")))
    assert lines and lines == items and len(table) == len(lines), (len(lines), len(items), len(table))
    for line, record in zip(lines, table):
        for column, value in line.items():
            written = float(record[column]) if isinstance(value, float) else record[column]
            assert written == (value if isinstance(value, float) else str(value)), (column, value, record[column])


def results_are_followed_as_events(world):
    world.need_ping()
    with Events(world.hub.api, topic="ping", node=world.node.id) as events:
        topic, data = next(iter(events))
    assert topic == "ping" and data["node"] == world.node.id and data["rows"], (topic, data)


def node_measures_on_without_its_hub(world):
    world.need_ping()
    assert world.hub.stop() == 0
    silent_from = time.time()
    until("batches wait on disk", 10, lambda: len(world.node.spooled()) >= 3)
    time.sleep(1.5)
    silent_until = time.time()
    world.hub.start().ready()
    world.node.online(world.hub)
    drained(world.hub, world.node)

    def from_the_silence():
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(silent_from + 1))
        upto = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(silent_until))
        return world.hub.api.rows("ping", since=since, until=upto)
    until("rows from the time without the hub", 20, from_the_silence)


def restarted_node_goes_on_where_it_was(world):
    world.need_ping()
    probe, = until("one prober", 10, lambda: len(found := children(world.node.pid, "sonde-probe")) == 1 and found)
    assert world.node.stop() == 0
    assert not running(probe), "the prober outlived its node"
    world.node.start()
    before = world.hub.api.check("attic")["rows"]
    until("further rows", 20, lambda: world.hub.api.check("attic")["rows"] > before)
    assert_complete(drained(world.hub, world.node))


def people_without_a_token_are_refused(world):
    for token in ("", "0" * 64):
        try:
            world.hub.api.get("/api/v1/nodes", token=token)
        except ApiError as error:
            assert error.status == 401, error
        else:
            raise AssertionError("nodes were listed for a stranger")


def connection_without_a_certificate_is_no_node(world):
    with node_connection(world.hub.url, world.node.state / "ca.pem") as connection:
        status, problem = ask_as_node(connection, "POST", "/api/v1/node/heartbeat", b"{}")
    assert status in (401, 403), (status, problem)


def strangers_certificate_is_refused(world):
    world.stranger.join(world.other_hub)
    try:
        with node_connection(world.hub.url, world.node.state / "ca.pem",
                             world.stranger.state / "identity.pem") as connection:
            status, problem = ask_as_node(connection, "POST", "/api/v1/node/heartbeat", b"{}")
    except (ssl.SSLError, ConnectionError):
        return  # already during the handshake
    assert status in (401, 403), (status, problem)


def node_of_another_hub_trusts_none_but_its_own(world):
    # The other hub's node, sent to this hub: it must neither get in nor take it for its own.
    world.other_hub.stop()
    lost = Node(world.place, "stranger", hub_urls=world.hub.url)
    lost.start()
    until("it says that it does not trust the hub", 20, lambda: re.search(r"certificate|trust", lost.log_text()))
    holds("it goes on trying", 1, lost.alive)
    names = [node["name"] for node in world.hub.api.items("/api/v1/nodes")]
    assert "stranger" not in names, names
    assert lost.stop() == 0


def wrong_configuration_is_named(world):
    file = world.place.path / "bad.yaml"
    for program, key, near in (("sonde-hub", "heartbeat_intervall: 1s", "heartbeat_interval"),
                               ("sonde-node", "spool_limitt: 1MB", "spool_limit")):
        file.write_text(key + "\n", encoding="utf-8")
        world.fails(2, rf"bad\.yaml.*{key.split(':')[0]}.*{near}", program, "--config", file, "--check-config")
        world.fails(2, r"bad\.yaml", program, "--config", file)
    file.write_text("heartbeat_interval: soon\n", encoding="utf-8")
    world.fails(2, r"heartbeat_interval.*soon|soon.*heartbeat_interval", "sonde-hub", "--config", file)
    file.write_text("listen: [unclosed\n", encoding="utf-8")
    world.fails(2, r"bad\.yaml", "sonde-hub", "--config", file)
    world.fails(2, r"absent\.yaml", "sonde-hub", "--config", world.place.path / "absent.yaml")


def wrong_options_are_named(world):
    world.fails(2, r"--stat", "sonde-hub", "--stat_", "x")
    world.fails(2, r"cout", "sonde-probe", "ping", "--cout", "3", "127.0.0.1")
    world.fails(2, r"nod.*node|node", "sonde", "nod", "list")
    world.fails(2, r"count", "sonde-probe", "ping", "--count", "0", "127.0.0.1")


def hub_that_is_not_there_is_named(world):
    port = free_ports(1)[0]
    token = world.hub.invite()
    world.fails(4, rf"127\.0\.0\.1:{port}", "sonde-node", "join", f"https://127.0.0.1:{port}", token, "--state",
                world.place.path / "nowhere")
    world.fails(4, rf"127\.0\.0\.1:{port}", "sonde", "node", "list", "--hub", f"http://127.0.0.1:{port}")


def damaged_captures_are_named_and_what_was_whole_is_kept(world):
    whole = (pathlib.Path(__file__).parent.parent / "data" / "pcap" / "http-methods.pcap").read_bytes()
    file = world.place.path / "damaged.pcap"
    file.write_bytes(whole[:5001])
    done = world.place.run("sonde-meter", "--json", "--read", file)
    assert done.returncode == 5 and "truncated" in done.stderr and str(file) in done.stderr, done.stderr
    assert [json.loads(line)["protocol"] for line in done.stdout.splitlines()], "no flow of the whole part"
    record = 4420  # where the packet that is cut above begins
    file.write_bytes(whole[:record] + b"\xff" * 16 + whole[record + 16:])
    done = world.place.run("sonde-meter", "--json", "--read", file)
    assert done.returncode in (1, 5) and str(file) in done.stderr, (done.returncode, done.stderr)
    file.write_bytes(b"no capture at all")
    world.fails(1, r"damaged\.pcap.*not a capture file", "sonde-meter", "--json", "--read", file)
    world.fails(1, r"absent\.pcap", "sonde-meter", "--json", "--read", world.place.path / "absent.pcap")


def revoked_node_is_shut_out_within_five_seconds(world):
    identity, authority = world.node.state / "identity.pem", world.node.state / "ca.pem"
    with node_connection(world.hub.url, authority, identity) as stream:
        stream.sendall(b"GET /api/v1/node/events HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n\r\n")
        assert stream.recv(65536).startswith(b"HTTP/1.1 200"), "no event stream before the revocation"
        start = time.monotonic()
        world.hub.api.post("/api/v1/nodes/attic/revoke")
        stream.settimeout(PATIENCE * REVOKE_SECONDS)
        try:
            while stream.recv(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        except socket.timeout:
            raise AssertionError(f"the connection lived on for {PATIENCE * REVOKE_SECONDS} s") from None
        took = time.monotonic() - start
    tap.note(f"closed after {took:.3f} s")
    assert took < PATIENCE * REVOKE_SECONDS, took
    assert world.hub.api.node("attic")["state"] == "revoked"
    try:
        with node_connection(world.hub.url, authority, identity) as connection:
            status, problem = ask_as_node(connection, "POST", "/api/v1/node/heartbeat", b"{}")
    except (ssl.SSLError, ConnectionError):
        return
    assert status == 403 and problem.get("code") == "identity-revoked", (status, problem)


def rows_of_a_revoked_node_stay(world):
    world.need_ping()

    def nothing_comes():
        # What was on its way may just be stored.
        rows = world.hub.api.check("attic")["rows"]
        time.sleep(2)
        return world.hub.api.check("attic")["rows"] == rows
    until("no more rows", 6, nothing_comes)
    assert_complete(world.hub.api.check("attic"))


def programs_end_in_order(world):
    probes = children(world.node.pid, "sonde-probe")
    assert world.node.stop() == 0
    assert world.hub.stop() == 0
    until("no prober is left", 5, lambda: not any(map(running, probes)))
    for program in world.place.started:
        found = re.search(r".*(Sanitizer|runtime error|[Aa]ssertion).*", program.log_text())
        assert not found, f"{program.name}: {found[0]}"


CASES = [
    hub_says_where_it_is,
    second_hub_on_the_same_state_is_refused,
    node_joins_with_a_token,
    token_works_once,
    expired_token_is_refused,
    made_up_token_is_refused,
    hub_that_is_not_the_tokens_is_refused,
    started_node_is_online,
    results_of_a_standing_measurement_arrive,
    shell_measures_on_our_hub,
    results_are_the_same_in_all_forms,
    results_are_followed_as_events,
    node_measures_on_without_its_hub,
    restarted_node_goes_on_where_it_was,
    people_without_a_token_are_refused,
    connection_without_a_certificate_is_no_node,
    strangers_certificate_is_refused,
    node_of_another_hub_trusts_none_but_its_own,
    wrong_configuration_is_named,
    wrong_options_are_named,
    hub_that_is_not_there_is_named,
    damaged_captures_are_named_and_what_was_whole_is_kept,
    revoked_node_is_shut_out_within_five_seconds,
    rows_of_a_revoked_node_stay,
    programs_end_in_order,
]


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    isolate.enter()
    return tap.run(CASES, set_up(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
