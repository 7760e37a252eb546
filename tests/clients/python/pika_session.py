"""Connections for the pika checks."""

import contextlib

import pika

from checks import address, eventually, unique

HOST, PORT = address("AMQP_ADDRESS", "127.0.0.1:5672")
DURABLE = pika.BasicProperties(delivery_mode=2)


def parameters(**changes):
    """pika's default parameters, with the address of the broker under test."""
    return pika.ConnectionParameters(**{"host": HOST, "port": PORT, **changes})


@contextlib.contextmanager
def connection(**changes):
    """A connection that is closed at the end, in whatever state it is."""
    opened = pika.BlockingConnection(parameters(**changes))
    try:
        yield opened
    finally:
        if opened.is_open:
            opened.close()


@contextlib.contextmanager
def channel(**changes):
    """A channel on a separate connection."""
    with connection(**changes) as opened:
        yield opened.channel()


@contextlib.contextmanager
def queue(prefix="queue", **arguments):
    """A channel and a fresh durable queue, deleted at the end on a separate connection."""
    with channel() as opened:
        name = unique(prefix)
        opened.queue_declare(name, **{"durable": True, **arguments})
        try:
            yield opened, name
        finally:
            with channel() as cleaner:
                cleaner.queue_delete(name)


def publish(opened, name, *bodies, properties=DURABLE):
    """Publishes each body to the queue through the default exchange."""
    for body in bodies:
        opened.basic_publish("", name, body, properties)


def depth(opened, name):
    """The number of ready messages, by a passive declaration."""
    return opened.queue_declare(name, passive=True).method.message_count


def waits_for_depth(opened, name, count):
    """Waits until that many messages are ready; unconfirmed ones may arrive late."""

    def reached():
        return depth(opened, name) == count

    eventually(reached)


def get(opened, name, auto_ack=False):
    """Waits for one message with basic.get: (method, properties, body)."""

    def arrived():
        answer = opened.basic_get(name, auto_ack=auto_ack)
        return answer if answer[0] is not None else None

    return eventually(arrived)


def take(opened, name, count, seconds=60, auto_ack=False):
    """`count` deliveries to a consumer that is cancelled afterwards: a list of (method, properties, body)."""
    deliveries = []
    tag = opened.basic_consume(name, lambda _, *delivery: deliveries.append(delivery), auto_ack=auto_ack)

    def complete():
        opened.connection.process_data_events(time_limit=0.02)
        return len(deliveries) >= count

    eventually(complete, seconds)
    opened.basic_cancel(tag)
    return deliveries
