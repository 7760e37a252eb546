"""Producing with kafka-python: idempotence."""

import contextlib

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from checks import address, check, equal, eventually, unique

ADDRESS = "%s:%d" % address("KAFKA_ADDRESS", "127.0.0.1:9092")
SECONDS = 30


def numbered(prefix):
    return [b"%s %d" % (prefix, number) for number in range(5)]


@contextlib.contextmanager
def topic():
    """An administrator and a fresh topic, deleted at the end."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=ADDRESS)) as admin:
        name = unique("topic")
        admin.create_topics([NewTopic(name, 1, 1)])
        try:
            yield admin, name
        finally:
            admin.delete_topics([name])


def send_all(producer, name, values):
    """Sends the values together and waits until all are acknowledged."""
    for sent in [producer.send(name, value) for value in values]:
        sent.get(SECONDS)


def values_of(name):
    """All the values of the topic."""
    found, partition = [], TopicPartition(name, 0)
    with contextlib.closing(KafkaConsumer(bootstrap_servers=ADDRESS)) as reader:
        reader.assign([partition])
        reader.seek_to_beginning()
        end = reader.end_offsets([partition])[partition]

        def complete():
            for records in reader.poll(100).values():
                found.extend(record.value for record in records)
            return len(found) >= end

        eventually(complete, SECONDS)
    return found


@check
def an_idempotent_producer_delivers_each_value_once_in_order():
    with topic() as (_, name):
        with contextlib.closing(KafkaProducer(bootstrap_servers=ADDRESS, enable_idempotence=True)) as producer:
            send_all(producer, name, numbered(b"first") + numbered(b"second"))
        equal(values_of(name), numbered(b"first") + numbered(b"second"))


@check
def an_idempotent_producer_goes_on_in_a_topic_made_anew():
    """The broker no longer knows the producer, which continues with its sequence numbers."""
    with topic() as (admin, name):
        with contextlib.closing(KafkaProducer(bootstrap_servers=ADDRESS, enable_idempotence=True)) as producer:
            send_all(producer, name, numbered(b"first"))
            admin.delete_topics([name])
            eventually(lambda: name not in admin.list_topics())
            admin.create_topics([NewTopic(name, 1, 1)])
            send_all(producer, name, numbered(b"second"))
        equal(values_of(name), numbered(b"second"))
