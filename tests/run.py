#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the test tiers through meson and sum them up.

usage: tests/run.py BUILD_DIR [TIER...]

Prints one line per tier, everything a failed test printed, each skip with its reason, and as the
last line the sum: "N passed, N failed, N skipped".  Exit code 1 if anything failed or nothing ran.
"""
import json
import pathlib
import re
import subprocess
import sys
import time

# Time limits are those of a quiet machine; a busy one gets so much more.
PATIENCE = "4"
TIERS = ["house", "unit", "compat", "fuzz", "web", "e2e", "browser"]
TAP = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*(SKIP|TODO)\b\s*(.*))?$", re.IGNORECASE)


class Sum:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count(test, total):
    """Add one meson test: each TAP line is a case; a test without TAP is one case itself."""
    text = test.get("stdout", "")
    cases = [m for m in map(TAP.match, text.splitlines()) if m]
    failed_before = total.failed
    # cmocka writes "# skipped: REASON" (or the test itself does), then "not ok N # SKIP NAME".
    reasons = re.findall(r"^#?\s*skip(?:ped)?:\s*(.*)$", text, re.MULTILINE | re.IGNORECASE)
    for case in cases:
        if case[3] and case[3].upper() == "SKIP":
            total.skipped += 1
            name, reason = (case[4], reasons.pop(0) if reasons else "no reason given") if case[1] else (case[2], case[4])
            total.notes.append(f"  skip {test['name']}: {name}: {reason}")
        elif case[1]:
            total.failed += 1
        else:
            total.passed += 1
    if not cases:
        outcome = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}.get(test["result"], "failed")
        setattr(total, outcome, getattr(total, outcome) + 1)
        if outcome == "skipped":
            total.notes.append(f"  skip {test['name']}: {text.strip() or 'no reason given'}")
    elif total.failed == failed_before and (test.get("returncode", 0) != 0 or test["result"] == "TIMEOUT"):
        total.failed += 1  # crashed or hung after its last line
    if total.failed > failed_before:
        total.notes.append(f"--- {test['name']}: {test['result']} after {test['duration']:.1f} s")
        for stream in ("stdout", "stderr"):
            shown = test.get(stream, "").strip()
            if shown:
                total.notes.append("\n".join(shown.splitlines()[-60:]))


def run_tier(build, tier):
    log = pathlib.Path(build, "meson-logs", "testlog.json")
    log.unlink(missing_ok=True)
    done = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--timeout-multiplier", PATIENCE, "--suite", tier],
                          capture_output=True, text=True, check=False)
    total = Sum()
    if "No tests defined" in done.stdout or "No suitable tests defined" in done.stdout + done.stderr:
        return None
    if not log.is_file():
        total.failed += 1
        total.notes.append(done.stdout + done.stderr)
        return total
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        count(json.loads(line), total)
    return total


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    build, tiers = sys.argv[1], sys.argv[2:] or TIERS
    whole = Sum()
    for tier in tiers:
        start = time.monotonic()
        total = run_tier(build, tier)
        if total is None:
            print(f"{tier}: not built here", flush=True)
            continue
        print(f"{tier}: {total} ({time.monotonic() - start:.0f} s)", flush=True)
        for note in total.notes:
            print(note, flush=True)
        whole.add(total)
    print(whole)
    return 1 if whole.failed or not whole.passed else 0


if __name__ == "__main__":
    sys.exit(main())
