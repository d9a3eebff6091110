# SPDX-License-Identifier: Apache-2.0
"""What the scripts that hold the tree against its own rules share: their report, as TAP."""


def report(checks):
    """`checks`: pairs of a sentence and the errors against it.  Returns the exit code."""
    print(f"1..{len(checks)}")
    for number, (name, errors) in enumerate(checks, 1):
        print(f"{'not ok' if errors else 'ok'} {number} - {name}")
        for error in errors:
            print(f"# {error}")
    return 1 if any(errors for _, errors in checks) else 0
