"""What the scale cases ask of a broker, over librdkafka and pika:

    client.py fill HOST:PORT TOPIC RECORDS        records of 1 KiB
    client.py partitions HOST:PORT TOPIC COUNT    one topic of so many partitions, one record in each
    client.py queues HOST:PORT COUNT              durable queues, one persistent message in each
    client.py declare HOST:PORT QUEUE...          durable queues, empty
"""

import pathlib
import sys

import pika
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "versus" / "loads"))

from librdkafka_client import ANY_PARTITION, RECORD_BYTES, new_producer, send  # noqa: E402


def fill(address, topic, records):
    rest = bytes(RECORD_BYTES - 8)
    values = (number.to_bytes(8, "big") + rest for number in range(int(records)))
    send(new_producer(address), topic, ((value, ANY_PARTITION) for value in values))


def partitions(address, topic, count):
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(topic, int(count), 1)], request_timeout=120).values():
        made.result()
    send(new_producer(address), topic, ((b"x" * RECORD_BYTES, partition) for partition in range(int(count))))


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


if __name__ == "__main__":
    {"fill": fill, "partitions": partitions, "queues": queues, "declare": declare}[sys.argv[1]](*sys.argv[2:])
