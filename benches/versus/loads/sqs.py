"""The load client of `sqsload`: the AWS SDK for Go."""

import json
import pathlib
import subprocess

from loads.measurement import Measurement, output_of
from peers.process import CACHE

SOURCE = pathlib.Path(__file__).with_name("sqsload")
PROGRAM = CACHE / "sqsload"
MESSAGES = 15_000


class Sqs:
    """Workers that send everything, or receive and delete everything."""

    def __init__(self, title, verb, *arguments):
        self.title = title
        self._arguments = [*arguments, verb]

    def run(self, environment, scale):
        subprocess.run(["go", "build", "-o", PROGRAM, "."], cwd=SOURCE, check=True)
        command = [PROGRAM, "-endpoint", environment["SQS_URL"], "-n", int(MESSAGES * scale), *self._arguments]
        return Measurement(**json.loads(output_of(command)))

    def command(self):
        return ["sqsload", "-endpoint", "URL", "-n", str(MESSAGES), *self._arguments]


# Each receive consumes what the send before it has left.
LOADS = [
    Sqs("send 256 B, 16 connections", "send", "-queue", "single", "-connections", "16"),
    Sqs("receive and delete, 16 connections", "receive", "-queue", "single", "-connections", "16"),
    Sqs("send in tens, 16 connections", "send", "-queue", "tens", "-connections", "16", "-batch", "10"),
    Sqs("receive and delete in tens, 16 connections", "receive", "-queue", "tens", "-connections", "16",
        "-batch", "10"),
]
