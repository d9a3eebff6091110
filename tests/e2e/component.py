#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A node as a plain mPlane component: the whole dialogue of a client and of a supervisor, and what bad input gets.

usage: component.py PROGRAM_DIR
"""
import contextlib
import http.client
import http.server
import json
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time

from sonde_e2e import isolate, tap
from sonde_e2e.place import Place, Program, children, replace_text, running
from sonde_e2e.tap import Skip
from sonde_e2e.wait import PATIENCE, holds, until

CORE = "http://ict-mplane.eu/registry/core"
MEDIA = "application/x-mplane+json"
AVERAGE = [f"delay.twoway.icmp.us.{name}" for name in ("min", "mean", "max")] + ["delay.twoway.icmp.count"]
DETAIL = ["time", "delay.twoway.icmp.us"]
BODY_MAX = 1024 * 1024


class Component(Program):
    def __init__(self, place, name, *arguments):
        super().__init__(place, name, "sonde-node", "component", "--json", "--name", name, "--source", "127.0.0.1",
                         *arguments)
        self.address = None

    def ready(self):
        url = self.start().first_line()["url"]
        self.address = re.fullmatch(r"https?://([0-9.]+):([0-9]+)", url).groups()
        return self

    def supervised(self):
        """One that does not listen has nothing to say."""
        return self.start()


class Client:
    """What one identity says to a component: one connection, as existing clients do it."""

    def __init__(self, component, identity=None, context=None):
        host, port = component.address
        self.connection = (http.client.HTTPSConnection(host, int(port), context=context, timeout=30 * PATIENCE)
                           if context else http.client.HTTPConnection(host, int(port), timeout=30 * PATIENCE))
        self.headers = {"Content-Type": MEDIA}
        if identity:
            self.headers["Forged-MPlane-Identity"] = identity

    def ask(self, method, path, body=None, **headers):
        """Status, media type and text."""
        self.connection.request(method, path, body, {**self.headers, **headers})
        answer = self.connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()

    def say(self, message, path="/"):
        status, media, text = self.ask("POST", path, json.dumps(message))
        assert (status, media) == (200, MEDIA), f"{status} {media}: {text[:300]}"
        return json.loads(text)

    def labels(self):
        status, _, text = self.ask("GET", "/capability", Accept=MEDIA)
        assert status == 200, text
        return sorted(message["label"] for message in json.loads(text)["contents"])

    def redeemed(self, token, seconds=15):
        def ask():
            answer = self.say({"redemption": "measure", "version": 1, "token": token})
            return answer if "receipt" not in answer else None
        return until(f"the result of {token}", seconds, ask, pause=0.2)

    def result_of(self, wanted):
        """Of a short one: at once, or after a receipt where the machine takes longer than the component waits."""
        answer = self.say(wanted)
        return self.redeemed(wanted["token"]) if "receipt" in answer else answer


def specification(token, when="now + 2s / 1s", label="ping-average-ip4", results=None, **changes):
    return {"specification": "measure", "version": 1, "registry": CORE, "label": f"{label}-1", "token": token,
            "when": when, "parameters": {"source.ip4": "127.0.0.1", "destination.ip4": "127.0.0.1"},
            "results": results or AVERAGE, **changes}


def said(answer, pattern):
    assert "exception" in answer and re.search(pattern, answer["message"]), f"'{pattern}' is not in {answer}"


class World:
    def __init__(self, place):
        self.place = place
        self.no_ping = isolate.why_no_ping(place)
        self.component = Component(place, "probe-7", "--plain", "--listen", "127.0.0.1:0")
        self.others = 0
        self.quick = None

    def describe(self):
        return self.place.describe()

    def client(self, identity=None):
        return Client(self.component, identity)

    def need_ping(self):
        if self.no_ping:
            raise Skip(self.no_ping)

    def other(self, *arguments):
        self.others += 1
        return Component(self.place, f"other-{self.others}", *arguments)


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


# A client's dialogue -----------------------------------------------------------------


def component_says_where_it_listens(world):
    world.component.ready()
    assert world.component.address[0] == "127.0.0.1", world.component.address


def capabilities_are_listed_as_links_and_shown_one_by_one(world):
    client = world.client()
    status, media, page = client.ask("GET", "/capability")
    assert status == 200 and media.startswith("text/html"), (status, media)
    links = re.findall(r"href=['\"](/capability/[0-9a-f]+)['\"]", page)
    assert len(links) == len(set(links)) == 2, page
    labels = set()
    for link in links:
        status, media, text = client.ask("GET", link)
        shown = json.loads(text)
        assert (status, media) == (200, MEDIA), (status, media)
        assert shown["registry"] == CORE and shown["metadata"]["System_ID"] == "probe-7", shown
        assert shown["parameters"]["source.ip4"] == "127.0.0.1", shown
        assert link.endswith(shown["token"]) and shown["link"] == "", shown
        labels.add(shown["label"])
    assert labels == {"ping-average-ip4", "ping-detail-ip4"}, labels
    assert client.ask("GET", "/capability/0123456789abcdef")[0] == 404


def quick_specification_is_answered_with_its_result(world):
    world.need_ping()
    client = world.client()
    for number in range(5):  # a busy machine may take longer than the component waits
        world.quick = f"quick-{number}"
        result = client.say(specification(world.quick))
        if "receipt" not in result:
            break
        client.redeemed(world.quick)
    assert "result" in result and result["token"] == world.quick and result["label"] == "ping-average-ip4-1", result
    row = dict(zip(result["results"], result["resultvalues"][0]))
    assert len(result["resultvalues"]) == 1 and row["delay.twoway.icmp.count"] == "2", result
    assert 0 < int(row["delay.twoway.icmp.us.min"]) <= int(row["delay.twoway.icmp.us.max"]) < 1e6, row
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:]{8}\.\d{6} \.\.\. \d{4}-\d\d-\d\d [\d:]{8}\.\d{6}", result["when"]), result
    again = client.say({"redemption": "measure", "version": 1, "token": world.quick})
    assert again["resultvalues"] == result["resultvalues"], "a result can be fetched again"


def long_specification_gets_a_receipt_and_is_redeemed(world):
    world.need_ping()
    client = world.client()
    wanted = specification("long", "now + 7s / 1s", "ping-detail-ip4", DETAIL)
    receipt = client.say(wanted, "/specification")
    assert "receipt" in receipt and receipt["token"] == "long", receipt
    assert receipt["parameters"] == wanted["parameters"] and receipt["results"] == DETAIL, receipt
    assert "receipt" in client.say({"redemption": "measure", "version": 1, "token": "long"})
    result = client.redeemed("long")
    assert 6 <= len(result["resultvalues"]) <= 8, result
    assert all(int(row[1]) > 0 for row in result["resultvalues"]), result


def specification_is_not_run_twice(world):
    world.need_ping()
    before = len(world.component.log_text().splitlines())
    again = world.client().say(specification(world.quick))
    assert "result" in again, again
    assert len(world.component.log_text().splitlines()) == before


def interrupt_gives_the_truncated_result(world):
    world.need_ping()
    client = world.client()
    receipt = client.say(specification("endless", "now ... future / 1s", "ping-detail-ip4", DETAIL))
    assert "receipt" in receipt, receipt
    probers = until("its prober runs", 5, lambda: children(world.component.pid, "sonde-probe"))
    time.sleep(1.2)
    answer = client.say({"interrupt": receipt.pop("receipt"), **receipt})
    assert "result" in answer or "receipt" in answer, answer
    result = client.redeemed("endless")
    assert result["resultvalues"], result
    until("the prober is gone", 5, lambda: not any(map(running, probers)))


def repeated_specification_gives_an_envelope(world):
    world.need_ping()
    client = world.client()
    first = client.say(specification("repeated", "repeat now + 3s / 2s { now }"))
    assert "receipt" in first, first

    def both():
        answer = client.say({"redemption": "measure", "version": 1, "token": "repeated"})
        return answer if len(answer.get("contents", [])) >= 2 else None
    envelope = until("two results", 20, both, pause=0.3)
    assert envelope["token"] == "repeated", envelope
    tokens = {message["token"] for message in envelope["contents"]}
    assert len(tokens) == len(envelope["contents"]) and "repeated" not in tokens, envelope


# Who may what ------------------------------------------------------------------------


def unknown_token_is_an_exception(world):
    said(world.client().say({"redemption": "measure", "version": 1, "token": "never"}), r"(?i)unknown|no ")
    said(world.client().say({"interrupt": "measure", "version": 1, "token": "never"}), r"(?i)unknown|no ")


def foreign_job_is_as_unknown_as_none(world):
    world.need_ping()
    owner, stranger = world.client("org.example.Clients.owner"), world.client("org.example.Clients.stranger")
    assert "receipt" in owner.say(specification("mine", "now ... future / 1s", "ping-detail-ip4", DETAIL))
    never = stranger.say({"redemption": "measure", "version": 1, "token": "never"})
    foreign = stranger.say({"redemption": "measure", "version": 1, "token": "mine"})
    assert foreign["message"].replace("mine", "never") == never["message"], (foreign, never)
    stopped = stranger.say({"interrupt": "measure", "version": 1, "token": "mine"})
    assert "exception" in stopped, stopped
    assert "receipt" in owner.say({"redemption": "measure", "version": 1, "token": "mine"}), "it was stopped"
    owner.say({"interrupt": "measure", "version": 1, "token": "mine"})
    assert "result" in owner.redeemed("mine")


def equal_tokens_of_two_identities_do_not_mix(world):
    world.need_ping()
    one, other = world.client("org.example.Clients.one"), world.client("org.example.Clients.other")
    one.say(specification("same", "now + 1s / 1s"))
    other.say(specification("same", "now + 3s / 1s"))
    counts = [client.redeemed("same")["resultvalues"][0][3] for client in (one, other)]
    assert counts == ["1", "3"], counts


def without_a_policy_only_who_was_named_is_anybody(world):
    component = world.other("--plain", "--listen", "127.0.0.1:0", "--allow", "org.example.Clients.friend").ready()
    friend, stranger = Client(component, "org.example.Clients.friend"), Client(component)
    assert friend.labels() == ["ping-average-ip4", "ping-detail-ip4"]
    assert stranger.labels() == []
    said(stranger.say(specification("x")), "(?i)no capability|unknown|not|nothing")
    component.stop()


def policy_decides_and_is_read_again(world):
    policy = world.place.path / "policy.yaml"

    def write(labels, identity="org.example.Clients.friend"):
        replace_text(policy, f"roles:\n  friends: {identity}\nrules:\n  - allow: [discover, measure, read, stop]\n"
                             f"    roles: friends\n    capabilities: {labels}\n")
    write("[ping-detail-ip4]")
    component = world.other("--plain", "--listen", "127.0.0.1:0", "--policy", policy).ready()
    friend = Client(component, "org.example.Clients.friend")
    assert friend.labels() == ["ping-detail-ip4"]
    assert Client(component).labels() == []
    write("[ping-detail-ip4, ping-average-ip4]")
    until("the policy is read again", 5, lambda: len(friend.labels()) == 2)
    replace_text(policy, "roles: [\n")
    until("it is told", 5, lambda: "last good one" in component.log_text())
    holds("the last good policy", 0.5, lambda: len(friend.labels()) == 2)
    component.stop()


def some_networks_are_never_probed(world):
    for target in ("224.0.0.1", "255.255.255.255", "0.0.0.0"):
        wanted = specification("never-" + target)
        wanted["parameters"]["destination.ip4"] = target
        said(world.client().say(wanted), "never probed")


# Bad input -----------------------------------------------------------------------------


def what_does_not_fit_the_capability_is_told_why(world):
    client = world.client()
    other_source = specification("s")
    other_source["parameters"]["source.ip4"] = "127.0.0.2"
    said(client.say(other_source), "source.ip4")
    said(client.say(specification("l", label="warp-drive", results=["time"])), r"(?i)capabilit")
    status, _, text = client.ask("POST", "/", json.dumps(specification("w", "now + 5m3h")))
    assert status == 400 and "'now + 5m3h', character 10" in json.loads(text)["message"], (status, text)
    missing = specification("m")
    del missing["parameters"]["destination.ip4"]
    said(client.say(missing), "destination.ip4|capabilit")


def oversized_body_is_refused(world):
    client = world.client()
    with contextlib.suppress(ConnectionError):
        assert client.ask("POST", "/", b" " * (BODY_MAX + 1))[0] == 413
    assert world.client().labels()


def bad_messages_are_exceptions(world):
    cases = ["", "{", "[]" * 3, "null", "3", '{"specification":3}', "[" * 200 + "]" * 200,
             '{"a":' * 100 + "1" + "}" * 100, '{"specification":"measure","specification":"measure"}', "\xff\xfe",
             json.dumps({**specification("v"), "version": 2}), json.dumps({**specification("r"), "results": [[]]}),
             json.dumps({"version": 1, "token": "x"})]
    for text in cases:
        client = world.client()
        status, _, answer = client.ask("POST", "/", text.encode("latin-1"))
        assert status in (200, 400), (text[:60], status, answer)
        assert "exception" in json.loads(answer), (text[:60], answer)
    said(world.client().say({"capability": "measure", "version": 1, "label": "x", "when": "now"}), ".")


def other_media_type_is_refused(world):
    status, _, _ = world.client().ask("POST", "/", json.dumps(specification("t")), **{"Content-Type": "text/plain"})
    assert status == 415, status


def other_paths_and_methods_are_refused(world):
    client = world.client()
    assert client.ask("GET", "/nowhere")[0] == 404
    assert client.ask("DELETE", "/capability")[0] == 405


def silent_connections_do_no_harm(world):
    idle = [Client(world.component) for _ in range(50)]
    for client in idle:
        client.connection.connect()
        client.connection.sock.sendall(b"POST / HTTP/1.1\r\nContent-Le")
    assert world.client().labels()
    for client in idle:
        client.connection.close()


def envelope_of_specifications_is_answered_as_a_whole(world):
    world.need_ping()
    client = world.client()
    answer = client.say({"envelope": "specification", "version": 1, "contents": [
        specification("e1", "now"), specification("e2", "now + 5m3h"), specification("e3", "now")]})
    assert sorted(message["token"] for message in answer["contents"]) == ["e1", "e3"], answer
    assert all("result" in client.redeemed(message["token"]) for message in answer["contents"]), answer


# Supervisors ---------------------------------------------------------------------------


class Supervisor(http.server.ThreadingHTTPServer):
    """Takes registrations, hands out what it was given once, keeps what comes back."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registered, self.withdrawn, self.work, self.results, self.identities = {}, [], [], [], set()
        self.forgetful = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, message=None):
        body = json.dumps(message).encode() if message is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", MEDIA if body else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # pylint: disable=invalid-name
        hub = self.server
        if hub.forgetful:
            hub.forgetful = False
            self.answer(428, {})
            return
        work, hub.work = hub.work, []
        self.answer(200, {"envelope": "message", "version": 1, "contents": work})

    def do_POST(self):  # pylint: disable=invalid-name
        hub = self.server
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hub.identities.add(self.headers.get("Forged-MPlane-Identity"))
        if self.path.rstrip("/") != "/register/capability":
            hub.results.append(message)
            self.answer(200)
            return
        said_ok = {}
        for content in message["contents"]:
            if "withdrawal" in content:
                hub.withdrawn.append(content["label"])
            else:
                hub.registered[content["label"]] = content
                said_ok[content["label"]] = {"registered": "ok"}
        self.answer(200, said_ok)

    def log_message(self, *_):
        pass


def supervisor_gets_capabilities_and_gives_work(world):
    world.need_ping()
    supervisor = Supervisor()
    component = world.other("--plain", "--supervisor", supervisor.url(), "--identity", "org.example.Components.p7")
    component.supervised()
    until("it has registered", 10, lambda: {"ping-average-ip4", "ping-detail-ip4", "callback"} <= set(supervisor.registered))
    assert all(message["registry"] == CORE for message in supervisor.registered.values())
    assert supervisor.identities == {"org.example.Components.p7"}, supervisor.identities
    supervisor.work.append({**specification("w1", "now + 1s / 1s"), "link": supervisor.url() + "/register/result"})

    def kinds():
        return [next(k for k in ("receipt", "result", "exception") if k in message) for message in supervisor.results
                if message.get("token") == "w1"]
    until("receipt and result", 15, lambda: kinds() == ["receipt", "result"])
    supervisor.registered.clear()
    supervisor.forgetful = True
    until("it registers again", 15, lambda: {"ping-average-ip4", "ping-detail-ip4"} <= set(supervisor.registered))
    assert component.stop() == 0
    assert {"ping-average-ip4", "ping-detail-ip4"} <= set(supervisor.withdrawn), supervisor.withdrawn
    supervisor.shutdown()


def native_labels_are_offered_on_demand(world):
    component = world.other("--plain", "--listen", "127.0.0.1:0", "--registry-native").ready()
    assert {"ping", "ping-average-ip4"} <= set(Client(component).labels())
    component.stop()


# TLS -----------------------------------------------------------------------------------


def _openssl(world, *arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=world.place.path, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def _certificate(world, name, ca, subject, extensions=""):
    _openssl(world, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
             "-out", f"{name}.csr", "-subj", subject)
    (world.place.path / f"{name}.ext").write_text(
        f"basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n{extensions}\n", encoding="utf-8")
    _openssl(world, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
             "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def _authority(world, name):
    _openssl(world, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}")


def _context(world, name=None):
    context = ssl.create_default_context(cafile=str(world.place.path / "ca.pem"))
    if name:
        context.load_cert_chain(world.place.path / f"{name}.pem", world.place.path / f"{name}.key")
    return context


def with_tls_the_certificate_says_who_it_is(world):
    if not shutil.which("openssl"):
        raise Skip("there is no openssl(1) to make certificates with")
    _authority(world, "ca")
    _authority(world, "foreign")
    _certificate(world, "component", "ca", "/DC=org/DC=mplane/O=Lab/OU=Components/CN=p7",
                 "subjectAltName=IP:127.0.0.1")
    _certificate(world, "friend", "ca", "/DC=org/DC=mplane/O=Lab/OU=Clients/CN=friend")
    _certificate(world, "stranger", "ca", "/DC=org/DC=mplane/O=Lab/OU=Clients/CN=stranger")
    _certificate(world, "impostor", "foreign", "/DC=org/DC=mplane/O=Lab/OU=Clients/CN=friend")
    path = world.place.path
    component = world.other("--listen", "127.0.0.1:0", "--cert", path / "component.pem", "--key", path / "component.key",
                            "--ca", path / "ca.pem", "--allow", "org.mplane.Lab.Clients.friend").ready()
    friend = Client(component, context=_context(world, "friend"))
    assert friend.labels() == ["ping-average-ip4", "ping-detail-ip4"]
    if not world.no_ping:
        assert "result" in friend.result_of(specification("tls", "now"))
    assert Client(component, context=_context(world, "stranger")).labels() == []
    # A header says nothing where certificates do.
    assert Client(component, "org.mplane.Lab.Clients.friend", _context(world, "stranger")).labels() == []
    for name in (None, "impostor"):
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            assert Client(component, context=_context(world, name)).ask("GET", "/capability")[0] == 401
    assert component.stop() == 0


# The program ---------------------------------------------------------------------------


def wrong_options_are_named(world):
    def fails(code, pattern, *arguments):
        done = world.place.run("sonde-node", "component", *arguments)
        assert done.returncode == code and re.search(pattern, done.stderr), (done.returncode, done.stderr)
    broken = world.place.path / "broken.yaml"
    broken.write_text("rules:\n  - alow: measure\n", encoding="utf-8")
    fails(2, "--plain for this machine alone")
    fails(2, "--plain and certificates", "--plain", "--cert", "x")
    fails(2, "--identity is for --plain", "--identity", "x", "--cert", "a", "--key", "b", "--ca", "c")
    fails(2, "no address to listen at", "--plain", "--listen", "nowhere")
    fails(2, "nonsense.*no address", "--plain", "--source", "nonsense")
    fails(2, "broken.yaml.*line 2.*alow", "--plain", "--policy", broken)
    fails(2, "exclude each other", "--plain", "--policy", broken, "--allow", "x")
    fails(3, "plain HTTP to another machine", "--plain", "--supervisor", "http://192.0.2.1:8889")
    fails(2, "needs certificates", "--plain", "--supervisor", "https://192.0.2.1:8889")
    fails(3, "(?i)plain|loopback", "--plain", "--listen", "192.0.2.1:1228")
    fails(1, "no-such-file", "--cert", "no-such-file", "--key", "b", "--ca", "c")


def component_ends_in_order(world):
    client = world.client()
    if not world.no_ping:
        assert "receipt" in client.say(specification("last", "now ... future / 1s", "ping-detail-ip4", DETAIL))
    probers = children(world.component.pid, "sonde-probe")
    tap.note(f"resident {world.component.resident_bytes() // 1024} KiB")
    assert world.component.stop() == 0
    until("no prober is left", 5, lambda: not any(map(running, probers)))
    for program in world.place.started:
        found = re.search(r".*(Sanitizer|runtime error|[Aa]ssertion).*", program.log_text())
        assert not found, f"{program.name}: {found[0]}"


CASES = [
    component_says_where_it_listens,
    capabilities_are_listed_as_links_and_shown_one_by_one,
    quick_specification_is_answered_with_its_result,
    long_specification_gets_a_receipt_and_is_redeemed,
    specification_is_not_run_twice,
    interrupt_gives_the_truncated_result,
    repeated_specification_gives_an_envelope,
    envelope_of_specifications_is_answered_as_a_whole,
    unknown_token_is_an_exception,
    foreign_job_is_as_unknown_as_none,
    equal_tokens_of_two_identities_do_not_mix,
    without_a_policy_only_who_was_named_is_anybody,
    policy_decides_and_is_read_again,
    some_networks_are_never_probed,
    what_does_not_fit_the_capability_is_told_why,
    oversized_body_is_refused,
    bad_messages_are_exceptions,
    other_media_type_is_refused,
    other_paths_and_methods_are_refused,
    silent_connections_do_no_harm,
    supervisor_gets_capabilities_and_gives_work,
    native_labels_are_offered_on_demand,
    with_tls_the_certificate_says_who_it_is,
    wrong_options_are_named,
    component_ends_in_order,
]


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    isolate.enter()
    return tap.run(CASES, set_up(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
