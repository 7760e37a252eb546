"""The load client of `deadload`: RabbitMQ's client for Go."""

import itertools
import json
import pathlib
import subprocess

from loads.measurement import Measurement, output_of
from peers.process import CACHE

SOURCE = pathlib.Path(__file__).with_name("deadload")
PROGRAM = CACHE / "deadload"
MESSAGES = 100_000
QUEUES = itertools.count(1)


class Dead:
    """All messages of a queue die; measured until they are all in the dead-letter queue."""

    def __init__(self, title, verb):
        self.title = title
        self._verb = verb

    def run(self, environment, scale):
        subprocess.run(["go", "build", "-o", PROGRAM, "."], cwd=SOURCE, check=True)
        uri = f"amqp://guest:guest@{environment['AMQP_ADDRESS']}"
        queue = f"dying-{next(QUEUES)}"
        command = [PROGRAM, "-uri", uri, "-n", int(MESSAGES * scale), "-queue", queue, self._verb]
        return Measurement(**json.loads(output_of(command)))

    def command(self):
        return ["deadload", "-uri", "amqp://guest:guest@HOST:PORT", "-n", str(MESSAGES), self._verb]


LOADS = [
    Dead("dead letters: rejected by a consumer", "reject"),
    Dead("dead letters: expired together", "expire"),
]
