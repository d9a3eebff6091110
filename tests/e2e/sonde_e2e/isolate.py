# SPDX-License-Identifier: Apache-2.0
"""Surroundings of the test's own, so that it needs no right and disturbs nobody.

As root: new network and mount namespaces.  As an ordinary user: the same inside a new user
namespace, which brings the capability that raw sockets need and the right to mount a tmpfs.
Where the kernel allows neither the test runs on the machine's own loopback.
"""
import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys

from .wait import PATIENCE

MARK = "SONDE_E2E_ISOLATED"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def enter():
    """Starts this script again inside, if that is possible; returns whether we are inside."""
    if os.environ.get(MARK) == "yes":
        _raise_loopback()
        return True
    if os.environ.get(MARK) == "no":
        return False
    command = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        command += ["--user", "--map-current-user", "--keep-caps"]
    works = _works(command)
    os.environ[MARK] = "yes" if works else "no"
    if works:
        os.execvp(command[0], command + [sys.executable, *sys.argv])
    return False


def _works(command):
    try:
        return subprocess.run([*command, "true"], capture_output=True, timeout=PATIENCE * 10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def loopback_targets():
    """Loopback addresses of the families that there are."""
    try:
        has_ipv6 = " lo" in pathlib.Path("/proc/net/if_inet6").read_text()
    except OSError:
        has_ipv6 = False
    return ["127.0.0.1", "::1"] if has_ipv6 else ["127.0.0.1"]


def why_no_ping(place):
    """None if the prober may send, else its own reason."""
    done = place.run("sonde-probe", "ping", "-c", "1", "127.0.0.1")
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def mount_tmpfs(place, path, size):
    """A small file system at `path`, gone with the place; False where that is not allowed."""
    if os.environ.get(MARK) != "yes":
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "sonde-e2e", str(path)],
                          capture_output=True, check=False)
    if done.returncode == 0:
        place.mounts.append(path)
    return done.returncode == 0


def cover_hosts(place, text):
    """Another /etc/hosts, for us alone and as long as the place lives; False where that is not allowed."""
    if os.environ.get(MARK) != "yes":
        return False
    hosts = place.path / "hosts"
    hosts.write_text(text, encoding="utf-8")
    hosts.chmod(0o644)
    done = subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], capture_output=True, check=False)
    if done.returncode == 0:
        place.mounts.append("/etc/hosts")
    return done.returncode == 0
