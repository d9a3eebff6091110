#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sonde up` as a person uses it: starts, measures, survives killed programs, ends cleanly. TAP.

Usage: up.py DIRECTORY_OF_PROGRAMS.  Only loopback is measured.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from sonde_e2e.rows import answered

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
TARGETS = ["127.0.0.1", "127.0.0.2"]
count = 0


def result(good, name, remark=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{' # ' + remark if remark else ''}", flush=True)
    return good


def wait_for(condition, seconds):
    """The first true value of `condition`, or its last one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.1)


class Up:
    def __init__(self, directory):
        self.directory = directory
        self.env = dict(os.environ, HOME=directory, XDG_RUNTIME_DIR=directory)
        for name in ("SONDE_URL", "SONDE_TOKEN_FILE", "XDG_STATE_HOME"):
            self.env.pop(name, None)
        self.log = open(os.path.join(directory, "log"), "w+")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAMS / "sonde", "up", "--json", "--state", os.path.join(self.directory, "state"), "--no-defaults",
             "--listen", "127.0.0.1:0", "--name", "here", *TARGETS],
            stdout=subprocess.PIPE, stderr=self.log, env=self.env, text=True, start_new_session=True)
        return json.loads(self.process.stdout.readline() or "{}")

    def sonde(self, *arguments):
        return subprocess.run([PROGRAMS / "sonde", *arguments], env=self.env, text=True, capture_output=True,
                              timeout=120)

    def lines(self, *arguments):
        """The JSON lines that a command prints, none when it fails before the first."""
        return [json.loads(line) for line in self.sonde(*arguments).stdout.splitlines()]

    def rows(self):
        return self.lines("results", "ping", "--json")

    def child(self, program):
        """Pid of the child of `sonde up` that is `program` now."""
        pid = self.process.pid
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == program:
                    return int(child)
            except OSError:
                pass
        return None

    def session(self):
        """Pids of everything that was started in our session and still runs."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found

    def kill_and_recover(self, program):
        """Kills it the hard way; true once another one runs, all is well, and new rows come."""
        old, before = wait_for(lambda: self.child(program), 60), len(self.rows())
        if old is None:
            return False
        os.kill(old, signal.SIGKILL)
        new = wait_for(lambda: self.child(program) not in (None, old), 60)
        online = wait_for(lambda: [n for n in self.lines("node", "list", "--json") if n["state"] == "online"], 60)
        return new and online and wait_for(lambda: len(self.rows()) >= before + 2 * len(TARGETS), 60)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.returncode if self.process is not None else None


def may_ping():
    """Can the user that measures open a socket for it?"""
    done = subprocess.run([PROGRAMS / "sonde-probe", "ping", "-c", "1", "127.0.0.1"], capture_output=True)
    return done.returncode == 0


def check(up):
    started = time.monotonic()
    said = up.start()
    if not result("login_url" in said and said["url"].startswith("http://127.0.0.1:"), "it is ready and says where",
                  f"{time.monotonic() - started:.2f} s"):
        return
    result([n["name"] for n in up.lines("node", "list", "--json")] == ["here"], "the node of this machine is enrolled")
    result(up.sonde("up", "--state", os.path.join(up.directory, "state"), "--no-defaults").returncode == 1,
           "a second one in the same directory is refused")
    if may_ping():
        wait_for(lambda: len(up.rows()) >= 2 * len(TARGETS), 60)
        rows = up.rows()
        result({r["target"] for r in rows} == set(TARGETS) and all(map(answered, rows)),
               "rows of the given targets, and of no others, are stored")
        result(up.kill_and_recover("sonde-hub"), "a killed hub is started again and found again")
        result(up.kill_and_recover("sonde-node"), "a killed node is started again and measures on")
        numbers = sorted(r["seq"] for r in up.rows())
        result(len(numbers) == len(set(numbers)), "no row is stored twice")
        # A row on its way is one that is missing, until it is there.
        found = wait_for(lambda: [f for f in up.lines("doctor", "--json") if f["check"] == "stream"
                                  and f["verdict"] == "ok"], 60)
        result(found, "no row is missing", found and found[0]["found"])
    else:
        for name in ("rows are stored", "a killed hub", "a killed node", "no row is stored twice", "no row is missing"):
            result(True, name, "SKIP this user may not ping (no ping socket, no CAP_NET_RAW)")
    code = up.stop()
    result(code == 0, "Ctrl-C ends it with code 0", f"code {code}")
    result(wait_for(lambda: not up.session(), 30), "nothing runs any more")
    result(not list(pathlib.Path(up.directory).rglob("hub.json")), "no hub is announced any more")
    said = up.start()
    result([n["name"] for n in up.lines("node", "list", "--json")] == ["here"],
           "started again it is the same node")
    result(len(up.lines("measure", "list", "--json")) == 1, "and has the same measurement, once")
    up.sonde("node", "set", "here", "--place", "Attic", "--dry-run")
    before = up.lines("node", "show", "here", "--json")[0].get("place")
    up.sonde("node", "set", "here", "--place", "Attic", "--name", "there")
    after = up.lines("node", "show", "there", "--json")
    result(not before and [n["place"] for n in after] == ["Attic"], "its place and name can be changed, by a dry run not")
    up.sonde("node", "revoke", "there", "--dry-run")
    kept = up.lines("node", "show", "there", "--json")[0]["state"]
    up.sonde("node", "revoke", "there")
    gone = up.lines("node", "show", "there", "--json")[0]["state"]
    result(kept != "revoked" and gone == "revoked", "it can be shut out, by a dry run not", f"{kept}, {gone}")
    up.stop()


def main():
    directory = tempfile.mkdtemp(prefix="sonde-test-up-")
    os.chmod(directory, 0o755)  # root lets an ordinary user run the programs
    up = Up(directory)
    good = False
    try:
        check(up)
        good = True
    finally:
        up.stop()
        if not good or os.environ.get("SONDE_TEST_KEEP"):
            up.log.seek(0)
            print("".join("# " + line for line in up.log))
        shutil.rmtree(directory, ignore_errors=True)
        print(f"1..{count}")


main()
