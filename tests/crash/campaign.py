"""The kills and the loads: `campaign.py PROGRAM KILLS [--seed N] [--only LOAD,...]`. `run` starts it."""

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import random
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import amqp_blocked  # noqa: E402
import amqp_confirms  # noqa: E402
import amqp_dead_letters  # noqa: E402
import ballast  # noqa: E402
import amqp_fan_out  # noqa: E402
import kafka_idempotent  # noqa: E402
import sqs_fifo  # noqa: E402
import sqs_standard  # noqa: E402
from harness.stele import Stele, free_ports  # noqa: E402

LOADS = (kafka_idempotent, amqp_confirms, amqp_fan_out, amqp_dead_letters, sqs_fifo, sqs_standard)
# These get a separate server, whose disk is full from time to time.
SCARCE_LOADS = (amqp_blocked,)
SCARCE_KILLS_SHARE = 3
PROGRESS_SECONDS = 180
FINISH_SECONDS = 300
LONGEST_AFTER_PROGRESS_SECONDS = 0.8


class Running:
    """One load in a separate process, with a count of its acknowledgements."""

    def __init__(self, load, environment, context, pool):
        self.load = load
        self.acknowledged = context.Value("q", 0)
        self._stopping = context.Event()
        receiving, sending = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_drive, args=(load.__name__, environment, self.acknowledged, self._stopping, sending)
        )
        self._process.start()
        sending.close()
        self._outcome = pool.submit(self._record, receiving)

    def _record(self, receiving):
        try:
            return receiving.recv()
        except EOFError:
            raise RuntimeError(f"the load {self.load.__name__} ended without a record") from None

    def check(self):
        """Fails if the load has ended by itself."""
        if self._outcome.done():
            self._outcome.result()
            raise RuntimeError(f"the load {self.load.__name__} ended too early")

    def finish(self):
        """Ends the load, and returns its record."""
        self._stopping.set()
        record = self._outcome.result(FINISH_SECONDS)
        self._process.join()
        return record

    def abandon(self):
        """Kills the load."""
        self._process.kill()
        self._process.join()


def _drive(name, environment, acknowledged, stopping, sending):
    load = next(each for each in LOADS + SCARCE_LOADS if each.__name__ == name)
    sending.send(load.drive(environment, acknowledged, stopping))


def wait_for_progress(running):
    """Waits until each load has received another acknowledgement."""
    before = [each.acknowledged.value for each in running]
    deadline = time.monotonic() + PROGRESS_SECONDS
    while any(each.acknowledged.value == count for each, count in zip(running, before)):
        for each in running:
            each.check()
        if time.monotonic() > deadline:
            stuck = [each.load.__name__ for each, count in zip(running, before) if each.acknowledged.value == count]
            raise RuntimeError(f"no acknowledgement within {PROGRESS_SECONDS} s after a start: {', '.join(stuck)}")
        time.sleep(0.01)


def verified(records, environment):
    """Checks each load's record against what the server has; returns how many checks failed."""
    failed = 0
    for load, record in records.items():
        findings, told = load.verify(environment, record)
        print(f"{'FAIL' if findings else 'ok  '} crash.{load.__name__}: {told}", flush=True)
        for finding in findings[:10]:
            print(f"  {finding}", flush=True)
        failed += bool(findings)
    return failed


def campaign(server, environment, loads, kills, moments):
    """Runs the loads through the kills; returns how many loads' checks failed, and the slowest start."""
    context, slowest = multiprocessing.get_context("spawn"), 0.0
    for load in loads:
        load.prepare(environment)
    with concurrent.futures.ThreadPoolExecutor(len(loads)) as pool:
        running = [Running(load, environment, context, pool) for load in loads]
        try:
            for _ in range(kills):
                wait_for_progress(running)
                time.sleep(moments.uniform(0, LONGEST_AFTER_PROGRESS_SECONDS))
                server.kill()
                server.start()
                slowest = max(slowest, server.ready_seconds)
            wait_for_progress(running)
            records = {each.load: each.finish() for each in running}
        finally:
            for each in running:
                each.abandon()
    return verified(records, environment), slowest


def on_a_server(program, loads, kills, moments, is_scarce=False):
    """The same on a separate server."""
    with tempfile.TemporaryDirectory(prefix="crash-") as directory:
        settings, beside = ballast.beside(directory) if is_scarce else ({}, {})
        kafka, amqp, sqs = free_ports(3)
        server = Stele(program, directory, settings, kafka=kafka, amqp=amqp, sqs=sqs).start()
        try:
            outcome = campaign(server, server.environment() | beside, loads, kills, moments)
        except BaseException:
            print(server.tail(), file=sys.stderr)
            server.kill()
            raise
        server.stop()
    return outcome


def main():
    names = [load.__name__ for load in LOADS + SCARCE_LOADS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", default=",".join(names))
    given = parser.parse_args()
    print(f"{given.kills} kills, seed {given.seed}", flush=True)
    moments, ran, failed, slowest = random.Random(given.seed), 0, 0, 0.0
    for group, kills in ((LOADS, given.kills), (SCARCE_LOADS, max(1, given.kills // SCARCE_KILLS_SHARE))):
        loads = [load for load in group if load.__name__ in given.only.split(",")]
        if loads:
            outcome = on_a_server(given.program, loads, kills, moments, is_scarce=group is SCARCE_LOADS)
            ran, failed, slowest = ran + len(loads), failed + outcome[0], max(slowest, outcome[1])
    print(f"ready again after {slowest:.2f} s at most")
    print(f"{ran - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
