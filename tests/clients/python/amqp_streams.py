"""Streams: reading without taking."""

import contextlib
import datetime

import pika
import pika.exceptions

from amqp_consume import bodies, closed_with, pump
from checks import check, check_of_stele, equal, eventually, raised, unique
from librdkafka_session import consumer, produce, topic
from pika_session import channel, connection, publish, queue, take, waits_for_depth

STREAM = {"x-queue-type": "stream"}


@contextlib.contextmanager
def stream(**arguments):
    """A channel with a prefetch count and a fresh stream, deleted at the end."""
    with queue("stream", arguments={**STREAM, **arguments}) as (opened, name):
        opened.basic_qos(prefetch_count=100)
        yield opened, name


@contextlib.contextmanager
def filled(count, **arguments):
    """The same with the messages 0, 1, 2, …"""
    with stream(**arguments) as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, *[b"%d" % number for number in range(count)])
        yield opened, name


def read(opened, name, count, **arguments):
    """`count` deliveries to a reader, each acknowledged: a list of (method, properties, body)."""
    deliveries = []

    def deliver(at, method, properties, body):
        deliveries.append((method, properties, body))
        at.basic_ack(method.delivery_tag)

    arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
    tag = opened.basic_consume(name, deliver, arguments=arguments)

    def complete():
        opened.connection.process_data_events(time_limit=0.02)
        return len(deliveries) >= count

    eventually(complete)
    pump(opened, 0.1)
    opened.basic_cancel(tag)
    return deliveries


def read_from(opened, name, count, offset):
    found = read(opened, name, count, x_stream_offset=offset)
    equal([properties.headers["x-stream-offset"] for _, properties, _ in found], [int(body) for _, _, body in found])
    return [int(body) for _, _, body in found]


def numbers(deliveries):
    return [int(body) for body in bodies(deliveries)]


@check
def a_stream_is_read_again_and_again_from_where_a_reader_likes():
    with filled(10) as (opened, name):
        hour = datetime.timedelta(hours=1)
        now = datetime.datetime.now(datetime.timezone.utc)
        for offset, expected in [
            ("first", range(10)),
            (0, range(10)),
            (7, range(7, 10)),
            (-1, range(10)),
            (10, []),
            (2**40, []),
            ("next", []),
            ("1h", range(10)),
            (now - hour, range(10)),
            (now + hour, []),
        ]:
            equal((offset, read_from(opened, name, len(expected), offset)), (offset, list(expected)))
        equal(read_from(opened, name, 1, "last")[-1], 9)


@check
def a_reader_gets_what_is_published_later():
    with stream() as (opened, name), channel() as publisher:
        deliveries = []
        opened.basic_consume(name, lambda _, *delivery: deliveries.append(delivery))
        for number in range(5):
            publish(publisher, name, b"%d" % number)

        def complete():
            opened.connection.process_data_events(time_limit=0.02)
            return len(deliveries) == 5

        eventually(complete)
        equal([(method.redelivered, method.delivery_tag) for method, _, _ in deliveries], [(False, n + 1) for n in range(5)])


@contextlib.contextmanager
def bounded(count, prefetch_count):
    """A reader of a stream of so many messages: a channel, and a function that waits for messages up to a number."""
    with filled(count) as (opened, name):
        opened.basic_qos(prefetch_count=prefetch_count)
        deliveries = []
        collect = lambda _, *delivery: deliveries.append(delivery)  # noqa: E731
        opened.basic_consume(name, collect, arguments={"x-stream-offset": "first"})

        def has(number):
            def reached():
                opened.connection.process_data_events(time_limit=0.02)
                return len(deliveries) >= number

            eventually(reached)
            pump(opened, 0.1)
            equal(numbers(deliveries), list(range(number)))

        yield opened, has


@check
def acknowledgements_are_credit():
    with bounded(9, 2) as (opened, has):
        has(2)
        opened.basic_ack(1)
        has(3)
        opened.basic_ack(3, multiple=True)
        has(5)


@check_of_stele
def rejections_are_credit_too():
    """As in RabbitMQ 4; earlier versions close the connection."""
    with bounded(9, 2) as (opened, has):
        has(2)
        opened.basic_nack(1, requeue=True)
        has(3)
        opened.basic_reject(2, requeue=False)
        has(4)
        opened.basic_nack(0, multiple=True)
        has(6)


@check
def many_readers_each_get_every_message():
    with filled(50) as (_, name), contextlib.ExitStack() as stack:
        for _ in range(5):
            opened = stack.enter_context(channel())
            opened.basic_qos(prefetch_count=7)
            equal(numbers(read(opened, name, 50, x_stream_offset="first")), list(range(50)))


@check
def a_message_keeps_its_properties_and_headers():
    with stream() as (opened, name):
        opened.confirm_delivery()
        sent = pika.BasicProperties(content_type="text/plain", headers={"a": 1, "b": "x"}, priority=3)
        opened.exchange_declare(name, "fanout", auto_delete=True)
        opened.queue_bind(name, name)
        opened.basic_publish(name, "key", b"body", sent, mandatory=True)
        ((method, properties, body),) = read(opened, name, 1, x_stream_offset="first")
        equal((method.exchange, method.routing_key, body), (name, "key", b"body"))
        equal((properties.content_type, properties.priority), ("text/plain", 3))
        equal(properties.headers, {"a": 1, "b": "x", "x-stream-offset": 0})


@check
def a_filter_gives_at_least_what_is_wanted():
    with stream() as (opened, name):
        opened.confirm_delivery()
        for number in range(30):
            value = ["a", "b", None][number % 3]
            headers = {"x-stream-filter-value": value} if value else None
            publish(opened, name, b"%d" % number, properties=pika.BasicProperties(headers=headers))
        of_a = set(range(0, 30, 3))
        found = set(numbers(read(opened, name, 10, x_stream_offset="first", x_stream_filter="a")))
        assert of_a <= found, found
        unfiltered = {"x_stream_filter": ["a"], "x_stream_match_unfiltered": True}
        found = set(numbers(read(opened, name, 20, x_stream_offset="first", **unfiltered)))
        assert of_a | set(range(2, 30, 3)) <= found, found


@check_of_stele
def a_filter_gives_exactly_what_is_wanted():
    with stream() as (opened, name):
        opened.confirm_delivery()
        for number in range(1000):
            headers = {"x-stream-filter-value": str(number % 100)}
            publish(opened, name, b"%d" % number, properties=pika.BasicProperties(headers=headers))
        found = read(opened, name, 20, x_stream_offset="first", x_stream_filter=["7", "8"])
        equal(numbers(found), [number for number in range(1000) if number % 100 in (7, 8)])


@check
def a_reader_needs_a_prefetch_count_and_acknowledgements():
    with filled(1) as (_, name):
        with channel() as opened:
            error = closed_with(406, lambda: read(opened, name, 1))
            assert "consumer prefetch count is not set for" in error.reply_text, error
        with connection() as open_connection:
            opened = open_connection.channel()
            opened.basic_qos(prefetch_count=1)
            consume = lambda: opened.basic_consume(name, lambda *_: None, auto_ack=True)  # noqa: E731
            error = raised(pika.exceptions.ConnectionClosedByBroker, consume)
            equal(error.reply_code, 540)
            assert "automatic acknowledgement not supported by stream" in error.reply_text, error


@check
def get_and_purge_are_540():
    with filled(1) as (_, name):
        for action in (lambda at: at.basic_get(name), lambda at: at.queue_purge(name)):
            with connection() as open_connection:
                opened = open_connection.channel()
                error = raised(pika.exceptions.ConnectionClosedByBroker, lambda: action(opened))
                equal(error.reply_code, 540)
                assert f"not supported by stream queues queue '{name}'" in error.reply_text, error


@check
def wrong_offsets_close_the_channel_alone():
    with filled(1) as (_, name), connection() as open_connection:
        for offset in ("1x", "5", "0D"):
            opened = open_connection.channel()
            opened.basic_qos(prefetch_count=1)
            error = closed_with(406, lambda: read(opened, name, 1, x_stream_offset=offset))
            what = f"{{invalid_stream_offset_arg,{{longstr,<<\"{offset}\">>}}}}"
            if offset != "0D":
                assert error.reply_text.endswith(f"invalid arg 'x-stream-offset' for queue '{name}' in vhost '/': {what}")
        equal(read_from_new(open_connection, name), [0])


def read_from_new(open_connection, name):
    opened = open_connection.channel()
    opened.basic_qos(prefetch_count=1)
    return read_from(opened, name, 1, "first")


@check_of_stele
def offsets_of_wrong_types_close_the_channel_alone():
    with filled(1) as (_, name), connection() as open_connection:
        for offset in (True, None, [1], {"a": 1}, "", " first", "First"):
            opened = open_connection.channel()
            opened.basic_qos(prefetch_count=1)
            closed_with(406, lambda: read(opened, name, 1, x_stream_offset=offset))
        equal(read_from_new(open_connection, name), [0])


@check
def arguments_are_checked_and_compared():
    invalid = [
        ({"x-max-age": "1x"}, "': invalid_max_age"),
        ({"x-max-age": 5}, "': {unacceptable_type,signedint}"),
        ({"x-max-length-bytes": -1}, "': {value_negative,-1}"),
        ({"x-stream-max-segment-size-bytes": 3_000_000_001}, "Exceeded max value for x-stream-max-segment-size-bytes"),
        ({"x-initial-cluster-size": 0}, "': {value_zero,0}"),
        ({"x-expires": 1000}, "' of queue type rabbit_stream_queue"),
        ({"x-message-ttl": 1000}, "' of queue type rabbit_stream_queue"),
        ({"x-max-length": 5}, "' of queue type rabbit_stream_queue"),
        ({"x-dead-letter-exchange": "x"}, "' of queue type rabbit_stream_queue"),
    ]
    with connection() as open_connection:
        for arguments, text in invalid:
            opened = open_connection.channel()
            declare = lambda: opened.queue_declare(unique("no"), durable=True, arguments={**STREAM, **arguments})  # noqa: B023, E731
            error = closed_with(406, declare)
            assert error.reply_text.endswith(text), (arguments, error)
        for changes, text in [
            ({"durable": False}, "non-durable"),
            ({"exclusive": True}, "exclusive-owner"),
            ({"auto_delete": True}, "auto-delete"),
        ]:
            opened = open_connection.channel()
            declare = lambda: opened.queue_declare(unique("no"), **{"durable": True, "arguments": STREAM, **changes})  # noqa: B023, E731
            error = closed_with(406, declare)
            assert f"invalid property '{text}'" in error.reply_text, error
    with stream(**{"x-max-age": "1h"}) as (opened, name):
        opened.queue_declare(name, durable=True, arguments={**STREAM, "x-max-age": "1h"})
        again = lambda: opened.queue_declare(name, durable=True, arguments={**STREAM, "x-max-age": "2h"})  # noqa: E731
        error = closed_with(406, again)
        assert error.reply_text.endswith("received '2h' but current is '1h'"), error


@check
def a_stream_counts_its_messages_and_is_deleted_with_them():
    with filled(3) as (opened, name):
        waits_for_depth(opened, name, 3)
        equal(opened.queue_delete(name, if_empty=True).method.message_count, 0)
        closed_with(404, lambda: opened.queue_declare(name, passive=True))


@check_of_stele
def kafka_reads_a_stream_and_writes_to_it():
    with filled(3) as (opened, name):
        produce(name, ["3", "4"])
        equal(read_from(opened, name, 5, "first"), list(range(5)))
        records = []
        with consumer() as reader:
            reader.subscribe([name])

            def complete():
                records.extend(record for record in reader.consume(100, 0.1) if not record.error())
                return len(records) >= 5

            eventually(complete)
        equal([(record.offset(), record.value()) for record in records], [(n, b"%d" % n) for n in range(5)])


@check_of_stele
def a_topic_is_read_as_a_stream_without_being_consumed():
    with topic(partitions=1) as name, channel() as opened:
        produce(name, ["0", "1", "2"])
        opened.basic_qos(prefetch_count=2)
        for _ in range(2):
            equal(read_from(opened, name, 3, "first"), [0, 1, 2])
        waits_for_depth(opened, name, 3)


@check_of_stele
def a_queue_that_keeps_is_read_again_after_all_is_worked_off():
    with queue(arguments={"x-stele-keep": "7D"}) as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, *[b"%d" % number for number in range(1000)])
        deliveries = take(opened, name, 1000)
        opened.basic_ack(deliveries[-1][0].delivery_tag, multiple=True)
        opened.close()
        with channel() as later:
            waits_for_depth(later, name, 0)
            later.basic_qos(prefetch_count=100)
            for first in (0, 990):
                equal(read_from(later, name, 1000 - first, first), list(range(first, 1000)))
            equal(later.basic_get(name)[0], None)
        with queue() as (plain, other):
            plain.basic_qos(prefetch_count=1)
            error = closed_with(406, lambda: read(plain, other, 1, x_stream_offset="first"))
            assert error.reply_text.endswith("of queue type rabbit_classic_queue without x-stele-keep"), error


@check_of_stele
def one_reader_at_a_time_reads_and_the_next_continues_where_it_stopped():
    with filled(10, **{"x-single-active-consumer": True}) as (opened, name), connection() as other, connection() as last:
        found = {}

        def start(at, who):
            reader = at.channel()
            reader.basic_qos(prefetch_count=4)
            collect = lambda _, method, properties, body: found.setdefault(who, []).append((method, int(body)))  # noqa: E731
            return reader, reader.basic_consume(name, collect, arguments={"x-stream-offset": "first"})

        def gets(who, numbers):
            def complete():
                for one in [opened.connection, other, last]:
                    if one.is_open:
                        one.process_data_events(time_limit=0.02)
                return [number for _, number in found.get(who, [])] == numbers

            eventually(complete)

        first, tag = start(opened.connection, "first")
        second, _ = start(other, "second")
        third, _ = start(last, "third")
        gets("first", [0, 1, 2, 3])
        first.basic_ack(found["first"][1][0].delivery_tag, multiple=True)
        gets("first", [0, 1, 2, 3, 4, 5])
        equal(list(found), ["first"])
        # What it hasn't acknowledged goes to the next one.
        first.basic_cancel(tag)
        gets("second", [2, 3, 4, 5])
        second.basic_ack(0, multiple=True)
        gets("second", [2, 3, 4, 5, 6, 7, 8, 9])
        second.basic_ack(found["second"][6][0].delivery_tag, multiple=True)
        second.close()
        gets("third", [9])
        third.basic_ack(0, multiple=True)
        # It comes back behind the others, and is told when the stream is deleted.
        again, tag = start(opened.connection, "again")
        fifth, _ = start(other, "fifth")
        publish(opened, name, b"10", b"11")
        gets("third", [9, 10, 11])
        last.close()
        gets("again", [10, 11])
        # Nor has it handled what it returns, unless it has acknowledged something behind it.
        again.basic_nack(found["again"][0][0].delivery_tag, requeue=True)
        again.basic_ack(found["again"][1][0].delivery_tag)
        publish(opened, name, b"12", b"13")
        gets("again", [10, 11, 12, 13])
        again.basic_nack(0, multiple=True, requeue=True)
        again.basic_cancel(tag)
        gets("fifth", [12, 13])


@check
def a_reader_is_told_that_its_stream_is_deleted_whatever_it_has_unacknowledged():
    with filled(10) as (opened, name), connection() as other:
        told = []
        for prefetch in [3, 100]:
            reader = other.channel()
            reader.basic_qos(prefetch_count=prefetch)
            reader.add_on_cancel_callback(lambda frame: told.append(frame.method.consumer_tag))
            found = []
            collect = lambda _, *delivery: found.append(delivery)  # noqa: B023, E731
            reader.basic_consume(name, collect, arguments={"x-stream-offset": "first"}, consumer_tag=f"of {prefetch}")

            def complete():
                other.process_data_events(time_limit=0.02)
                return len(found) == min(prefetch, 10)  # noqa: B023

            eventually(complete)
        opened.queue_delete(name)

        def both():
            other.process_data_events(time_limit=0.02)
            return sorted(told) == ["of 100", "of 3"]

        eventually(both)
