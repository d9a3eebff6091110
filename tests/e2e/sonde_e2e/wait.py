# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, never for a time alone."""
import time

# The seconds a caller names are those of a quiet machine, here and in the time limits of the other modules.
PATIENCE = 4


def until(what, seconds, check, pause=0.05):
    """The first true value of check(), asked again and again; an error of it counts as not yet."""
    end = time.monotonic() + PATIENCE * seconds
    while True:
        error = None
        try:
            value = check()
            if value:
                return value
        except (OSError, ValueError, KeyError, LookupError) as problem:
            value, error = None, problem
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE * seconds} s: {what} (last: {error or repr(value)})")
        time.sleep(pause)


def holds(what, seconds, check, pause=0.2):
    """check() stays true for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not check():
            raise AssertionError(f"did not hold for {seconds} s: {what}")
        time.sleep(pause)
