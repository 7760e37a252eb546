"""librdkafka, used through confluent-kafka."""

import json
import pathlib

from harness import toolchains
from loads.measurement import Measurement, output_of

CLIENT = pathlib.Path(__file__).with_name("librdkafka_client.py")
RECORDS = 400_000


class _Load:
    def run(self, environment, scale):
        toolchains.python()
        records = int(RECORDS * scale)
        return Measurement(**json.loads(output_of(self._client(environment["KAFKA_ADDRESS"], records))))

    def command(self):
        return ["python", "benches/versus/loads/librdkafka_client.py", self.verb, "HOST:PORT", str(RECORDS)]

    def _client(self, address, records):
        return [toolchains.PYTHON, CLIENT, self.verb, address, records]


class Produce(_Load):
    """One producer with acks=all, otherwise with librdkafka's defaults."""

    title = "produce 1 KiB, librdkafka"
    verb = "produce"


class Consume(_Load):
    """One consumer of what Produce has written."""

    title = "consume 1 KiB, librdkafka"
    verb = "consume"


LOADS = [Produce(), Consume()]
