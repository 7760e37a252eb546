"""A publisher with confirms and a consumer with acknowledgements, both connecting anew after each kill."""

import threading
import time

import pika
import pika.exceptions

QUEUE = "crash-amqp"
PERSISTENT = pika.BasicProperties(delivery_mode=2)
LOST = (pika.exceptions.AMQPError, OSError)
RETRY_SECONDS = 0.02


def prepare(environment):
    connection = _connect(environment)
    connection.channel().queue_declare(QUEUE, durable=True)
    connection.close()


def drive(environment, acknowledged, stopping):
    """The record: the numbers that were confirmed, and each delivery as (number, redelivered)."""
    confirmed, deliveries, unexpected = [], [], []
    consumer = threading.Thread(target=_consume, args=(environment, stopping, deliveries, unexpected))
    consumer.start()
    number = 0
    while not stopping.is_set():
        try:
            channel = _connect(environment).channel()
            channel.confirm_delivery()
            while not stopping.is_set():
                number += 1
                channel.basic_publish("", QUEUE, str(number), PERSISTENT)
                confirmed.append(number)
                acknowledged.value += 1
        except LOST as error:
            _note(error, unexpected)
            time.sleep(RETRY_SECONDS)
    consumer.join()
    return {"sent": number, "confirmed": confirmed, "deliveries": deliveries, "unexpected": unexpected}


def verify(environment, record):
    """What was confirmed came, and came for the first time in order.

    What comes again after a crash is usually marked so, but need not be: nobody waits until
    a delivery is on disk. How many had no mark is told.
    """
    deliveries = record["deliveries"] + _drain(environment)
    findings, seen, last, unmarked = [f"refused: {error}" for error in record["unexpected"]], set(), 0, 0
    for number, redelivered in deliveries:
        if number in seen:
            unmarked += not redelivered
            continue
        if number < last:
            findings.append(f"{number} came for the first time after {last}")
        seen.add(number)
        last = max(last, number)
    lost = sorted(set(record["confirmed"]) - seen)
    if lost:
        findings.append(f"{len(lost)} confirmed and lost, the first {lost[0]}")
    again = len(deliveries) - len(seen)
    told = f"{record['sent']} sent, {len(record['confirmed'])} confirmed, {len(seen)} found"
    return findings, f"{told}, {again} came again ({unmarked} unmarked)"


def _connect(environment):
    host, port = environment["AMQP_ADDRESS"].split(":")
    return pika.BlockingConnection(pika.ConnectionParameters(host, int(port), socket_timeout=30))


def _note(error, unexpected):
    """A lost connection is expected; a refusal by the server isn't."""
    if isinstance(error, (pika.exceptions.ChannelClosedByBroker, pika.exceptions.NackError)):
        unexpected.append(repr(error))


def _consume(environment, stopping, deliveries, unexpected):
    while not stopping.is_set():
        try:
            channel = _connect(environment).channel()
            channel.basic_qos(prefetch_count=20)
            for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.1):
                if stopping.is_set():
                    break
                if method is not None:
                    deliveries.append((int(body), method.redelivered))
                    channel.basic_ack(method.delivery_tag)
            channel.connection.close()
        except LOST as error:
            _note(error, unexpected)
            time.sleep(RETRY_SECONDS)


def _drain(environment):
    connection, found = _connect(environment), []
    channel = connection.channel()
    channel.basic_qos(prefetch_count=500)
    for method, _, body in channel.consume(QUEUE, inactivity_timeout=10):
        if method is None:
            break
        found.append((int(body), method.redelivered))
        channel.basic_ack(method.delivery_tag)
    connection.close()
    return found
