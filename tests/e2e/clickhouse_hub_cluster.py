#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub whose rows move to a ClickHouse cluster while its servers are killed: each row is on both, once.

usage: clickhouse_hub_cluster.py PROGRAM_DIR [SEED]

The hub inserts at one of two servers ("near"), which hold the same; the other one ("far") fetches from it.
"""
import contextlib
import random
import sys
import time

from sonde_e2e import tap
from sonde_e2e.api import ApiError
from sonde_e2e.clickhouse import Cluster, Failed, needs_clickhouse, needs_zookeeper
from sonde_e2e.feeder import Feeder
from sonde_e2e.parts import Hub, Node
from sonde_e2e.place import Place, sleep_at_random
from sonde_e2e.wait import until

TABLE = "ping_1_l"
CATCH_UP_SECONDS = 60
# A server that is started again in the second in which it was killed keeps the directory of a part that it was
# fetching, and fetches that part when the directory is `temporary_directories_lifetime` old: too long for a test.
SECOND_IS_OVER = 1.1


class World:
    def __init__(self, place, seed):
        needs_clickhouse()
        needs_zookeeper()
        self.place, self.prng = place, random.Random(seed)
        self.cluster = Cluster(place).start().ready()
        self.near, self.far = self.cluster.servers
        self.hub = Hub(place, retention_days=0, clickhouse=self.near.url, clickhouse_cluster=self.cluster.name,
                       clickhouse_move_after="1s")
        self.hub.start().ready()
        self.node = Node(place, "attic")
        self.node.join(self.hub)
        self.feeder = None

    def describe(self):
        return self.place.describe()

    @contextlib.contextmanager
    def feeding(self):
        """Rows come until the block is left, and go on where they were."""
        feeder = Feeder(self.hub, self.node)
        if self.feeder is not None:
            feeder.batch, feeder.acknowledged = self.feeder.batch, self.feeder.acknowledged
        self.feeder = feeder
        feeder.start()
        try:
            yield feeder
        finally:
            feeder.end()

    def more_rows(self, rows):
        wanted = self.feeder.acknowledged + rows
        until(f"{rows} more rows", CATCH_UP_SECONDS, lambda: self.feeder.acknowledged >= wanted)

    def moving(self):
        self.cluster.start_fallen()
        return self.hub.api.get("/api/v1/store")["clickhouse"]

    def more_move(self):
        before = self.moving()["moved_rows"]
        until("more rows move", CATCH_UP_SECONDS, lambda: self.moving()["moved_rows"] > before)

    def counts(self, server):
        """Of what the server itself has: rows, different rows, numbers in their days, the least and greatest."""
        server.start_fallen()
        try:
            return [*map(int, server.rows(f"SELECT count(), uniqExact(seq), uniqExact(_day, _number), toInt64(min(seq)), "
                                          f"toInt64(max(seq)) FROM {TABLE}")[0])]
        except Failed as problem:
            raise OSError(str(problem)[:300]) from None

    def assert_each_once_on_both(self):
        """All that was acknowledged has moved, both servers have it, and the hub says so, too."""
        rows = self.feeder.acknowledged
        until("all rows have moved", CATCH_UP_SECONDS,
              lambda: (self.moving()["moved_rows"], self.moving()["waiting_rows"]) == (rows, 0), pause=0.2)
        for server in self.cluster.servers:
            until(f"{server.name} has {rows} rows", CATCH_UP_SECONDS,
                  lambda server=server: self.counts(server)[0] >= rows, pause=0.2)
            counts = self.counts(server)
            assert counts == [rows, rows, rows, 0, rows - 1], (server.name, counts, rows)
        check = self.hub.api.check("attic")
        assert (check["rows"], check["missing"], check["duplicates"]) == (rows, 0, 0), check
        got = self.csv(target="192.0.2.7").splitlines()
        assert len(got) == rows // 200 + 1, (len(got), rows)

    def csv(self, **query):
        with self.hub.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=60, order="oldest",
                               **query) as answer:
            return answer.read()

    def start_again(self, server):
        time.sleep(SECOND_IS_OVER)
        server.start().ready()


def rows_of_the_hub_are_on_both_servers(world):
    with world.feeding():
        world.more_rows(20000)
        world.more_move()
    world.assert_each_once_on_both()
    assert world.moving()["cluster"] == world.cluster.name
    for server in world.cluster.servers:
        assert "temporary_directories_lifetime = 600" in server.ask(f"SHOW CREATE TABLE {TABLE}")


def the_far_server_is_killed_in_the_middle_and_catches_up(world):
    with world.feeding():
        world.more_move()
        sleep_at_random(world.prng, 0, 1)
        world.far.kill()
        world.more_move()
        world.more_rows(4000)
        world.more_move()
        world.start_again(world.far)
        world.more_rows(2000)
    world.assert_each_once_on_both()


def the_hubs_own_server_is_killed_and_goes_on_where_it_was(world):
    with world.feeding():
        world.more_move()
        sleep_at_random(world.prng, 0, 1)
        world.near.kill()
        world.more_rows(4000)
        until("it is said", 30, lambda: world.moving()["state"] == "unreachable")
        try:
            world.csv(target="192.0.2.7", limit=10)
            raise AssertionError("answered without the rows that have moved")
        except ApiError as refusal:
            assert refusal.problem["code"] == "clickhouse-unreachable", refusal
        world.start_again(world.near)
    world.assert_each_once_on_both()


def both_are_killed_and_go_on(world):
    with world.feeding():
        world.more_move()
        sleep_at_random(world.prng, 0, 1)
        for server in (world.far, world.near):
            server.kill()
        world.more_rows(2000)
        for server in world.prng.sample(world.cluster.servers, 2):
            world.start_again(server)
    world.assert_each_once_on_both()
    tap.note(f"{world.feeder.acknowledged} rows on both servers")


def everything_ends_in_order(world):
    assert world.hub.stop() == 0
    world.cluster.stop()
    for word in ("Sanitizer", "runtime error", "ssertion"):
        assert word not in world.hub.log_text(), word


CASES = [
    rows_of_the_hub_are_on_both_servers,
    the_far_server_is_killed_in_the_middle_and_catches_up,
    the_hubs_own_server_is_killed_and_goes_on_where_it_was,
    both_are_killed_and_go_on,
    everything_ends_in_order,
]


@contextlib.contextmanager
def world_of(programs, seed):
    with Place(programs) as place:
        yield World(place, seed)


def needs_servers():
    needs_clickhouse()
    needs_zookeeper()


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, world_of, before=needs_servers))
