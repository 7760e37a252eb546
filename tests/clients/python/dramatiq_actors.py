"""Dramatiq's actors: delays, retries, priorities and its queues of dead messages."""

import contextlib
import logging
import queue
import time

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from checks import address, check, check_of_stele, equal, eventually, unique
from own_server import own_server

HOST, PORT = address("AMQP_ADDRESS", "127.0.0.1:5672")

# Failures of actors, and of connections that a check ends, are expected.
logging.getLogger("dramatiq").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def broker(port=PORT, **options):
    """A broker whose queues are deleted at the end."""
    made = RabbitmqBroker(host=HOST, port=port, confirm_delivery=True, **options)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def working(made, **options):
    """A worker with one thread, so that actors run one after the other."""
    worker = dramatiq.Worker(made, worker_timeout=100, worker_threads=1, **options)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


@check
def actors_run_now_or_after_their_delay():
    with broker() as made:
        ran = queue.Queue()
        actor = dramatiq.actor(ran.put, broker=made, queue_name=unique("actors"))
        with working(made):
            began = time.monotonic()
            actor.send_with_options(args=("later",), delay=1_000)
            actor.send("now")
            equal(ran.get(timeout=30), "now")
            equal(ran.get(timeout=30), "later")
            equal(time.monotonic() - began >= 1, True)


@check
def a_message_that_keeps_failing_ends_in_the_queue_of_dead_messages():
    with broker() as made:
        tries = []

        def fail(word):
            tries.append(word)
            raise ValueError(word)

        actor = dramatiq.actor(
            fail, broker=made, queue_name=unique("failing"), max_retries=2, min_backoff=50, max_backoff=100
        )
        with working(made):
            actor.send("bad")
            dead = f"{actor.queue_name}.XQ"
            eventually(lambda: made.channel.queue_declare(dead, passive=True).method.message_count == 1)
        equal(tries, ["bad"] * 3)
        _, properties, body = made.channel.basic_get(dead)
        equal(dramatiq.Message.decode(body).args, ("bad",))
        died = properties.headers["x-death"][0]
        equal((died["queue"], died["reason"]), (actor.queue_name, "rejected"))


@check
def more_urgent_messages_run_first():
    with broker(max_priority=10) as made:
        ran = queue.Queue()
        actor = dramatiq.actor(ran.put, broker=made, queue_name=unique("ranked"))
        for priority in (1, 9, 5):
            actor.send_with_options(args=(priority,), broker_priority=priority)
        with working(made):
            equal([ran.get(timeout=30) for _ in range(3)], [9, 5, 1])


@check_of_stele
def workers_go_on_after_their_broker_was_killed():
    with own_server(keeps_ports=True) as server, broker(port=server.ports["amqp"]) as made:
        ran = queue.Queue()
        actor = dramatiq.actor(ran.put, broker=made, queue_name="actors")
        with working(made):
            actor.send("before")
            equal(ran.get(timeout=30), "before")
            server.kill()
            server.start()
            actor.send("after")
            # The kill may have come before the acknowledgement of the first message.
            eventually(lambda: ran.get(timeout=30) == "after")
