"""How clients of other protocols see AMQP's messages, and AMQP clients theirs."""

import json
import urllib.request

import pika

from checks import check_of_stele, equal, eventually, unique
from librdkafka_session import consumer, poll, produce, topic
from own_server import own_server
from pika_session import channel, depth, publish, queue, take, waits_for_depth
from sqs_session import client_of, refused, sqs

KEYS = 8
OF_EACH = 12


def keyed(key):
    return pika.BasicProperties(headers={"stele.key": key}, delivery_mode=2)


def order_of(messages):
    """The numbers of each key, in the order of arrival."""
    found = {}
    for key, body in messages:
        found.setdefault(key, []).append(int(body))
    return found


@check_of_stele
def a_key_that_amqp_gives_keeps_its_messages_in_order_over_partitions():
    with topic(partitions=4) as name, channel() as opened:
        opened.confirm_delivery()
        for number in range(OF_EACH):
            for key in range(KEYS):
                given = f"key-{key}" if key % 2 else b"\xff" + str(key).encode()
                publish(opened, name, str(number).encode(), properties=keyed(given))
        records = []
        with consumer() as reader:
            reader.subscribe([name])

            def complete():
                records.extend(record for record in reader.consume(100, 0.1) if not record.error())
                return len(records) >= KEYS * OF_EACH

            eventually(complete)
        in_order = {key: list(range(OF_EACH)) for key in {record.key() for record in records}}
        equal(len(in_order), KEYS)
        equal(order_of((record.key(), record.value()) for record in records), in_order)
        assert len({record.partition() for record in records}) > 1, "one partition shows nothing"
        for key in in_order:
            equal(len({record.partition() for record in records if record.key() == key}), 1)
        # Kafka's own producer puts a key in the same partition as AMQP, after AMQP's messages.
        places = {record.key(): record.partition() for record in records}
        for record in produce(name, [str(OF_EACH)] * 3, key=b"key-1", partitioner="murmur2"):
            equal(record.partition(), places[b"key-1"])
        deliveries = take(opened, name, KEYS * OF_EACH + 3)
        key_of = lambda properties: (properties.headers or {})["stele.key"]  # noqa: E731
        found = order_of((key_of(properties), body) for _, properties, body in deliveries)
        equal(found.pop("key-1"), [*range(OF_EACH), *[OF_EACH] * 3])
        assert all(numbers == list(range(OF_EACH)) for numbers in found.values()), found


@check_of_stele
def a_passive_declaration_of_a_topic_counts_what_a_consumer_would_find():
    with topic(partitions=3) as name, channel() as opened:
        produce(name, ["a", "b", "c", "d"])
        equal(depth(opened, name), 4)
        equal(depth(opened, name), 4)
        equal(len(take(opened, name, 4, auto_ack=True)), 4)
        equal(depth(opened, name), 0)


@check_of_stele
def sqs_has_numbers_of_amqp_as_numbers():
    with queue() as (opened, name):
        headers = {"attempt": 3, "large": -(2**40), "dry": True, "text": "7", "list": [1]}
        publish(opened, name, b"x", properties=pika.BasicProperties(headers=headers, delivery_mode=2))
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]

        def received():
            return sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")

        attributes = eventually(received)[0]["MessageAttributes"]
        found = {name: (of["DataType"], of["StringValue"]) for name, of in attributes.items()}
        expected = {
            "attempt": ("Number", "3"),
            "large": ("Number", str(-(2**40))),
            "dry": ("String", "true"),
            "text": ("String", "7"),
        }
        equal(found, expected)


def arn_of(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(url):
    """The next message of an SQS queue, with everything that is known of it."""
    names = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    receive = lambda: sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, **names).get("Messages")  # noqa: E731
    return eventually(receive)[0]


@check_of_stele
def what_amqp_dead_letters_into_an_sqs_queue_has_its_history_there():
    url = sqs.create_queue(QueueName=unique("dead"))["QueueUrl"]
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": url.rsplit("/", 1)[1]}
    with queue(arguments=arguments) as (opened, name):
        publish(opened, name, b"bad")
        ((method, _, _),) = take(opened, name, 1)
        opened.basic_reject(method.delivery_tag, requeue=False)
        found = received(url)
        equal(found["Body"], "bad")
        equal(found["Attributes"]["DeadLetterQueueSourceArn"].rsplit(":", 1)[1], name)
        (death,) = json.loads(found["MessageAttributes"]["x-death"]["StringValue"])["deaths"]
        equal((death["queue"], death["reason"], death["count"]), (name, "rejected", 1))
    sqs.delete_queue(QueueUrl=url)


@check_of_stele
def what_sqs_dead_letters_into_an_amqp_queue_has_its_history_there():
    with queue() as (opened, name):
        target = arn_of(sqs.get_queue_url(QueueName=name)["QueueUrl"])
        policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 2})
        url = sqs.create_queue(QueueName=unique("work"), Attributes={"RedrivePolicy": policy})["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="bad")
        for _ in range(2):
            received(url)
        ((_, properties, body),) = take(opened, name, 1)
        equal(body, b"bad")
        (death,) = properties.headers["x-death"]
        equal((death["queue"], death["reason"], death["count"]), (url.rsplit("/", 1)[1], "delivery_limit", 1))
        equal(properties.headers["x-first-death-queue"], death["queue"])
        sqs.delete_queue(QueueUrl=url)


@check_of_stele
def what_amqp_dead_letters_is_moved_back_by_sqs():
    with queue("dead") as (opened, dead):
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-max-priority": 5}
        with queue("work", arguments=arguments) as (opened, name):
            publish(opened, name, b"2")
            publish(opened, name, b"1", properties=pika.BasicProperties(delivery_mode=2, priority=3))
            for method, _, _ in take(opened, name, 2):
                opened.basic_reject(method.delivery_tag, requeue=False)
            waits_for_depth(opened, dead, 2)
            source = arn_of(sqs.get_queue_url(QueueName=dead)["QueueUrl"])
            sqs.start_message_move_task(SourceArn=source)
            waits_for_depth(opened, name, 2)
            found = take(opened, name, 2, auto_ack=True)
            equal([body for _, _, body in found], [b"1", b"2"])
            for method, properties, _ in found:
                equal((method.exchange, method.routing_key), ("", name))
                (death,) = properties.headers["x-death"]
                equal((death["queue"], death["reason"]), (name, "rejected"))


@check_of_stele
def a_queue_that_only_sqs_made_is_moved_back_while_amqp_dead_letters_into_it():
    url = sqs.create_queue(QueueName=unique("dead"))["QueueUrl"]
    dead, source = url.rsplit("/", 1)[1], arn_of(url)
    refused("InvalidParameterValue", lambda: sqs.start_message_move_task(SourceArn=source))
    with queue("work", arguments={"x-dead-letter-exchange": f"{dead}.to"}) as (opened, name):
        opened.exchange_declare(f"{dead}.to", "topic", durable=True)
        opened.queue_bind(dead, f"{dead}.to", "#")
        publish(opened, name, b"1")
        ((method, _, _),) = take(opened, name, 1)
        opened.basic_reject(method.delivery_tag, requeue=False)
        waits_for_depth(opened, dead, 1)
        sqs.start_message_move_task(SourceArn=source)
        waits_for_depth(opened, name, 1)
        opened.exchange_delete(f"{dead}.to")
    refused("InvalidParameterValue", lambda: sqs.start_message_move_task(SourceArn=source))
    sqs.delete_queue(QueueUrl=url)


@check_of_stele
def a_task_waits_for_room_in_the_queue_that_its_messages_go_to():
    for rate in [{}, {"MaxNumberOfMessagesPerSecond": 100}]:
        full = {"x-max-length": 2, "x-overflow": "reject-publish", "x-dead-letter-exchange": ""}
        # Several, so that some of them lie on another shard than the source.
        for _ in range(4):
            with queue("dead") as (opened, dead), queue(
                "work", arguments={**full, "x-dead-letter-routing-key": dead}
            ) as (opened, name):
                for number in range(6):
                    publish(opened, name, b"%d" % number)
                    ((method, _, _),) = take(opened, name, 1)
                    opened.basic_reject(method.delivery_tag, requeue=False)
                waits_for_depth(opened, dead, 6)
                source = arn_of(sqs.get_queue_url(QueueName=dead)["QueueUrl"])
                sqs.start_message_move_task(SourceArn=source, **rate)

                def task():
                    return sqs.list_message_move_tasks(SourceArn=source)["Results"][0]  # noqa: B023

                waits_for_depth(opened, name, 2)
                equal((task()["Status"], task()["ApproximateNumberOfMessagesMoved"]), ("RUNNING", 2))
                found = take(opened, name, 6, auto_ack=True)
                equal([body for _, _, body in found], [b"%d" % number for number in range(6)])
                eventually(lambda: task()["Status"] == "COMPLETED")
                equal((task()["ApproximateNumberOfMessagesMoved"], depth(opened, dead)), (6, 0))


@check_of_stele
def a_message_that_fails_three_times_is_set_aside_noticed_and_replayed():
    with own_server() as server, channel(port=server.ports["amqp"]) as opened:
        opened.queue_declare("orders.dead", durable=True)
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": 2,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "orders.dead",
        }
        opened.queue_declare("orders", durable=True, arguments=arguments)
        publish(opened, "orders", b"order 1", b"order 2")
        handled, tries = [], []

        def handle(channel, method, properties, body):
            """Can't handle the first order until it is replayed."""
            tries.append(body)
            if body == b"order 1" and "x-death" not in properties.headers:
                channel.basic_nack(method.delivery_tag, requeue=True)
            else:
                handled.append(body)
                channel.basic_ack(method.delivery_tag)

        def has_handled(*bodies):
            opened.connection.process_data_events(time_limit=0.02)
            return handled == list(bodies)

        opened.basic_qos(prefetch_count=1)
        opened.basic_consume("orders", handle)
        eventually(lambda: has_handled(b"order 2"))
        waits_for_depth(opened, "orders.dead", 1)
        equal(tries.count(b"order 1"), 3)

        # Set aside, with its history; a metric and a line of the log tell of it.
        method, properties, _ = opened.basic_get("orders.dead")
        (death,) = properties.headers["x-death"]
        equal([death[field] for field in ("queue", "reason", "count")], ["orders", "delivery_limit", 1])
        opened.basic_nack(method.delivery_tag, requeue=True)
        page = urllib.request.urlopen(f"http://127.0.0.1:{server.ports['admin']}/metrics").read().decode()
        equal('stele_dead_letters_total{reason="delivery_limit"} 1' in page, True)
        told = [line for line in server.log.read_text().splitlines() if "messages were dead-lettered" in line]
        equal([("orders" in line, "delivery_limit" in line) for line in told], [(True, True)])

        # The operator replays it.
        client = client_of(server)
        url = client.get_queue_url(QueueName="orders.dead")["QueueUrl"]
        source = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        client.start_message_move_task(SourceArn=source)
        eventually(lambda: has_handled(b"order 2", b"order 1"))
        equal((depth(opened, "orders.dead"), depth(opened, "orders")), (0, 0))


@check_of_stele
def a_topic_can_be_a_dead_letter_queue():
    with topic(partitions=2) as name:
        target = arn_of(sqs.get_queue_url(QueueName=name)["QueueUrl"])
        policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 1})
        url = sqs.create_queue(QueueName=unique("work"), Attributes={"RedrivePolicy": policy})["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="bad")
        first = received(url)
        with consumer() as reader:
            reader.subscribe([name])
            (record,) = poll(reader, 1)
            equal(record.value(), b"bad")
            history = json.loads(dict(record.headers())["stele.deaths"])
            equal(history["last"]["queue"], url.rsplit("/", 1)[1])
        sqs.start_message_move_task(SourceArn=target)
        equal(received(url)["MessageId"], first["MessageId"])
        sqs.delete_queue(QueueUrl=url)
