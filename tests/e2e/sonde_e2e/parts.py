# SPDX-License-Identifier: Apache-2.0
"""A hub and a node on loopback, as programs of a place."""
import contextlib
import json
import pathlib
import random
import socket

from .api import Api
from .place import Program
from .wait import until

EPHEMERAL = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
LEAST_PORT = 10000


def free_ports(count, kind=socket.SOCK_STREAM):
    """Ports of 127.0.0.1 that nobody has now: they stay the same over a program's lives.

    None of those that the kernel gives away by itself: while the program is down, such a one may become that of
    somebody's connection, and even of one to itself.
    """
    first = int(EPHEMERAL.read_text(encoding="ascii").split()[0])
    found = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            item = stack.enter_context(socket.socket(type=kind))
            with contextlib.suppress(OSError):
                item.bind(("127.0.0.1", random.randrange(LEAST_PORT, first) if first > 2 * LEAST_PORT else 0))
                found.append(item.getsockname()[1])
    return found


class Service(Program):
    """A program with a directory of its own, `state`, and a lock in it that says its pid."""

    def __init__(self, place, name, state, *argv):
        super().__init__(place, name, *argv)
        self.state = state

    def has_lock(self):
        try:
            return int((self.state / "lock").read_text(encoding="utf-8")) == self.pid
        except (OSError, ValueError):
            return False

    def stop(self, seconds=15):
        """Not before it minds the signal: until then it would be killed by it."""
        until(f"{self.name} has started", 20, lambda: not self.alive() or self.has_lock())
        return super().stop(seconds) if self.alive() else self.status


class Hub(Service):
    def __init__(self, place, name="hub", **settings):
        self.local_port, self.port = free_ports(2)
        state = place.path / name
        settings = {"local": f"127.0.0.1:{self.local_port}", "listen": f"127.0.0.1:{self.port}", "announce": "false",
                    "heartbeat_interval": "1s", **settings}
        arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        super().__init__(place, name, state, "sonde-hub", "--state", state, "--json", *arguments)
        self.api = Api(self.state / "hub.json")
        self.url = f"https://127.0.0.1:{self.port}"

    def start(self):
        super().start()
        return self

    def ready(self, seconds=20):
        def ask():
            assert self.alive(), f"{self.name} ended with {self.status}: {self.log_text()[-500:]}"
            return self.api.where()["pid"] == self.pid and self.api.get("/api/v1/hub")
        until(f"{self.name} is ready", seconds, ask)
        return self

    def invite(self, **wishes):
        return self.api.post("/api/v1/invites", wishes)["token"]


class Node(Service):
    def __init__(self, place, name, **settings):
        state = place.path / name
        arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        super().__init__(place, name, state, "sonde-node", "--state", state, *arguments)
        self.id = None

    def join(self, hub, token=None):
        """Joins with a new token, or tries with the given one: the CompletedProcess."""
        done = self.place.run("sonde-node", "join", hub.url, token or hub.invite(name=self.name), "--state",
                              self.state, "--name", self.name)
        if token is None:
            assert done.returncode == 0, done.stderr
            self.id = json.loads((self.state / "node.json").read_text(encoding="utf-8"))["node"]
        return done

    def online(self, hub, seconds=20):
        until(f"{self.name} is online", seconds, lambda: hub.api.node(self.name)["state"] == "online")
        return self

    def spooled(self):
        """Batches that wait on disk."""
        return [entry for entry in (self.state / "spool").iterdir() if entry.name[:1].isdigit()]


def drained(hub, node, seconds=60):
    """Everything that the node has spooled so far is in the store: the check of its stream."""
    check = {}

    def complete():
        check.update(hub.api.check(node.name))
        return check["rows"] > 0 and check["missing"] == 0
    until(f"the spool of {node.name} is drained", seconds, complete, pause=0.2)
    return check


def assert_complete(check):
    assert check["missing"] == 0 and check["duplicates"] == 0, check
    assert check["seq_min"] == 0 and check["rows"] == check["seq_max"] + 1, check
