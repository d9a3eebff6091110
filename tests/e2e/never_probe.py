#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks that are never probed: nothing is sent there, wherever a name leads, and what runs already is stopped.

usage: never_probe.py PROGRAM_DIR
"""
import contextlib
import http.client
import json
import re
import sys

from sonde_e2e import isolate, tap
from sonde_e2e.api import ApiError
from sonde_e2e.mplane import MEDIA, Peer
from sonde_e2e.parts import Hub, Node
from sonde_e2e.place import Place, Program, children, replace_text, running
from sonde_e2e.rows import answered
from sonde_e2e.tap import Skip
from sonde_e2e.wait import PATIENCE, holds, until

POLICY = """roles: {{boss: account:admin, some: someone}}
rules:
  - allow: [admin, discover, measure, read, read-all, stop-all]
    roles: [boss, some]
    capabilities: "*"
{more}
never_probe: [{networks}]
"""


class World:
    def __init__(self, place):
        self.place = place
        self.policy = place.path / "policy.yaml"
        self.no_ping = isolate.why_no_ping(place)
        # A name of our own, or else the one that every machine has.
        if isolate.cover_hosts(place, "127.0.0.1 localhost\n127.0.0.9 spared.example\n"):
            self.name, self.networks, self.refused = "spared.example", "127.0.0.9/32", "127.0.0.9"
        else:
            self.name, self.networks, self.refused = "localhost", '127.0.0.1/32, "::1"', "127.0.0.1|::1"
        self.free = "127.0.0.2"
        self.write()
        self.hub = Hub(place, policy=self.policy, mplane_plain="true", mplane_wait="500ms")
        self.node = Node(place, "attic")
        self.standing = None

    def describe(self):
        return self.place.describe()

    def need_ping(self):
        if self.no_ping:
            raise Skip(self.no_ping)

    def write(self, networks="", more=""):
        replace_text(self.policy, POLICY.format(networks=networks, more=more))

    def change(self, networks="", more=""):
        """Another policy, and the hub has taken it."""
        before = self.hub.api.get("/api/v1/policy")["loaded"]
        self.write(networks, more)
        until("the hub has the new policy", 10, lambda: self.hub.api.get("/api/v1/policy")["loaded"] != before)

    def ping(self, targets, when="now"):
        return self.hub.api.post("/api/v1/measurements", {
            "capability": "ping", "when": when,
            "parameters": {"targets": targets, "count": 1, "timeout": "500ms"}})["id"]

    def rows(self, task, target):
        return [row for row in self.hub.api.rows("ping", limit=1000) if row["task"] == task and row["target"] == target]

    def refusal(self):
        """What the error of a row says."""
        return rf"^address ({self.refused}) of '{self.name}' is never probed \(network ({self.refused})\)$"

    def is_refused(self, row):
        return (row["status"] == "failed" and row["sent_packets"] == 0 and "address" not in row
                and re.match(self.refusal(), row["error"]))


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


def node_is_ready(world):
    world.hub.start().ready()
    world.node.join(world.hub)
    world.node.start()
    world.node.online(world.hub)
    until("it offers ping", 10, lambda: "ping" in world.hub.api.node("attic")["methods"])


def prober_refuses_alone_on_the_shell(world):
    world.need_ping()
    file = world.place.path / "spared.txt"
    file.write_text("# asked not to be measured\n" + world.networks.replace(", ", "\n").replace('"', "") + "\n",
                    encoding="utf-8")
    done = world.place.run("sonde-probe", "ping", "--json", "-c", "1", "--never-probe", file, world.name, world.free)
    rows = {row["target"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert world.is_refused(rows[world.name]), rows
    assert answered(rows[world.free]), rows
    file.write_text("127.0.0.1/8\n", encoding="utf-8")
    done = world.place.run("sonde-probe", "ping", "-c", "1", "--never-probe", file, world.free)
    assert done.returncode == 2 and re.search(r"spared\.txt', line 1: '127\.0\.0\.1/8'", done.stderr), done.stderr


def name_is_measured_while_nobody_minds(world):
    world.need_ping()
    world.standing = world.ping([world.name, world.free], "now ... future / 1s")
    until("rows", 20, lambda: any(row["status"] == "ok" for row in world.rows(world.standing, world.name)))


def standing_probe_learns_that_the_name_leads_there_now(world):
    world.need_ping()
    before = until("it is probed", 10, lambda: children(world.node.pid, "sonde-probe"))
    world.change(world.networks)
    until("the prober is another one", 10, lambda: not running(before[0]))
    until("rows that refuse", 20, lambda: any(map(world.is_refused, world.rows(world.standing, world.name))))
    count = len(world.rows(world.standing, world.free))
    until("the other target goes on", 10, lambda: len(world.rows(world.standing, world.free)) > count)
    assert world.hub.api.get(f"/api/v1/measurements/{world.standing}")["state"] == "running"
    # From the first refusal on nothing was sent any more.
    rows = sorted(world.rows(world.standing, world.name), key=lambda row: row["seq"])
    first = next(i for i, row in enumerate(rows) if world.is_refused(row))
    assert all(map(world.is_refused, rows[first:])), rows[first:]


def new_measurement_of_the_name_fails_with_the_reason(world):
    world.need_ping()
    task = world.ping([world.name, world.free])
    rows = until("its row", 20, lambda: world.rows(task, world.name))
    assert len(rows) == 1 and world.is_refused(rows[0]), rows
    assert until("the other one", 20, lambda: world.rows(task, world.free)) and answered(world.rows(task, world.free)[0])


def address_itself_is_refused_by_the_hub(world):
    target = world.refused.split("|", maxsplit=1)[0]
    try:
        world.ping([target])
    except ApiError as error:
        assert error.status == 403 and re.search(r"never probed \(line 7\)", str(error)), error
    else:
        raise AssertionError("the hub took it")


def restarted_node_remembers_without_its_hub(world):
    world.need_ping()
    assert world.node.stop() == 0
    newest = max(row["seq"] for row in world.rows(world.standing, world.name))
    world.hub.stop()
    world.node.start()
    until("it measures", 10, lambda: children(world.node.pid, "sonde-probe"))
    until("batches wait on disk", 10, lambda: len(world.node.spooled()) >= 2)
    world.hub.start().ready()

    def later():
        return [row for row in world.rows(world.standing, world.name) if row["seq"] > newest]
    until("rows of that time", 20, later)
    assert all(map(world.is_refused, later())), later()


def another_policy_lets_it_be_measured_again(world):
    world.need_ping()
    newest = max(row["seq"] for row in world.rows(world.standing, world.name))
    world.change("198.51.100.0/24")
    until("rows that are good again", 20, lambda: any(
        row["status"] == "ok" for row in world.rows(world.standing, world.name) if row["seq"] > newest))


def running_measurement_of_the_address_is_stopped(world):
    world.need_ping()
    free = world.ping([world.free], "now ... future / 1s")
    spared = world.ping(["127.0.0.9"], "now ... future / 1s")
    until("rows", 20, lambda: world.rows(spared, "127.0.0.9"))
    world.change("127.0.0.9/32")
    shown = until("it is stopped", 10, lambda: (
        shown := world.hub.api.get(f"/api/v1/measurements/{spared}"))["state"] == "stopped" and shown)
    error = "the policy does not allow it any more: target '127.0.0.9' is never probed (line 7)"
    assert [part["error"] for part in shown["parts"]] == [error], shown["parts"]
    until("its prober has ended", 10, lambda: len(children(world.node.pid, "sonde-probe")) == 2)
    holds("the other one runs on", 1, lambda: world.hub.api.get(f"/api/v1/measurements/{free}")["state"] == "running")
    lines = [line for line in world.hub.api.items("/api/v1/audit") if line["subject"] == spared]
    assert any(line["outcome"] == "refused" and line["line"] == 7 for line in lines), lines


def ping_of(capability, token, when, target):
    """A specification for our own capability: one request to the target in each run."""
    return {**{key: value for key, value in capability.items() if key not in ("capability", "link")},
            "specification": "measure", "token": token, "when": when,
            "parameters": {**capability["parameters"], "targets": target, "count": "1", "family": "4", "ttl": "64"}}


def mplane_client_is_told_why_its_measurement_was_stopped(world):
    world.need_ping()
    world.change()
    client = Peer(world.hub.api.where()["url"], "someone")
    answer = client.say(ping_of(client.find("ping")[0], "t-stopped", "now + 1h / 1s", "127.0.0.9"))
    assert "receipt" in answer, answer
    world.change("127.0.0.9/32")
    answer = until("it is told", 20, lambda: "receipt" not in (
        answer := client.redeem("t-stopped")) and answer, pause=0.2)
    told = [message["message"] for message in (answer.get("contents") or [answer]) if "exception" in message]
    assert len(told) == 1 and told[0].endswith("target '127.0.0.9' is never probed (line 7)"), answer


def component_refuses_the_name_as_well(world):
    world.need_ping()
    world.write(world.networks)
    component = Program(world.place, "component", "sonde-node", "component", "--json", "--plain", "--listen",
                        "127.0.0.1:0", "--policy", world.policy, "--registry-native")
    host, port = re.fullmatch(r"http://([0-9.]+):([0-9]+)", component.start().first_line()["url"]).groups()
    connection = http.client.HTTPConnection(host, int(port), timeout=30 * PATIENCE)

    def say(method, path, message=None):
        connection.request(method, path, json.dumps(message) if message else None,
                           {"Content-Type": MEDIA, "Accept": MEDIA, "Forged-MPlane-Identity": "someone"})
        return json.loads(connection.getresponse().read())

    capability = next(item for item in say("GET", "/capability")["contents"] if item["label"] == "ping")
    specification = ping_of(capability, "t-1", "now", world.name)
    columns = [capability["results"].index(name) for name in ("target", "status", "error")]

    def result():
        answer = say("POST", "/", specification if not sent else
                     {"redemption": "measure", "version": 1, "token": "t-1"})
        sent.append(answer)
        assert "exception" not in answer, answer
        return answer if "result" in answer else None
    sent = []
    rows = until("its result", 15, result, pause=0.2)["resultvalues"]
    target, status, error = (rows[0][column] for column in columns)
    assert (len(rows), target, status) == (1, world.name, "failed") and re.match(world.refusal(), error), rows
    connection.close()
    assert component.stop() == 0


def programs_end_in_order(world):
    assert world.node.stop() == 0
    assert world.hub.stop() == 0
    for program in world.place.started:
        found = re.search(r".*(Sanitizer|runtime error|[Aa]ssertion).*", program.log_text())
        assert not found, f"{program.name}: {found[0]}"


CASES = [
    node_is_ready,
    prober_refuses_alone_on_the_shell,
    name_is_measured_while_nobody_minds,
    standing_probe_learns_that_the_name_leads_there_now,
    new_measurement_of_the_name_fails_with_the_reason,
    address_itself_is_refused_by_the_hub,
    restarted_node_remembers_without_its_hub,
    another_policy_lets_it_be_measured_again,
    running_measurement_of_the_address_is_stopped,
    mplane_client_is_told_why_its_measurement_was_stopped,
    component_refuses_the_name_as_well,
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
