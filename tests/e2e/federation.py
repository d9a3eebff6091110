#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three supervisors in two domains: what a component at the lowest offers is used by a client at the highest.

    domain A        domain B
    client -> A  <-  B  <-  C  <- component

usage: federation.py PROGRAM_DIR
"""
import contextlib
import re
import sys
import time

from sonde_e2e import isolate, tap
from sonde_e2e.mplane import (Peer, answer_to, callback, capability, context_of, identity_files, path_of, result_of, rows,
                              specification)
from sonde_e2e.parts import Hub
from sonde_e2e.place import Place
from sonde_e2e.wait import holds, until

SUP_B = "org.mplane.DomainB.Supervisors.sup-b"
SUP_C = "org.mplane.DomainB.Supervisors.sup-c"
SUP_A = "org.mplane.DomainA.Supervisors.sup-a"
COMPONENT = "org.mplane.DomainB.Components.probe-c"
COMPONENT_B = "org.mplane.DomainB.Components.probe-b"
CLIENT = "org.mplane.DomainA.Clients.alice"

POLICIES = {
    "a": ({"below": SUP_B, "clients": CLIENT}, [("register, deliver", "below", '"*"'),
                                                ("discover, measure, read, stop", "clients", '"*"')]),
    "b": ({"below": [SUP_C, COMPONENT_B], "above": "parent-a"}, [("register, deliver", "below", '"*"'),
                                                                 ("discover, measure", "above", "[hops, both]")]),
    "c": ({"below": [COMPONENT, SUP_A], "above": "parent-b"}, [("register, deliver", "below", '"*"'),
                                                               ("discover, measure", "above", '"*"')]),
}


def policy_text(name):
    roles, rules = POLICIES[name]
    lines = ["roles:"]
    lines += [f"  {role}: {who if isinstance(who, str) else '[' + ', '.join(who) + ']'}" for role, who in roles.items()]
    lines += ["  people: account:admin", "rules:"]
    for actions, role, labels in rules + [("discover, measure, read-all, stop-all", "people", '"*"')]:
        lines += [f"  - allow: [{actions}]", f"    roles: {role}", f"    capabilities: {labels}"]
    return "\n".join(lines + ["  - allow: admin", "    roles: people", "target_rate: none", ""])


class World:
    def __init__(self, place):
        self.place = place
        self.hubs = {}
        self.serial = 0
        for name in "abc":
            (place.path / f"{name}.yaml").write_text(policy_text(name), encoding="utf-8")
        self.issue()
        self.files = {}

    def describe(self):
        return self.place.describe()

    def ca(self, name):
        return self.place.path / name / "pki" / "ca.pem"

    def issue(self):
        """Certificates of domain B by the CA of hub b, of domain A by that of hub a."""
        for name in "abc":
            hub = Hub(self.place, name)
            hub.start().ready()
            self.hubs[name] = hub
        a, b = self.hubs["a"], self.hubs["b"]
        self.of_b = identity_files(self.place, b, "supervisor", "DomainB", "sup-b")
        self.of_c = identity_files(self.place, b, "supervisor", "DomainB", "sup-c")
        self.of_component = identity_files(self.place, b, "component", "DomainB", "probe-c")
        self.of_component_b = identity_files(self.place, b, "component", "DomainB", "probe-b")
        self.of_client = identity_files(self.place, a, "client", "DomainA", "alice")
        self.of_a = identity_files(self.place, a, "supervisor", "DomainA", "sup-a")
        for hub in self.hubs.values():
            assert hub.stop() == 0

    def trust(self, name, ca, *identities):
        path = self.place.path / f"{name}-trust.yaml"
        path.write_text(f"ca: {self.ca(ca)}\nidentities: [{', '.join(identities)}]\n", encoding="utf-8")
        return path

    def run(self, name, **settings):
        """The same state again, with what it needs now."""
        port = {"local": f"127.0.0.1:{self.hubs[name].local_port}", "listen": f"127.0.0.1:{self.hubs[name].port}"}
        hub = Hub(self.place, name, policy=self.place.path / f"{name}.yaml", mplane_lease="20s", mplane_poll="1s",
                  mplane_wait="500ms", mplane_grace="60s", **{**port, **settings})
        hub.local_port, hub.port, hub.url = self.hubs[name].local_port, self.hubs[name].port, self.hubs[name].url
        self.hubs[name] = hub
        hub.start().ready()
        return hub

    def parent(self, ca, files, name):
        return {"parent_url": self.hubs[name].url, "parent_ca": self.ca(ca), "parent_certificate": files[0],
                "parent_key": files[1], "parent_identity": f"parent-{name}", "parent_capabilities": "*"}

    def peer(self, hub, files):
        return Peer(self.hubs[hub].url, context=context_of(self.ca(hub), *files[:2]))

    def component(self):
        return self.peer("c", self.of_component)

    def client(self):
        return self.peer("a", self.of_client)

    def fresh(self):
        self.serial += 1
        return f"token-{self.serial}"

    def id_of(self, name):
        return self.hubs[name].api.get("/api/v1/hub")["id"]

    def offered(self, label, seconds=20):
        """As the client at the top sees it, while the component at the bottom goes on polling."""
        def look():
            self.component().register(capability("hops"), capability("secret"), callback())
            return self.client().find(label)
        return until(f"'{label}' is offered at the top", seconds, look, pause=0.3)[0]

    def ask(self, offered, when="now + 2s / 1s", device="*", **changes):
        token = self.fresh()
        values = {"source.device": device, "destination.ip4": "203.0.113.9", "hops.ip": "12",
                  **({"source.ip4": "198.51.100.21"} if "source.ip4" in offered["parameters"] else {})}
        receipt = self.client().say(specification(token, label=f"{offered['label']}-0", when=when, parameters=values,
                                                  results=offered["results"], **changes), path_of(offered["link"]))
        assert "receipt" in receipt, receipt
        return token

    def given(self, kind="specification", seconds=20):
        work = until(f"a {kind} reaches the component", seconds, lambda: self.component().work(kind), pause=0.3)
        assert len(work) == 1, work
        return work[0]

    def redeemed(self, token, seconds=30):
        def ask():
            self.component().poll()
            answer = self.client().redeem(token)
            return answer if "receipt" not in answer else None
        return until(f"the result of {token} is at the top", seconds, ask, pause=0.3)


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        world = World(place)
        world.run("a", trust=world.trust("a", "b", SUP_B))
        world.run("b", **world.parent("a", world.of_b, "a"))
        world.run("c", **world.parent("b", world.of_c, "b"), trust=world.trust("c", "b", COMPONENT))
        yield world


def capability_of_the_lowest_is_offered_at_the_highest(world):
    offered = world.offered("hops")
    assert offered["metadata"]["sonde.path"] == f"{world.id_of('c')} {world.id_of('b')}", offered
    assert offered["metadata"]["System_ID"] == world.id_of("b"), offered
    assert offered["parameters"]["source.device"] == "*", offered
    assert offered["results"][0] == "source.device" and offered["link"].startswith(world.hubs["a"].url), offered


def measurement_goes_down_and_its_result_comes_up(world):
    token = world.ask(world.offered("hops"))
    given = world.given()
    assert given["parameters"] == {"source.ip4": "198.51.100.21", "destination.ip4": "203.0.113.9", "hops.ip": "12"}, given
    assert given["when"] == "now + 2s / 1s" and given["token"] != token, given
    world.component().deliver(answer_to(given, "receipt"))
    world.component().deliver(result_of(given, rows(3)))
    result = world.redeemed(token)
    assert result["result"] == "measure" and result["token"] == token and result["label"] == "hops-0", result
    assert [row[1:] for row in result["resultvalues"]] == rows(3), result
    assert {row[0] for row in result["resultvalues"]} == {COMPONENT}, result
    for name in "abc":
        newest = world.hubs[name].api.get("/api/v1/measurements", limit=1)["items"][0]
        stored = world.hubs[name].api.get(f"/api/v1/measurements/{newest['id']}/results")["items"]
        assert newest["state"] == "done" and len(stored) == 3, (name, newest, stored)
    assert world.hubs["b"].api.get("/api/v1/measurements", limit=1)["items"][0]["owner"] == "peer:parent-a"


def policy_below_decides_what_is_seen_above(world):
    world.offered("hops")
    holds("what B does not give away is not at A", 2, lambda: not world.client().find("secret"))
    assert any(item["label"] == "secret" for item in world.hubs["b"].api.items("/api/v1/capabilities"))


def failure_of_the_component_is_told_at_the_top(world):
    token = world.ask(world.offered("hops"))
    given = world.given()
    world.component().deliver({"exception": given["token"], "message": "no carrier"})
    answer = world.redeemed(token)
    assert "exception" in answer and "no carrier" in answer["message"], answer


def interrupt_goes_down_and_the_rest_comes_up(world):
    token = world.ask(world.offered("hops"), when="now + 1h / 1s")
    given = world.given()
    world.component().deliver(answer_to(given, "receipt"))
    assert "receipt" in world.client().say({"interrupt": "measure", "version": 1, "token": token})
    interrupt = world.given("interrupt")
    assert interrupt["token"] == given["token"], interrupt
    world.component().deliver(answer_to(interrupt, "receipt"))
    world.component().deliver(result_of(given, rows(2)))
    answer = world.redeemed(token)
    assert answer.get("result") == "measure", answer


def results_of_what_has_no_end_come_up_as_they_are(world):
    token = world.ask(world.offered("hops"), when="now ... future / 1s")
    given = world.given()
    assert given["when"] == "now ... future / 1s", given
    world.component().deliver(answer_to(given, "receipt"))
    for number in range(3):
        world.component().deliver(result_of(given, rows(1, rtt=number, day=f"2031-05-0{number + 1}")))

    def counted():
        world.component().poll()
        return world.hubs["a"].api.get("/api/v1/measurements", limit=1)["items"][0]["results"] == 3
    until("all are at the top", 20, counted, pause=0.3)
    world.client().say({"interrupt": "measure", "version": 1, "token": token})
    world.given("interrupt")


def repeated_specification_brings_each_iteration(world):
    offered = world.offered("hops")
    start = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 2))
    token = world.ask(offered, when=f"repeat {start} + 1h / 8s {{ now }}")
    for number in range(2):
        given = world.given()
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        world.component().deliver(result_of(given, [[f"{moment}.000000", str(number), "198.51.100.1", "3"]],
                                            when=f"{moment}.000000 ... {moment}.000000"))

    def both():
        world.component().poll()
        answer = world.client().redeem(token)
        return [message for message in answer.get("contents", []) if "result" in message][1:]
    until("both iterations are at the top", 20, both, pause=0.3)
    world.client().say({"interrupt": "measure", "version": 1, "token": token})


def supervisor_in_the_middle_may_be_restarted(world):
    token = world.ask(world.offered("hops"), when="now + 60s / 1s")
    given = world.given()
    world.component().deliver(answer_to(given, "receipt"))
    world.hubs["b"].kill()
    world.hubs["b"].start().ready()
    world.component().deliver(result_of(given, rows(2)))
    result = world.redeemed(token, 60)
    assert [row[1:] for row in result["resultvalues"]] == rows(2), result


def own_components_and_those_below_are_one_capability(world):
    lower, upper = world.component(), world.peer("b", world.of_component_b)

    def register():
        lower.register(capability("both", source="198.51.100.31"), callback())
        upper.register(capability("both", source="198.51.100.32"), callback())
        offered = world.client().find("both")
        return offered and len(offered[0]["metadata"]["sonde.path"].split()) == 2 and offered
    offered, = until("both are offered as one", 30, register, pause=0.3)
    assert "source.ip4" not in offered["parameters"], offered
    token = world.ask(offered)
    for part, rtt in ((lower, 1), (upper, 2)):
        given, = until("it is asked", 20, lambda: part.work(), pause=0.3)  # pylint: disable=cell-var-from-loop
        part.deliver(result_of(given, rows(1, rtt=rtt)))
    result = world.redeemed(token)
    assert sorted(row[4] for row in result["resultvalues"]) == ["1", "2"], result


def loop_is_refused_and_does_no_harm(world):
    a = world.hubs["a"]
    assert a.stop() == 0
    world.trust("c", "b", COMPONENT)
    (world.place.path / "c-trust-a.yaml").write_text(f"ca: {world.ca('a')}\nidentities: [{SUP_A}]\n", encoding="utf-8")
    assert world.hubs["c"].stop() == 0
    world.run("c", **world.parent("b", world.of_c, "b"),
              trust=f"{world.place.path / 'c-trust.yaml'},{world.place.path / 'c-trust-a.yaml'}")
    # People of A let C have everything, which came from C.
    policy = world.place.path / "a.yaml"
    policy.write_text(policy.read_text(encoding="utf-8").replace("rules:", "  above: parent-c\nrules:\n"
                      "  - allow: [discover, measure]\n    roles: above\n    capabilities: \"*\"", 1), encoding="utf-8")
    world.run("a", trust=world.place.path / "a-trust.yaml", **world.parent("c", world.of_a, "c"))
    offered = world.offered("hops", 40)
    until("C refuses the loop", 30, lambda: world.component().poll() is not None and
          re.search(r"a loop through", world.hubs["a"].log_text()), pause=0.3)
    listed = world.hubs["c"].api.items("/api/v1/capabilities", label="hops")
    providers = {provider["provider"] for item in listed for provider in item["providers"]}
    assert providers == {f"peer:{COMPONENT}"}, listed
    token = world.ask(world.offered("hops"))
    given = world.given()
    world.component().deliver(result_of(given, rows(1)))
    assert "result" in world.redeemed(token) and offered


def paths_that_are_loops_or_too_long_are_refused(world):
    component = world.component()
    us = world.id_of("c")
    for path, pattern in ((us, r"a loop through " + us), (f"X {us} Y", "a loop"),
                          (" ".join(f"H{n}" for n in range(9)), r"9 hubs; 8")):
        answer = component.register(capability("crafted", metadata={"sonde.path": path}))
        assert answer["crafted"]["registered"] == "no" and re.search(pattern, answer["crafted"]["reason"]), answer
    assert component.register(capability("near", metadata={"sonde.path": "H1 H2"}))["near"] == {"registered": "ok"}


def capability_that_leaves_below_is_gone_above(world):
    offered = world.offered("hops")
    world.component().register(answer_to(capability("hops"), "withdrawal"))
    until("it is gone at the top", 30, lambda: world.component().poll() is not None and not world.client().find("hops"),
          pause=0.3)
    answer = world.client().say(specification(world.fresh(), label="hops-0", parameters={
        "source.device": "*", "destination.ip4": "203.0.113.9", "hops.ip": "12", "source.ip4": "198.51.100.21"},
        results=offered["results"]), path_of(offered["link"]))
    assert "withdrawal" in answer, answer


def all_end_in_order(world):
    for hub in world.hubs.values():
        assert hub.stop() == 0
        assert not re.search(r"^<[0-3]>", hub.log_text(), re.MULTILINE), hub.log_text()[-2000:]


CASES = [
    capability_of_the_lowest_is_offered_at_the_highest,
    measurement_goes_down_and_its_result_comes_up,
    policy_below_decides_what_is_seen_above,
    failure_of_the_component_is_told_at_the_top,
    interrupt_goes_down_and_the_rest_comes_up,
    results_of_what_has_no_end_come_up_as_they_are,
    repeated_specification_brings_each_iteration,
    supervisor_in_the_middle_may_be_restarted,
    own_components_and_those_below_are_one_capability,
    loop_is_refused_and_does_no_harm,
    paths_that_are_loops_or_too_long_are_refused,
    capability_that_leaves_below_is_gone_above,
    all_end_in_order,
]


if __name__ == "__main__":
    isolate.enter()
    sys.exit(tap.run(CASES, set_up(sys.argv[1])))
