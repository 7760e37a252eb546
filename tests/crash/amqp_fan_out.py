"""A publisher with confirms to an exchange whose queues come and go; both reconnect after each kill."""

import threading

import amqp_client

EXCHANGE = "crash-fan-out"
KEPT = ("crash-kept-1", "crash-kept-2")
COMING = "crash-coming-{}"
HELD_SECONDS = 0.15


def prepare(environment):
    with amqp_client.connect(environment) as connection:
        channel = connection.channel()
        channel.exchange_declare(EXCHANGE, "fanout", durable=True)
        for name in KEPT:
            channel.queue_declare(name, durable=True)
            channel.queue_bind(name, EXCHANGE)


def drive(environment, acknowledged, stopping):
    """Returns the record: what was confirmed, and what each deleted queue had received before its deletion."""
    record = {"sent": 0, "confirmed": [], "gone": [], "missed": [], "unexpected": []}
    coming = threading.Thread(target=_come_and_go, args=(environment, stopping, record))
    coming.start()
    while not stopping.is_set():
        try:
            with amqp_client.connect(environment) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while not stopping.is_set():
                    record["sent"] += 1
                    body = str(record["sent"])
                    channel.basic_publish(EXCHANGE, "", body, amqp_client.PERSISTENT)
                    record["confirmed"].append(int(body))
                    acknowledged.value += 1
        except amqp_client.LOST as error:
            amqp_client.note(error, record["unexpected"])
    coming.join()
    return record


def verify(environment, record):
    """What was confirmed is in every queue bound at that time, in order; a deleted queue stays deleted."""
    findings = [f"refused: {error}" for error in record["unexpected"]] + record["missed"]
    for name in KEPT:
        found = amqp_client.drain(environment, name)
        if found != sorted(set(found)):
            findings.append(f"{name} has duplicates or a wrong order")
        lost = sorted(set(record["confirmed"]) - set(found))
        if lost:
            findings.append(f"{len(lost)} confirmed and lost in {name}, the first {lost[0]}")
    back = [name for name in record["gone"] if amqp_client.exists(environment, name)]
    if back:
        findings.append(f"{len(back)} deleted queues have reappeared, the first {back[0]}")
    told = f"{record['sent']} sent, {len(record['confirmed'])} confirmed"
    return findings, f"{told}, {len(record['gone'])} queues came and went"


def _come_and_go(environment, stopping, record):
    """Declares, binds, leaves to fill, empties and deletes one queue after the other."""
    number = 0
    while not stopping.is_set():
        number += 1
        _once(environment, stopping, record, COMING.format(number))


def _once(environment, stopping, record, name):
    def bind(channel):
        channel.queue_declare(name, durable=True)
        channel.queue_bind(name, EXCHANGE)

    amqp_client.insist(environment, bind, record["unexpected"])
    # The message being published now may or may not reach the queue.
    first, found = record["sent"] + 1, set()
    stopping.wait(HELD_SECONDS)
    due = [number for number in record["confirmed"][-100_000:] if number > first]
    amqp_client.insist(environment, lambda channel: amqp_client.take(channel, name, found), record["unexpected"])
    missed = sorted(set(due) - found)
    if missed:
        record["missed"].append(f"{len(missed)} confirmed and not in {name}, the first {missed[0]}")
    amqp_client.insist(environment, lambda channel: channel.queue_delete(name), record["unexpected"])
    record["gone"].append(name)
