"""Producing with librdkafka: acknowledgements, compression, idempotence, keys, headers, refusals."""

import time

from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewTopic

from checks import check, equal, eventually, unique
from librdkafka_session import admin, consumer, poll, produce, producer, topic, values_of

COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


def numbered(count):
    return [b"value %d" % number for number in range(count)]


@check
def values_come_back_in_order_with_dense_offsets():
    with topic() as name:
        acknowledged = produce(name, numbered(1000))
        equal([message.offset() for message in acknowledged], list(range(1000)))
        equal(values_of(name, 1000), numbered(1000))


@check
def every_acknowledgement_level_delivers():
    with topic() as name:
        for level in ("0", "1", "all"):
            produce(name, [level.encode()], acks=level, enable_idempotence=False)
        equal(values_of(name, 3), [b"0", b"1", b"all"])


@check
def every_compression_passes_through():
    values = [b"compressible " * 20 + b"%d" % number for number in range(300)]
    for compression in COMPRESSIONS:
        with topic() as name:
            produce(name, values, compression_type=compression, linger_ms=20)
            assert values_of(name, 300) == values, compression


@check
def an_idempotent_producer_delivers_each_value_once_in_order():
    with topic() as name:
        produce(name, numbered(2000), enable_idempotence=True, acks="all")
        equal(values_of(name, 2000), numbered(2000))


@check
def keys_headers_and_absent_values_come_back():
    # A record is dated years ago: retention by age could remove it at any moment.
    with topic(**{"retention.ms": "-1"}) as name:
        opened = producer()
        headers = [("a", b"1"), ("a", b"2"), ("empty", b""), ("none", None)]
        opened.produce(name, b"value", b"key", headers=headers, timestamp=1_700_000_000_000)
        opened.produce(name, None, b"tombstone")
        opened.produce(name, b"no key")
        opened.produce(name, b"", b"")
        equal(opened.flush(60), 0)
        with consumer() as reader:
            reader.assign([TopicPartition(name, 0, 0)])
            found = poll(reader, 4)
        equal([message.value() for message in found], [b"value", None, b"no key", b""])
        equal([message.key() for message in found], [b"key", b"tombstone", None, b""])
        equal(found[0].headers(), headers)
        equal(found[0].timestamp(), (1, 1_700_000_000_000))


@check
def a_key_always_goes_to_the_same_partition():
    with topic(3) as name:
        partitions = {
            key: {message.partition() for message in produce(name, numbered(20), key=key)}
            for key in (b"a", b"b", b"c", b"d", b"e", b"f")
        }
        assert all(len(each) == 1 for each in partitions.values()), partitions
        assert len(set.union(*partitions.values())) > 1, partitions


@check
def each_partition_counts_for_itself():
    with topic(3) as name:
        for partition in range(3):
            found = produce(name, numbered(10 + partition), partition=partition)
            equal([message.offset() for message in found], list(range(10 + partition)))


@check
def an_unknown_topic_is_made_at_the_first_produce():
    name = unique("auto")
    acknowledged = produce(name, [b"first"])
    equal((acknowledged[0].partition(), acknowledged[0].offset()), (0, 0))
    equal(values_of(name, 1), [b"first"])
    admin.delete_topics([name])[name].result(15)


@check
def an_idempotent_producer_goes_on_in_a_topic_made_anew():
    """The broker no longer knows the producer, which continues with its sequence numbers."""
    with topic() as name:
        opened, errors = producer(enable_idempotence=True, message_timeout_ms=30_000), []

        def send_all():
            for value in numbered(5):
                opened.produce(name, value, on_delivery=lambda error, _: error and errors.append(error))
            equal((opened.flush(60), errors), (0, []))

        send_all()
        admin.delete_topics([name])[name].result(15)
        eventually(lambda: name not in admin.list_topics(timeout=10).topics)
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(15)
        send_all()
        equal(values_of(name, 5), numbered(5))


@check
def a_megabyte_batch_and_a_large_value_pass():
    large = bytes(range(256)) * 3800
    with topic() as name:
        produce(name, [large, b"x", large], message_max_bytes=1_000_000)
        assert values_of(name, 3) == [large, b"x", large]


@check
def a_value_beyond_the_largest_batch_is_refused():
    with topic() as name:
        errors = []
        opened = producer(message_max_bytes=8_000_000)
        opened.produce(name, b"\x01" * 3_000_000, on_delivery=lambda error, _: errors.append(error))
        equal(opened.flush(60), 0)
        equal(errors[0].name(), "MSG_SIZE_TOO_LARGE")


@check
def an_illegal_topic_name_is_refused():
    opened = producer()
    errors = []
    opened.produce("no spaces please", b"x", on_delivery=lambda error, _: errors.append(error))

    def refused():
        opened.poll(0.05)
        return errors

    eventually(refused)
    equal(errors[0].name(), "TOPIC_EXCEPTION")


@check
def many_producers_share_a_partition_without_loss():
    with topic() as name:
        producers = [producer() for _ in range(8)]
        for number in range(200):
            for index, opened in enumerate(producers):
                opened.produce(name, b"%d:%d" % (index, number))
        for opened in producers:
            equal(opened.flush(60), 0)
        found = values_of(name, 1600)
        for index in range(8):
            own = [value for value in found if value.startswith(b"%d:" % index)]
            equal(own, [b"%d:%d" % (index, number) for number in range(200)])


@check
def a_long_poll_delivers_soon_after_the_produce():
    with topic() as name, consumer() as reader:
        reader.assign([TopicPartition(name, 0, 0)])
        reader.poll(0.5)
        started = time.monotonic()
        produce(name, [b"wake up"])
        poll(reader, 1)
        assert time.monotonic() - started < 30
