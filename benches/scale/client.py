"""What the scale cases ask of a broker, over librdkafka and pika:

    client.py fill HOST:PORT TOPIC RECORDS        records of 1 KiB
    client.py partitions HOST:PORT TOPIC COUNT    one topic of so many partitions, one record in each
    client.py queues HOST:PORT COUNT              durable queues, one persistent message in each
    client.py declare HOST:PORT QUEUE...          durable queues, empty
"""

import sys

import pika
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

RECORD_BYTES = 1024


def fill(address, topic, records):
    value = bytearray(RECORD_BYTES)
    producer = _producer(address)
    for number in range(int(records)):
        value[:8] = number.to_bytes(8, "big")
        _send(producer, topic, bytes(value))
    _finish(producer)


def partitions(address, topic, count):
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(topic, int(count), 1)], request_timeout=120).values():
        made.result()
    producer = _producer(address)
    for partition in range(int(count)):
        _send(producer, topic, b"x" * RECORD_BYTES, partition=partition)
    _finish(producer)


def queues(address, count):
    with _amqp(address) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        persistent = pika.BasicProperties(delivery_mode=2)
        for number in range(int(count)):
            channel.queue_declare(f"scale-{number}", durable=True)
            channel.basic_publish("", f"scale-{number}", b"x" * RECORD_BYTES, persistent)


def declare(address, *names):
    with _amqp(address) as connection:
        channel = connection.channel()
        for name in names:
            channel.queue_declare(name, durable=True)


def _amqp(address):
    host, _, port = address.partition(":")
    return pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))


def _producer(address):
    return Producer({"bootstrap.servers": address, "acks": "all", "queue.buffering.max.messages": 200_000})


def _send(producer, topic, value, **where):
    while True:
        try:
            producer.produce(topic, value, on_delivery=_acknowledged, **where)
            break
        except BufferError:
            producer.poll(0.01)
    producer.poll(0)


def _acknowledged(error, _message):
    if error:
        sys.exit(f"not acknowledged: {error}")


def _finish(producer):
    if left := producer.flush(300):
        sys.exit(f"{left} records were not acknowledged")


if __name__ == "__main__":
    {"fill": fill, "partitions": partitions, "queues": queues, "declare": declare}[sys.argv[1]](*sys.argv[2:])
