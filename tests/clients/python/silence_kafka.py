"""A producer that sends again after Stele has forgotten it, a day after its last record."""

import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from checks import check, equal

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))

from harness import toolchains  # noqa: E402
from harness.stele import Stele, binary, free_ports  # noqa: E402

HOURS = 30
END_SECONDS = 60


def numbered(prefix):
    return [f"{prefix} {number}" for number in range(5)]


@contextlib.contextmanager
def lasting_producer(server, topic):
    """The Java producer in a separate process, which reads values and prints offsets."""
    command = [*toolchains.JAVA, "stele.clients.kafka.LastingProducer", topic]
    environment = {**os.environ, **server.environment()}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def send_all(producer, values):
    """Returns the answer for each value: its offset, or nothing if the producer has ended."""
    answers = []
    for value in values:
        print(value, file=producer.stdin)
        answers.append(producer.stdout.readline().strip())
    return answers


def hours_ahead(server):
    """How many hours the last line of its log is ahead of this process's clock."""
    told = datetime.datetime.fromisoformat(json.loads(server.tail(1))["timestamp"])
    return (told - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 3600


@check
def a_producer_goes_on_after_thirty_hours_of_silence():
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="silence-") as directory:
        before = Stele(binary(), directory, kafka=port)
        after = Stele(binary(), directory, settings=toolchains.later(HOURS), kafka=port)
        with contextlib.ExitStack() as stack:
            with before.running():
                producer = stack.enter_context(lasting_producer(before, "silence"))
                equal(send_all(producer, numbered("before")), ["0", "1", "2", "3", "4"])
            with after.running():
                assert hours_ahead(after) > HOURS - 1, after.tail(1)
                equal(send_all(producer, numbered("after")), ["5", "6", "7", "8", "9"])
                found, _ = producer.communicate(timeout=END_SECONDS)
                equal(found.splitlines(), numbered("before") + numbered("after"))
