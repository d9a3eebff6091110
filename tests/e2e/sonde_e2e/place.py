# SPDX-License-Identifier: Apache-2.0
"""A directory of the test's own, and the programs that run in it."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from .wait import PATIENCE, until

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Place:
    """Temporary directory `path`; leaving it ends every program that was started, by its pid."""

    def __init__(self, programs):
        self.programs = pathlib.Path(programs).resolve()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="sonde-e2e-"))
        # Programs give up root and still have to reach their own directories.
        self.path.chmod(0o711)
        self.started, self.mounts = [], []
        # Nothing of the user's own is found or written.
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.path), "XDG_RUNTIME_DIR": str(self.path), "XDG_STATE_HOME": str(self.path),
            "XDG_CONFIG_HOME": str(self.path), "LC_ALL": "C.UTF-8",
            **{key: os.environ[key] for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if key in os.environ},
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.started):
            program.end()
        for path in self.mounts:
            subprocess.run(["umount", "--lazy", str(path)], check=False)
        shutil.rmtree(self.path, ignore_errors=True)

    def run(self, program, *arguments, seconds=30, text_in=None):
        """One of our programs to its end: a CompletedProcess with texts."""
        return subprocess.run([str(self.programs / program), *map(str, arguments)], env=self.env, input=text_in,
                              capture_output=True, text=True, timeout=PATIENCE * seconds, check=False,
                              preexec_fn=_die_with_parent)

    def describe(self):
        """The ends of all logs, for a failed case."""
        parts = []
        for program in self.started:
            lines = program.log_text().splitlines()[-15:]
            state = "runs" if program.alive() else f"ended with {program.status}"
            parts.append(f"--- {program.name} {state}; its log:\n" + "\n".join(lines))
        return "\n".join(parts)


class Program:
    """A program that may be started, killed and started again; keeps one log for all its lives."""

    def __init__(self, place, name, program, *arguments):
        self.place, self.name = place, name
        self.argv = [str(place.programs / program), *map(str, arguments)]
        self.log = place.path / f"{name}.log"
        self.output = place.path / f"{name}.out"
        self.process, self.status = None, None
        place.started.append(self)

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        assert not self.alive(), f"{self.name} runs already"
        with open(self.log, "ab") as log, open(self.output, "wb") as output:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                                            env=self.place.env, preexec_fn=_die_with_parent)
        return self

    def alive(self):
        if self.process is not None and self.process.poll() is not None:
            self.status, self.process = self.process.returncode, None
        return self.process is not None

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        if self.alive():
            self.signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, seconds):
        if self.alive():
            self.status = self.process.wait(PATIENCE * seconds)
            self.process = None
        return self.status

    def stop(self, seconds=15):
        """Asks it to end; its exit code (negative: the signal that killed it)."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def end(self):
        """Whatever it takes."""
        if not self.alive():
            return
        try:
            self.signal(signal.SIGCONT)
            Program.stop(self, 5)
        except subprocess.TimeoutExpired:
            self.kill()

    def first_line(self, seconds=20):
        """What it said first on standard output, as JSON."""
        def read():
            assert self.alive() or self.output.stat().st_size > 0, f"{self.name} ended: {self.log_text()[-500:]}"
            text = self.output.read_text(encoding="utf-8")
            return json.loads(text.splitlines()[0]) if "\n" in text else None
        return until(f"{self.name} says where it is", seconds, read)

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def resident_bytes(self):
        return resident_bytes(self.pid)


def replace_text(path, text):
    """A file that somebody watches is never seen half written."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def children(pid, name=None):
    """Pids of the children of a process, all or those that run a program of that name."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            comm, rest = (entry / "stat").read_text().split(" (", 1)[1].rsplit(") ", 1)
        except (OSError, IndexError):
            continue  # it ended meanwhile
        state, parent = rest.split()[:2]
        if int(parent) == pid and state != "Z" and name in (None, comm):
            found.append(int(entry.name))
    return found


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def sleep_at_random(prng, low, high):
    time.sleep(prng.uniform(low, high))
