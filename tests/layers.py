#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a machine can check, as TAP.

Reads the #include lines of src/ and fails on an edge that ARCHITECTURE.md does not draw, on a file
without an SPDX line, on a file that tells where it was developed, and on an output of the meter
that reads more than views.
"""
import pathlib
import re
import subprocess
import sys

from checks import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# layer: layers whose headers it may include, besides its own
ALLOWED = {
    "base": set(),
    "priv": {"base"},
    "net": {"base"},
    "data": {"base"},
    "mplane": {"base", "data", "net"},
    "analysis": {"base", "data"},
    "store": {"base", "data"},
    "exchange": {"base", "net", "data", "store"},
    "probe": {"base", "net", "data"},
    "meter": {"base", "net", "data"},
    "peer": {"base", "net", "data", "mplane"},
    "transfer": {"base", "net", "data", "mplane", "peer"},
    "node": {"base", "net", "data", "mplane", "peer", "store", "transfer", "analysis", "probe", "meter", "priv"},
    "hub": {"base", "net", "data", "mplane", "peer", "store", "exchange", "transfer", "analysis", "probe", "meter"},
    "demo": {"base", "net", "data", "priv"},
    "cli": {"base", "net", "data", "store", "exchange", "mplane", "peer", "transfer", "demo"},
    "main": {"base", "net", "data", "mplane", "peer", "store", "exchange", "transfer", "probe", "meter", "node", "hub", "priv", "demo", "cli"},
}
# The client half of priv is two headers; nobody outside may see the rest of it.
PRIV_PUBLIC = {"priv/client.h", "priv/ops.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def tracked():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    if listed.returncode != 0:  # a tarball
        return [p for p in ROOT.rglob("*") if p.is_file() and "node_modules" not in p.parts]
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def layer_errors():
    for path in sorted(SRC.rglob("*.[ch]")):
        here = path.relative_to(SRC).parts[0]
        for target in INCLUDE.findall(path.read_text(encoding="utf-8")):
            there = target.split("/")[0]
            where = f"{path.relative_to(ROOT)} includes {target}"
            if here not in ALLOWED:
                yield f"{path.relative_to(ROOT)}: '{here}' is no layer of the design"
            elif not (SRC / target).is_file():
                yield f"{where}, which does not exist (write paths from src/)"
            elif there != here and there not in ALLOWED[here]:
                yield f"{where}: {here} may not use {there}"
            elif there == "priv" and here not in ("priv", "main") and target not in PRIV_PUBLIC:
                yield f"{where}: only {' and '.join(sorted(PRIV_PUBLIC))} are for others"


# What a flow or message really says is for those who meter it, and for view/, which decides what may be told.
RAW = re.compile(r"\bsn_flow_address\(|\bsn_flow_side_text\(|\bkey\.(?:low|high)\b|\bevent->(?:name|answer)\b|"
                 r"\bsn_name_text\(.*(?:server_name|certificate_name|http_host|agent|video->id|name->name)")
RAW_READERS = {"view", "flow", "tcp", "app", "decode", "series", "meter.c", "meter.h", "life.c"}


def raw_errors():
    for place in ("meter", "main"):
        for path in sorted((SRC / place).rglob("*.[ch]")):
            if place == "meter" and path.relative_to(SRC / "meter").parts[0] in RAW_READERS:
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if RAW.search(line):
                    yield f"{path.relative_to(ROOT)}:{number}: reads what only view/ may tell: {line.strip()[:60]}"


CODE = {".c", ".h", ".py", ".ts", ".svelte", ".sh", ".build", ".mjs", ".css", ".1", ".8", ".5"}


def spdx_errors(files):
    for path in files:
        if path.suffix in CODE or path.name in ("Makefile", "meson_options.txt") or path.parent.name == "scripts":
            head = path.read_text(encoding="utf-8", errors="replace")[:500]
            if "SPDX-License-Identifier: Apache-2.0" not in head:
                yield f"{path.relative_to(ROOT)}: no SPDX line"


# Spelt in pieces, so that this file does not find itself.
FOREIGN = re.compile(r"/(?:ho" r"me|ro" r"ot)/[a-z]+/|registry\.npm" r"js|deb\.deb" r"ian")


def origin_errors(files):
    for path in files:
        if path.suffix in CODE | {".md", ".json", ".yaml"}:
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                if FOREIGN.search(line):
                    yield f"{path.relative_to(ROOT)}:{number}: names a place outside the project: {line.strip()[:80]}"


def guide_errors():
    """Paths that the documents name, as far as they lie in the tree."""
    for guide in [*ROOT.glob("*.md"), *ROOT.glob("doc/**/*.md")]:
        for named in re.findall(r"`((?:src|tests|web|doc|man|scripts)/[\w./-]+)`", guide.read_text(encoding="utf-8")):
            if not (ROOT / named).exists():
                yield f"{guide.relative_to(ROOT)} names {named}, which does not exist"


def main():
    files = tracked()
    checks = [
        ("every include follows an arrow of the design", list(layer_errors())),
        ("outputs of the meter see views only", list(raw_errors())),
        ("every source file carries the SPDX line", list(spdx_errors(files))),
        ("no file tells where it was developed", list(origin_errors(files))),
        ("the guides name only files that exist", list(guide_errors())),
    ]
    return report(checks)


if __name__ == "__main__":
    sys.exit(main())
