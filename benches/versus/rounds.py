"""Runs the loads against two servers in turn and keeps the results of each round."""

import dataclasses
import os
import pathlib
import shutil
import tempfile
import time

import meter

REST_SECONDS = 2


@dataclasses.dataclass
class Run:
    """One server in one round: its start-up, and each load's results by title."""

    ready_seconds: float
    idle_mib: float
    loaded_mib: float = 0.0
    cases: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Case:
    """One load in one round."""

    per_second: float
    p50_ms: float | None
    p99_ms: float | None
    cpu_seconds_per_million: float


def alternate(servers, loads, rounds, scale, tell):
    """Runs every load against every server, `rounds` times, reversing the order of the servers each time."""
    found = {name: [] for name in servers}
    for number in range(rounds):
        names = list(servers) if number % 2 == 0 else list(reversed(servers))
        for name in names:
            tell(f"round {number + 1} of {rounds}: {name}")
            found[name].append(_run(servers[name], loads, scale, tell))
    return found


def _run(make, loads, scale, tell):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="versus-"))
    server = make(directory)
    try:
        server.start()
        time.sleep(REST_SECONDS)
        run = Run(server.ready_seconds, meter.resident_mib(server.pids()))
        for load in loads:
            run.cases[load.title] = _measure(server, load, scale)
            run.loaded_mib = max(run.loaded_mib, meter.resident_mib(server.pids()))
            tell(f"  {load.title}: {run.cases[load.title].per_second:,.0f}/s")
        return run
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
        # The next server must not wait for this one's pending writes.
        os.sync()


def _measure(server, load, scale):
    before = meter.cpu_seconds(server.pids())
    measured = load.run(server.environment(), scale)
    used = meter.cpu_seconds(server.pids()) - before
    per_million = used / measured.messages * 1e6 if measured.messages else 0.0
    return Case(measured.per_second, measured.p50_ms, measured.p99_ms, per_million)
