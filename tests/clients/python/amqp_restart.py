"""Redelivery marks after a server was killed or stopped."""

import contextlib

import pika

from checks import check_of_stele, equal
from own_server import own_server
from pika_session import DURABLE, channel, take

# On several shards, each of which tracks its own deliveries.
QUEUES = tuple(f"restart-{number}" for number in range(6))
MESSAGES = 10
DELIVERED = 4
LOST = (pika.exceptions.AMQPError, OSError)


def to(server):
    return channel(port=server.ports["amqp"])


def fill(server):
    with to(server) as opened:
        opened.confirm_delivery()
        for name in QUEUES:
            opened.queue_declare(name, durable=True)
            for number in range(MESSAGES):
                opened.basic_publish("", name, b"%d" % number, DURABLE)


def deliver_until(end, server):
    """Gets some of each queue's messages delivered, and ends the server before they are acknowledged."""
    with contextlib.suppress(*LOST), to(server) as opened:
        opened.basic_qos(prefetch_count=DELIVERED)
        for name in QUEUES:
            equal(len(take(opened, name, DELIVERED)), DELIVERED)
        end()


def redelivered(server, name):
    """Reads all messages of a queue in order; returns which of them are marked."""
    with to(server) as opened:
        found = take(opened, name, MESSAGES, auto_ack=True)
        equal([body for _, _, body in found], [b"%d" % number for number in range(MESSAGES)])
        return [method.redelivered for method, _, _ in found]


@check_of_stele
def what_was_delivered_before_a_kill_is_redelivered():
    with own_server() as server:
        fill(server)
        deliver_until(server.kill, server)
        server.start()
        for name in QUEUES:
            equal(redelivered(server, name)[:DELIVERED], [True] * DELIVERED)


@check_of_stele
def after_a_stop_just_what_was_delivered_is_redelivered():
    with own_server() as server:
        fill(server)
        deliver_until(server.stop, server)
        server.start()
        for name in QUEUES:
            equal(redelivered(server, name), [True] * DELIVERED + [False] * (MESSAGES - DELIVERED))
