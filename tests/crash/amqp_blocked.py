"""A publisher with few confirms, while the disk fills up and empties again, and the server is killed."""

import random
import threading

import amqp_client
from ballast import Ballast

QUEUES = ("crash-blocked-1", "crash-blocked-2", "crash-blocked-3")
BURST = 40
FULL_SECONDS, EMPTY_SECONDS = (0.3, 2.0), (0.5, 1.5)


def prepare(environment):
    with amqp_client.connect(environment) as connection:
        for name in QUEUES:
            connection.channel().queue_declare(name, durable=True)


def drive(environment, acknowledged, stopping):
    """Returns the record: the numbers that each queue must have, and how often publishing was blocked."""
    record = {"sent": 0, "due": {name: [] for name in QUEUES}, "unexpected": []}
    record |= {"Connection.Blocked": 0, "Connection.Unblocked": 0}

    def told(_, method):
        record[method.method.NAME] += 1
        acknowledged.value += 1

    filling = threading.Thread(target=_fill_and_empty, args=(environment, stopping))
    filling.start()
    while not stopping.is_set():
        try:
            with amqp_client.connect(environment) as connection:
                # Called as soon as they arrive, and not only when the connection's events are polled.
                connection._impl.add_on_connection_blocked_callback(told)
                connection._impl.add_on_connection_unblocked_callback(told)
                silent, confirming = connection.channel(), connection.channel()
                confirming.confirm_delivery()
                while not stopping.is_set():
                    _burst(silent, confirming, record)
        except amqp_client.LOST as error:
            amqp_client.note(error, record["unexpected"])
    filling.join()
    return record


def verify(environment, record):
    """Nothing was refused, and everything published before a confirmed message of its queue is there, in order."""
    findings = [f"refused: {error}" for error in record["unexpected"]]
    for name in QUEUES:
        found = amqp_client.drain(environment, name)
        if found != sorted(set(found)):
            findings.append(f"{name} has duplicates or a wrong order")
        lost = sorted(set(record["due"][name]) - set(found))
        if lost:
            findings.append(f"{len(lost)} lost in {name}, the first {lost[0]}")
    blocked, unblocked = record["Connection.Blocked"], record["Connection.Unblocked"]
    if not blocked + unblocked:
        findings.append("publishing was never blocked")
    due = sum(len(numbers) for numbers in record["due"].values())
    return findings, f"{record['sent']} sent, {due} due, {blocked} times blocked and {unblocked} times unblocked"


def _burst(silent, confirming, record):
    """Publishes messages without confirms to all queues, and then one with a confirm to each.

    A connection's messages to a queue are accepted in order, so the confirm covers those before it.
    """
    sent = {name: [] for name in QUEUES}
    for at in range(BURST):
        name = QUEUES[at % len(QUEUES)]
        sent[name].append(_publish(silent, name, record))
    for name, numbers in sent.items():
        numbers.append(_publish(confirming, name, record))
        record["due"][name] += numbers


def _publish(channel, name, record):
    record["sent"] += 1
    number = record["sent"]
    channel.basic_publish("", name, str(number), amqp_client.PERSISTENT)
    return number


def _fill_and_empty(environment, stopping):
    ballast, moments = Ballast.of(environment), random.Random()
    while not stopping.is_set():
        ballast.put()
        stopping.wait(moments.uniform(*FULL_SECONDS))
        ballast.remove()
        stopping.wait(moments.uniform(*EMPTY_SECONDS))
