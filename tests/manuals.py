#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages held against the programs, as TAP.

usage: tests/manuals.py PROGRAMS_DIR

Every command of sonde(1), and every configuration key of the daemons, is in its manual page.
"""
import pathlib
import re
import subprocess
import sys

from checks import report

MAN = pathlib.Path(__file__).resolve().parent.parent / "man"


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30).stdout


def page(name):
    """The page's words, macros taken out, so that 'task add ping' is found as written."""
    text = (MAN / name).read_text(encoding="utf-8")
    return re.sub(r"\b(?:Cm|Ar|Oo|Oc|Op|Fl|Ns)\b|\\-|[|]", " ", text)


def missing_commands(programs):
    listed = run(programs / "sonde", "--help").split("Commands:", 1)[-1]
    words = re.sub(r"\s+", " ", page("sonde.1"))
    for line in re.findall(r"^  (\S.*?)(?:  +.*)?$", listed, re.MULTILINE):
        verb = " ".join(w for w in line.split() if re.fullmatch(r"[a-z-]+", w))
        if verb and verb not in words:
            yield f"sonde.1 does not have '{verb}'"


def missing_keys(programs, program, name):
    words = page(name)
    for key in re.findall(r"^#? ?([a-z_]+):", run(programs / program, "--print-config"), re.MULTILINE):
        if not re.search(rf"\b{key}\b", words):
            yield f"{name} does not have the key '{key}'"


def missing_options(programs, program, name):
    words = (MAN / name).read_text(encoding="utf-8")
    for option in re.findall(r"--([a-z][a-z0-9-]*)", run(programs / program, "--help")):
        if not re.search(rf"\b(?:Fl -|--){option}\b", words) and option not in ("help", "version"):
            yield f"{name} does not have '--{option}'"


def main():
    programs = pathlib.Path(sys.argv[1])
    checks = [
        ("every command is in sonde(1)", list(missing_commands(programs))),
        ("every configuration key is in sonde-hub(8)", list(missing_keys(programs, "sonde-hub", "sonde-hub.8"))),
        ("every configuration key is in sonde-node(8)", list(missing_keys(programs, "sonde-node", "sonde-node.8"))),
        ("every option is in sonde-meter(1)", list(missing_options(programs, "sonde-meter", "sonde-meter.1"))),
    ]
    return report(checks)


if __name__ == "__main__":
    sys.exit(main())
