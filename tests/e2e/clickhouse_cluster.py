#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows in a ClickHouse cluster: servers that are killed and come back, shards, days that go, TLS.

usage: clickhouse_cluster.py PROGRAM_DIR
"""
import contextlib
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

from sonde_e2e import tap
from sonde_e2e.clickhouse import Cluster, ClickHouse, needs_clickhouse, needs_zookeeper
from sonde_e2e.place import Place
from sonde_e2e.tap import Skip
from sonde_e2e.wait import until

DAY = 20513  # 2026-03-01, of all rows that the client makes
CATCH_UP_SECONDS = 120
OPENSSL = """[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[server]
subjectAltName = IP:127.0.0.1
extendedKeyUsage = serverAuth
[elsewhere]
subjectAltName = DNS:elsewhere.example
extendedKeyUsage = serverAuth
"""


class World:
    """What is in the replicated cluster: numbers 1 to `rows`."""

    def __init__(self, place):
        needs_clickhouse()
        needs_zookeeper()
        self.place, self.rows, self.blocks = place, 0, 0
        self.client = pathlib.Path(os.environ["SONDE_CLICKHOUSE_CLIENT"])
        self.cluster = Cluster(place)
        self.a, self.b = self.cluster.servers

    def describe(self):
        return self.place.describe()

    def run(self, server, *command, cluster="sonde", ca="-", url=None, again=True):
        """The client's words, or its reason in a RuntimeError; asked `again` if the server had fallen over."""
        def ask():
            return subprocess.run([self.client, url or server.url, cluster, ca, *map(str, command)], capture_output=True,
                                  text=True, timeout=100, check=False)
        done = ask()
        if done.returncode != 0 and again and server.start_fallen():
            server.ready()
            done = ask()
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def insert(self, server, rows):
        self.blocks += 1
        self.run(server, "insert", self.blocks, self.rows + 1, rows)
        self.rows += rows

    def total(self):
        return f"{self.rows} {self.rows * (self.rows + 1) // 2}"

    def caught_up(self, *servers):
        for server in servers:
            until(f"{server.name} has {self.total()}", CATCH_UP_SECONDS,
                  lambda server=server: self.run(server, "sum") == self.total())
            # Its own part alone, not what a neighbour answers for it.
            until(f"{server.name} itself has {self.rows} rows", CATCH_UP_SECONDS,
                  lambda server=server: server.value("SELECT count() FROM e2e_rows_1_l") == self.rows)


def fails(reason, run):
    try:
        run()
    except RuntimeError as problem:
        assert reason in str(problem), f"{problem}, not {reason}"
        return str(problem)
    raise AssertionError(f"it did not fail with {reason}")


def rows_that_one_server_takes_both_have(world):
    world.cluster.start().ready()
    assert world.run(world.b, "sum") == "0 0"
    world.insert(world.a, 50000)
    world.insert(world.b, 30000)
    world.caught_up(world.a, world.b)


def server_that_was_killed_catches_up(world):
    world.b.kill()
    for rows in (20000, 50000, 7):
        world.insert(world.a, rows)
    assert world.run(world.a, "sum") == world.total()
    world.b.start().ready()
    world.caught_up(world.a, world.b)


def the_other_one_too_while_rows_go_to_its_neighbour(world):
    world.a.kill()
    assert "ECONNREFUSED" in fails("cannot reach", lambda: world.run(world.a, "has", 1))
    world.insert(world.b, 12345)
    world.a.start().ready()
    world.insert(world.b, 1)
    world.caught_up(world.a, world.b)


def block_that_comes_again_at_the_neighbour_is_stored_once(world):
    """As after an answer that did not arrive, from a server that is gone."""
    before = world.rows
    world.insert(world.a, 1000)
    world.run(world.b, "insert", world.blocks, before + 1, 1000)
    world.caught_up(world.a, world.b)
    assert world.run(world.b, "has", world.blocks) == "1000"
    assert world.run(world.a, "days") == f"{DAY} {world.rows}"


def without_zookeeper_nothing_is_taken_and_nothing_lost(world):
    world.cluster.zookeeper.kill()

    def refused():
        try:
            world.run(world.a, "insert", 999, world.rows + 1, 5, again=False)
        except RuntimeError:
            return True
        return False
    until("an insert is refused", 100, refused)
    world.cluster.zookeeper.start().ready()

    def taken():
        try:
            world.run(world.a, "insert", 999, world.rows + 1, 5)
        except RuntimeError:
            return False
        return True
    until("it is taken again", CATCH_UP_SECONDS, taken)
    world.rows += 5
    world.caught_up(world.a, world.b)


def day_goes_from_all_servers_one_that_is_down_included(world):
    world.b.kill()

    def dropped(day):
        try:
            world.run(world.a, "drop", day)
        except RuntimeError as problem:
            assert "EAGAIN" in str(problem), problem
            return False
        return True
    # The one that is down may have been the one that leads: the other has to become it first.
    until("another day is dropped", CATCH_UP_SECONDS, lambda: dropped(DAY + 1))
    assert world.run(world.a, "sum") == world.total()
    until("the day is dropped", CATCH_UP_SECONDS, lambda: dropped(DAY))
    assert world.run(world.a, "sum") == "0 0"
    world.b.start().ready()
    world.rows = 0
    world.caught_up(world.a, world.b)


def shards_hold_a_part_each_and_both_tell_all(world):
    world.cluster.stop()
    wide = Cluster(world.place, shards=2, replicas=1, name="wide").start().ready()
    try:
        for block, server in enumerate(wide.servers * 3, 1):
            world.run(server, "insert", block, block * 1000 + 1, 1000, cluster="wide")
        numbers = range(1001, 7001)
        for server in wide.servers:
            assert server.value("SELECT count() FROM e2e_rows_1_l") == 3000
            assert world.run(server, "sum", cluster="wide") == f"6000 {sum(numbers)}"
            assert world.run(server, "days", cluster="wide") == f"{DAY} 6000"
            assert world.run(server, "has", 2, cluster="wide") == "1000"
        # A shard that lacks the table is no shard without rows.
        wide.servers[1].ask("RENAME TABLE e2e_rows_1_l TO elsewhere")
        fails("EPROTO", lambda: world.run(wide.servers[0], "sum", cluster="wide"))
        wide.servers[1].ask("RENAME TABLE elsewhere TO e2e_rows_1_l")
        world.run(wide.servers[0], "drop", DAY, cluster="wide")
        for server in wide.servers:
            assert world.run(server, "sum", cluster="wide") == "0 0"
    finally:
        wide.stop()


def certificates(at):
    if subprocess.run(["openssl", "version"], capture_output=True, check=False).returncode != 0:
        raise Skip("openssl is not installed")

    def run(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=at)

    (at / "openssl.cnf").write_text(OPENSSL, encoding="utf-8")
    new = ("req", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other"):
        run(*new, "-x509", "-days", 2, "-subj", f"/CN={name}", "-extensions", "ca", "-keyout", f"{name}.key", "-out",
            f"{name}.pem")
    for name in ("server", "elsewhere"):
        run(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 1,
            "-extfile", "openssl.cnf", "-extensions", name, "-out", f"{name}.pem")


def pump(source, target):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Tls:
    """The front of a server that speaks plain HTTP."""

    def __init__(self, at, name, port):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(at / f"{name}.pem", at / f"{name}.key")
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                client = self.context.wrap_socket(plain, server_side=True)
                server = socket.create_connection(self.target)
            except OSError:
                plain.close()
                continue
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    def close(self):
        self.listener.close()


def over_tls_the_server_must_be_the_one_that_the_ca_vouches_for(world):
    at = world.place.path
    certificates(at)
    server = ClickHouse(world.place).start().ready()
    with contextlib.ExitStack() as stack:
        fronts = {}
        for name in ("server", "elsewhere"):
            fronts[name] = Tls(at, name, server.http)
            stack.callback(fronts[name].close)

        def run(name, ca, *command):
            url = server.url_with_password.replace("http:", "https:").replace(str(server.http), str(fronts[name].port))
            return world.run(server, *command, cluster="-", ca=ca, url=url)

        run("server", at / "ca.pem", "insert", 1, 1, 1000)
        assert run("server", at / "ca.pem", "sum") == "1000 500500"
        for name, ca in (("server", at / "other.pem"), ("server", "-"), ("server", at / "openssl.cnf"),
                         ("elsewhere", at / "ca.pem")):
            said = fails("EKEYREJECTED", lambda name=name, ca=ca: run(name, ca, "insert", 2, 1001, 1000))
            assert "secret" not in said, said
        fails("EINVAL", lambda: run("server", at / "nowhere.pem", "sum"))
        assert server.value("SELECT count() FROM e2e_rows_1") == 1000


CASES = [
    rows_that_one_server_takes_both_have,
    server_that_was_killed_catches_up,
    the_other_one_too_while_rows_go_to_its_neighbour,
    block_that_comes_again_at_the_neighbour_is_stored_once,
    without_zookeeper_nothing_is_taken_and_nothing_lost,
    day_goes_from_all_servers_one_that_is_down_included,
    shards_hold_a_part_each_and_both_tell_all,
    over_tls_the_server_must_be_the_one_that_the_ca_vouches_for,
]


@contextlib.contextmanager
def world_of(programs):
    with Place(programs) as place:
        yield World(place)


if __name__ == "__main__":
    try:
        needs_clickhouse()
        needs_zookeeper()
    except Skip as reason:
        tap.skip_all(CASES, reason)
        sys.exit(0)
    sys.exit(tap.run(CASES, world_of(sys.argv[1]), seconds=280))
