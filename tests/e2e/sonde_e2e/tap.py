# SPDX-License-Identifier: Apache-2.0
"""Cases are functions whose names are sentences; each gets the world that the test set up."""
import random
import signal
import sys
import traceback

from .wait import PATIENCE

CASE_SECONDS = 120


class Skip(Exception):
    """Raised by a case with the reason why this machine cannot run it."""


class TooLate(BaseException):
    """A case used up its time; not an Exception, so that no condition's retry swallows it."""


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def skip_all(cases, reason):
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        print(f"ok {number} - {_name(case)} # SKIP {reason}")


def run(cases, set_up, seconds=CASE_SECONDS):
    """Runs the cases in order on what `set_up` (a context manager) gives; the exit code."""
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    signal.signal(signal.SIGALRM, _too_late)
    # Told to end, everything that was started is still ended in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with set_up as world:
            for number, case in enumerate(cases, 1):
                failed += not _run_case(number, case, world, seconds)
    except (Exception, TooLate):  # pylint: disable=broad-except
        note(traceback.format_exc())
        print("Bail out! the set-up or its end failed")
        return 1
    return 1 if failed else 0


def main(doc, cases, set_up, seconds=CASE_SECONDS, numbers=(), before=None):
    """A script that draws at random: `PROGRAM_DIR [SEED [NUMBER...]]`, told so that it can be run again; the exit code.

    `set_up(programs, seed, *numbers)` makes the world; `numbers` are those that are not said, and `seconds` may be a
    function of them. `before` is called when the words are good and nothing has begun; it may raise Skip.
    """
    words = sys.argv[1:]
    if not 1 <= len(words) <= 2 + len(numbers):
        print(doc, file=sys.stderr)
        return 2
    try:
        if before is not None:
            before()
    except Skip as reason:
        skip_all(cases, reason)
        return 0
    seed = int(words[1]) if len(words) > 1 else random.randrange(1 << 32)
    given = [int(word) for word in words[2:]]
    given += numbers[len(given):]
    note(f"seed {seed}")
    return run(cases, set_up(words[0], seed, *given), seconds(*given) if callable(seconds) else seconds)


def _run_case(number, case, world, seconds):
    result, told = f"ok {number} - {_name(case)}", None
    signal.alarm(PATIENCE * seconds)
    try:
        case(world)
    except Skip as reason:
        result += f" # SKIP {reason}"
    except (Exception, TooLate):  # pylint: disable=broad-except
        result, told = "not " + result, traceback.format_exc()
    finally:
        signal.alarm(0)
    if told is not None:
        note(told)
        if hasattr(world, "describe"):
            note(world.describe())
    print(result, flush=True)
    return told is None


def _too_late(_signal, _frame):
    raise TooLate("the case took too long")


def _name(case):
    return case.__name__.replace("_", " ")
