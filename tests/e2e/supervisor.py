#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The hub as mPlane supervisor: every step of a measurement, what breaks others, and peers that mean harm.

usage: supervisor.py PROGRAM_DIR
"""
import contextlib
import json
import re
import socket
import ssl
import statistics
import sys
import threading
import time

from sonde_e2e import isolate, tap
from sonde_e2e.api import ApiError
from sonde_e2e.mplane import (CORE, MEDIA, Peer, Server, answer_to, callback, capability, context_of, envelope,
                              identity_files, path_of, result_of, rows, specification)
from sonde_e2e.parts import Hub
from sonde_e2e.place import Place
from sonde_e2e.wait import holds, until

COMPONENTS = "org.mplane.Test.Components"
CLIENTS = "org.mplane.Test.Clients"
BODY_MAX = 16 * 1024 * 1024

POLICY = f"""
roles:
  components: [{', '.join(f'{COMPONENTS}.c{n}' for n in range(1, 10))}]
  clients: [{', '.join(f'{CLIENTS}.u{n}' for n in range(1, 5))}]
  limited: {CLIENTS}.limited
  blind: {CLIENTS}.blind
  people: account:admin
rules:
  - allow: [register, deliver]
    roles: components
    capabilities: "*"
  - allow: [discover, measure, read, stop]
    roles: clients
    capabilities: "*"
  - allow: [discover, measure]
    roles: blind
    capabilities: "*"
  - allow: [discover, measure, read, stop]
    roles: limited
    capabilities: only-this
  - allow: [discover, measure, read-all, stop-all]
    roles: people
    capabilities: "*"
  - allow: admin
    roles: people
target_rate: none
"""


class World:
    def __init__(self, place):
        self.place = place
        (place.path / "policy.yaml").write_text(POLICY, encoding="utf-8")
        self.archived = []
        self.archive = Server(self.archive_answers)
        self.listener = ListeningComponent()
        self.hub = Hub(place, mplane_plain="true", mplane_lease="15s", mplane_grace="30s", mplane_wait="500ms",
                       mplane_poll="1s", policy=place.path / "policy.yaml", repositories=f"archive={self.archive.url}/in",
                       mplane_components=self.listener.url + "/")
        self.serial = 0

    def archive_answers(self, _method, path, body):
        self.archived.append((path, json.loads(body)))
        return 200, MEDIA, ""

    def describe(self):
        return self.place.describe()

    @contextlib.contextmanager
    def impatient(self, **settings):
        """A hub that misses a component soon: elsewhere no case is so long that it could, on any machine."""
        patient = self.hub.argv
        self.start_again([*patient, *(part for key, value in settings.items() for part in ("--set", f"{key}={value}"))])
        try:
            yield
        finally:
            self.start_again(patient)

    def start_again(self, argv):
        assert self.hub.stop() == 0
        self.hub.argv = argv
        self.hub.start().ready()

    @property
    def plain(self):
        return f"http://127.0.0.1:{self.hub.local_port}"

    def component(self, number=1):
        return Peer(self.plain, f"{COMPONENTS}.c{number}")

    def client(self, number=1):
        return Peer(self.plain, f"{CLIENTS}.u{number}")

    def fresh(self, kind="tok"):
        self.serial += 1
        return f"{kind}-{self.serial}"

    def ordered(self, component, client, label, **changes):
        """A capability of its own, asked for and fetched: (client's token, what the component was given)."""
        component.register(capability(label))
        offered, = client.find(label)
        token = self.fresh()
        receipt = client.say(specification(token, label=f"{label}-0", **changes), path_of(offered["link"]))
        assert "receipt" in receipt, receipt
        given = [message for message in component.work() if message["label"].startswith(label + "-")]
        assert len(given) == 1, given
        return token, given[0]

    def stored(self, measurement):
        return self.hub.api.get(f"/api/v1/measurements/{measurement}/results")["items"]

    def newest(self):
        return self.hub.api.get("/api/v1/measurements", limit=1)["items"][0]


class ListeningComponent:
    """A component that is called: a page of links, one capability, receipts until the second redemption."""

    def __init__(self):
        self.server = Server(self.answer)
        self.url = self.server.url
        self.asked, self.redeemed, self.interrupted = [], 0, []

    def answer(self, method, path, body):
        if method == "GET" and path in ("/", "/capability"):
            return 200, "text/html", "<html><body><a href='/capability/lc1'>lc1</a><br/></body></html>"
        if method == "GET":
            return 200, MEDIA, json.dumps(capability("listening", "lc1", source="198.51.100.77"))
        message = json.loads(body)
        if "specification" in message:
            self.asked.append(message)
            return 200, MEDIA, json.dumps(answer_to(message, "receipt"))
        if "interrupt" in message:
            self.interrupted.append(message)
            return 200, MEDIA, json.dumps(answer_to(message, "receipt"))
        self.redeemed += 1
        given = next((asked for asked in self.asked if asked["token"] == message["token"]), None)
        if given is None:
            return 200, MEDIA, json.dumps({"exception": message["token"], "message": "Unknown job"})
        if self.redeemed < 2:
            return 200, MEDIA, json.dumps(answer_to(given, "receipt"))
        return 200, MEDIA, json.dumps(result_of(given, rows(2)))


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        world = World(place)
        world.hub.start().ready()
        yield world
        world.archive.close()
        world.listener.server.close()


# A complete measurement, step by step --------------------------------------------------------


def poll_before_registration_is_told_so(world):
    answer = world.component().get("/show/specification")
    assert (answer.status, answer.media, answer.text) == (428, "text/plain", "not registered"), answer


def registration_is_answered_label_by_label(world):
    answer = world.component().register(capability("hops"), callback())
    assert answer == {"hops": {"registered": "ok"}, "callback": {"registered": "ok"}}, answer


def poll_without_work_is_an_envelope_with_the_callback_last(world):
    contents = world.component().poll()
    assert [message["label"] for message in contents] == ["callback"], contents
    told = contents[-1]
    assert told["specification"] == "callback" and told["token"] == "cb-1" and told["when"] == "now + 1s", told
    world.component(2).register(capability("hops-without-callback"))
    assert world.component(2).poll() == []


def capabilities_are_listed_as_links_and_shown_one_by_one(world):
    world.component().register(capability("hops"), callback())
    client = world.client()
    page = client.get("/capability")
    assert (page.status, page.media) == (200, "text/html"), page
    links = re.findall(r"<a href='(/capability/[0-9a-f]+)'>", page.text)
    assert links, page
    labels = []
    for link in links:
        shown = client.get(link)
        assert (shown.status, shown.media) == (200, MEDIA), shown
        assert shown.json["link"] == world.plain + link and link.endswith(shown.json["token"]), shown
        labels.append(shown.json["label"])
    assert "hops" in labels and "callback" not in labels, labels
    assert client.get("/capability/0123456789abcdef0123456789abcdef").status == 404
    for path in ("/capability/", "/"):
        assert client.get(path).status == 200, path
    assert "hops" in client.get("/").text
    # A browser gets the hub's page, whoever it is.
    assert "<title>Sonde" in client.get("/", Accept="text/html,*/*").text


def measurement_goes_its_way_while_nobody_waits_for_anybody(world):
    component, client = world.component(), world.client()
    component.register(capability("hops"), callback())
    offered, = client.find("hops")
    began = time.monotonic()
    answers, polls = [], []
    sender = threading.Thread(target=lambda: answers.append(
        client.say(specification("c0ffee", when="now + 20s / 2s"), path_of(offered["link"]))))
    sender.start()
    while sender.is_alive():
        before = time.monotonic()
        polls.append((component.poll(), time.monotonic() - before))
        time.sleep(0.05)
    last = component.poll()
    assert time.monotonic() - began < 15, "a receipt took too long"
    assert statistics.median(took for _, took in polls) < 0.4, "a poll waited for the client"
    receipt, = answers
    wanted = specification("c0ffee", when="now + 20s / 2s")
    assert receipt == answer_to(wanted, "receipt"), receipt
    given = [message for contents in (*(contents for contents, _ in polls), last) for message in contents
             if message["label"] != "callback"]
    assert len(given) == 1, given
    given, = given
    assert re.fullmatch(r"hops-[0-9]+", given["label"]) and given["token"] != "c0ffee" and given["link"] == "", given
    assert given["when"] == "now + 20s / 2s" and given["parameters"] == wanted["parameters"], given
    assert given["registry"] == CORE and given["results"] == wanted["results"] and given["version"] == 1, given
    assert component.deliver(answer_to(given, "receipt")).body == b""
    assert component.work() == [], "handed out twice"
    assert client.redeem("c0ffee") == receipt
    assert client.say(answer_to(wanted, "redemption"))["receipt"] == "measure"  # with all sections
    assert component.deliver(result_of(given, rows(3))).body == b""
    result = client.redeem("c0ffee")
    assert result["result"] == "measure" and result["token"] == "c0ffee" and result["label"] == "hops-0", result
    assert result["resultvalues"] == rows(3) and result["results"] == wanted["results"], result
    assert result["parameters"] == wanted["parameters"], result
    assert result["when"] == "2031-05-06 10:00:00.000000 ... 2031-05-06 10:00:09.000000", result
    assert client.redeem("c0ffee") == result, "redeemed once only"
    assert client.say(specification("c0ffee", when="now + 20s / 2s")) == result, "the same again is no new one"


def results_survive_a_restart_and_are_stored_once(world):
    component, client = world.component(), world.client()
    token, given = world.ordered(component, client, "kept")
    result = result_of(given, rows(4))
    component.deliver(result)
    measurement = world.newest()
    component.deliver(result)
    assert world.hub.stop() == 0
    world.hub.start().ready()
    component.deliver(result)
    assert client.redeem(token)["resultvalues"] == rows(4)
    stored = world.stored(measurement["id"])
    assert len(stored) == 4, stored
    row = min(stored, key=lambda item: item["time"])
    assert row["node"] == f"peer:{COMPONENTS}.c1" and row["intermediate_ip4"] == "198.51.100.1", row
    assert row["destination_ip4"] == "203.0.113.9" and row["rtt_us"] == 400 and row["param_hops_ip"] == 12, row
    assert row["hops_ip"] == 1, row
    assert row["time"].startswith("2031-05-06T10:00:00.0") and row["when_end"].startswith("2031-05-06T10:00:09.0"), row
    names = [dataset["name"] for dataset in world.hub.api.items("/api/v1/datasets")]
    assert any(re.fullmatch(r"mp_kept_[0-9a-f]{8}", name) for name in names), names


def work_that_is_not_acknowledged_is_handed_out_after_a_restart(world):
    component, client = world.component(), world.client()
    token, given = world.ordered(component, client, "lasting", when="now + 60s / 1s")
    component.deliver(answer_to(given, "receipt"))
    assert world.hub.stop() == 0
    world.hub.start().ready()
    assert component.get("/show/specification").status == 428
    component.register(capability("lasting"))
    again, = component.work()
    assert again["token"] == given["token"], again
    component.deliver(result_of(again))
    assert client.redeem(token)["result"] == "measure"


def interrupt_reaches_the_component_and_brings_what_there_is(world):
    component, client = world.component(), world.client()
    token, given = world.ordered(component, client, "stoppable", when="now + 1h / 1s")
    component.deliver(answer_to(given, "receipt"))
    asked = specification(token, label="stoppable-0", when="now + 1h / 1s")
    assert client.say(answer_to(asked, "interrupt"))["receipt"] == "measure"
    assert "receipt" in client.redeem(token)
    interrupt, = component.work("interrupt")
    assert interrupt["token"] == given["token"] and interrupt["parameters"] == given["parameters"], interrupt
    component.deliver(answer_to(interrupt, "receipt"))
    assert component.work("interrupt") == []
    component.deliver(result_of(given, rows(2)))
    assert client.redeem(token)["resultvalues"] == rows(2)
    assert world.newest()["state"] == "stopped"


def silent_component_loses_its_capabilities(world):
    component, client = world.component(3), world.client()
    with world.impatient(mplane_lease="3s"):
        component.register(capability("expiring"))
        link = path_of(client.find("expiring")[0]["link"])
        assert client.get(link).status == 200
        until("the capability is withdrawn", 15, lambda: not client.find("expiring"))
        withdrawal = client.say(specification("late-1", label="expiring-0"), link)
        assert withdrawal["withdrawal"] == "measure" and withdrawal["label"] == "expiring", withdrawal
        assert withdrawal["parameters"]["hops.ip"] == "1 ... 30", withdrawal
        assert client.say(specification("late-2", label="expiring-0"))["withdrawal"] == "measure"
        assert component.get("/show/specification").status == 428


def work_waits_for_a_component_that_comes_back(world):
    component, client = world.component(3), world.client()
    with world.impatient(mplane_lease="3s"):
        component.register(capability("patient"))
        token = world.fresh()
        client.say(specification(token, label="patient-0", when="now + 5m / 1s"))
        until("it is away", 15, lambda: not client.find("patient"))
        assert "receipt" in client.redeem(token)
        component.register(capability("patient"))
        given, = component.work()
        component.deliver(result_of(given))
        assert client.redeem(token)["result"] == "measure"


def silence_after_the_end_of_the_scope_is_a_failure(world):
    component, client = world.component(3), world.client()
    with world.impatient(mplane_grace="3s"):
        token, given = world.ordered(component, client, "mute", when="now")
        component.deliver(answer_to(given, "receipt"))

        def failed():
            component.poll()
            answer = client.redeem(token)
            return answer if "exception" in answer else None
        answer = until("the exception", 20, failed, pause=0.5)
        assert "no result" in answer["message"] and answer["exception"] == answer["token"] == token, answer
        component.deliver(result_of(given))  # too late for the client, not for the store
        assert len(world.stored(world.newest()["id"])) == 1


def withdrawal_takes_a_capability_away(world):
    component, client = world.component(), world.client()
    offered = capability("leaving")
    component.register(offered)
    answer = component.register(answer_to(offered, "withdrawal"))
    assert answer == {"leaving": {"registered": "no", "reason": "Withdrawn"}}, answer
    assert client.find("leaving") == []


def repeated_specification_gives_an_envelope_of_results_so_far(world):
    component, client = world.component(), world.client()
    start = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 1))
    when = f"repeat {start} + 1h / 10s {{ now + 2s / 1s }}"
    token, given = world.ordered(component, client, "again", when=when)
    assert given["when"].startswith("repeat "), given
    component.deliver(answer_to(given, "receipt"))
    assert "receipt" in client.redeem(token)
    base = time.time() + 1
    for number in (0, 2):
        begin = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(base + 10 * number))
        values = [[f"{begin}.500000", str(number), "198.51.100.1", "7"]]
        inner = result_of(given, values, token=f"iteration-{number}", when=f"{begin}.500000 ... {begin}.900000")
        component.deliver({**envelope(inner), "token": given["token"], "label": given["label"]})
    component.deliver({**envelope({"exception": "x", "token": "x", "message": "no reply"}), "token": given["token"]})
    answer = client.redeem(token)
    assert answer["envelope"] == "result" and answer["token"] == token and answer["label"] == "again-0", answer
    results = [message for message in answer["contents"] if "result" in message]
    assert [message["resultvalues"][0][1] for message in results] == ["0", "2"], answer
    assert len({message["token"] for message in results}) == 2 and results[0]["token"] != token, answer
    assert " ... " in answer["when"], answer
    assert "receipt" in client.say(answer_to(specification(token), "interrupt"))


def query_of_the_past_is_run_at_once(world):
    component, client = world.component(), world.client()
    component.register(capability("history", capability=None, **{"when": "past ... future"}) | {"capability": "query"})
    offered, = client.find("history")
    token = world.fresh()
    window = "2031-04-01 00:00:00.000000 ... 2031-05-01 00:00:00.000000"
    old = "2020-04-01 00:00:00.000000 ... 2020-05-01 00:00:00.000000"
    for number, when in enumerate((old, window)):
        wanted = specification(f"{token}-{number}", label="history-0", when=when, specification=None) | {"specification": "query"}
        assert client.say(wanted, path_of(offered["link"])).get("receipt") == "query"
        given, = component.work()
        assert given["specification"] == "query" and given["when"] == when, given
        component.deliver(result_of(given) | {"result": "query"})
        assert client.redeem(f"{token}-{number}")["result"] == "query"


# What the reference implementation rejects or mishandles ---------------------------------------


def capability_without_a_label_is_refused_alone(world):
    component, client = world.component(), world.client()
    naked = {key: value for key, value in capability("x", "naked-1").items() if key != "label"}
    answer = component.register(naked, naked | {"token": ""}, capability("dressed"))
    assert answer["naked-1"]["registered"] == "no" and "label" in answer["naked-1"]["reason"], answer
    assert answer["unlabelled"]["registered"] == "no" and answer["dressed"]["registered"] == "ok", answer
    assert client.find("dressed"), "the listing is broken"


def bare_capability_and_bare_array_are_registered(world):
    component = world.component(4)
    assert component.register(body=capability("bare")) == {"bare": {"registered": "ok"}}
    assert component.register(body=[capability("bare-1"), capability("bare-2")]) == {
        "bare-1": {"registered": "ok"}, "bare-2": {"registered": "ok"}}
    assert component.get("/show/specification").json == [], "an array is answered with an array"


def pages_cannot_send_messages_for_their_readers(world):
    world.component().register(capability("paged"))
    client = world.client()
    for path, message in (("/", specification("page-1")), ("/register/capability", envelope(capability("page"))),
                          ("/register/specification", {f"{COMPONENTS}.c1": specification("page-2", label="paged-0")}),
                          ("/show/result", {"redemption": "measure", "version": 1, "token": "page-1"})):
        # What a browser sends for a page of somebody else's without asking first.
        for media in ("text/plain", "text/plain;charset=json", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = client.ask("POST", path, json.dumps(message), media=media)
            assert answer.status == 415, (path, media, answer)
    assert client.redeem("page-2")["message"] == "unknown job"


def result_with_a_wrong_clock_is_handed_out(world):
    component, client = world.component(), world.client()
    for day in ("1971-02-03", "2024-01-01"):
        token, given = world.ordered(component, client, f"clock-{day}", when="now + 2s / 1s")
        component.deliver(result_of(given, rows(2, day=day),
                                    when=f"{day} 10:00:00.000000 ... {day} 10:00:09.000000"))
        assert client.redeem(token)["resultvalues"] == rows(2, day=day)


def repeated_result_is_counted_and_exported_once(world):
    component, client = world.component(), world.client()
    world.archived.clear()
    _, given = world.ordered(component, client, "repeating", when="now + 1h / 1s", export=world.archive.url + "/in")
    result = result_of(given, rows(3))
    component.deliver(envelope(result, result))
    for _ in range(3):
        component.deliver(result)
    component.deliver(result_of(given, rows(2, rtt=700)))
    until("both have arrived", 10, lambda: len(world.archived) >= 2)
    until("the rows are counted", 10, lambda: world.newest()["results"] == 5)
    holds("no more arrive", 1.5, lambda: len(world.archived) == 2)
    world.archived.clear()


def who_may_ask_but_not_read_gets_receipts(world):
    component, blind = world.component(), Peer(world.plain, f"{CLIENTS}.blind")
    component.register(capability("only-asked"))
    offered, = blind.find("only-asked")
    wanted = specification("blind-1", label="only-asked-0")
    assert "receipt" in blind.say(wanted, path_of(offered["link"]))
    given, = [message for message in component.work() if message["label"].startswith("only-asked-")]
    component.deliver(result_of(given))
    for message in (wanted, {"redemption": "measure", "version": 1, "token": "blind-1"}):
        assert "may not read" in blind.say(message)["message"], message


def many_capabilities_without_a_name_do_not_stop_the_hub(world):
    nameless = [capability(None, f"n{n}") for n in range(9000)]
    answers = []
    sender = threading.Thread(target=lambda: answers.append(world.component(9).register(*nameless)))
    sender.start()
    slowest = 0
    while sender.is_alive():
        before = time.monotonic()
        world.client().get("/info/all")
        slowest = max(slowest, time.monotonic() - before)
    sender.join()
    assert len(answers[0]) == 9000 and slowest < 30, slowest
    until("they are gone again", 30, lambda: len(world.client().listed()) < 1000, pause=0.5)


def missing_sections_of_a_specification_do_no_harm(world):
    component, client = world.component(), world.client()
    for changes in ({"link": None}, {"label": None}, {"label": "no serial"}, {"version": None}, {"link": "", "token": None},
                    {"unknown": {"deep": [1, 2]}}, {"registry": None}):
        label = world.fresh("sparse")
        component.register(capability(label))
        link = path_of(client.find(label)[0]["link"])
        wanted = {key: value for key, value in (specification(world.fresh(), label=f"{label}-0") | changes).items()
                  if value is not None}
        answer = client.say(wanted, link)
        if "registry" not in wanted:
            assert "receipt" in answer or "exception" in answer, answer
            continue
        assert "receipt" in answer and answer["token"] and answer["label"], (changes, answer)
        given, = component.work()
        component.deliver(result_of(given))
        assert client.redeem(answer["token"])["result"] == "measure", changes


def zero_false_and_empty_values_reach_the_component(world):
    component, client = world.component(), world.client()
    component.register(capability("values", parameters={"hops.ip": "*", "connectivity.ip": "*", "source.interface": "*"},
                                  results=["time", "connectivity.ip"]))
    link = path_of(client.find("values")[0]["link"])
    for natives in (False, True):
        token = world.fresh()
        values = ({"hops.ip": 0, "connectivity.ip": False, "source.interface": ""} if natives else
                  {"hops.ip": "0", "connectivity.ip": "False", "source.interface": ""})
        answer = client.say(specification(token, label="values-0", parameters=values, results=["time", "connectivity.ip"]), link)
        assert "receipt" in answer, answer
        given, = component.work()
        got = {name: str(value) for name, value in given["parameters"].items()}  # natives to whom sent natives
        assert got == {"hops.ip": "0", "connectivity.ip": "False", "source.interface": ""}, given
        values = [["2031-05-06 10:00:00.000000", False], [None, "*"]]
        component.deliver(result_of(given, values))
        answer = client.redeem(token)
        assert [row[1] for row in answer["resultvalues"]] == ["False", "*"], answer


def receipt_of_kind_version_and_token_is_enough(world):
    component, client = world.component(), world.client()
    token, given = world.ordered(component, client, "short")
    component.deliver({"receipt": "measure", "version": 1, "token": given["token"]})
    assert world.newest()["state"] == "running"
    component.deliver({"exception": given["token"], "message": "modem is not there"})
    answer = client.redeem(token)
    assert answer == {"exception": token, "token": token, "message": "modem is not there"}, answer


def media_type_may_have_parameters(world):
    component = world.component()
    answer = component.ask("POST", "/register/capability", envelope(capability("typed")), media=MEDIA + "; charset=utf-8")
    assert answer.status == 200 and answer.media == MEDIA, answer
    assert component.ask("POST", "/register/capability", envelope(), media="text/plain").status in (400, 415)


def wrong_versions_and_wrecks_are_refused_with_a_reason(world):
    component, client = world.component(), world.client()
    answer = client.ask("POST", "/", specification("v2", version=2))
    assert answer.status == 400 and "version" in answer.json["message"], answer
    answer = component.register(capability("old"), capability("new", version=2))
    assert answer["old"]["registered"] == "ok" and answer["new"]["registered"] == "no", answer
    assert "version" in answer["new"]["reason"], answer
    for wreck in ("", "{", "[]]", "null", "7", '"x"', '{"version": 1}', '{"specification": 7}', "\xff\xfe", "{" * 100):
        for path in ("/", "/register/result", "/register/capability"):
            answer = world.client().ask("POST", path, wreck.encode("latin-1"))
            assert answer.status in (200, 400, 403), (wreck, path, answer)
    assert client.listed()


def odd_constraints_elements_and_registries_are_no_server_error(world):
    component, client = world.component(), world.client()
    odd = {"prefix": "192.0.2.0/24", "blank": "192.0.2.1, 192.0.2.2", "dots": "0..32", "ellipsis": "0...32", "lower": "true",
           "list": ["192.0.2.1", "192.0.2.2"], "number": 7, "deep": {"a": 1}, "null": None}
    for name, text in odd.items():
        answer = component.register(capability(f"odd-{name}", parameters={"destination.ip4": text}), capability("even"))
        assert answer["even"]["registered"] == "ok" and f"odd-{name}" in answer, (name, answer)
        if answer[f"odd-{name}"]["registered"] == "no":
            assert answer[f"odd-{name}"]["reason"], answer
    listed = {message["label"]: message for message in client.listed()}
    assert listed["odd-prefix"]["parameters"]["destination.ip4"] == "192.0.2.0 ... 192.0.2.255", listed["odd-prefix"]
    began = time.monotonic()
    answer = component.register(capability("elsewhere", registry="http://192.0.2.1/registry.json"),
                                capability("unheard", parameters={"nobody.knows.this": "*"}, results=["nor.that"]))
    assert time.monotonic() - began < 15, "a registry was fetched"
    assert answer["unheard"] == {"registered": "ok"}, answer
    token = world.fresh()
    assert "receipt" in client.say(specification(token, label="unheard-0", parameters={"nobody.knows.this": "ä"},
                                                 results=["nor.that"]))
    given, = component.work()
    component.deliver(result_of(given, [["value"]]))
    assert client.redeem(token)["resultvalues"] == [["value"]]


def export_does_not_take_the_place_of_the_link(world):
    component, client = world.component(), world.client()
    component.register(capability("exporter", export="mplane-https://collector.example.net/in"))
    shown, = client.find("exporter")
    assert shown["link"].startswith(world.plain), shown


# Equal capabilities, and those of others -----------------------------------------------------------


def equal_capabilities_of_two_identities_stay_apart(world):
    one, two, client = world.component(5), world.component(6), world.client()
    one.register(capability("equal", "same-token"))
    two.register(capability("equal", "same-token"))
    offered = client.find("equal")
    assert len({message["token"] for message in offered}) == 2, offered
    names = {message["metadata"]["System_ID"]: message for message in offered}
    assert set(names) == {one.identity, two.identity}, names
    answer = client.say(specification(world.fresh(), label="equal-0"))
    assert "exception" in answer and "several" in answer["message"], answer
    token = world.fresh()
    client.say(specification(token, label="equal-0"), path_of(names[one.identity]["link"]))
    assert two.work() == [], "the later one captured the work"
    given, = one.work()
    assert two.deliver(result_of(given, rows(1, rtt=666)), status=403).text, "no reason"
    assert "receipt" in client.redeem(token), "a foreign result was taken"
    one.deliver(result_of(given, rows(1, rtt=5)))
    assert client.redeem(token)["resultvalues"][0][3] == "5"
    assert len(world.stored(world.newest()["id"])) == 1


def withdrawals_of_others_and_of_nothing_change_nothing(world):
    one, two, client = world.component(5), world.component(6), world.client()
    one.register(capability("mine", "mine-token"))
    answer = two.register(answer_to(capability("mine", "mine-token"), "withdrawal"),
                          answer_to(capability("ghost"), "withdrawal"))
    assert answer["mine"]["registered"] == "no" and answer["ghost"]["registered"] == "no", answer
    assert client.find("mine"), "withdrawn by somebody else"


def unknown_tokens_are_refused_and_nothing_is_stored(world):
    component, client = world.component(), world.client()
    token, given = world.ordered(component, client, "exact")
    component.deliver(result_of(given, token="another"), status=403)
    component.deliver({"receipt": "measure", "version": 1, "token": "another"}, status=403)
    component.deliver({"result": "measure", "version": 1}, status=403)
    component.deliver(capability("exact"), status=403)
    assert "receipt" in client.redeem(token)
    component.deliver(envelope(result_of(given, token="another"), result_of(given)))
    assert client.redeem(token)["result"] == "measure"


def clients_do_not_see_what_others_asked_for(world):
    component, client, other = world.component(), world.client(1), world.client(2)
    token, given = world.ordered(component, client, "private")
    component.deliver(result_of(given))
    assert "unknown" in other.redeem(token)["message"]
    assert "unknown" in other.say({"interrupt": "measure", "version": 1, "token": token})["message"]
    mine = other.say(specification(token, label="private-0"))
    assert "receipt" in mine, "a token of somebody else's stands in the way"
    assert client.redeem(token)["result"] == "measure"


def policy_decides_who_registers_sees_and_asks(world):
    component, limited = world.component(), Peer(world.plain, f"{CLIENTS}.limited")
    component.register(capability("only-this"), capability("not-that"))
    assert [message["label"] for message in limited.listed()] == ["only-this"]
    hidden, = world.client().find("not-that")
    assert limited.get(path_of(hidden["link"])).status == 404, "disclosed by its token"
    answer = limited.say(specification(world.fresh(), label="not-that-0"), path_of(hidden["link"]))
    assert "exception" in answer, answer
    assert "receipt" in limited.say(specification(world.fresh(), label="only-this-0"))
    answer = world.client().register(capability("by-a-client"))
    assert answer["by-a-client"]["registered"] == "no" and "register" in answer["by-a-client"]["reason"], answer
    nobody = Peer(world.plain)
    assert nobody.listed() == [] and nobody.register(capability("by-nobody"))["by-nobody"]["registered"] == "no"
    pretender = Peer(world.plain, "user:admin")
    assert pretender.listed() == [], "a forged account"
    for given in component.work():
        component.deliver(result_of(given))


# Groups ------------------------------------------------------------------------------------------------


def group_is_asked_as_one_and_tells_of_each(world):
    parts, client = [world.component(n) for n in (7, 8, 9)], world.client()

    def register():
        for number, part in enumerate(parts):
            part.register(capability("wide", source=f"198.51.100.{number}"))
    register()
    whole, = client.find("wide.all")
    assert whole["parameters"]["source.device"] == "*" and "source.ip4" not in whole["parameters"], whole
    assert whole["results"][0] == "source.device" and whole["results"][1:] == capability("wide")["results"], whole
    token = world.fresh()
    values = {"source.device": "*", "destination.ip4": "203.0.113.9", "hops.ip": "12"}
    wanted = specification(token, label="wide.all-0", parameters=values, results=whole["results"])
    assert "receipt" in client.say(wanted, path_of(whole["link"]))
    for number, part in enumerate(parts):
        given, = part.work()
        assert given["parameters"]["source.ip4"] == f"198.51.100.{number}" and "source.device" not in given["parameters"], given
        part.deliver(result_of(given, rows(1, rtt=number)) if number < 2 else
                     {"exception": given["token"], "message": "no route"})
    answer = client.redeem(token)
    assert answer["envelope"] == "result" and answer["token"] == token, answer
    result, failure = answer["contents"]
    found = {row[0]: row[4] for row in result["resultvalues"]}
    assert found == {parts[0].identity: "0", parts[1].identity: "1"} and result["results"] == whole["results"], result
    assert failure["message"] == f"{parts[2].identity}: no route", failure
    register()
    token = world.fresh()
    values["source.device"] = parts[1].identity
    assert "receipt" in client.say(specification(token, label="wide.all-1", parameters=values, results=whole["results"]))
    assert parts[0].work() == [] and parts[2].work() == []
    given, = parts[1].work()
    parts[1].deliver(result_of(given))
    assert [row[0] for row in client.redeem(token)["resultvalues"]] == [parts[1].identity]


# The older dialect -----------------------------------------------------------------------------------------


def older_clients_have_their_paths_and_statuses(world):
    component, client = world.component(), world.client()
    component.register(body=[capability("pinger", link="", resultvalues=[], metadata={})])
    listed = client.get("/show/capability").json
    mine = [message for message in listed[component.identity] if message["label"] == "pinger"]
    assert len(mine) == 1, listed
    token = world.fresh()
    wanted = specification(token, label="pinger", when="now + 5s", link="", metadata={}, resultvalues=[])
    answer = client.ask("POST", "/register/specification", {component.identity: wanted})
    assert answer.status == 200 and answer.json["receipt"] == "measure", answer
    given, = component.get("/show/specification").json
    assert client.ask("POST", "/show/result", {"redemption": "measure", "token": token}).json["receipt"] == "measure"
    component.deliver(result_of(given, when="2031-05-06T10:00:00Z ... 2031-05-06T10:00:09Z"))
    assert client.ask("POST", "/show/result", {"redemption": "measure", "token": token}).json["result"] == "measure"
    assert client.ask("POST", "/show/result", {"redemption": "measure", "token": "nothing"}).status == 403
    assert client.ask("POST", "/register/specification", {"nobody": wanted}).status == 403
    assert client.ask("POST", "/register/specification", {component.identity: wanted | {"when": "soon"}}).status == 400
    assert client.ask("POST", "/register/specification", [wanted]).status == 400
    assert client.get("/info/all").json["title"] == "sonde-hub"


# Repositories and components that listen -------------------------------------------------------------------------


def results_also_go_to_the_repository_that_is_named(world):
    component, client = world.component(), world.client()
    label = "archived"
    component.register(capability(label))
    token = world.fresh()
    refused = client.say(specification(token, label=f"{label}-0", export="http://127.0.0.1:1/elsewhere"))
    assert "exception" in refused and "repository" in refused["message"], refused
    url = world.archive.url.replace("http://", "mplane-http://") + "/in"
    assert "receipt" in client.say(specification(token, label=f"{label}-0", export=url))
    given, = component.work()
    component.deliver(result_of(given, rows(2)))
    until("the archive has it", 10, lambda: world.archived)
    path, message = world.archived[0]
    assert path == "/in" and message["result"] == "measure" and message["token"] == token, message
    assert message["resultvalues"] == rows(2), message
    assert world.newest()["repository"] == "archive"
    for name in ("http://127.0.0.1:1/elsewhere", "nowhere"):
        try:
            world.hub.api.post("/api/v1/measurements", {"capability": label, "repository": name})
        except ApiError as error:
            assert error.status == 422 and "repository" in error.problem["detail"], error
        else:
            raise AssertionError("any repository will do")


def listening_component_is_called_and_asked_after(world):
    client, listener = world.client(), world.listener
    offered, = until("it was discovered", 20, lambda: client.find("listening"))
    token = world.fresh()
    assert "receipt" in client.say(specification(token, label="listening-0", source="198.51.100.77"), path_of(offered["link"]))
    until("it was given work", 10, lambda: listener.asked)
    result = until("the result", 20, lambda: [answer for answer in [client.redeem(token)] if "result" in answer], pause=0.3)[0]
    assert result["resultvalues"] == rows(2) and result["token"] == token, result
    token = world.fresh()
    client.say(specification(token, label="listening-0", source="198.51.100.77", when="now ... future / 1s"))
    until("it was given more", 10, lambda: len(listener.asked) == 2)
    assert "receipt" in client.say({"interrupt": "measure", "version": 1, "token": token})
    until("it was interrupted", 10, lambda: listener.interrupted)


# Limits and peers that hang ------------------------------------------------------------------------------------------


def oversized_and_deeply_nested_messages_are_refused(world):
    component = world.component()
    answer = component.ask("POST", "/register/result", b" " * (BODY_MAX - 2) + b"{}")
    assert answer.status in (200, 400, 403), answer
    try:
        answer = component.ask("POST", "/register/result", b" " * (BODY_MAX + 1))
        assert answer.status == 413, answer
    except (BrokenPipeError, ConnectionResetError):
        pass  # it did not even read all of it
    deep = b'{"result":"measure","metadata":' + b"[" * 100000 + b"]" * 100000 + b"}"
    assert component.ask("POST", "/register/result", deep).status == 400
    nested = capability("nested")
    for _ in range(12):
        nested = envelope(nested)
    assert component.ask("POST", "/register/capability", nested).status in (200, 400)
    many = json.dumps(envelope(*[{"receipt": "measure", "token": "x"}] * 10001))
    assert component.ask("POST", "/register/result", many).status in (400, 403)
    wide = capability("wider", parameters={f"p{n}.x": "*" for n in range(300)})
    assert component.register(wide)["wider"]["registered"] == "no"
    broad = capability("broad", parameters={}, results=[f"r{n}.x" for n in range(400)])
    assert component.register(broad)["broad"]["registered"] in ("ok", "no")


def peers_that_hang_hold_nobody_up(world):
    head = b"POST /register/result HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + MEDIA.encode()
    sockets = []
    try:
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", world.hub.local_port), timeout=30)
            sockets.append(connection)
            if number % 3 == 1:
                connection.sendall(head[:40])
            elif number % 3 == 2:
                connection.sendall(head + b"\r\nContent-Length: 50000\r\n\r\n{\"envelope\"")
        component, client = world.component(), world.client()
        began = time.monotonic()
        token, given = world.ordered(component, client, "busy")
        component.deliver(result_of(given))
        assert client.redeem(token)["result"] == "measure"
        assert time.monotonic() - began < 15, "held up"
    finally:
        for connection in sockets:
            connection.close()


def repeated_tokens_of_one_client_are_one_measurement(world):
    component, client = world.component(), world.client()
    component.register(capability("once"))
    token = world.fresh()
    answers = [client.say(specification(token, label="once-0", when="now + 30s / 1s")) for _ in range(5)]
    assert all(answer == answers[0] for answer in answers), answers
    component.register(capability("once"))
    assert len(component.work()) == 1
    assert client.say(specification(token, label="once-0", destination="203.0.113.77"))["parameters"] == answers[0]["parameters"]


# With TLS ---------------------------------------------------------------------------------------------------------------


def certificates_are_identities_and_nobody_else_gets_in(world):
    hub, place = world.hub, world.place
    ca = hub.state / "pki" / "ca.pem"
    component_files = identity_files(place, hub, "component", "Test", "c1")
    client_files = identity_files(place, hub, "client", "Test", "u1")
    stranger_files = identity_files(place, hub, "component", "Test", "unlisted")
    component, client, stranger = (Peer(hub.url, context=context_of(ca, *files[:2]))
                                   for files in (component_files, client_files, stranger_files))
    assert component.register(capability("secure"), callback())["secure"] == {"registered": "ok"}
    offered, = client.find("secure")
    assert offered["link"].startswith(hub.url), offered
    token = world.fresh()
    assert "receipt" in client.say(specification(token, label="secure-0"), path_of(offered["link"]))
    given, = [message for message in component.work() if message["label"].startswith("secure-")]
    component.deliver(answer_to(given, "receipt"))
    component.deliver(result_of(given))
    assert client.redeem(token)["result"] == "measure"
    assert stranger.register(capability("strange"))["strange"]["registered"] == "no"
    assert stranger.listed() == []
    assert stranger.ask("POST", "/register/result", result_of(given)).status == 403
    nobody = Peer(hub.url, identity=f"{COMPONENTS}.c1", context=context_of(ca))
    for method, path in (("GET", "/capability"), ("GET", "/show/specification"), ("POST", "/register/capability")):
        assert nobody.ask(method, path, envelope() if method == "POST" else None).status == 401, path
    # Connections that only look at who we are, as the reference implementation makes for each message.
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", hub.port)) as raw:
            with context_of(ca, *client_files[:2]).wrap_socket(raw, server_hostname="127.0.0.1"):
                pass
    hub.api.post(f"/api/v1/certificates/{client_files[2]}/revoke", {"reason": "test"})
    answer = client.get("/capability")
    assert answer.status == 403 and answer.json["code"] == "identity-revoked", answer


def strangers_from_another_authority_are_nobody(world):
    other = Hub(world.place, "other")
    other.start().ready()
    files = identity_files(world.place, other, "component", "Test", "c1")
    peer = Peer(world.hub.url, context=context_of(world.hub.state / "pki" / "ca.pem", *files[:2]))
    try:
        assert peer.ask("POST", "/register/capability", envelope(capability("foreign"))).status in (401, 403)
    except (ssl.SSLError, ConnectionError):
        pass  # already during the handshake
    assert other.stop() == 0
    assert world.client().find("foreign") == []


def plain_peers_are_served_only_where_that_is_wanted(world):
    other = Hub(world.place, "careful")
    other.start().ready()
    peer = Peer(f"http://127.0.0.1:{other.local_port}", f"{COMPONENTS}.c1")
    for method, path in (("GET", "/capability"), ("GET", "/show/specification"), ("GET", "/info/all"), ("POST", "/")):
        assert peer.ask(method, path, "{}" if method == "POST" else None).status == 401, path
    assert "Sonde hub" in peer.get("/").text or peer.get("/").status == 200
    assert other.stop() == 0


def supervisor_still_answers_and_ends_in_order(world):
    assert world.client().listed()
    component, client = world.component(), world.client()
    token, given = world.ordered(component, client, "last")
    component.deliver(result_of(given))
    assert client.redeem(token)["result"] == "measure"
    holds("it is there", 0.5, world.hub.alive)
    assert world.hub.stop() == 0
    log = world.hub.log_text()
    assert not re.search(r"^<[0-3]>", log, re.MULTILINE), log[-2000:]


CASES = [
    poll_before_registration_is_told_so,
    registration_is_answered_label_by_label,
    poll_without_work_is_an_envelope_with_the_callback_last,
    capabilities_are_listed_as_links_and_shown_one_by_one,
    measurement_goes_its_way_while_nobody_waits_for_anybody,
    results_survive_a_restart_and_are_stored_once,
    work_that_is_not_acknowledged_is_handed_out_after_a_restart,
    interrupt_reaches_the_component_and_brings_what_there_is,
    silent_component_loses_its_capabilities,
    work_waits_for_a_component_that_comes_back,
    silence_after_the_end_of_the_scope_is_a_failure,
    withdrawal_takes_a_capability_away,
    repeated_specification_gives_an_envelope_of_results_so_far,
    query_of_the_past_is_run_at_once,
    capability_without_a_label_is_refused_alone,
    bare_capability_and_bare_array_are_registered,
    pages_cannot_send_messages_for_their_readers,
    result_with_a_wrong_clock_is_handed_out,
    repeated_result_is_counted_and_exported_once,
    who_may_ask_but_not_read_gets_receipts,
    many_capabilities_without_a_name_do_not_stop_the_hub,
    missing_sections_of_a_specification_do_no_harm,
    zero_false_and_empty_values_reach_the_component,
    receipt_of_kind_version_and_token_is_enough,
    media_type_may_have_parameters,
    wrong_versions_and_wrecks_are_refused_with_a_reason,
    odd_constraints_elements_and_registries_are_no_server_error,
    export_does_not_take_the_place_of_the_link,
    equal_capabilities_of_two_identities_stay_apart,
    withdrawals_of_others_and_of_nothing_change_nothing,
    unknown_tokens_are_refused_and_nothing_is_stored,
    clients_do_not_see_what_others_asked_for,
    policy_decides_who_registers_sees_and_asks,
    group_is_asked_as_one_and_tells_of_each,
    older_clients_have_their_paths_and_statuses,
    results_also_go_to_the_repository_that_is_named,
    listening_component_is_called_and_asked_after,
    oversized_and_deeply_nested_messages_are_refused,
    peers_that_hang_hold_nobody_up,
    repeated_tokens_of_one_client_are_one_measurement,
    certificates_are_identities_and_nobody_else_gets_in,
    strangers_from_another_authority_are_nobody,
    plain_peers_are_served_only_where_that_is_wanted,
    supervisor_still_answers_and_ends_in_order,
]


if __name__ == "__main__":
    isolate.enter()
    sys.exit(tap.run(CASES, set_up(sys.argv[1])))
