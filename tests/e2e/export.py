#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows that are taken away: as files in every form, as daily dumps, as maps.

usage: export.py PROGRAM_DIR

A store is filled before its hub begins (fill_store.c), so that all numbers are known.
"""
import contextlib
import csv
import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree
import zipfile

from sonde_e2e import isolate, tap
from sonde_e2e.api import ApiError
from sonde_e2e.parts import Hub, Node, drained
from sonde_e2e.place import Place
from sonde_e2e.tap import Skip
from sonde_e2e.wait import until

HERE = pathlib.Path(__file__).resolve().parent
ROWS = 400_000  # of ping, over two days
DAYS = ("2026-03-01", "2026-03-02")
SPAN = ("--from", "2026-03-01", "--to", "2026-03-03")
FIXES, RECORDS = 7200, 720  # of a day in 2016, over two hours
KML = "{http://www.opengis.net/kml/2.2}"
SMALL_DISK = 4 * 1024 * 1024


class World:
    def __init__(self, place):
        self.place = place
        self.hub = Hub(place, retention_days="0", dump_datasets="ping,monroe_meta_device_gps", dump_grace="0s",
                       dump_formats="csv,jsonl.zst,parquet,monroe")
        store = self.hub.state / "store"
        self.fill(store, "ping", ROWS, "2026-03-01T00:00:00Z", 2 * 86400)
        self.fill(store, "monroe_meta_device_gps", FIXES, "2016-11-30T10:00:00Z", 7200)
        self.fill(store, "monroe_meta_device_modem", RECORDS, "2016-11-30T10:00:00Z", 7200)
        self.hub.start().ready(60)
        self.files = place.path / "files"
        self.files.mkdir()

    @staticmethod
    def fill(store, dataset, rows, first, seconds):
        subprocess.run([os.environ["SONDE_FILL_STORE"], store, dataset, str(rows), first, str(seconds)], check=True,
                       timeout=60)

    def describe(self):
        return self.place.describe()

    def cli_env(self):
        token = self.place.path / "token"
        token.write_text(self.hub.api.where()["token"], encoding="utf-8")
        token.chmod(0o600)
        self.place.env.update(SONDE_URL=self.hub.api.where()["url"], SONDE_TOKEN_FILE=str(token))

    def cli(self, *arguments, seconds=60):
        self.cli_env()
        return self.place.run("sonde", *arguments, seconds=seconds)

    def start_cli(self, *arguments):
        self.cli_env()
        return subprocess.Popen([str(self.place.programs / "sonde"), *map(str, arguments)], env=self.place.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def export(self, name, *arguments, dataset="ping"):
        path = self.files / name
        if not path.exists():
            done = self.cli("export", dataset, *arguments, "-o", path)
            assert done.returncode == 0, done.stderr
            assert not path.with_name(name + ".part").exists()
        return path


@contextlib.contextmanager
def set_up(programs):
    with Place(programs) as place:
        yield World(place)


def sums_of_csv(path, columns):
    told = {"rows": 0, **{column: {"count": 0, "sum": 0} for column in columns}}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            told["rows"] += 1
            for column in columns:
                if row[column] != "":
                    told[column]["count"] += 1
                    told[column]["sum"] += float(row[column])
    return told


COLUMNS = ("seq", "sent_packets", "rtt_p50_seconds")


# Forms -------------------------------------------------------------------------------------

def csv_and_json_lines_have_every_row_in_order(world):
    table = world.export("ping.csv", *SPAN)
    lines = world.export("ping.jsonl", *SPAN)
    before, count = "", 0
    with open(table, newline="", encoding="utf-8") as file, open(lines, encoding="utf-8") as objects:
        for row, line in zip(csv.DictReader(file), objects, strict=True):
            item = json.loads(line)
            assert row["time"] == item["time"] and int(row["seq"]) == item["seq"] == count
            assert row["target"] == item.get("target", ""), (row["target"], item)
            assert row["time"] >= before
            before, count = row["time"], count + 1
    assert count == ROWS


def parquet_has_the_sums_of_the_csv_in_two_readers(world):
    wanted = sums_of_csv(world.export("ping.csv", *SPAN), COLUMNS)
    path = world.export("ping.parquet", *SPAN)
    node = shutil.which("node")
    if node is None:
        raise Skip("there is no Node.js")
    done = subprocess.run([node, HERE / "export_sums.mjs", path, *COLUMNS], capture_output=True, text=True, timeout=100,
                          check=False)
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["hyparquet"] == wanted and told["duckdb"] == wanted, (wanted, told)
    tap.note(f"{wanted}")


def packed_files_hold_the_same(world):
    plain = world.export("ping.csv", *SPAN).read_bytes()
    assert gzip.decompress(world.export("ping.csv.gz", *SPAN).read_bytes()) == plain
    packed = world.export("ping.csv.zst", *SPAN)
    if shutil.which("zstd"):
        assert subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout == plain


def tables_of_monroe_come_as_their_dumps(world):
    path = world.export("gps.monroe.csv", dataset="monroe_meta_device_gps")
    lines = path.read_text(encoding="latin-1").splitlines()
    assert lines[0] == ("nodeid,timestamp,sequencenumber,altitude,dataid,dataversion,latitude,longitude,nmea,"
                        "satellitecount,speed")
    assert len(lines) == FIXES + 1
    assert lines[1].split(",")[0] == "206" and r'"$GPRMC,120000.00,A\r\n"' in lines[1], lines[1]
    done = world.cli("export", "ping", "--format", "monroe", "-o", "-")
    assert done.returncode == 1 and "monroe_*" in done.stderr, done.stderr


def only_what_is_asked_for_comes(world):
    def count(*arguments, dataset="ping"):
        done = world.cli("export", dataset, "--fields", "seq", *arguments)
        assert done.returncode == 0, done.stderr
        return len(done.stdout.splitlines()) - 1
    assert count("--to", "2026-03-02") == ROWS // 2
    assert count("--from", "2026-03-02T12:00:00Z") == ROWS // 4
    assert count("--where", "seq=<1000", "--where", "seq=>=10") == 990
    assert count("--where", "seq<1000", "--where", "seq>=10", "--where", "seq!=500") == 989
    inside = count("--within", "48.1,11.5,48.2,11.6", dataset="monroe_meta_device_gps")
    assert 0 < inside < FIXES / 2, inside
    for wrong in (("--where", "nothing"), ("--from", "never"), ("--fields", "no_such"), ("--within", "1,2")):
        done = world.cli("export", "ping", *wrong)
        assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, (wrong, done.stderr)


def memory_does_not_grow_with_the_rows(world):
    world.cli("export", "ping", *SPAN, "--where", "seq=<60000", "-o", world.files / "small.jsonl")
    before = world.hub.resident_bytes()
    for name in ("big.jsonl", "big2.jsonl"):
        (world.files / name).unlink(missing_ok=True)
        world.export(name, *SPAN)
        (world.files / name).unlink()
    after = world.hub.resident_bytes()
    tap.note(f"hub: {before >> 20} MiB after 60,000 rows, {after >> 20} MiB after {2 * ROWS:,}")
    if "ASAN_OPTIONS" not in os.environ:
        assert after - before < 32 * 1024 * 1024


def what_was_exported_comes_back_as_it_was(world):
    part = ("--from", "2026-03-01", "--to", "2026-03-02", "--where", "seq=<50000")
    again = Hub(world.place, "again", retention_days="0")
    for name in ("back.csv", "back.jsonl.zst"):
        path = world.export(name, *part)
        done = world.cli("import", "--store", again.state / "store", "--dataset", "ping", path)
        assert done.returncode == 0, done.stderr
        again.start().ready(60)
        world.place.env.update(SONDE_URL=again.api.where()["url"])
        (world.place.path / "token").write_text(again.api.where()["token"], encoding="utf-8")
        back = world.place.run("sonde", "export", "ping", "-o", "-", seconds=60)
        assert again.stop() == 0 and back.returncode == 0, back.stderr
        # The place's run() reads text, which takes CR LF for one line end.
        assert back.stdout == world.export("back.csv", *part).read_text(encoding="utf-8")
        shutil.rmtree(again.state / "store")


# Trouble on the way ----------------------------------------------------------------------------

def in_the_middle(world, path):
    """An export that is half done, and the part that it has."""
    part = path.with_name(path.name + ".part")
    for _ in range(10):
        export = world.start_cli("export", "ping", *SPAN, "-o", path)
        until("rows arrive", 20, lambda: path.exists() or part.exists() and part.stat().st_size > 100_000, pause=0.005)
        export.send_signal(signal.SIGSTOP)
        if not path.exists():
            return export, part
        # It was done before we looked.
        export.send_signal(signal.SIGCONT)
        export.communicate(timeout=120)
        path.unlink()
    raise AssertionError("no export could be caught in the middle")


def a_hub_that_is_killed_leaves_a_part_that_is_called_one(world):
    for name, kept in (("killed.jsonl", True), ("killed.parquet", False)):
        path = world.files / name
        export, part = in_the_middle(world, path)
        world.hub.kill()
        export.send_signal(signal.SIGCONT)
        _, told = export.communicate(timeout=120)
        world.hub.start().ready(60)
        assert export.returncode == 5, (export.returncode, told)
        assert not path.exists() and part.exists() == kept, told
        assert ("is in" in told) == kept, told


def ctrl_c_tells_what_was_kept(world):
    path = world.files / "interrupted.jsonl"
    export, part = in_the_middle(world, path)
    export.send_signal(signal.SIGINT)
    export.send_signal(signal.SIGCONT)
    _, told = export.communicate(timeout=120)
    assert export.returncode == 5 and str(part) in told, (export.returncode, told)
    assert part.exists() and not path.exists()


def raw_export(world):
    where = world.hub.api.where()
    host, port = where["url"].removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=120)
    client.sendall(f"GET /api/v1/datasets/ping/export?format=jsonl HTTP/1.0\r\nHost: {host}\r\n"
                   f"Authorization: Bearer {where['token']}\r\n\r\n".encode())
    return client


def slow_clients_get_all_and_disturb_nobody(world):
    with raw_export(world) as client:
        rows, end = 0, time.monotonic() + 6
        while time.monotonic() < end:
            rows += client.recv(20000).count(b"}\n")
            world.hub.api.get("/api/v1/hub")
            time.sleep(0.3)
        while piece := client.recv(1 << 20):
            rows += piece.count(b"\n") - piece.count(b"\r\n")
    # Ends of pieces may part "}\n"; the line feeds after the slow part are exact.
    assert ROWS - 100 < rows <= ROWS + 100, rows


def clients_that_go_away_make_room(world):
    for _ in range(12):
        with raw_export(world) as client:
            client.recv(1000)
        time.sleep(0.05)
    until("there is room again", 20, lambda: world.cli("export", "ping", "--where", "seq=1").returncode == 0)


def too_many_at_once_are_refused(world):
    clients = []

    def begun():
        # One that has just gone may still take its room.
        clients.append(raw_export(world))
        return b" 200 " in clients[-1].recv(1000) or clients.pop().close()
    for _ in range(4):
        until("an export begins", 20, begun)
    done = world.cli("export", "ping")
    assert done.returncode == 1 and "on their way already" in done.stderr, (done.returncode, done.stderr)
    for client in clients:
        client.close()
    until("there is room again", 20, lambda: world.cli("export", "ping", "--where", "seq=1").returncode == 0)


def rows_that_come_meanwhile_and_a_killed_node_harm_nothing(world):
    reason = isolate.why_no_ping(world.place)
    if reason:
        raise Skip(reason)
    node = Node(world.place, "attic", heartbeat_interval="500ms")
    node.join(world.hub)
    world.hub.api.post("/api/v1/measurements", {
        "name": "loopback", "capability": "ping", "nodes": [node.id], "when": "now ... future / 1s",
        "parameters": {"targets": [f"127.0.0.{i}" for i in range(1, 21)], "count": 2, "interval": "20ms",
                       "timeout": "100ms"}})
    node.start().online(world.hub)
    until("the first rows", 20, lambda: world.hub.api.check("attic")["rows"] > 0)
    seen = 0
    for turn in range(6):
        done = world.cli("export", "ping", "--node", "attic", "--fields", "seq")
        assert done.returncode == 0, done.stderr
        numbers = done.stdout.split()[1:]
        assert len(numbers) == len(set(numbers)) >= seen
        seen = len(numbers)
        if turn in (1, 3):
            node.kill()
            node.start()
        time.sleep(0.5)
    node.online(world.hub, 30)
    drained(world.hub, node)
    assert node.stop() == 0


# Daily dumps ---------------------------------------------------------------------------------------

def day_dir(world, day):
    return world.hub.state / "dumps" / day.replace("-", "/")


def verify(path):
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    index = json.loads((path / "index.json").read_text(encoding="utf-8"))
    assert {item["file"] for item in index["files"]} | {"SHA256SUMS", "index.json"} == {p.name for p in path.iterdir()}
    return index


def dumped(world, day):
    return until(f"the dump of {day}", 60, lambda: world.hub.api.items("/api/v1/dumps", day=day), pause=0.2)


def dumps_are_made_by_themselves_and_have_their_checksums(world):
    for day in DAYS:
        items = dumped(world, day)
        assert {item["format"] for item in items} == {"csv", "jsonl.zst", "parquet"}
        assert all(item["rows"] == ROWS // 2 for item in items)
        verify(day_dir(world, day))
    assert {item["format"] for item in dumped(world, "2016-11-30")} == {"csv", "jsonl.zst", "parquet", "monroe"}
    with world.hub.api.open("GET", "/dumps/2026/03/01/", accept="text/html") as page:
        assert b"ping_2026-03-01.parquet" in page.read()
    try:
        world.hub.api.open("GET", "/dumps/2026/03/01/index.json", token="none").close()
        raise AssertionError("no login was needed")
    except ApiError as refusal:
        assert refusal.status == 401


def a_dump_has_the_bytes_of_an_export(world):
    for form in ("csv", "parquet"):
        path = world.files / f"day.{form}"
        done = world.cli("export", "ping", "--from", DAYS[0], "--to", DAYS[1], "-o", path)
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() == (day_dir(world, DAYS[0]) / f"ping_{DAYS[0]}.{form}").read_bytes()


def they_are_listed_and_fetched(world):
    done = world.cli("dump", "list", "--day", DAYS[0])
    assert done.returncode == 0 and f"ping_{DAYS[0]}.parquet" in done.stdout, done.stdout + done.stderr
    target = world.files / "fetched"
    done = world.cli("dump", "get", DAYS[0], "--format", "parquet", "--directory", target)
    assert done.returncode == 0, done.stderr
    assert (target / f"ping_{DAYS[0]}.parquet").read_bytes() == (
        day_dir(world, DAYS[0]) / f"ping_{DAYS[0]}.parquet").read_bytes()
    done = world.cli("dump", "get", "2001-01-01", "--directory", target)
    assert done.returncode == 1 and "dump now" in done.stderr, done.stderr
    assert world.cli("dump", "now", "2001-01-01").returncode == 1


def killed_while_it_dumps_it_leaves_whole_days_only(world):
    prng, dumps = random.Random(5), world.hub.state / "dumps"
    shutil.rmtree(dumps)
    for _ in range(5):
        world.hub.kill()
        world.hub.start().ready(60)
        with contextlib.suppress(ApiError):
            world.hub.api.post("/api/v1/dumps", {"day": DAYS[0]})
        time.sleep(prng.uniform(0, 1.2))
        world.hub.kill()
        for path in dumps.glob("*/*/[0-9]*"):
            verify(path)
        world.hub.start().ready(60)
    for day in DAYS:
        dumped(world, day)
        verify(day_dir(world, day))
    until("nothing half done is left", 60, lambda: not list(dumps.glob("*/*/.*")))


def a_full_disk_leaves_no_half_day(world):
    dumps = world.hub.state / "dumps"
    assert world.hub.stop() == 0
    shutil.rmtree(dumps)
    dumps.mkdir()
    mounted = isolate.mount_tmpfs(world.place, dumps, SMALL_DISK)
    world.hub.start().ready(60)
    if not mounted:
        raise Skip("no right to mount a small file system")
    until("the hub says that it is full", 60, lambda: any(
        "dump" in problem and "No space" in problem for problem in world.hub.api.get("/api/v1/hub")["problems"]), pause=0.2)
    until("what did not fit is gone", 20, lambda: not any(dumps.glob("2026/03/*")) and not any(dumps.glob("2026/03/.*")))
    assert world.hub.alive()


# Maps --------------------------------------------------------------------------------------------------

def check_map(text, placemarks):
    root = xml.etree.ElementTree.fromstring(text)
    points = [node.text for node in root.iter(KML + "coordinates")]
    for point in " ".join(points).split():
        longitude, latitude, _ = map(float, point.split(","))
        assert 11.44 < longitude < 11.56 and 48.04 < latitude < 48.16, point
    assert len(list(root.iter(KML + "Point"))) == placemarks
    return root


def maps_are_drawn_of_tracks_and_coverage(world):
    span = ("--node", "206", "--from", "2016-11-30T00:00:00Z", "--to", "2016-12-01T00:00:00Z")
    track = world.files / "track.kml"
    done = world.cli("kml", "track", *span, "-o", track)
    assert done.returncode == 0, done.stderr
    root = check_map(track.read_bytes(), FIXES)
    assert len(list(root.iter(KML + "LineString"))) == 1
    coverage = world.files / "coverage.kml"
    done = world.cli("kml", "coverage", *span, "--min-gap", "10s", "-o", coverage)
    assert done.returncode == 0, done.stderr
    root = xml.etree.ElementTree.fromstring(coverage.read_bytes())
    assert len(list(root.iter(KML + "Point"))) > FIXES / 10
    icons = {node.text for node in root.iter(KML + "href")}
    assert len(icons) == 6 and all((world.files / name).read_bytes().startswith(b"\x89PNG") for name in icons)
    packed = world.files / "coverage.kmz"
    assert world.cli("kml", "coverage", *span, "--min-gap", "10s", "-o", packed).returncode == 0
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == icons | {"doc.kml"}
        assert archive.read("doc.kml") == coverage.read_bytes()
    done = world.cli("kml", "track", "-o", track)
    assert done.returncode == 2 and "--node" in done.stderr, done.stderr


def everything_ends_in_order(world):
    assert world.hub.stop() == 0
    for program in world.place.started:
        for word in ("Sanitizer", "runtime error", "ssertion"):
            assert word not in program.log_text(), f"{program.name}: {word}"


CASES = [
    csv_and_json_lines_have_every_row_in_order,
    parquet_has_the_sums_of_the_csv_in_two_readers,
    packed_files_hold_the_same,
    tables_of_monroe_come_as_their_dumps,
    only_what_is_asked_for_comes,
    memory_does_not_grow_with_the_rows,
    what_was_exported_comes_back_as_it_was,
    a_hub_that_is_killed_leaves_a_part_that_is_called_one,
    ctrl_c_tells_what_was_kept,
    slow_clients_get_all_and_disturb_nobody,
    clients_that_go_away_make_room,
    too_many_at_once_are_refused,
    rows_that_come_meanwhile_and_a_killed_node_harm_nothing,
    dumps_are_made_by_themselves_and_have_their_checksums,
    a_dump_has_the_bytes_of_an_export,
    they_are_listed_and_fetched,
    killed_while_it_dumps_it_leaves_whole_days_only,
    a_full_disk_leaves_no_half_day,
    maps_are_drawn_of_tracks_and_coverage,
    everything_ends_in_order,
]

def main():
    if "SONDE_FILL_STORE" not in os.environ:
        tap.skip_all(CASES, "SONDE_FILL_STORE does not name the program that fills a store")
        return 0
    isolate.enter()
    return tap.run(CASES, set_up(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
