#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub whose rows move to ClickHouse while they come, whoever is killed: each is there once, and asked for as ever.

usage: clickhouse.py PROGRAM_DIR [SEED [KILLS]]

A client with a node's certificate sends batches over three days without end, each until it is acknowledged.
"clickhouse.py DIR 1 100" kills hub and server a hundred times.
"""
import collections
import contextlib
import random
import signal
import sqlite3
import sys
import time

from sonde_e2e import tap
from sonde_e2e.api import ApiError
from sonde_e2e.clickhouse import ClickHouse, needs_clickhouse
from sonde_e2e.feeder import Feeder
from sonde_e2e.parts import Hub, Node
from sonde_e2e.place import Place, sleep_at_random
from sonde_e2e.tap import Skip
from sonde_e2e.wait import until

KILLS = 12
TABLE = "ping_1"


class World:
    def __init__(self, place, seed, kills):
        self.place, self.prng, self.kills = place, random.Random(seed), kills
        self.missing = None
        try:
            needs_clickhouse()
        except Skip as reason:
            self.missing = str(reason)
            return
        self.server = ClickHouse(place)
        self.server.start().ready()
        self.hub = Hub(place, retention_days=0)
        self.hub.start().ready()
        self.node = Node(place, "attic")
        self.node.join(self.hub)
        self.feeder = None
        self.start_feeder()
        until("the first rows", 20, lambda: self.feeder.acknowledged >= 4000)

    def describe(self):
        return self.place.describe()

    def need(self):
        if self.missing:
            raise Skip(self.missing)

    def start_feeder(self):
        before = self.feeder
        self.feeder = Feeder(self.hub, self.node)
        if before is not None:
            self.feeder.batch, self.feeder.acknowledged = before.batch, before.acknowledged
        self.feeder.start()

    def switch_on(self):
        self.hub.argv += ["--set", f"clickhouse={self.server.url}", "--set", "clickhouse_move_after=1s"]

    def store(self):
        return self.hub.api.get("/api/v1/store")

    def moving(self):
        return self.store()["clickhouse"]

    def moved(self, seconds=120):
        """All that was acknowledged is in ClickHouse."""
        def there():
            assert self.hub.alive() and self.server.alive()
            state = self.moving()
            return state["waiting_rows"] == 0 and state["moved_rows"] >= self.feeder.acknowledged
        until("all rows have moved", seconds, there, pause=0.2)

    def csv(self, **query):
        with self.hub.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=110, order="oldest",
                               **query) as answer:
            return answer.read()

    def local_rows(self):
        """Counted in the files, not by the hub; what is noted there may be in ClickHouse as well."""
        rows = noted = 0
        for path in sorted((self.hub.state / "store").glob("????-??-??.db")):
            with contextlib.closing(sqlite3.connect(path, timeout=60)) as file:
                rows += file.execute("SELECT coalesce(sum(rows), 0) FROM _block").fetchone()[0]
                noted += file.execute("SELECT count(*) FROM _moving").fetchone()[0]
        return rows, noted

    def assert_each_once(self):
        """In both places together, and by the hub's own count."""
        rows = self.feeder.acknowledged
        until("the files are empty", 20, lambda: self.local_rows() == (0, 0))
        counts = self.server.rows(f"SELECT count(), uniqExact(seq), min(seq), max(seq) FROM {TABLE}")[0]
        assert list(map(int, counts)) == [rows, rows, 0, rows - 1], (counts, rows)
        blocks = self.server.rows(f"SELECT count(), uniqExact(_day, _number) FROM {TABLE}")[0]
        assert int(blocks[0]) == int(blocks[1]), blocks
        check = self.hub.api.check("attic")
        assert check["missing"] == 0 and check["duplicates"] == 0 and check["rows"] == rows, check


@contextlib.contextmanager
def set_up(programs, seed, kills):
    with Place(programs) as place:
        yield World(place, seed, kills)


def a_store_moves_while_it_takes_rows(world):
    world.need()
    before = world.feeder.acknowledged
    assert world.store()["clickhouse"] is None and world.store()["backend"] == "sqlite"
    assert world.hub.stop() == 0
    world.switch_on()
    world.hub.start().ready()
    assert world.store()["backend"] == "sqlite+clickhouse"
    until("rows of before are in ClickHouse", 60, lambda: world.moving()["moved_rows"] >= before)
    assert world.feeder.is_alive()
    world.feeder.end()
    assert world.feeder.acknowledged > before
    world.moved()
    world.assert_each_once()
    assert world.moving()["state"] == "ok" and world.moving()["version"]


def csv_is_the_same_before_and_after_byte_by_byte(world):
    """The same batches into a hub that keeps all rows in its files."""
    world.need()
    plain = Hub(world.place, "plain", retention_days=0)
    plain.start().ready()
    node = Node(world.place, "attic2")
    node.join(plain)
    sender = Feeder(plain, node)
    connection = sender.connect()
    for batch in range(world.feeder.batch):
        assert sender.send(connection, batch)[0] == 200
    with plain.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=110, order="oldest") as answer:
        want = answer.read().replace(node.id.encode(), world.node.id.encode())
    got = world.csv()
    assert len(got.splitlines()) == world.feeder.acknowledged + 1
    assert got == want, "another CSV"
    tap.note(f"{len(got)} bytes of CSV are the same")
    for query in ({"target": "192.0.2.7"}, {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z"}):
        with plain.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=110, order="newest",
                            **query) as answer:
            want = answer.read().replace(node.id.encode(), world.node.id.encode())
        with world.hub.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=110, order="newest",
                                **query) as answer:
            assert answer.read() == want, query
    assert plain.stop() == 0


def pages_go_on_while_rows_move(world):
    world.need()
    world.start_feeder()
    until("more rows", 30, lambda: world.feeder.acknowledged % 1000 < 300)
    seen, cursor = [], None
    while True:
        page = world.hub.api.get("/api/v1/datasets/ping/rows", order="oldest", limit=997,
                                 until="2026-03-02T00:00:00Z", **({"cursor": cursor} if cursor else {}))
        seen += [row["seq"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    twice = [number for number, count in collections.Counter(seen).items() if count > 1]
    assert not twice, twice[:10]


def killed_at_random_moments_each_row_is_there_once(world):
    world.need()
    killed = collections.Counter()
    start, before = time.monotonic(), world.feeder.acknowledged
    while sum(killed.values()) < world.kills:
        sleep_at_random(world.prng, 0.1, 1.5)
        victim = world.prng.choice(("hub", "server", "server", "both"))
        programs = {"hub": [world.hub], "server": [world.server], "both": [world.hub, world.server]}[victim]
        for program in programs:
            program.signal(signal.SIGKILL)
        for program in programs:
            program.wait(10)
        time.sleep(world.prng.uniform(0, 0.5))
        for program in world.prng.sample(programs, len(programs)):
            program.start()
        killed[victim] += 1
    world.server.ready()
    world.hub.ready()
    world.feeder.end()
    world.moved()
    world.assert_each_once()
    tap.note(f"{dict(killed)} killed in {time.monotonic() - start:.0f} s, {world.feeder.acknowledged - before} rows "
             f"came meanwhile, {world.feeder.duplicates} batches came twice")


def while_the_server_is_held_rows_wait_and_none_is_doubled(world):
    world.need()
    world.start_feeder()
    for _ in range(2):
        sleep_at_random(world.prng, 0.5, 2)
        world.server.signal(signal.SIGSTOP)
        time.sleep(world.prng.uniform(2, 4))
        world.server.signal(signal.SIGCONT)
    world.feeder.end()
    world.moved()
    world.assert_each_once()


def while_the_server_is_down_that_is_said_and_nothing_is_refused(world):
    world.need()
    world.server.kill()
    world.start_feeder()
    before = world.feeder.acknowledged
    until("rows come all the same", 30, lambda: world.feeder.acknowledged >= before + 4000)
    world.feeder.end()
    until("the state", 30, lambda: world.moving()["state"] == "unreachable" and world.moving()["reason"])
    until("a problem of the hub", 30, lambda: any("ClickHouse" in text for text in world.hub.api.get("/api/v1/hub")["problems"]))
    with world.hub.api.open("GET", "/metrics", accept="text/plain") as answer:
        assert b"sonde_clickhouse_up 0" in answer.read()
    try:
        world.hub.api.get("/api/v1/datasets/ping/rows", order="oldest", limit=10)
        raise AssertionError("answered without the rows that have moved")
    except ApiError as refusal:
        assert refusal.status == 503 and refusal.problem["code"] == "clickhouse-unreachable", refusal
        assert "ClickHouse" in refusal.problem["detail"], refusal
    assert world.store()["rows"] == world.feeder.acknowledged
    world.server.start().ready()
    world.moved()
    world.assert_each_once()
    until("it is said that all is well", 30, lambda: world.moving()["state"] == "ok"
          and not world.hub.api.get("/api/v1/hub")["problems"])


def without_the_key_the_hub_says_what_it_lacks(world):
    world.need()
    assert world.hub.stop() == 0
    argv = list(world.hub.argv)
    at = next(i for i, part in enumerate(argv) if part.startswith("clickhouse="))
    world.hub.argv = argv[:at - 1] + argv[at + 3:]
    world.hub.start().ready()
    try:
        world.hub.api.get("/api/v1/datasets/ping/rows", limit=10)
        raise AssertionError("answered without the rows that have moved")
    except ApiError as refusal:
        assert refusal.problem["code"] == "clickhouse-unreachable", refusal
    assert world.hub.stop() == 0
    world.hub.argv = argv
    world.hub.start().ready()


def a_dropped_day_is_gone_in_both_places(world):
    world.need()
    world.hub.api.call("DELETE", "/api/v1/store/days/2026-03-02")
    assert [day["day"] for day in world.hub.api.items("/api/v1/store/days")] == ["2026-03-01", "2026-03-03"]
    assert b"2026-03-02" not in world.csv()
    until("it is gone in ClickHouse", 30, lambda: world.server.value(
        f"SELECT count() FROM {TABLE} WHERE _day = '2026-03-02'") == 0)


def rows_come_back(world):
    world.need()
    want, rows = world.csv(), world.store()["rows"]
    world.hub.api.post("/api/v1/store/migrate", {"to": "sqlite"})
    sleep_at_random(world.prng, 0.2, 1)
    world.hub.kill()
    world.hub.start().ready()
    until("all rows are in the files", 90, lambda: world.store()["local_rows"] == rows, pause=0.2)
    until("none is in ClickHouse", 30, lambda: world.server.value(f"SELECT count() FROM {TABLE}") == 0)
    assert world.moving()["direction"] == "to_sqlite"
    assert world.csv() == want, "another CSV"


def everything_ends_in_order(world):
    world.need()
    assert world.hub.stop() == 0
    world.server.stop()
    for word in ("Sanitizer", "runtime error", "ssertion"):
        assert word not in world.hub.log_text(), word


CASES = [
    a_store_moves_while_it_takes_rows,
    csv_is_the_same_before_and_after_byte_by_byte,
    pages_go_on_while_rows_move,
    killed_at_random_moments_each_row_is_there_once,
    while_the_server_is_held_rows_wait_and_none_is_doubled,
    while_the_server_is_down_that_is_said_and_nothing_is_refused,
    without_the_key_the_hub_says_what_it_lacks,
    a_dropped_day_is_gone_in_both_places,
    rows_come_back,
    everything_ends_in_order,
]


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up, seconds=lambda kills: 120 + 5 * kills, numbers=(KILLS,)))
