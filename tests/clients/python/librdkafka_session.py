"""Clients of librdkafka for the Kafka checks."""

import contextlib

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from checks import address, eventually, unique

HOST, PORT = address("KAFKA_ADDRESS", "127.0.0.1:9092")
ADDRESS = f"{HOST}:{PORT}"

admin = AdminClient({"bootstrap.servers": ADDRESS})


@contextlib.contextmanager
def topic(partitions=1, **config):
    """A fresh topic, deleted at the end."""
    name = unique("topic")
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(15)

    def known():
        return len(admin.list_topics(name, timeout=10).topics[name].partitions) == partitions

    eventually(known)
    try:
        yield name
    finally:
        admin.delete_topics([name])[name].result(15)


def producer(**config):
    return Producer({"bootstrap.servers": ADDRESS, "linger.ms": 2, **_dotted(config)})


@contextlib.contextmanager
def consumer(group=None, **config):
    """A consumer that starts at the beginning, by default in a group of its own."""
    settings = {
        "bootstrap.servers": ADDRESS,
        "group.id": group or unique("group"),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 300,
    }
    opened = Consumer({**settings, **_dotted(config)})
    try:
        yield opened
    finally:
        opened.close()


def _dotted(config):
    return {name.replace("_", "."): value for name, value in config.items()}


def produce(name, values, partition=None, key=None, **config):
    """Produces the values and returns the acknowledged messages, in the order of acknowledgement."""
    acknowledged, errors = [], []

    def delivered(error, message):
        errors.append(error) if error else acknowledged.append(message)

    opened = producer(**config)
    for value in values:
        place = {} if partition is None else {"partition": partition}
        opened.produce(name, value, key, on_delivery=delivered, **place)
        opened.poll(0)
    left = opened.flush(60)
    assert not left and not errors, f"{left} unsent, errors {errors[:3]}"
    return acknowledged


def poll(opened, count, seconds=60):
    """Polls until that many messages have arrived."""
    found = []

    def complete():
        for message in opened.consume(500, 0.1):
            assert not message.error(), message.error()
            found.append(message)
        return len(found) >= count

    eventually(complete, seconds)
    return found


def values_of(name, count, partition=0):
    """The values of a partition from its beginning, read without a group."""
    with consumer() as opened:
        opened.assign([TopicPartition(name, partition, 0)])
        return [message.value() for message in poll(opened, count)]
