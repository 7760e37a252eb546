"""RabbitMQ PerfTest."""

import re

from loads.measurement import Measurement, output_of
from peers.process import maven_libraries

VERSION = "2.22.1"
# Long enough that JIT compilation in the first seconds, on the server's cores, hardly matters.
SECONDS = 30
RATE = re.compile(r"(?:sending|receiving) rate avg: ([\d.]+) msg/s")
LATENCY = r"{} latency .*?([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+) (\S+)"
UNITS_MS = {"ms": 1.0, "µs": 0.001, "us": 0.001}


class PerfTest:
    """Producers that wait for confirms and consumers that acknowledge, on one durable queue.

    The rate is that of receiving, or of sending without consumers; `latency` selects the kind to keep.
    """

    def __init__(self, title, latency, *arguments):
        self.title = title
        self._latency = latency
        self._arguments = arguments

    def run(self, environment, scale):
        seconds = max(3, int(SECONDS * scale))
        text = output_of(self._client(environment["AMQP_ADDRESS"], seconds))
        rate = next((each for each in reversed([float(each) for each in RATE.findall(text)]) if each), 0.0)
        p50, p99 = self._latencies(text) if self._latency else (None, None)
        return Measurement(int(rate * seconds), rate, p50, p99)

    def on(self, queue):
        """The same load on another queue."""
        return PerfTest(self.title, self._latency, *self._arguments, "--queue", queue)

    def command(self):
        return self._client("HOST:PORT", SECONDS)

    def _latencies(self, text):
        """The last summary line of that kind: min/median/75th/95th/99th."""
        found = re.findall(LATENCY.format(self._latency), text)
        if not found:
            raise RuntimeError(f"PerfTest told no latency:\n{text[-2000:]}")
        _, median, _, _, p99, unit = found[-1]
        return float(median) * UNITS_MS[unit], float(p99) * UNITS_MS[unit]

    def _client(self, address, seconds):
        libraries = maven_libraries("perftest", f"com.rabbitmq:perf-test:{VERSION}")
        return [
            "java", "-Xms512m", "-Xmx512m", "-cp", f"{libraries}/*", "com.rabbitmq.perf.PerfTest",
            "--uri", f"amqp://guest:guest@{address}", "--time", str(seconds), "--size", "1024",
            "--flag", "persistent", "--auto-delete", "false", *self._arguments,
        ]


# At full speed with one pair and with four, and with one confirm at a time.
LOADS = [
    PerfTest("persistent, 1 to 1, 500 confirms open", "confirm",
             "--queue", "one", "--confirm", "500", "--qos", "500", "--multi-ack-every", "50"),
    PerfTest("persistent, 4 to 4, 100 confirms open each", "confirm",
             "--queue", "four", "--producers", "4", "--consumers", "4", "--confirm", "100", "--qos", "100"),
    PerfTest("persistent, 1 to 1, each waits for its confirm", "confirm",
             "--queue", "each", "--confirm", "1", "--qos", "100"),
]
