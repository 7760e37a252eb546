"""Messages become dead letters for every reason, and go to two queues; the server is killed meanwhile."""

import threading

import amqp_client

EXCHANGE = "crash-dead"
LETTERS = ("crash-letters-1", "crash-letters-2")
LENGTH_MAX = 5
# Each queue with its arguments and the reason for which its messages leave.
QUEUES = {
    "crash-rejected": ({}, "rejected"),
    "crash-expired": ({"x-message-ttl": 200}, "expired"),
    "crash-long": ({"x-max-length": LENGTH_MAX}, "maxlen"),
    "crash-limited": ({"x-queue-type": "quorum", "x-delivery-limit": 2}, "delivery_limit"),
}
NAMES = tuple(QUEUES)
# The queues whose messages are given back, with whether they return to the queue.
GIVEN_BACK = {"crash-rejected": False, "crash-limited": True}
INACTIVE_SECONDS = 5


def prepare(environment):
    with amqp_client.connect(environment) as connection:
        channel = connection.channel()
        channel.exchange_declare(EXCHANGE, "fanout", durable=True)
        for name in LETTERS:
            channel.queue_declare(name, durable=True)
            channel.queue_bind(name, EXCHANGE)
        for name, (arguments, _) in QUEUES.items():
            channel.queue_declare(name, durable=True, arguments={"x-dead-letter-exchange": EXCHANGE, **arguments})


def drive(environment, acknowledged, stopping):
    """Returns the record: what was confirmed, by the number of each message, which tells its queue."""
    record = {"sent": 0, "confirmed": [], "unexpected": []}
    consumers = [
        threading.Thread(target=_give_back, args=(environment, stopping, name, record)) for name in GIVEN_BACK
    ]
    for consumer in consumers:
        consumer.start()
    while not stopping.is_set():
        try:
            with amqp_client.connect(environment) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while not stopping.is_set():
                    record["sent"] += 1
                    number = record["sent"]
                    channel.basic_publish("", _queue_of(number), str(number), amqp_client.PERSISTENT)
                    record["confirmed"].append(number)
                    acknowledged.value += 1
        except amqp_client.LOST as error:
            amqp_client.note(error, record["unexpected"])
    for consumer in consumers:
        consumer.join()
    return record


def verify(environment, record):
    """Each confirmed message is in both queues of letters once, with the reason and queue; the last few are not dead."""
    findings = [f"refused: {error}" for error in record["unexpected"]]
    for name in GIVEN_BACK:
        _give_back_all(environment, name)
    kept = set(amqp_client.drain(environment, "crash-long"))
    if len(kept) > LENGTH_MAX:
        findings.append(f"{len(kept)} messages in a queue of at most {LENGTH_MAX}")
    due = set(record["confirmed"]) - kept
    for name in LETTERS:
        letters = _letters(environment, name)
        numbers = [number for number, _ in letters]
        doubled = len(numbers) - len(set(numbers))
        if doubled or kept & set(numbers):
            findings.append(f"{doubled} doubled in {name}, {len(kept & set(numbers))} of them not dead")
        lost = sorted(due - set(numbers))
        if lost:
            findings.append(f"{len(lost)} lost in {name}, the first {lost[0]} of {_queue_of(lost[0])}")
        wrong = [letter for letter in letters if not _is_right(*letter)]
        if wrong:
            findings.append(f"{len(wrong)} with a wrong history in {name}, the first {wrong[0]}")
    return findings, f"{record['sent']} sent, {len(due)} dead letters"


def _queue_of(number):
    return NAMES[number % len(NAMES)]


def _is_right(number, deaths):
    """Whether the history of a letter has one death, in its queue and for its reason."""
    name = _queue_of(number)
    expected = (name, QUEUES[name][1], 1)
    return [(death["queue"], death["reason"], death["count"]) for death in deaths] == [expected]


def _give_back(environment, stopping, name, record):
    while not stopping.is_set():
        try:
            with amqp_client.connect(environment) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=20)
                for method, _, _ in channel.consume(name, inactivity_timeout=0.1):
                    if stopping.is_set():
                        break
                    if method is not None:
                        channel.basic_nack(method.delivery_tag, requeue=GIVEN_BACK[name])
        except amqp_client.LOST as error:
            amqp_client.note(error, record["unexpected"])


def _give_back_all(environment, name):
    with amqp_client.connect(environment) as connection:
        channel = connection.channel()
        for method, _, _ in channel.consume(name, inactivity_timeout=1):
            if method is None:
                return
            channel.basic_nack(method.delivery_tag, requeue=GIVEN_BACK[name])


def _letters(environment, name):
    """The letters in a queue, each with its history, once no more arrive."""
    letters = []
    with amqp_client.connect(environment) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=500)
        for method, properties, body in channel.consume(name, inactivity_timeout=INACTIVE_SECONDS):
            if method is None:
                return letters
            letters.append((int(body), (properties.headers or {}).get("x-death", [])))
            channel.basic_ack(method.delivery_tag)
    return letters
