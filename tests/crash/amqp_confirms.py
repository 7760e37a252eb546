"""A publisher with confirms and a consumer with acknowledgements; both reconnect after each kill."""

import threading

import amqp_client

QUEUE = "crash-amqp"


def prepare(environment):
    connection = amqp_client.connect(environment)
    connection.channel().queue_declare(QUEUE, durable=True)
    connection.close()


def drive(environment, acknowledged, stopping):
    """Returns the record: the confirmed numbers, and each delivery as (number, redelivered)."""
    confirmed, deliveries, unexpected = [], [], []
    consumer = threading.Thread(target=_consume, args=(environment, stopping, deliveries, unexpected))
    consumer.start()
    number = 0
    while not stopping.is_set():
        try:
            channel = amqp_client.connect(environment).channel()
            channel.confirm_delivery()
            while not stopping.is_set():
                number += 1
                channel.basic_publish("", QUEUE, str(number), amqp_client.PERSISTENT)
                confirmed.append(number)
                acknowledged.value += 1
        except amqp_client.LOST as error:
            amqp_client.note(error, unexpected)
    consumer.join()
    return {"sent": number, "confirmed": confirmed, "deliveries": deliveries, "unexpected": unexpected}


def verify(environment, record):
    """Everything confirmed arrived, and first deliveries were in order.

    A redelivery after a crash is usually marked as such, but need not be: the broker doesn't wait until
    a delivery is on disk. Reports how many weren't marked.
    """
    deliveries = record["deliveries"] + _drain(environment)
    findings, seen, last, unmarked = [f"refused: {error}" for error in record["unexpected"]], set(), 0, 0
    for number, redelivered in deliveries:
        if number in seen:
            unmarked += not redelivered
            continue
        if number < last:
            findings.append(f"{number} was first delivered after {last}")
        seen.add(number)
        last = max(last, number)
    lost = sorted(set(record["confirmed"]) - seen)
    if lost:
        findings.append(f"{len(lost)} confirmed and lost, the first {lost[0]}")
    again = len(deliveries) - len(seen)
    told = f"{record['sent']} sent, {len(record['confirmed'])} confirmed, {len(seen)} found"
    return findings, f"{told}, {again} came again ({unmarked} unmarked)"


def _consume(environment, stopping, deliveries, unexpected):
    while not stopping.is_set():
        try:
            channel = amqp_client.connect(environment).channel()
            channel.basic_qos(prefetch_count=20)
            for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.1):
                if stopping.is_set():
                    break
                if method is not None:
                    deliveries.append((int(body), method.redelivered))
                    channel.basic_ack(method.delivery_tag)
            channel.connection.close()
        except amqp_client.LOST as error:
            amqp_client.note(error, unexpected)


def _drain(environment):
    connection, found = amqp_client.connect(environment), []
    channel = connection.channel()
    channel.basic_qos(prefetch_count=500)
    for method, _, body in channel.consume(QUEUE, inactivity_timeout=10):
        if method is None:
            break
        found.append((int(body), method.redelivered))
        channel.basic_ack(method.delivery_tag)
    connection.close()
    return found
