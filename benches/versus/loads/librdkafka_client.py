"""A load client on librdkafka: `librdkafka_client.py produce|consume HOST:PORT RECORDS`.

Prints one line of JSON. The only work between two messages is a call into C; the latencies are
those that librdkafka reports with each acknowledgement.
"""

import itertools
import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

TOPIC = "versus-librdkafka"
RECORD_BYTES = 1024
# Lets librdkafka choose the partition of a record.
ANY_PARTITION = -1


def produce(address, records):
    latencies = []
    producer = new_producer(address)
    record = (b"x" * RECORD_BYTES, ANY_PARTITION)

    def heard(error, message):
        expect_acknowledged(error, message)
        latencies.append(message.latency())

    send(producer, TOPIC, [record])
    began = time.monotonic()
    send(producer, TOPIC, itertools.repeat(record, records), heard)
    seconds = time.monotonic() - began
    latencies.sort()
    report(records, seconds, latencies[len(latencies) // 2] * 1000, latencies[len(latencies) * 99 // 100] * 1000)


def consume(address, records):
    consumer = Consumer({
        "bootstrap.servers": address, "group.id": f"versus-{time.time_ns()}", "enable.auto.commit": False,
    })
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found, began = len(consumer.consume(1, 30)), time.monotonic()
    while found < records:
        found += len(consumer.consume(1000, 5))
        if time.monotonic() - began > 300:
            sys.exit(f"only {found} of {records} came")
    report(found, time.monotonic() - began)
    consumer.close()


def new_producer(address):
    return Producer({"bootstrap.servers": address, "acks": "all", "queue.buffering.max.messages": 200_000})


def expect_acknowledged(error, _message):
    if error:
        sys.exit(f"not acknowledged: {error}")


def send(producer, topic, records, heard=expect_acknowledged):
    """Sends values, each with its partition, as librdkafka's queue has room; waits until all are acknowledged."""
    for value, partition in records:
        while True:
            try:
                producer.produce(topic, value, partition=partition, on_delivery=heard)
                break
            except BufferError:
                producer.poll(0.01)
        producer.poll(0)
    if left := producer.flush(300):
        sys.exit(f"{left} records were not acknowledged")


def report(messages, seconds, p50_ms=None, p99_ms=None):
    print(json.dumps({"messages": messages, "per_second": messages / seconds, "p50_ms": p50_ms, "p99_ms": p99_ms}))


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
