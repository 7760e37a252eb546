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
    """Producers and consumers of persistent messages in durable queues, or of transient ones in others.

    The rate is that of receiving, or of sending without consumers; `latency` selects the kind to keep.
    """

    def __init__(self, title, latency, *arguments, persistent=True):
        self.title = title
        self._latency = latency
        self._arguments = arguments
        self._persistent = persistent

    def run(self, environment, scale):
        seconds = max(3, int(SECONDS * scale))
        text = output_of(self._client(environment["AMQP_ADDRESS"], seconds))
        rate = next((each for each in reversed([float(each) for each in RATE.findall(text)]) if each), 0.0)
        p50, p99 = self._latencies(text) if self._latency else (None, None)
        return Measurement(int(rate * seconds), rate, p50, p99)

    def on(self, queue):
        """The same load on another queue."""
        return PerfTest(self.title, self._latency, *self._arguments, "--queue", queue, persistent=self._persistent)

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
        kept = ["--flag", "persistent"] if self._persistent else []
        return [
            "java", "-Xms512m", "-Xmx512m", "-cp", f"{libraries}/*", "com.rabbitmq.perf.PerfTest",
            "--uri", f"amqp://guest:guest@{address}", "--time", str(seconds), "--size", "1024",
            *kept, "--auto-delete", "false", *self._arguments,
        ]


def many(name, count):
    """The arguments for queues of that name with numbers from 1."""
    return ["--queue-pattern", f"{name}-%d", "--queue-pattern-from", "1", "--queue-pattern-to", str(count)]


# At full speed with one pair and with four, over ten queues, and with one confirm at a time; at about half of what
# RabbitMQ can do; in memory alone; each message to a hundred queues; with priorities, to be compared with the first.
LOADS = [
    PerfTest("persistent, 1 to 1, 500 confirms open", "confirm",
             "--queue", "one", "--confirm", "500", "--qos", "500", "--multi-ack-every", "50"),
    PerfTest("persistent, 4 to 4, 100 confirms open each", "confirm",
             "--queue", "four", "--producers", "4", "--consumers", "4", "--confirm", "100", "--qos", "100"),
    PerfTest("persistent, 10 to 10 over 10 queues, 100 confirms open each", "confirm",
             *many("ten", 10), "--producers", "10", "--consumers", "10", "--confirm", "100", "--qos", "100"),
    PerfTest("persistent, 1 to 1, each waits for its confirm", "confirm",
             "--queue", "each", "--confirm", "1", "--qos", "100"),
    PerfTest("persistent, 1 to 1 at 5000/s", "consumer",
             "--queue", "half", "--rate", "5000", "--confirm", "500", "--qos", "500", "--multi-ack-every", "50"),
    PerfTest("transient, 1 to 1, automatic acknowledgement", None,
             "--queue", "transient", "--autoack", persistent=False),
    PerfTest("fan-out to 100 queues, automatic acknowledgement", None,
             "--exchange", "fan", "--type", "fanout", *many("fan", 100), "--producers", "1", "--consumers", "100",
             "--confirm", "100", "--autoack"),
    PerfTest("persistent, 10 priorities, 1 to 1, 500 confirms open", "confirm",
             "--queue", "priorities", "--queue-args", "x-max-priority=10", "--message-properties", "priority=5",
             "--confirm", "500", "--qos", "500", "--multi-ack-every", "50"),
]
