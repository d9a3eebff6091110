#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files of others into the store: once, whatever is killed, cut, full or written meanwhile.

usage: import.py PROGRAM_DIR [SEED]
"""
import contextlib
import hashlib
import json
import lzma
import pathlib
import random
import socket
import subprocess
import sys
import tarfile
import time

from sonde_e2e import isolate, tap
from sonde_e2e.parts import Hub
from sonde_e2e.place import Place, Program
from sonde_e2e.tap import Skip
from sonde_e2e.wait import until

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
HUB_KILLS = 24
HERE_KILLS = 12
SMALL_DISK = 4 * 1024 * 1024
DAY_1 = 1772323200  # 2026-03-01
FIRST_FLOW = 10000000  # more packets than the flows of the reference have
FORMS = {"log_tcp_complete": "tstat_tcp_complete", "log_tcp_nocomplete": "tstat_tcp_nocomplete",
         "log_udp_complete": "tstat_udp_complete", "log_http_complete": "tstat_http_complete",
         "log_dns_complete": "tstat_dns_complete", "log_video_complete": "tstat_video_complete",
         "log_mm_complete": "tstat_mm_complete", "log_chat_complete": "tstat_chat_complete",
         "log_chat_messages": "tstat_chat_messages", "log_tcp_periodic": "tstat_tcp_periodic",
         "log_udp_periodic": "tstat_udp_periodic"}


class World:
    def __init__(self, place, seed):
        self.place, self.prng = place, random.Random(seed)
        self.hub = Hub(place, "hub", retention_days=0, announce="true")
        self.next_flow = FIRST_FLOW

    def describe(self):
        return self.place.describe()

    def start(self):
        self.hub.start().ready()

    def sonde(self, *words, **options):
        return self.place.run("sonde", *words, seconds=100, **options)

    def imported(self, *words, code=0):
        """What the command says of each file."""
        done = self.sonde("import", "--json", *words)
        assert done.returncode == code, (done.returncode, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def file(self, name, content):
        path = self.place.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def make_log(self, name, rows, days=5):
        """A log with flows of some days in no order; their numbers stand in c_pkts_all."""
        lines = ["#c_ip:1 c_port:2 c_pkts_all:3 s_ip:4 s_port:5 first:6 c_tls_SNI:7"]
        first = self.next_flow
        self.next_flow += rows
        for number in range(first, self.next_flow):
            at = DAY_1 + self.prng.randrange(days) * 86400 + self.prng.randrange(86400)
            lines.append(f"10.0.0.{number % 250} {number % 60000} {number} 192.0.2.1 443 {at * 1000}.{number % 1000000:06} -")
        self.file(name, "\n".join(lines) + "\n")
        return set(range(first, self.next_flow))

    def numbers(self, hub=None):
        """Of all flows that are in the store."""
        with (hub or self.hub).api.open("GET", "/api/v1/datasets/tstat_tcp_complete/rows", accept="text/csv", timeout=100,
                                        fields="c_pkts_all", order="oldest") as answer:
            found = [int(line) for line in answer.read().split()[1:]]
        return [number for number in found if number >= FIRST_FLOW]


@contextlib.contextmanager
def set_up(programs, seed):
    with Place(programs) as place:
        world = World(place, seed)
        world.start()
        yield world


def assert_once(found, wanted):
    assert len(found) == len(set(found)), f"{len(found) - len(set(found))} rows are doubled"
    assert set(found) == wanted, (f"{len(wanted - set(found))} rows are missing, {len(set(found) - wanted)} are "
                                  "nobody's")


# Forms ------------------------------------------------------------------------------


def read_log(text, time_name):
    """The header's names and the lines whose times are not far off."""
    names, rows = [], []
    for line in text.splitlines():
        if line.startswith("#"):
            names = [word.partition(":")[0] for word in line.rpartition("#")[2].split(" ")]
        else:
            row = dict(zip(names, line.split(" ")))
            if float(row[time_name]) > 631152000e3:
                rows.append(row)
    return rows


def the_logs_of_the_reference_have_the_same_sums_in_the_store(world):
    directory = world.place.path / "reference"
    with tarfile.open(DATA / "tstat-expected.tar.xz") as archive:
        archive.extractall(directory, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(directory)
    jobs = world.imported(directory)
    logs, sums, counts = {}, {}, {}
    for path in sorted(directory.rglob("log_*")):
        if path.name in FORMS:
            logs[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    assert len({job["sha256"] for job in jobs}) == len(logs)
    for path in logs.values():
        if path.name in ("log_tcp_complete", "log_udp_complete"):
            rows = read_log(path.read_text(encoding="latin-1"), "first" if "tcp" in path.name else "c_first_abs")
            name = FORMS[path.name]
            counts[name] = counts.get(name, 0) + len(rows)
            sums[name] = sums.get(name, 0) + sum(int(row["c_bytes_all"]) + int(row["s_bytes_all"]) for row in rows)
    for name, total in sums.items():
        rows = world.hub.api.rows(name)
        assert len(rows) == counts[name], (name, len(rows), counts[name])
        assert sum(row["c_bytes_all"] + row["s_bytes_all"] for row in rows) == total, name
    again = world.imported(directory)
    assert all(job["duplicate"] for job in again), [job for job in again if not job["duplicate"]][:2]
    tap.note(f"{len(logs)} logs, {counts}")


def records_of_monroe_have_the_same_sums_in_the_store(world):
    records, total = [], 0
    for number in range(5000):
        rtt = world.prng.randrange(1, 100000) / 1000
        total += rtt
        records.append(json.dumps({
            "DataId": "MONROE.EXP.PING", "DataVersion": 2, "NodeId": str(number % 7), "SequenceNumber": number, "Rtt": rtt,
            "Bytes": 84, "Host": "192.0.2.1", "Timestamp": DAY_1 + number / 8, "Iccid": "8947000000000000010",
            "Operator": "Telenor", "Guid": f"sha256:abc.{number}.12.1"}, indent=None if number % 2 else 1))
    path = world.file("result.json.xz", lzma.compress("\n".join(records).encode()))
    (job,) = world.imported("--strict", path)
    assert job["state"] == "done" and job["form"] == "monroe" and job["rows"] == 5000, job
    rows = world.hub.api.rows("monroe_exp_ping")
    assert len(rows) == 5000 and abs(sum(row["rtt"] for row in rows) - total) < 1e-6
    broken = world.file("broken.json", "\n".join(records[:10]) + "\n{\"DataId\":")
    done = world.sonde("import", "--strict", broken)
    assert done.returncode == 1 and "without an end" in done.stderr, done.stderr


def what_goes_wrong_is_said_in_one_line(world):
    for words, wanted in (
            ((world.file("a.txt", "hello\n"),), "cannot tell which form"),
            ((world.file("rows.jsonl", '{"time":"2026-03-01T00:00:00Z"}\n'),), "--dataset"),
            ((world.place.path / "nothing",), "No such file"),
            (("--form", "pdf", world.file("b.txt", "x\n")), "there is no form 'pdf'"),
            (("--dataset", "nothing", world.file("c.csv", "time\n")), "there is no dataset 'nothing'"),
            ((world.file("empty.csv", ""),), "it is empty")):
        done = world.sonde("import", *words)
        assert done.returncode != 0 and wanted in done.stderr, (words, done.stderr)


def a_file_that_is_still_written_is_left_alone(world):
    path = world.file("live/log_tcp_complete", "#c_ip:1 c_port:2 c_pkts_all:3 s_ip:4 s_port:5 first:6 c_tls_SNI:7\n")
    with open(path, "ab") as live:
        done = world.sonde("import", path)
        assert done.returncode != 0 and "still being written" in done.stderr, done.stderr
        live.write(b"")
    older = world.make_log("live/log_tcp_complete.1", 10)
    time.sleep(0.02)
    path.touch()
    jobs = world.imported("--leave-newest", path.parent)
    assert [job["name"] for job in jobs] == ["log_tcp_complete.1"], jobs
    assert older <= set(world.numbers())


# Uploads ----------------------------------------------------------------------------


def an_upload_that_is_cut_goes_on_where_it_was(world):
    wanted = world.make_log("cut/log_tcp_complete", 20000)
    content = (world.place.path / "cut/log_tcp_complete").read_bytes()
    api = world.hub.api
    upload = api.post("/api/v1/uploads", {"name": "log_tcp_complete", "bytes": len(content),
                                          "sha256": hashlib.sha256(content).hexdigest()})
    path = f"/api/v1/uploads/{upload['id']}"
    where, offset = api.where(), 0
    while offset < len(content):
        part = content[offset:offset + 200000]
        cut = world.prng.random() < 0.5
        with socket.create_connection(("127.0.0.1", world.hub.local_port), timeout=60) as connection:
            connection.sendall((f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {where['token']}\r\n"
                                f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
                                f"Connection: close\r\nContent-Length: {len(part)}\r\n\r\n").encode())
            connection.sendall(part[:len(part) // 2] if cut else part)
            if not cut:
                assert b" 204 " in connection.recv(4096).splitlines()[0]
        now = api.get(path)["offset"]
        assert now == (offset if cut else offset + len(part)), (now, offset, cut)
        offset = now
        if world.prng.random() < 0.15:
            world.hub.kill()
            world.start()
            where = api.where()
            assert api.get(path)["offset"] == offset
    job = api.post("/api/v1/imports", {"upload": upload["id"]})
    until("it is imported", 30, lambda: api.get(f"/api/v1/imports/{job['id']}")["ended"])
    found = [number for number in world.numbers() if number in wanted]
    assert_once(found, wanted)


# Kills ------------------------------------------------------------------------------


def the_hub_is_killed_at_any_moment_of_imports(world):
    before = set(world.numbers())
    uploads = set((world.hub.state / "uploads").iterdir())  # of those that failed, for a day
    wanted = set().union(*(world.make_log(f"many/{i:02}/log_tcp_complete", 30000) for i in range(8)))
    program = Program(world.place, "import", "sonde", "import", "--json", world.place.path / "many")
    program.start()
    kills = 0
    while kills < HUB_KILLS and program.alive():
        time.sleep(world.prng.uniform(0, 0.25))
        world.hub.kill()
        kills += 1
        world.start()
    assert kills >= 20, f"only {kills} kills before all was imported"
    assert program.wait(100) == 0, program.log_text()[-1000:]
    jobs = [json.loads(line) for line in program.output.read_text(encoding="utf-8").splitlines()]
    assert len(jobs) == 8 and all(job["state"] == "done" for job in jobs), jobs
    assert_once(world.numbers(), before | wanted)
    left = set((world.hub.state / "uploads").iterdir()) - uploads
    assert not left, left
    tap.note(f"{kills} kills of the hub, {len(wanted)} rows")


def an_importer_beside_the_hub_is_killed_at_any_moment(world):
    before = set(world.numbers())
    wanted = world.make_log("beside/log_tcp_complete", 150000, days=30)
    arguments = ("sonde", "import", "--json", "--store", world.hub.state / "store", world.place.path / "beside")
    kills = 0
    for i in range(HERE_KILLS):
        program = Program(world.place, f"beside-{i}", *arguments).start()
        time.sleep(world.prng.uniform(0.02, 0.5))
        if not program.alive():
            break
        program.kill()
        kills += 1
    (job,) = world.imported("--store", world.hub.state / "store", world.place.path / "beside")
    assert job["state"] == "done" and job["rows"] == len(wanted), job
    assert_once(world.numbers(), before | wanted)
    tap.note(f"{kills} kills of the importer")


def a_full_disk_fails_the_import_and_later_it_goes_on(world):
    hub = Hub(world.place, "small", retention_days=0)
    (hub.state / "store").mkdir(parents=True)
    if not isolate.mount_tmpfs(world.place, hub.state / "store", SMALL_DISK):
        raise Skip("no right to mount a small file system")
    hub.start().ready()
    # Texts that no compression makes small.
    lines = ["time,target,remark,resolver_error"]
    for number in range(30000):
        noise = "%0480x" % world.prng.getrandbits(1920)
        lines.append(f"2026-03-0{1 + number % 3}T00:00:{number % 60:02}Z,{noise},,")
    path = world.file("ping-noise.csv", "\n".join(lines) + "\n")
    token = world.place.path / "token"
    token.write_text(hub.api.where()["token"], encoding="utf-8")
    world.place.env["SONDE_TOKEN_FILE"] = str(token)
    try:
        words = ("--hub", hub.api.where()["url"], path)
        done = world.sonde("import", "--json", *words)
        job = json.loads(done.stdout)
        assert done.returncode == 1 and job["state"] == "failed" and "full" in job["reason"], (done.stderr, job)
        subprocess.run(["mount", "-o", f"remount,size={20 * SMALL_DISK}", str(hub.state / "store")], check=True)
        (job,) = world.imported(*words)
    finally:
        del world.place.env["SONDE_TOKEN_FILE"]
    assert job["state"] == "done" and job["rows"] == 30000, job
    rows = hub.api.get("/api/v1/store/datasets")["items"]
    assert [item["rows"] for item in rows if item["name"] == "ping"] == [30000], rows
    assert hub.stop() == 0


CASES = [
    the_logs_of_the_reference_have_the_same_sums_in_the_store,
    records_of_monroe_have_the_same_sums_in_the_store,
    what_goes_wrong_is_said_in_one_line,
    an_upload_that_is_cut_goes_on_where_it_was,
    a_file_that_is_still_written_is_left_alone,
    the_hub_is_killed_at_any_moment_of_imports,
    an_importer_beside_the_hub_is_killed_at_any_moment,
    a_full_disk_fails_the_import_and_later_it_goes_on,
]


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up, seconds=200, before=isolate.enter))
