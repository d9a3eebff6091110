#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs from a probe to the hub (MATH): every row once, whoever is killed, whatever a peer sends.

usage: transfer.py PROGRAM_DIR [SEED]

A probe serves directories of logs whose rows are numbered; the hub fetches and imports them over
TLS.  Old and hostile peers are written here and speak the original's plain wire form.
"""
import contextlib
import gzip
import hashlib
import http.client
import http.server
import json
import pathlib
import random
import socket
import sys
import threading
import time
import urllib.parse

from sonde_e2e import mplane, tap
from sonde_e2e.parts import Hub, free_ports
from sonde_e2e.place import Place, Program, resident_bytes, sleep_at_random
from sonde_e2e.wait import holds, until

KILLS = 24
FILES, ROWS = 16, 12000  # of the log that is fetched while both sides are killed
COLUMNS = ("c_ip", "c_port", "c_bytes_all", "s_ip", "s_port", "s_bytes_all", "first", "last", "durat")
HEADER = "#31#" + " ".join(f"{name}:{number}" for number, name in enumerate(COLUMNS, 1)) + "\n"
FIRST_MS = 1772366400000  # 2026-03-01T12:00:00Z
LOG = "log_tcp_complete"

POLICY = """
roles:
  admin: account:admin
  probe: "org.mplane.SSB.Components.*"
  node: "node:*"
rules:
  - {allow: [admin], roles: admin}
  - {allow: [discover, measure, read-all, stop-all], roles: admin, capabilities: "*"}
  - {allow: [register, deliver], roles: node, capabilities: "*"}
  - {allow: deliver, roles: probe, capabilities: tstat-exporter_log}
"""


def line(number):
    return (f"192.0.2.1 {number % 60000 + 1} {number} 198.51.100.7 443 {number * 3} "
            f"{FIRST_MS + number}.000000 {FIRST_MS + number + 5}.000000 5.000000\n")


def text(numbers):
    return HEADER + "".join(map(line, numbers))


def directory(minute):
    return time.strftime("%Y_%m_%d_%H_%M.out", time.gmtime(FIRST_MS // 1000 + 60 * minute))


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Logs:
    """A directory of logs; each file is there at once, as a meter's rename has it."""

    def __init__(self, path):
        self.path = path
        path.mkdir()

    def put(self, minute, content, name=LOG):
        where = self.path / directory(minute)
        where.mkdir(exist_ok=True)
        new = self.path / ".new"
        new.write_bytes(content if isinstance(content, bytes) else content.encode())
        new.rename(where / name)

    def fill(self, files, rows, first=0):
        for minute in range(files):
            self.put(minute, text(range(first + minute * rows, first + (minute + 1) * rows)))
        return range(first, first + files * rows)


class World:
    def __init__(self, place, seed):
        self.place, self.prng = place, random.Random(seed)
        policy = place.path / "policy.yaml"
        policy.write_text(POLICY, encoding="utf-8")
        self.hub = Hub(place, announce="true", retention_days="0", math_poll="200ms", math_plain="true",
                       math_file_max="20MB", policy=policy)
        self.hub.start().ready()
        self.id = self.hub.api.get("/api/v1/hub")["id"]
        self.pki = place.path / "pki"
        self.sonde("ca", "issue", "component", "SSB", "probe", "--ip", "127.0.0.1", "-o", self.pki)
        self.sonde("ca", "issue", "client", "SSB", "reader", "-o", self.pki)
        self.probes = 0

    def describe(self):
        return self.place.describe()

    def sonde(self, *arguments, code=0, seconds=60):
        done = self.place.run("sonde", *arguments, seconds=seconds)
        assert done.returncode == code, f"{arguments}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def tls(self, name):
        return ("--cert", self.pki / f"{name}.crt", "--key", self.pki / f"{name}.key", "--ca", self.pki / "ca.crt")

    def probe(self, logs, stream, *arguments, tls=True, allow=None):
        """A probe at a port that stays the same over its lives."""
        self.probes += 1
        port, = free_ports(1)
        arguments = ("--json", "-d", logs.path, "-s", stream, "-l", f"127.0.0.1:{port}", *arguments)
        if tls:
            arguments += (*self.tls("probe"), "-a", allow or f"hub:{self.id}")
        program = Program(self.place, f"probe-{self.probes}", "sonde", "math", "serve", *arguments)
        program.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        program.start().first_line()
        return program

    def add(self, url, stream, **more):
        return self.hub.api.post("/api/v1/math", {"url": url, "stream": stream, **more})

    def stream(self, name):
        found = [item for item in self.hub.api.items("/api/v1/math") if item["stream"] == name]
        if not found:
            raise LookupError(f"the hub knows no stream '{name}'")
        return found[0]

    def remove(self, name):
        self.hub.api.call("DELETE", f"/api/v1/math/{self.stream(name)['id']}")

    def numbers(self, stream):
        """What is stored of a stream, sorted: doubles would be there twice."""
        rows = self.hub.api.rows("tstat_tcp_complete", node=f"math:{stream}", fields="c_bytes_all,s_bytes_all,c_port",
                                 since="2020-01-01T00:00:00Z", limit=10_000_000)
        for row in rows:
            assert row["s_bytes_all"] == 3 * row["c_bytes_all"] and row["c_port"] == row["c_bytes_all"] % 60000 + 1, row
        return sorted(row["c_bytes_all"] for row in rows)

    def arrives(self, stream, wanted, seconds=60):
        """All of these rows and no others."""
        wanted = sorted(wanted)
        until(f"{len(wanted)} rows of {stream}", seconds, lambda: self.stream(stream)["rows"] >= len(wanted), pause=0.1)
        found = self.numbers(stream)
        assert found == wanted, (f"{len(found)} rows, {len(set(found))} different, {len(wanted)} wanted: "
                                 f"{sorted(set(wanted) - set(found))[:5]} {sorted(set(found) - set(wanted))[:5]}")

    def fetched(self, stream, files, seconds=30):
        """The stream with so many files behind it; a file counts after its last row."""
        until(f"{files} files of {stream}", seconds, lambda: self.stream(stream)["files"] == files)
        return self.stream(stream)

    def reason(self, stream, part, seconds=30):
        until(f"the reason of {stream} has '{part}'", seconds, lambda: part in (self.stream(stream)["reason"] or ""))


class Peer:
    """An old probe, or one that lies: answers are functions of the test."""

    def __init__(self, answer):
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                peer.asked.append(self.path)
                with contextlib.suppress(OSError):
                    answer(self)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

            def reply(self, body, status=200, **headers):
                body = body if isinstance(body, bytes) else body.encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.write(body)

        self.asked = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def old_probe(files, ranges=True):
    """The original's form: an array of paths, static files below the same paths (as Go's file server has them)."""
    def answer(request):
        path = urllib.parse.unquote(request.path.split("?")[0])[1:]
        if path.startswith("ListDir/"):
            if path != "ListDir/old":
                request.reply("404 page not found\n", 405)
            else:
                request.reply(json.dumps(sorted(files), separators=(",", ":")) if files else "null",
                              Content_Type="application/json")
        elif path not in files:
            request.reply("404 page not found\n", 404)
        else:
            data, wanted = files[path], request.headers.get("Range")
            if ranges and wanted:
                start = int(wanted[len("bytes="):-1])
                request.reply(data[start:], 206, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                request.reply(data, Last_Modified="Tue, 05 Nov 2013 14:00:00 GMT")
    return answer


def detailed(files):
    return json.dumps([{"path": path, "size": len(data), "mtime": 1772366400.0, "sha256": digest(data)}
                       for path, data in files.items()])


def lists(world, stream, files, answer):
    """A peer that lists `files` in detail and serves them by `answer(request, path)`."""
    def serve(request):
        if request.path.startswith("/ListDir/"):
            request.reply(detailed(files))
        else:
            answer(request, request.path[1:])
    peer = Peer(serve)
    world.add(peer.url, stream)
    return peer


# Cases ------------------------------------------------------------------------------------------


def a_probe_announces_itself_and_each_row_comes_once(world):
    logs = Logs(world.place.path / "first")
    wanted = logs.fill(4, 500)
    logs.put(9, "")
    probe = world.probe(logs, "first", "-t", LOG, "-r", world.hub.url)
    until("it is announced", 20, lambda: world.stream("first"))
    world.arrives("first", wanted)
    stream = world.fetched("first", 4)
    assert (stream["by"], stream["files"], stream["bad_files"], stream["bad_lines"]) == \
        ("org.mplane.SSB.Components.probe", 4, 0, 0), stream
    until("it is current", 20, lambda: world.stream("first")["state"] == "current")
    assert world.stream("first")["position"].startswith("2026-03-01T12:03:00")
    source = next(item for item in world.hub.api.items("/api/v1/sources") if item["name"] == "first")
    assert (source["kind"], source["state"], source["stored_rows"]) == ("math", "current", 2000), source
    shown = json.loads(world.sonde("math", "show", "first", "--json"))
    assert shown["rows"] == 2000
    assert "first" in world.sonde("math", "list")
    # Announced again it stays what it is.
    probe.stop()
    probe.start().first_line()
    until("told again", 20, lambda: probe.log_text().count("announced to") == 2)
    assert [item["stream"] for item in world.hub.api.items("/api/v1/math")] == ["first"]
    probe.stop()


def what_is_odd_about_logs_costs_no_row(world):
    """A gap, a late file, one that grows, gzip, CRLF, wrong columns, a damaged one."""
    logs = Logs(world.place.path / "odd")
    logs.put(0, text(range(0, 100)))
    logs.put(30, gzip.compress(text(range(100, 200)).encode()), LOG + ".gz")
    logs.put(31, text(range(200, 300)).replace("\n", "\r\n"))
    logs.put(32, HEADER + line(300) + "1 2 3\n" + line(301) + "a b c d e f g h i\n" + line(302))
    logs.put(33, HEADER)
    logs.put(34, text(range(900, 950)))  # the newest: it grows
    world.probe(logs, "odd")
    world.add(world.place.started[-1].url, "odd")
    world.arrives("odd", range(0, 303))
    stream = world.fetched("odd", 5)
    assert stream["bad_lines"] == 2, stream
    bad = [item for item in world.hub.api.items("/api/v1/quarantine") if item["source"] == "math:odd"]
    assert [(item["kind"], item["rows"]) for item in bad] == [("line", 2)] and "line 3" in bad[0]["reason"], bad
    again = world.hub.api.post(f"/api/v1/quarantine/{bad[0]['id']}/retry")
    assert again["state"] == "kept" and "2 lines still cannot be read" in again["reason"], again
    # The newest goes on growing and is left alone.
    with open(logs.path / directory(34) / LOG, "a", encoding="utf-8") as log:
        for number in range(950, 1000):
            log.write(line(number))
            log.flush()
            time.sleep(0.01)
    holds("nothing of the newest is taken", 0.6, lambda: world.stream("odd")["rows"] == 303)
    # One that comes late, and one that makes the growing one old; a cut gzip file keeps what is whole.
    logs.put(10, text(range(1000, 1050)))
    logs.put(35, gzip.compress(text(range(2000, 2400)).encode())[:-2000], LOG + ".gz")
    logs.put(36, "")
    wanted = [*range(0, 303), *range(900, 1050)]
    stream, found = world.fetched("odd", 8), world.numbers("odd")
    assert stream["late_files"] == 1 and stream["bad_files"] == 1 and directory(35) in stream["reason"], stream
    damaged = [number for number in found if number >= 2000]
    assert [number for number in found if number < 2000] == wanted
    assert damaged == list(range(2000, 2000 + len(damaged))), damaged[-5:]
    # What was imported and changes then is left as it is, and told.
    logs.put(0, text(range(0, 120)))
    world.reason("odd", "changed after it was imported")
    assert [number for number in world.numbers("odd") if number < 2000] == wanted
    world.place.started[-1].stop()


def kills_of_either_side_lose_and_double_nothing(world):
    logs = Logs(world.place.path / "kills")
    wanted = logs.fill(FILES, ROWS, first=10_000_000)
    logs.put(FILES, "")
    probe = world.probe(logs, "kills", "--digests", world.place.path / "digests")
    world.add(probe.url, "kills")
    kills = {world.hub: 0, probe: 0}
    while sum(kills.values()) < KILLS:
        victim = world.prng.choice(list(kills))
        sleep_at_random(world.prng, 0.02, 0.4)
        victim.kill()
        kills[victim] += 1
        victim.start()
        if victim is world.hub:
            world.hub.ready()
        else:
            probe.first_line()
    tap.note(f"{kills[world.hub]} kills of the hub, {kills[probe]} of the probe")
    world.arrives("kills", wanted, 100)
    stream = world.fetched("kills", FILES)
    assert stream["bad_files"] == 0, stream
    left = sorted(entry.name for entry in (world.hub.state / "math").iterdir() if entry.name.endswith(".part"))
    assert not left, left
    probe.stop()


def a_copy_that_is_killed_goes_on(world):
    logs = Logs(world.place.path / "copied")
    logs.fill(12, 9000)
    logs.put(12, "")
    probe = world.probe(logs, "copied", allow="org.mplane.SSB.Clients.reader")
    out = world.place.path / "copy"
    fetch = Program(world.place, "fetch", "sonde", "math", "fetch", probe.url, "copied", "-o", out, *world.tls("reader"))
    for _ in range(10):
        fetch.start()
        sleep_at_random(world.prng, 0.005, 0.06)
        if fetch.alive():
            fetch.kill()
    assert fetch.start().wait(60) == 0, fetch.log_text()
    for minute in range(12):
        name = pathlib.Path(directory(minute)) / LOG
        assert (out / name).read_bytes() == (logs.path / name).read_bytes(), name
    assert not (out / directory(12)).exists()
    assert "0 files" in world.sonde("math", "fetch", probe.url, "copied", "-o", out, *world.tls("reader"))
    # Somebody else with a good certificate, and somebody without.
    world.sonde("math", "fetch", probe.url, "copied", "-o", out / "x", *world.tls("probe"), code=3)
    world.sonde("math", "fetch", probe.url, "copied", "-o", out / "x", "--ca", world.pki / "ca.crt", code=3)
    probe.stop()


def old_probes_are_understood(world):
    files = {f"{directory(minute)}/{LOG}": text(range(70_000 + minute * 100, 70_100 + minute * 100)).encode()
             for minute in range(5)}
    with Peer(old_probe(files)) as peer:
        # As the original's probe sends it, with the artefact of its serialiser.
        body = {"XMLName": {"Space": "", "Local": ""}, "CallBackUrl": peer.url[len("http://"):], "StreamName": "old",
                "StreamType": "log_tcp_complete_v15", "StartTime": FIRST_MS // 1000 + 60}

        def say(method, path, body=None):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", world.hub.local_port, timeout=60)) as link:
                link.request(method, path, body, {"Content-Type": "application/json"})
                answer = link.getresponse()
                return answer.status, answer.read().decode()
        assert say("POST", "/DBSImport", json.dumps(body)) == (200, "new entry created")
        assert say("POST", "/DBSImport", json.dumps(body)) == (200, "new entry created")
        number = world.stream("old")["id"]
        assert say("POST", "/DBSImport", "{")[0] == 400
        assert say("POST", f"/DBSImport/{number}", json.dumps(body))[0] == 405
        assert say("GET", "/DBSImport/x")[0] == 400 and say("GET", "/DBSImport/99999")[0] == 404
        del body["XMLName"]
        assert json.loads(say("GET", "/DBSImport")[1])[number] == body
        assert json.loads(say("GET", f"/DBSImport/{number}")[1]) == body
        # Neither somebody else's address nor a type without a dataset is taken.
        assert say("POST", "/DBSImport", json.dumps({**body, "StreamName": "x", "CallBackUrl": "192.0.2.7:80"}))[0] == 400
        for kind in ("mawi_wide", "log_skype_complete"):
            status, reason = say("POST", "/DBSImport", json.dumps({**body, "StreamName": "x", "StreamType": kind}))
            assert status == 400 and "fit no dataset" in reason, reason
        # From its start time on.
        world.arrives("old", range(70_100, 70_500))
        files[f"{directory(7)}/{LOG}"] = text(range(70_700, 70_800)).encode()
        world.arrives("old", [*range(70_100, 70_500), *range(70_700, 70_800)])
        assert say("DELETE", f"/DBSImport/{number}")[0] == 200
        assert say("GET", f"/DBSImport/{number}")[0] == 404
    # Ours is understood by theirs: the list is an array of paths, whatever else there is.
    logs = Logs(world.place.path / "plain")
    logs.fill(2, 10)
    logs.put(2, "")
    probe = world.probe(logs, "plain", "--plain", tls=False)
    link = http.client.HTTPConnection(probe.url[len("http://"):], timeout=60)
    link.request("GET", "/ListDir/plain")
    paths = json.loads(link.getresponse().read())
    assert paths == [f"{directory(minute)}/{LOG}" for minute in range(2)], paths
    link.request("GET", "/" + paths[1])
    assert link.getresponse().read().decode() == text(range(10, 20))
    link.request("GET", "/ListDir/other")
    answer = link.getresponse()
    assert answer.read() and answer.status == 405
    probe.stop()


def lists_that_lead_elsewhere_are_refused(world):
    good = f"{directory(0)}/{LOG}"
    bad = ["../../etc/passwd", "/etc/passwd", "a/../../x", directory(1) + "/./" + LOG, ".x/" + LOG, "a\\b", "a\nb"]
    data = text(range(20_000, 20_010)).encode()

    def answer(request):
        if request.path.startswith("/ListDir/"):
            request.reply(json.dumps([*bad, good, good]))
        else:
            request.reply(data)
    with Peer(answer) as peer:
        world.add(peer.url, "elsewhere")
        world.arrives("elsewhere", range(20_000, 20_010))
        world.reason("elsewhere", f"{len(bad)} entries of the list were refused")
        assert peer.asked.count("/" + good) == 1
        assert {path for path in peer.asked if not path.startswith("/ListDir/")} == {"/" + good}
        world.remove("elsewhere")


def lists_that_are_none_or_too_long_are_refused(world):
    long = [f"{directory(0)}/x{number}" for number in range(1_000_000)]
    answers = {"html": "<html>", "cut": '["a', "entry": '["' + "a" * 10000 + '"]', "empty": ""}
    bodies = {**answers, "million": json.dumps([*long, f"{directory(0)}/{LOG}"])}

    def answer(request):
        stream = request.path.split("/")[2].split("?")[0] if request.path.startswith("/ListDir/") else None
        request.reply(bodies[stream] if stream else text(range(30_000, 30_010)))
    with Peer(answer) as peer:
        for stream in bodies:
            world.add(peer.url, stream)
        for stream in answers:
            until(f"{stream} is refused", 20, lambda stream=stream: world.stream(stream)["state"] == "failing" and
                  world.stream(stream)["reason"])
        # A million names that are no logs of ours; the one that is one comes.
        world.arrives("million", range(30_000, 30_010), 60)
        assert resident_bytes(world.hub.pid) < 400_000_000, resident_bytes(world.hub.pid)
        for stream in bodies:
            world.remove(stream)


def files_that_are_not_what_was_listed_are_refused(world):
    path = f"{directory(0)}/{LOG}"
    good = f"{directory(1)}/{LOG}"
    data = text(range(40_000, 40_050)).encode()

    def fine():
        """Another one for each peer: a file is stored once, by whatever stream it comes."""
        return text(range(first, first + 10)).encode()

    def swapped(request, asked):
        request.reply(fine() if asked == good else data.replace(b"198.51.100.7", b"198.51.100.8"))

    def larger(request, asked):
        request.reply(fine() if asked == good else data + b"x" * 100)

    def endless(request, asked):
        if asked == good:
            request.reply(fine())
            return
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while True:
            request.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    for first, stream, answer, reason in ((41_000, "swapped", swapped, "another digest"),
                                          (42_000, "larger", larger, "listed"), (43_000, "endless", endless, "bytes")):
        with lists(world, stream, {path: data, good: fine()}, answer):
            world.reason(stream, reason)
            # The others are gone on with, and after some tries it is left out.
            world.arrives(stream, range(first, first + 10))
            until("it is given up", 30, lambda stream=stream: world.stream(stream)["bad_files"] == 1)
            until("it is current", 10, lambda stream=stream: world.stream(stream)["state"] == "current")
            world.remove(stream)


def peers_that_hang_or_break_off_hold_up_only_themselves(world):
    path = f"{directory(0)}/{LOG}"
    data = text(range(50_000, 52_000)).encode()
    whole = threading.Event()

    def breaks(request, _):
        wanted = request.headers.get("Range")
        start = int(wanted[len("bytes="):-1]) if wanted else 0
        if not whole.is_set():
            # Some more each time, and never all of it.
            request.send_response(206 if start else 200)
            if start:
                request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            request.send_header("Content-Length", str(len(data) - start))
            request.end_headers()
            request.wfile.write(data[start:start + 5000])
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            if start > 20000:
                whole.set()
        else:
            request.reply(data[start:], 206 if start else 200,
                          **({"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}))

    hang = threading.Event()

    def hangs(request):
        hang.wait(60)
        request.reply("[]")
    with Peer(hangs) as silent, lists(world, "breaks", {path: data}, breaks) as peer:
        world.add(silent.url, "silent")
        world.arrives("breaks", range(50_000, 52_000), 60)
        assert sum(asked == "/" + path for asked in peer.asked) >= 4, peer.asked
        assert world.stream("silent")["rows"] == 0
        # Taken away while it hangs, and the hub ends while another does.
        world.remove("silent")
        world.add(silent.url, "silent2")
        time.sleep(0.3)
        assert world.hub.stop() == 0
        hang.set()
        world.hub.start().ready()
        for stream in ("breaks", "silent2"):
            world.remove(stream)


def bombs_and_oversized_files_are_left_out(world):
    bomb = _bomb()
    files = {f"{directory(0)}/{LOG}.gz": bomb, f"{directory(1)}/{LOG}": text(range(60_000, 60_010)).encode()}

    def answer(request, asked):
        request.reply(files[asked])
    with lists(world, "bomb", files, answer):
        world.arrives("bomb", range(60_000, 60_010), 60)
        until("the bomb is told", 60, lambda: world.stream("bomb")["bad_files"] == 1)
        assert "unpacks to more than" in world.stream("bomb")["reason"], world.stream("bomb")
        assert resident_bytes(world.hub.pid) < 400_000_000
        world.remove("bomb")

    def big(request):
        if request.path.startswith("/ListDir/"):
            request.reply(json.dumps([{"path": f"{directory(0)}/{LOG}", "size": 30_000_000, "sha256": "0" * 64}]))
        else:
            request.reply("x")
    with Peer(big) as peer:
        world.add(peer.url, "big")
        until("it is told", 20, lambda: world.stream("big")["bad_files"] == 1)
        assert all(asked.startswith("/ListDir/") for asked in peer.asked), peer.asked
        world.remove("big")


def _bomb():
    """Some two gigabytes in two megabytes: one member again and again."""
    return gzip.compress(HEADER.encode()) + gzip.compress((b"x" * 999 + b"\n") * 100_000, 9) * 20


def a_component_exports_logs_while_a_scope_lasts(world):
    logs = Logs(world.place.path / "exported")
    logs.put(0, text(range(80_000, 80_100)))
    logs.put(1, "")
    port, log_port = free_ports(2)
    component = Program(world.place, "component", "sonde-node", "component", "--json", "--name", "exported",
                        "--listen", f"127.0.0.1:{port}", "--source", "127.0.0.1", *world.tls("probe"),
                        "--allow", "org.mplane.SSB.Clients.reader", "--logs", logs.path, "--log-listen",
                        f"127.0.0.1:{log_port}", "--repository", world.hub.url, "--reader", f"hub:{world.id}")
    component.start().first_line()
    client = mplane.Peer(f"https://127.0.0.1:{port}", context=_context(world, "reader"))
    offered, = client.find("tstat-exporter_log")
    assert offered["parameters"] == {"repository.url": "*"} and offered["when"] == "past ... future", offered

    def export(token, url, when):
        return client.say({"specification": "measure", "version": 1, "registry": offered["registry"],
                           "label": "tstat-exporter_log", "token": token, "when": when, "results": [],
                           "parameters": {"repository.url": url}})
    assert "not given to" in export("e1", "https://192.0.2.7:8443", "now + 5m")["message"]
    # From the past on: what was there before is wanted, too.
    answer = export("e2", world.hub.url, "2026-03-01 12:00:00.000000 ... 2100-01-01 00:00:00.000000")
    assert "receipt" in answer, answer
    world.arrives("exported", range(80_000, 80_100))
    assert world.stream("exported")["by"] == "org.mplane.SSB.Components.probe"
    client.say({"interrupt": "measure", "version": 1, "token": answer["token"]})

    def closed():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", log_port)) != 0
    until("nobody listens any more", 10, closed)
    # One that ends by itself.
    export("e3", world.hub.url, "now + 15s")
    until("it listens again", 5, lambda: not closed())
    until("and ends", 30, closed)
    world.remove("exported")
    component.stop()


def streams_are_added_only_where_that_is_safe(world):
    for body, part in (({"url": "http://127.0.0.1:1", "stream": "../x"}, "stream"),
                       ({"url": "file:///etc/passwd:1", "stream": "x"}, "url"),
                       ({"url": "https://h:1/path", "stream": "x"}, "url"),
                       ({"url": "https://h:1", "stream": "x", "type": "mawi_wide"}, "fit no dataset"),
                       ({"url": "https://h:1", "stream": "x", "start": "yesterday"}, "start")):
        try:
            world.hub.api.post("/api/v1/math", body)
        except OSError as refusal:
            assert refusal.status == 422 and part in str(refusal), refusal
        else:
            raise AssertionError(f"{body} was taken")
    # A certificate that the policy does not know announces nothing.
    probe = world.probe(Logs(world.place.path / "none"), "none")
    link = http.client.HTTPSConnection("127.0.0.1", world.hub.port, timeout=60, context=_context(world, "reader"))
    body = json.dumps({"CallBackUrl": probe.url, "StreamName": "none", "StreamType": "tstat", "StartTime": 0})
    link.request("POST", "/DBSImport", body, {"Content-Type": "application/json"})
    answer = link.getresponse()
    assert answer.status == 403, answer.read()
    probe.stop()


def _context(world, name):
    import ssl  # pylint: disable=import-outside-toplevel
    context = ssl.create_default_context(cafile=str(world.pki / "ca.crt"))
    context.load_cert_chain(str(world.pki / f"{name}.crt"), str(world.pki / f"{name}.key"))
    return context


CASES = [
    a_probe_announces_itself_and_each_row_comes_once,
    what_is_odd_about_logs_costs_no_row,
    kills_of_either_side_lose_and_double_nothing,
    a_copy_that_is_killed_goes_on,
    old_probes_are_understood,
    lists_that_lead_elsewhere_are_refused,
    lists_that_are_none_or_too_long_are_refused,
    files_that_are_not_what_was_listed_are_refused,
    peers_that_hang_or_break_off_hold_up_only_themselves,
    bombs_and_oversized_files_are_left_out,
    a_component_exports_logs_while_a_scope_lasts,
    streams_are_added_only_where_that_is_safe,
]


@contextlib.contextmanager
def set_up(programs, seed):
    with Place(programs) as place:
        yield World(place, seed)


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up))
