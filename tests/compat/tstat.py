#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare what sonde-meter writes with the logs of Tstat 3.3.0 for the same captures.

usage: tests/compat/tstat.py [--missing] PROGRAMS [CAPTURE...]

PROGRAMS is the directory of sonde-meter.  The captures in tests/data/pcap and the reference's logs in
tests/data/tstat-expected.tar.xz are used; SONDE_CAPTURES and SONDE_TSTAT_EXPECTED name directories with
more of them (CAPTURE.pcap; CAPTURE/RUN/log_*).

Header lines are equal to the letter, integers and texts are equal, floating-point numbers agree to one in
a thousand.  What differs must be in the table of doc/interoperability-tstat.md with its cause, and what is
there must differ.  A table of the columns that are not equal everywhere is printed as comments.
--missing prints the rows that the table lacks.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "doc" / "interoperability-tstat.md"
TOLERANCE = 1e-3

# The meter gives up the right to look into /proc, which the search for leaks needs.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", **os.environ, "TZ": "UTC"}

RUNTIME = "[log]\nhisto_engine = 0\nrrd_engine = 0\n" + "".join(
    f"log_{log} = 1\n" for log in (
        "tcp_complete tcp_nocomplete udp_complete mm_complete skype_complete chat_complete chat_messages "
        "video_complete http_complete dns_complete tcp_periodic udp_periodic").split()
) + "[options]\n" + "".join(
    f"{option} = 1\n" for option in (
        "tcplog_end_to_end tcplog_layer7 tcplog_p2p tcplog_options tcplog_advanced videolog_end_to_end "
        "videolog_layer7 videolog_videoinfo videolog_youtube videolog_options videolog_advanced").split()
) + "httplog_full_url = 2\n"
INTERNAL = "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\nfc00::/7\nfe80::/10\n"
CRYPTO = "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\nfc00::/7\n2000::/3\n"
KEY = "0123456789abcdefghijklmnopqrstuv"

RUNS = {
    "all-local": ["-T", "runtime.conf"],
    "all-nets": ["-T", "runtime.conf", "-N", "internal"],
    "default": [],
    "crypto": ["-T", "runtime.conf", "-N", "internal", "-Y", "crypto", "--key-value", KEY],
    "crypto-enc": ["-T", "runtime.conf", "-N", "internal", "-Y", "crypto", "--key-value", KEY, "--encrypt-names"],
}

# What tells records of a log apart: the ends and when they began.
KEYS = {
    "log_tcp_complete": "c_ip c_port s_ip s_port first",
    "log_tcp_nocomplete": "c_ip c_port s_ip s_port first",
    "log_video_complete": "c_ip c_port s_ip s_port first",
    "log_udp_complete": "c_ip c_port s_ip s_port c_first_abs",
    "log_http_complete": "c_ip c_port s_ip s_port time_abs method",
    "log_dns_complete": "c_ip c_port s_ip s_port time entry trans_id query type answer",
    "log_mm_complete": "a_proto direction c_ip c_port s_ip s_port SSRC",
    "log_tcp_periodic": "c_ip c_port s_ip s_port time_abs_start",
    "log_udp_periodic": "c_ip c_port s_ip s_port time_abs_start",
    "log_chat_complete": "c_ip c_port s_ip s_port first_tm",
}


class Table:
    """One log file: header lines and records."""

    def __init__(self, path, log):
        text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
        lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
        count = 0 if log == "log_skype_complete" else 2 if log == "log_http_complete" else 1
        separator = "\t" if log == "log_http_complete" else " "
        self.header = lines[:count]
        self.kinds = [[re.sub(r"^(#[^#]*#|#)", "", c).rsplit(":", 1)[0] for c in line.split(separator)]
                      for line in self.header] or [[]]
        self.columns = self.kinds[0]
        self.records = collections.defaultdict(list)
        positions = [self.columns.index(c) for c in KEYS.get(log, "").split() if c in self.columns]
        for line in lines[count:]:
            fields = line.split(separator)
            self.records[tuple(fields[i] for i in positions if i < len(fields))].append(fields)

    def column(self, record, i):
        """Name of the field; in log_http_complete responses have their own."""
        columns = self.kinds[-1] if len(record) > 5 and record[5] in ("HTTP", "RES2") else self.columns
        return columns[i] if i < len(columns) else f"field-{i + 1}"


def equal(expected, ours):
    if expected == ours:
        return True
    if "." not in expected + ours and "e" not in expected + ours and "n" not in expected:
        return False
    try:
        a, b = float(expected), float(ours)
    except ValueError:
        return False
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


class Comparison:
    """What differs, by capture, log and column ("lines": records that only one of the two has)."""

    def __init__(self):
        self.compared = collections.Counter()
        self.differing = collections.defaultdict(list)

    def add(self, capture, log, expected, ours):
        different = set()
        if expected.header != ours.header:
            different.add("header")
        for key in expected.records.keys() | ours.records.keys():
            a, b = expected.records.get(key, []), ours.records.get(key, [])
            if len(a) != len(b):
                different.add("lines")
            for x, y in zip(a, b):
                if len(x) != len(y):
                    different.add("fields")
                for i, (e, o) in enumerate(zip(x, y)):
                    column = expected.column(x, i)
                    self.compared[log, column] += 1
                    if not equal(e, o):
                        different.add(column)
                        self.differing[log, column].append((capture, key, e, o))
        return {(capture, log, column) for column in different}

    def print_table(self):
        print("# columns that are not equal everywhere (a difference that is not listed fails):")
        for (log, column), cases in sorted(self.differing.items()):
            total = self.compared[log, column]
            captures = " ".join(sorted({c[0] for c in cases}))
            print(f"#   {log:20} {column:18} {100 * (total - len(cases)) / total:6.2f} % of {total}: {captures}")


def allowed():
    """Rows of the table: | capture | log | columns | cause |; several of each with blanks between."""
    entries = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        cells = [c.strip().replace("`", "") for c in line.strip().strip("|").split("|")]
        if len(cells) != 4 or not cells[1].startswith("log_"):
            continue
        for capture in cells[0].split():
            for log in cells[1].split():
                for column in cells[2].split():
                    entries[capture, log, column] = cells[3]
    return entries


def meter(program, pcap, run, directory):
    for name, text in (("runtime.conf", RUNTIME), ("internal", INTERNAL), ("crypto", CRYPTO)):
        (directory / name).write_text(text, encoding="utf-8")
    options = [str(directory / o) if o in ("runtime.conf", "internal", "crypto") else o for o in RUNS[run]]
    done = subprocess.run([program, "--format", "tstat", "-D", str(directory / "logs"), *options, str(pcap)],
                          capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()}")
    made = sorted((directory / "logs").glob("*.out")) if (directory / "logs").is_dir() else []
    return made[0] if made else directory / "none"


def compare(program, pcap, expected, comparison):
    """Differences of all runs over one capture."""
    found = set()
    for run in sorted(d.name for d in expected.iterdir() if d.name in RUNS):
        with tempfile.TemporaryDirectory(prefix="sonde-compat-") as directory:
            made = meter(program, pcap, run, pathlib.Path(directory))
            for log in sorted(f.name for f in (expected / run).iterdir() if f.name.startswith("log_")):
                found |= comparison.add(pcap.stem, log, Table(expected / run / log, log), Table(made / log, log))
    return found


def tell(number, capture, found, listed, show_missing):
    unknown = sorted(d for d in found if d not in listed)
    stale = sorted(d for d in listed if d[0] == capture and d not in found)
    print(f"{'not ok' if unknown or stale else 'ok'} {number} - {capture}")
    for _, log, column in unknown:
        print(f"# {log}: '{column}' differs and is not in {LIST.name}")
    for _, log, column in stale:
        print(f"# {log}: '{column}' is in {LIST.name} but does not differ")
    if show_missing and unknown:
        logs = collections.defaultdict(list)
        for _, log, column in unknown:
            logs[log].append(column)
        for log, columns in logs.items():
            print(f"| {capture} | {log} | {' '.join(columns)} | ? |")


def main():
    arguments = sys.argv[1:]
    show_missing = "--missing" in arguments
    arguments = [a for a in arguments if a != "--missing"]
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    program = str(pathlib.Path(arguments[0]) / "sonde-meter")
    captures = pathlib.Path(os.environ.get("SONDE_CAPTURES", ROOT / "tests" / "data" / "pcap"))
    listed, comparison = allowed(), Comparison()
    with tempfile.TemporaryDirectory(prefix="sonde-compat-") as unpacked:
        expected = pathlib.Path(os.environ.get("SONDE_TSTAT_EXPECTED", unpacked))
        if "SONDE_TSTAT_EXPECTED" not in os.environ:
            with tarfile.open(ROOT / "tests" / "data" / "tstat-expected.tar.xz") as archive:
                archive.extractall(unpacked)
        names = [p.stem for p in sorted(captures.glob("*.pcap")) if (expected / p.stem).is_dir()]
        names = [n for n in names if not arguments[1:] or n in arguments[1:]]
        print(f"1..{len(names)}")
        for number, name in enumerate(names, 1):
            try:
                found = compare(program, captures / f"{name}.pcap", expected / name, comparison)
                tell(number, name, found, listed, show_missing)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"not ok {number} - {name}\n# {error}")
    comparison.print_table()
    return 0


if __name__ == "__main__":
    sys.exit(main())
