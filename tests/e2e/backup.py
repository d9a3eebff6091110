#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backup that is made while rows come in, killed in the middle, made again, and brought back.

usage: backup.py PROGRAM_DIR [SEED]
"""
import contextlib
import hashlib
import json
import random
import sqlite3
import stat
import sys
import time

from sonde_e2e import tap
from sonde_e2e.feeder import Feeder
from sonde_e2e.parts import Hub, Node
from sonde_e2e.place import Place, Program
from sonde_e2e.wait import until

KILLS = 6


class World:
    def __init__(self, place, seed):
        self.place, self.prng = place, random.Random(seed)
        self.hub = Hub(place, "hub", retention_days=0).start().ready()
        self.node = Node(place, "attic")
        self.node.join(self.hub)
        self.feeder = Feeder(self.hub, self.node, days=4)
        self.feeder.start()
        self.directory = place.path / "backup"
        until("some rows", 30, lambda: self.feeder.acknowledged >= 20000)

    def describe(self):
        return self.place.describe()

    def sonde(self, *words, **options):
        where = self.hub.api.where()
        token = self.place.path / "token"
        token.write_text(where["token"], encoding="utf-8")
        self.place.env |= {"SONDE_URL": where["url"], "SONDE_TOKEN_FILE": str(token)}
        return self.place.run("sonde", *words, **options)

    def manifest(self):
        return json.loads((self.directory / "manifest.json").read_text(encoding="utf-8"))

    def restore(self, name, *more):
        return self.place.run("sonde", "store", "restore", self.directory, "--state", self.place.path / name, *more)


@contextlib.contextmanager
def set_up(programs, seed):
    with Place(programs) as place:
        yield World(place, seed)


def check_manifest(world):
    manifest = world.manifest()
    for entry in manifest["files"]:
        path = world.directory / entry["place"]
        assert path.stat().st_size == entry["bytes"], entry
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], entry
    return manifest


def start_restored(world, name):
    hub = Hub(world.place, name, retention_days=0)
    hub.start().ready()
    return hub


def rows_of(hub):
    with hub.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=100, order="oldest") as answer:
        return answer.read().splitlines()


def backups_are_killed_and_the_one_before_stays_whole(world):
    done = world.sonde("store", "backup", world.directory, "--state", world.hub.state)
    assert done.returncode == 0, done.stderr
    first = check_manifest(world)
    for i in range(KILLS):
        program = Program(world.place, f"backup-{i}", "sonde", "store", "backup", world.directory, "--full",
                          "--state", world.hub.state)
        program.start()
        time.sleep(world.prng.uniform(0.005, 0.1))
        if program.alive():
            program.kill()
        assert check_manifest(world)["run"] >= first["run"]


def what_is_restored_has_every_row_that_was_safe(world):
    before = world.feeder.acknowledged
    done = world.sonde("store", "backup", world.directory, "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["state"] == "done" and job["kind"] == "backup", job
    check_manifest(world)
    done = world.restore("restored")
    assert done.returncode == 0, done.stderr
    hub = start_restored(world, "restored")
    # Day files are copied one after the other: of what came meanwhile some is there and some is not.
    numbers = [row["seq"] for row in hub.api.rows("ping")]
    assert len(numbers) == len(set(numbers)) and set(numbers) >= set(range(before)), (before, len(numbers))
    tap.note(f"{len(numbers)} rows restored, {before} were safe when the backup began")
    assert hub.api.get("/api/v1/hub")["id"] == world.hub.api.get("/api/v1/hub")["id"]
    # The rows are those of the hub, and the node goes on where it was.
    there = set(rows_of(world.hub))
    assert set(rows_of(hub)) <= there
    sender = Feeder(hub, world.node, days=4)
    connection = sender.connect()
    status, text = sender.send(connection, 0)
    assert status == 200 and json.loads(text).get("duplicate"), (status, text)
    status, text = sender.send(connection, 1000000)
    assert status == 200 and not json.loads(text).get("duplicate"), (status, text)
    assert hub.stop() == 0


def only_what_changed_is_copied(world):
    rows = world.feeder.end()
    world.sonde("store", "backup", world.directory)

    def nothing_new():
        done = world.sonde("store", "backup", world.directory, "--state", world.hub.state, "--json")
        sums = json.loads(done.stdout)
        assert sums["files"] > 2, sums
        return sums["copied"] <= 2  # the control database at most
    until("files are at rest, small blocks put together once more", 60, nothing_new, pause=1)
    world.sonde("store", "drop", "2026-03-04")
    world.sonde("store", "backup", world.directory)
    assert not [e for e in world.manifest()["files"] if "2026-03-04" in e["path"]]
    assert rows > 0


def keys_stay_private(world):
    for entry in world.manifest()["files"]:
        mode = stat.S_IMODE((world.directory / entry["place"]).stat().st_mode)
        assert mode == int(entry["mode"], 8), entry
        if entry["path"].endswith((".key", ".db", ".sqlite")):
            assert mode == 0o600, entry
    assert stat.S_IMODE(world.directory.stat().st_mode) == 0o700


def what_must_not_be_is_refused(world):
    done = world.restore("hub")
    assert done.returncode != 0 and "running" in done.stderr, done.stderr
    other = world.place.path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("x", encoding="utf-8")
    done = world.restore("other")
    assert done.returncode != 0 and "--force" in done.stderr, done.stderr
    done = world.sonde("store", "backup", other)
    assert done.returncode != 0 and "something else" in done.stderr, done.stderr
    damaged = world.directory / next(e["place"] for e in world.manifest()["files"] if e["kind"] == "day")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:5000] + b"x" + content[5001:])
    done = world.restore("third", "--dry-run")
    assert done.returncode != 0 and "damaged" in done.stderr, done.stderr
    done = world.restore("third")
    assert done.returncode != 0 and not (world.place.path / "third").exists()
    damaged.write_bytes(content)
    done = world.restore("other", "--force")
    assert done.returncode == 0 and "before" in done.stderr, done.stderr


def a_check_finds_what_is_damaged_and_nothing_else(world):
    for words in (("store", "check"), ("store", "check", "--deep"), ("store", "check", "--deep", "--state", world.hub.state)):
        done = world.sonde(*words)
        assert done.returncode == 0 and "sound" in done.stdout, (words, done.stdout, done.stderr)
    assert world.restore("checked").returncode == 0
    store = world.place.path / "checked" / "store"
    done = world.sonde("store", "check", "--store", store, "--deep")
    assert done.returncode == 0, done.stdout
    day = max(store.glob("2026-*.db"), key=lambda path: path.stat().st_size)
    with contextlib.closing(sqlite3.connect(day)) as database:
        database.execute("UPDATE _column SET data = zeroblob(length(data))")
        database.commit()
    files = sorted(path.name for path in store.iterdir())
    done = world.sonde("store", "check", "--store", store, "--deep", "--json")
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and findings, (done.stdout, done.stderr)
    assert all(item["what"] and item["reason"] and item["next"] for item in findings), findings
    assert [f for f in sorted(path.name for path in store.iterdir()) if not f.endswith(("-shm", "-wal"))] == \
        [f for f in files if not f.endswith(("-shm", "-wal"))], "it changed something"
    tap.note(f"{len(findings)} findings: {findings[0]['what']}: {findings[0]['reason'][:100]}")


def a_directory_is_looked_at_without_a_hub(world):
    done = world.place.run("sonde", "store", "stats", "--state", world.hub.state, "--json")
    assert done.returncode == 0 and "A hub is running" in done.stderr, done.stderr
    days = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(day["rows"] for day in days) == world.hub.api.get("/api/v1/store")["rows"], days
    assert world.hub.stop() == 0
    done = world.place.run("sonde", "store", "stats", "--state", world.hub.state)
    assert done.returncode == 0 and done.stderr == "" and "2026-03-01" in done.stdout, done.stderr


CASES = [
    backups_are_killed_and_the_one_before_stays_whole,
    what_is_restored_has_every_row_that_was_safe,
    only_what_changed_is_copied,
    keys_stay_private,
    what_must_not_be_is_refused,
    a_check_finds_what_is_damaged_and_nothing_else,
    a_directory_is_looked_at_without_a_hub,
]


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up, seconds=120))
