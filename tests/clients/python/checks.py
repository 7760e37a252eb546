"""The runner of the Python suites: a check is a function whose name is its claim.

A module registers its checks with `@check`; `suite.py` imports the modules of a
suite and calls `run`, which prints one line per check and the totals as the last line.
"""

import os
import sys
import time
import traceback
import uuid

# The program under test; empty if a peer is tested instead.
STELE = os.environ.get("STELE", "")
_checks = []


def check(function):
    """Registers a check. It passes if it returns, and fails if it raises."""
    _checks.append(function)
    return function


def check_of_stele(function):
    """Registers a check that no peer can pass: one that ends its server, or uses several protocols."""
    return check(function) if STELE else function


def address(variable, default):
    """The endpoint from the environment, as (host, port)."""
    host, port = os.environ.get(variable, default).rsplit(":", 1)
    return host, int(port)


def unique(prefix):
    """A name not used by any other check or earlier run."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def equal(found, expected):
    """Compares, and shows both values if they differ."""
    if found != expected:
        raise AssertionError(f"expected {expected!r}, found {found!r}")


def eventually(condition, seconds=60.0):
    """Polls until the condition returns something truthy, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        outcome = condition()
        if outcome:
            return outcome
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds} s: {condition.__name__}, last {outcome!r}")
        time.sleep(0.02)


def raised(kind, action):
    """Runs the action, which must raise `kind`, and returns what it raised."""
    try:
        outcome = action()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, but it returned {outcome!r}")


def run(wanted=""):
    """Runs the registered checks whose name contains `wanted`; the exit code tells whether all passed."""
    passed = failed = 0
    for function in _checks:
        claim = f"{function.__module__}.{function.__name__}"
        if wanted not in claim:
            continue
        started = time.monotonic()
        try:
            function()
        except Exception as error:
            failed += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.filename.endswith(f"{function.__module__}.py"):
                    place = frame
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"FAIL {claim}: line {place.lineno}: {reason[:400]}", flush=True)
        else:
            passed += 1
            print(f"ok   {claim} ({(time.monotonic() - started) * 1000:.0f} ms)", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit("run suite.py instead")
