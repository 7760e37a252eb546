"""Redelivery marks after a server was killed or stopped."""

import contextlib

import pika

from checks import check_of_stele, equal
from own_server import own_server
from pika_session import DURABLE, channel, depth, take

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


@check_of_stele
def confirmed_transient_messages_survive_a_stop_and_confirmed_persistent_ones_a_kill():
    for end, modes in (("stop", (1, 2, None)), ("kill", (2,))):
        with own_server() as server:
            with to(server) as opened:
                opened.confirm_delivery()
                opened.queue_declare("mixed", durable=True)
                sent = []
                for number in range(300):
                    mode = (1, 2, None)[number % 3]
                    body = b"%d" % number
                    opened.basic_publish("", "mixed", body, pika.BasicProperties(delivery_mode=mode))
                    sent += [body] if mode in modes else []
                getattr(server, end)()
                opened.connection.close = lambda: None
            server.start()
            with to(server) as opened:
                held = depth(opened, "mixed")
                found = [body for _, _, body in take(opened, "mixed", held, auto_ack=True)]
            equal([body for body in found if body in set(sent)], sent)
