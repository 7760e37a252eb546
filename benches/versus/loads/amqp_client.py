"""The load client of `amqpload`: RabbitMQ's client for Go."""

import itertools
import json
import pathlib
import subprocess

from loads.measurement import Measurement, output_of
from peers.process import CACHE

SOURCE = pathlib.Path(__file__).with_name("amqpload")
PROGRAM = CACHE / "amqpload"
QUEUES = itertools.count(1)


class Native:
    """A run of the client: messages pass through queues, or die until all are in the dead-letter queue."""

    def __init__(self, title, messages, *arguments):
        self.title = title
        self._messages = messages
        self._arguments = arguments

    def run(self, environment, scale):
        subprocess.run(["go", "build", "-o", PROGRAM, "."], cwd=SOURCE, check=True)
        uri = f"amqp://guest:guest@{environment['AMQP_ADDRESS']}"
        queue = f"load-{next(QUEUES)}"
        command = [PROGRAM, "-uri", uri, "-n", int(self._messages * scale), "-queue", queue, *self._arguments]
        return Measurement(**json.loads(output_of(command)))

    def command(self):
        return ["amqpload", "-uri", "amqp://guest:guest@HOST:PORT", "-n", str(self._messages), *self._arguments]


LOADS = [
    Native("Go client: persistent, 1 to 1, 500 confirms open", 1_000_000, "through"),
    Native("Go client: persistent, 10 to 10 over 10 queues, 100 confirms open each", 1_000_000,
           "-pairs", "10", "-window", "100", "through"),
    Native("Go client: transient, 1 to 1, automatic acknowledgement", 1_000_000, "-transient", "through"),
    Native("dead letters: rejected by a consumer", 100_000, "reject"),
    Native("dead letters: expired together", 100_000, "expire"),
]
