#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub that follows another one, whatever is killed; and what becomes of it when it takes over.

usage: replica.py PROGRAM_DIR [SEED]
"""
import contextlib
import json
import random
import ssl
import sys
import time
import urllib.error
import urllib.request

from sonde_e2e import tap
from sonde_e2e.api import ApiError
from sonde_e2e.feeder import Feeder
from sonde_e2e.parts import Hub, Node
from sonde_e2e.place import Place, sleep_at_random
from sonde_e2e.wait import until

KILLS = 24
POLICY = """
roles:
  admin: account:admin
  node: node:*
  replicas: user:{user}
rules:
  - allow: admin
    roles: admin
  - allow: [discover, measure, read-all, stop-all]
    roles: admin
    capabilities: "*"
  - allow: [register, deliver]
    roles: node
    capabilities: "*"
  - allow: replicate
    roles: replicas
"""


class World:
    def __init__(self, place, seed):
        self.place, self.prng = place, random.Random(seed)
        policy = place.path / "policy.yaml"
        policy.write_text(POLICY.format(user="admin"), encoding="utf-8")
        self.primary = Hub(place, "primary", retention_days=0, policy=policy).start().ready()
        # As one does it: what the replica begins with is a backup, so that it knows the nodes.
        self.node = Node(place, "attic")
        self.node.join(self.primary)
        self.feeder = Feeder(self.primary, self.node)
        self.feeder.start()
        until("the first rows", 20, lambda: self.feeder.acknowledged >= 2000)
        self.backup(place.path / "backup")
        self.token = place.path / "token"
        self.make_token()
        done = place.run("sonde", "store", "restore", place.path / "backup", "--state", place.path / "replica")
        assert done.returncode == 0, done.stderr
        self.replica = Hub(place, "replica", retention_days=0, replica_of=self.primary.url,
                           replica_ca=self.primary.state / "pki" / "ca.pem", replica_token_file=self.token,
                           replica_interval="200ms")
        self.replica.start().ready()

    def describe(self):
        return self.place.describe()

    def backup(self, path):
        job = self.primary.api.post("/api/v1/store/backup", {"directory": str(path)})
        until("the backup is made", 30, lambda: self.primary.api.get(f"/api/v1/store/jobs/{job['id']}")["state"] == "done")

    def make_token(self):
        """One that may do little else."""
        assert self.primary.api.get("/api/v1/session")["user"] == "admin"
        made = self.primary.api.post("/api/v1/tokens", {"label": "replica", "role": "viewer"})
        self.token.write_text(made["token"], encoding="utf-8")
        self.token.chmod(0o600)

    def token_of(self, url):
        """Logs in by the link and makes an API token, as a person would."""
        class NoRedirect(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect(),
                                             urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))
        try:
            opener.open(url)
        except urllib.error.HTTPError as answer:
            cookie = answer.headers["Set-Cookie"].split(";")[0]
        where = self.primary.api.where()["url"]
        request = urllib.request.Request(where + "/api/v1/tokens", json.dumps({"label": "test"}).encode(), {
            "Cookie": cookie, "Sonde-Request": "1", "Content-Type": "application/json"}, method="POST")
        with opener.open(request) as answer:
            return json.load(answer)["token"]

    def status(self):
        return self.replica.api.get("/api/v1/store")["replica"]

    def current(self, seconds=60):
        def there():
            assert self.replica.alive(), "the replica ended"
            return self.status()["state"] == "current" and self.rows(self.replica) == self.rows(self.primary)
        until("the replica is current", seconds, there, pause=0.2)

    def rows(self, hub):
        return hub.api.get("/api/v1/store")["rows"]

    def csv(self, hub):
        with hub.api.open("GET", "/api/v1/datasets/ping/rows", accept="text/csv", timeout=100, order="oldest") as answer:
            return answer.read()


@contextlib.contextmanager
def set_up(programs, seed):
    with Place(programs) as place:
        yield World(place, seed)


def rows_are_the_same_after_kills_of_both(world):
    start = time.monotonic()
    for _ in range(KILLS):
        sleep_at_random(world.prng, 0.05, 0.8)
        victim = world.prng.choice((world.primary, world.replica))
        victim.kill()
        time.sleep(world.prng.uniform(0, 0.2))
        victim.start()
    world.primary.ready()
    world.replica.ready()
    rows = world.feeder.end()
    world.current()
    assert world.rows(world.primary) == rows, (world.rows(world.primary), rows)
    there, here = world.csv(world.primary), world.csv(world.replica)
    assert len(there.splitlines()) == rows + 1
    assert there == here, "not the same CSV"
    check = world.replica.api.check("attic")
    assert check["missing"] == 0 and check["duplicates"] == 0 and check["rows"] == rows, check
    done = world.place.run("sonde", "store", "check", "--deep", "--state", world.replica.state)
    assert done.returncode == 0, done.stdout + done.stderr
    tap.note(f"{KILLS} kills in {time.monotonic() - start:.0f} s, {rows} rows, {len(here)} bytes of CSV")


def rows_come_within_seconds_and_lag_is_told(world):
    world.feeder = Feeder(world.primary, world.node)
    world.feeder.batch = world.rows(world.primary) // world.feeder.rows
    world.feeder.start()
    before = world.rows(world.replica)
    until("new rows at the replica", 10, lambda: world.rows(world.replica) > before)
    world.feeder.end()
    world.current()
    until("it does not lag", 10, lambda: world.status()["lag_seconds"] == 0.0)
    world.primary.kill()
    until("that is told", 20, lambda: world.status()["state"] == "unreachable" and world.status()["lag_seconds"] > 0
          and world.status()["reason"])
    world.primary.start().ready()
    world.current()


def a_replica_takes_nothing_itself(world):
    for path, body in (("/api/v1/invites", {}), ("/api/v1/enrol", {})):
        try:
            world.replica.api.post(path, body)
            raise AssertionError(f"{path} was taken")
        except ApiError as refusal:
            assert refusal.status == 409 and refusal.problem["code"] == "replica", refusal
            assert world.primary.url in refusal.problem["detail"], refusal
    sender = Feeder(world.replica, world.node)
    status, text = sender.send(sender.connect(), 1000000)
    assert status == 409 and b'"replica"' in text, (status, text)


def who_may_not_replicate_gets_nothing(world):
    world.primary.api.post("/api/v1/users", {"name": "vera", "role": "viewer"})
    viewer = world.token_of(world.primary.api.post("/api/v1/login-links", {"user": "vera"})["url"])
    for path in ("/api/v1/store/replication", "/api/v1/store/rows/2026-03-01/ping/1"):
        for token in (viewer, "wrong"):
            try:
                world.primary.api.get(path, token=token)
                raise AssertionError(f"{path} was answered")
            except ApiError as refusal:
                assert refusal.status in (401, 403), refusal


def a_day_that_is_dropped_stays_at_the_replica(world):
    before = world.rows(world.replica)
    world.primary.api.call("DELETE", "/api/v1/store/days/2026-03-02")
    time.sleep(1.5)
    assert world.rows(world.replica) == before


def a_day_that_is_dropped_here_is_fetched_again(world):
    rows = world.rows(world.replica)
    world.replica.api.call("DELETE", "/api/v1/store/days/2026-03-01")
    assert world.rows(world.replica) < rows
    until("the day is there again", 90, lambda: world.rows(world.replica) == rows, pause=0.5)


def without_the_key_it_is_a_primary_that_the_nodes_know(world):
    rows = world.rows(world.replica)
    sent = world.feeder.batch
    assert world.primary.stop() == 0
    assert world.replica.stop() == 0
    argv = world.replica.argv
    world.replica.argv = [part for i, part in enumerate(argv)
                          if not part.startswith("replica_of=") and not (part == "--set" and argv[i + 1].startswith("replica_of="))]
    world.replica.start().ready()
    assert world.replica.api.get("/api/v1/store")["replica"] is None
    sender = Feeder(world.replica, world.node)
    connection = sender.connect()
    status, text = sender.send(connection, sent - 1)
    assert status == 200 and json.loads(text).get("duplicate"), (status, text)
    status, text = sender.send(connection, sent)
    assert status == 200 and not json.loads(text).get("duplicate"), (status, text)
    assert world.rows(world.replica) == rows + sender.rows


def everything_ends_in_order(world):
    assert world.replica.stop() == 0
    for program in world.place.started:
        for word in ("Sanitizer", "runtime error", "ssertion"):
            assert word not in program.log_text(), f"{program.name}: {word}"


CASES = [
    rows_are_the_same_after_kills_of_both,
    rows_come_within_seconds_and_lag_is_told,
    a_replica_takes_nothing_itself,
    who_may_not_replicate_gets_nothing,
    a_day_that_is_dropped_stays_at_the_replica,
    a_day_that_is_dropped_here_is_fetched_again,
    without_the_key_it_is_a_primary_that_the_nodes_know,
    everything_ends_in_order,
]


if __name__ == "__main__":
    sys.exit(tap.main(__doc__, CASES, set_up, seconds=150))
