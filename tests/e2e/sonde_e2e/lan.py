# SPDX-License-Identifier: Apache-2.0
"""Hosts in network namespaces of their own, each on a wire to ours.

Needs the surroundings of isolate.enter(); nothing is left behind: a namespace lives as long as
the process that holds it, and that dies with us.
"""
import subprocess

from .place import Program
from .wait import until


def why_not():
    """None if wires can be laid here, else the reason."""
    try:
        done = subprocess.run(["ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"],
                              capture_output=True, text=True, check=False)
    except OSError as error:
        return f"ip: {error.strerror}"
    if done.returncode != 0:
        return f"no virtual wires: {done.stderr.strip()}"
    subprocess.run(["ip", "link", "del", "probe0"], check=False)
    return None


def _ip(*words, inside=None):
    enter = ["nsenter", f"--net=/proc/{inside}/ns/net", "--"] if inside else []
    subprocess.run([*enter, "ip", *words], check=True, capture_output=True, text=True)


class Host:
    """`address` is the host's, `ours` the other end of its wire; IPv4 only."""

    def __init__(self, place, name, number):
        self.name, self.address, self.ours = name, f"10.77.{number}.2", f"10.77.{number}.1"
        self.holder = Program(place, f"{name}-net", "true")
        self.holder.argv = ["unshare", "--net", "sleep", "infinity"]
        self.holder.start()
        here, there = f"w{number}a", f"w{number}b"
        _ip("link", "add", here, "type", "veth", "peer", "name", there)
        until(f"the network of {name}", 10, self._has_own_network)
        _ip("link", "set", there, "netns", str(self.holder.pid))
        _ip("address", "add", f"{self.ours}/30", "dev", here)
        _ip("link", "set", here, "up")
        _ip("address", "add", f"{self.address}/30", "dev", there, inside=self.holder.pid)
        _ip("link", "set", there, "up", inside=self.holder.pid)
        _ip("link", "set", "lo", "up", inside=self.holder.pid)
        _ip("route", "add", "default", "via", self.ours, inside=self.holder.pid)

    def _has_own_network(self):
        def network(pid):
            return subprocess.run(["readlink", f"/proc/{pid}/ns/net"], capture_output=True, check=True).stdout
        return network("self") != network(self.holder.pid)

    def take_in(self, program):
        """`program` will run on this host."""
        program.argv = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *program.argv]
        return program
