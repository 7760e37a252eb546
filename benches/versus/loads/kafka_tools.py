"""Apache Kafka's own ProducerPerformance and ConsumerPerformance."""

import re

from loads.measurement import Measurement, output_of
from peers.kafka import libraries

TOOLS = "org.apache.kafka.tools"
RECORD_BYTES = 1024
RECORDS = 600_000
PACED_PER_SECOND = 10_000
PACED_SECONDS = 6

SUMMARY = re.compile(r"(\d+) records sent, ([\d.]+) records/sec .* ([\d.]+) ms 50th.* ([\d.]+) ms 99th, ")


def _java(tool, *arguments):
    heap = ["-Xms512m", "-Xmx512m"]
    return ["java", *heap, "-cp", f"{libraries()}/*", f"{TOOLS}.{tool}", *(str(argument) for argument in arguments)]


def _producer(address, topic, records, per_second):
    return _java(
        "ProducerPerformance", "--topic", topic, "--num-records", records, "--record-size", RECORD_BYTES,
        "--throughput", per_second, "--producer-props", f"bootstrap.servers={address}", "acks=all",
    )


def _produced(environment, topic, records, per_second):
    found = SUMMARY.search(output_of(_producer(environment["KAFKA_ADDRESS"], topic, records, per_second)))
    count, rate, p50, p99 = found.groups()
    return Measurement(int(count), float(rate), float(p50), float(p99))


class Produce:
    """One producer at full speed, acknowledged by all replicas; otherwise with the client's defaults."""

    title = "produce 1 KiB, one producer"
    topic = "versus"

    def run(self, environment, scale):
        return _produced(environment, self.topic, int(RECORDS * scale), -1)

    def command(self):
        return _producer("HOST:PORT", self.topic, RECORDS, -1)


class ProducePaced:
    """One producer at a rate that both servers sustain, so that the latency is the server's and not a queue's."""

    title = f"produce 1 KiB at {PACED_PER_SECOND}/s"
    topic = "paced"

    def run(self, environment, scale):
        records = int(PACED_PER_SECOND * PACED_SECONDS * scale)
        return _produced(environment, self.topic, records, PACED_PER_SECOND)

    def command(self):
        return _producer("HOST:PORT", self.topic, PACED_PER_SECOND * PACED_SECONDS, PACED_PER_SECOND)


class Consume:
    """One consumer of what Produce has written."""

    title = "consume 1 KiB, one consumer"

    def run(self, environment, scale):
        records = int(RECORDS * scale)
        text = output_of(self._consumer(environment["KAFKA_ADDRESS"], records))
        fields = [field.strip() for field in text.strip().splitlines()[-1].split(",")]
        # start, end, MB, MB/s, messages, messages/s, rebalance ms, fetch ms, fetch MB/s, fetch messages/s
        return Measurement(int(float(fields[4])), float(fields[9]))

    def command(self):
        return self._consumer("HOST:PORT", RECORDS)

    def _consumer(self, address, records):
        return _java(
            "ConsumerPerformance", "--bootstrap-server", address, "--topic", Produce.topic, "--messages", records,
            "--timeout", 60_000,
        )


LOADS = [Produce(), Consume(), ProducePaced()]
