"""The client of the scale benchmarks, using librdkafka and pika:

    client.py fill HOST:PORT TOPIC RECORDS        records of 1 KiB
    client.py partitions HOST:PORT TOPIC COUNT    one topic of so many partitions, one record in each
    client.py queues HOST:PORT COUNT              durable queues, one persistent message in each
    client.py declare HOST:PORT QUEUE...          durable queues, empty
    client.py pipeline HOST:PORT STEP COUNT       declare, publish to or consume from so many queues, without
                                                  waiting for each: one persistent message in each
"""

import pathlib
import sys

import pika
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "versus" / "loads"))

from librdkafka_client import ANY_PARTITION, RECORD_BYTES, new_producer, send  # noqa: E402


ON_THEIR_WAY = 2_000
PERSISTENT = pika.BasicProperties(delivery_mode=2)


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
        for number in range(int(count)):
            channel.queue_declare(f"scale-{number}", durable=True)
            channel.basic_publish("", f"scale-{number}", b"x" * RECORD_BYTES, PERSISTENT)


def declare(address, *names):
    with _amqp(address) as connection:
        channel = connection.channel()
        for name in names:
            channel.queue_declare(name, durable=True)


def pipeline(address, step, count):
    """One step for each queue, with many in flight. The broker's answers trigger the next ones."""
    count, sent, done, unconfirmed = int(count), 0, 0, set()

    def on_channel(channel):
        if step == "publish":
            channel.confirm_delivery(lambda frame: confirmed(channel, frame.method))
        go_on(channel)

    def go_on(channel):
        nonlocal sent
        while sent < count and sent - done < ON_THEIR_WAY:
            name = f"scale-{sent}"
            sent += 1
            if step == "declare":
                channel.queue_declare(name, durable=True, callback=lambda _: another(channel))
            elif step == "publish":
                unconfirmed.add(sent)
                channel.basic_publish("", name, b"x" * RECORD_BYTES, PERSISTENT)
            else:
                channel.basic_consume(name, taken)

    def taken(channel, method, *_):
        channel.basic_ack(method.delivery_tag)
        another(channel)

    def confirmed(channel, method):
        earlier = {tag for tag in unconfirmed if tag < method.delivery_tag} if method.multiple else set()
        taken_through = earlier | ({method.delivery_tag} & unconfirmed)
        unconfirmed.difference_update(taken_through)
        another(channel, len(taken_through))

    def another(channel, more=1):
        nonlocal done
        done += more
        if done == count:
            channel.connection.close()
        elif sent - done < ON_THEIR_WAY // 2:
            go_on(channel)

    host, _, port = address.partition(":")
    connection = pika.SelectConnection(
        pika.ConnectionParameters(host, int(port)),
        on_open_callback=lambda connection: connection.channel(on_open_callback=on_channel),
        on_close_callback=lambda connection, _: connection.ioloop.stop(),
    )
    connection.ioloop.start()
    if done < count:
        sys.exit(f"{done} of {count}: the connection is gone")


def _amqp(address):
    host, _, port = address.partition(":")
    return pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))


if __name__ == "__main__":
    {"fill": fill, "partitions": partitions, "queues": queues, "declare": declare, "pipeline": pipeline}[sys.argv[1]](*sys.argv[2:])
