"""When records are removed, by who did what with a queue or topic, in which order (the rows of docs/retention.md)."""

import contextlib
import json
import subprocess
import urllib.parse
import urllib.request

import boto3
import pika
from checks import STELE, check_of_stele, equal, eventually
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from own_server import own_server

COUNT = 10
BRIEF_MS = "1000"


class Both:
    """A server, with clients of the three protocols and its operator's view."""

    def __init__(self, server):
        ends = server.environment()
        self.kafka = ends["KAFKA_ADDRESS"]
        self.admin = AdminClient({"bootstrap.servers": self.kafka})
        self.sqs = boto3.client(
            "sqs", "us-east-1", endpoint_url=ends["SQS_URL"], aws_access_key_id="x", aws_secret_access_key="x"
        )
        host, port = ends["AMQP_ADDRESS"].rsplit(":", 1)
        self.connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
        self.amqp = self.connection.channel()
        self.operator = f"http://127.0.0.1:{server.ports['admin']}"

    def log(self, name):
        path = f"{self.operator}/v1/logs/{urllib.parse.quote(name, safe='')}"
        return json.load(urllib.request.urlopen(path))

    def kept(self, name):
        return self.log(name)["records"]

    def kind(self, name):
        return self.log(name)["kind"]

    def topic(self, name, **config):
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self.admin.create_topics([NewTopic(name, 1, 1, config=settings)])[name].result(10)

    def queue(self, name):
        self.amqp.queue_declare(name, durable=True)

    def produce(self, name, count=COUNT):
        producer = Producer({"bootstrap.servers": self.kafka, "allow.auto.create.topics": False})
        for number in range(count):
            producer.produce(name, f"{number}")
        equal(producer.flush(30), 0)

    def publish(self, name, count=COUNT):
        self.amqp.confirm_delivery()
        for number in range(count):
            self.amqp.basic_publish("", name, f"{number}".encode())

    def take(self, name, count=COUNT):
        """Consumes and acknowledges so many messages with AMQP."""
        for number in range(count):
            method, _, body = eventually(lambda: next_of(self.amqp, name))
            equal(body, f"{number}".encode())
            self.amqp.basic_ack(method.delivery_tag)

    def url(self, name):
        return self.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def end(self, name, role):
        command = [STELE, "log", "end", name, role, "--admin", self.operator.removeprefix("http://")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def retention_has_looked(self):
        """Uses a queue declared last: once its acknowledged record is gone, retention has checked all others."""
        self.queue("zz-last")
        self.publish("zz-last", 1)
        self.take("zz-last", 1)
        eventually(lambda: self.kept("zz-last") == 0)
        self.amqp.queue_delete("zz-last")


def next_of(channel, name):
    got = channel.basic_get(name)
    return got if got[0] else None


@contextlib.contextmanager
def both():
    with own_server(STELE_ENGINE__SHARDS="1") as server:
        world = Both(server)
        yield world
        world.connection.close()


@check_of_stele
def a_topic_goes_by_its_window_whoever_uses_it():
    with both() as world:
        world.topic("t")
        world.produce("t")
        url = world.url("t")
        attributes = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        equal(attributes["ApproximateNumberOfMessages"], str(COUNT))
        world.sqs.send_message(QueueUrl=url, MessageBody=f"{COUNT}")
        equal(world.amqp.queue_declare("t", passive=True).method.message_count, COUNT + 1)
        equal(world.kind("t"), ["topic"])
        world.take("t", COUNT)
        received = world.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        equal([message["Body"] for message in received], [f"{COUNT}"])
        world.sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
        world.retention_has_looked()
        equal((world.kind("t"), world.kept("t")), (["topic"], COUNT + 1))
        equal(world.log("t")["held_by"], ["window"])


@check_of_stele
def what_leaves_the_window_of_a_topic_goes_though_nobody_acknowledged_it():
    with both() as world:
        world.topic("t", retention_ms=BRIEF_MS)
        world.produce("t")
        method, _, _ = eventually(lambda: next_of(world.amqp, "t"))
        eventually(lambda: world.kept("t") == 0)
        world.amqp.basic_ack(method.delivery_tag)
        equal(world.amqp.queue_declare("t", passive=True).method.message_count, 0)
        world.produce("t", 1)
        world.take("t", 1)


def kept_until_acknowledged_and_out_of_the_window(declare):
    with both() as world:
        world.topic("t", retention_ms=BRIEF_MS)
        declare(world)
        world.topic("u", retention_ms=BRIEF_MS)
        equal(world.kind("t"), ["queue", "topic"])
        world.produce("t")
        world.produce("u")
        eventually(lambda: world.kept("u") == 0)
        eventually(lambda: world.log("t")["held_by"] == ["queue"])
        equal(world.kept("t"), COUNT)
        world.take("t")
        eventually(lambda: world.kept("t") == 0)


@check_of_stele
def a_topic_that_is_declared_a_queue_keeps_both_in_amqp():
    kept_until_acknowledged_and_out_of_the_window(lambda world: world.queue("t"))


@check_of_stele
def a_topic_that_is_declared_a_queue_keeps_both_in_sqs():
    kept_until_acknowledged_and_out_of_the_window(lambda world: world.sqs.create_queue(QueueName="t"))


@check_of_stele
def a_topic_that_was_consumed_before_it_was_declared_a_queue_keeps_both():
    def consumed_and_declared(world):
        world.produce("t", 1)
        world.take("t", 1)
        world.queue("t")

    kept_until_acknowledged_and_out_of_the_window(consumed_and_declared)


@check_of_stele
def a_queues_record_goes_when_it_is_acknowledged_whatever_readers_without_a_group_do():
    with both() as world:
        world.queue("q")
        world.publish("q")
        reader = Consumer({"bootstrap.servers": world.kafka, "group.id": "none", "allow.auto.create.topics": True})
        equal(len(reader.list_topics("q", timeout=10).topics["q"].partitions), 1)
        reader.assign([TopicPartition("q", 0, OFFSET_BEGINNING)])
        read = eventually(lambda: reader.consume(COUNT, 1.0))
        equal(read[0].value(), b"0")
        equal(world.kind("q"), ["queue"])
        world.take("q", COUNT - 1)
        eventually(lambda: world.kept("q") == 1)
        equal(world.log("q")["held_by"], ["queue"])
        reader.close()


@check_of_stele
def a_queue_waits_for_a_group_until_it_has_read_or_is_deleted():
    with both() as world:
        world.queue("q")
        world.publish("q")
        settings = {"group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False}
        reader = Consumer({"bootstrap.servers": world.kafka, **settings})
        reader.subscribe(["q"])
        eventually(lambda: reader.poll(0.1) and reader.assignment())
        world.take("q")
        world.retention_has_looked()
        equal((world.kept("q"), world.log("q")["held_by"]), (COUNT, ["group g"]))
        reader.commit(offsets=[TopicPartition("q", 0, 6)], asynchronous=False)
        eventually(lambda: world.kept("q") == COUNT - 6)
        reader.close()
        world.retention_has_looked()
        equal(world.kept("q"), COUNT - 6)
        world.admin.delete_consumer_groups(["g"])["g"].result(10)
        eventually(lambda: world.kept("q") == 0)


def reader_of(world, name):
    """A consumer of the group `g` with its assignment, that commits nothing."""
    settings = {"group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    reader = Consumer({"bootstrap.servers": world.kafka, **settings})
    reader.subscribe([name])
    eventually(lambda: reader.poll(0.1) and reader.assignment())
    return reader


@check_of_stele
def a_group_of_a_topic_holds_it_once_it_is_a_queue():
    with both() as world:
        world.topic("t", retention_ms="3600000")
        world.produce("t")
        reader = reader_of(world, "t")
        world.queue("t")
        world.end("t", "topic")
        world.take("t")
        world.retention_has_looked()
        equal((world.kept("t"), world.log("t")["held_by"]), (COUNT, ["group g"]))
        reader.close()


@check_of_stele
def a_group_holds_the_partitions_that_a_queue_gets_later():
    with both() as world:
        world.queue("q")
        world.publish("q", 1)
        reader = reader_of(world, "q")
        world.admin.create_partitions([NewPartitions("q", 2)])["q"].result(10)
        producer = Producer({"bootstrap.servers": world.kafka})
        producer.produce("q", "1", partition=1)
        equal(producer.flush(30), 0)
        for _ in range(2):
            method, _, _ = eventually(lambda: next_of(world.amqp, "q"))
            world.amqp.basic_ack(method.delivery_tag)
        world.retention_has_looked()
        equal([it["held_by"] for it in world.log("q")["partitions"]], [["group g"], ["group g"]])
        reader.close()


@check_of_stele
def a_queue_that_is_declared_again_has_the_new_settings():
    with both() as world:
        world.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "5", "DelaySeconds": "7"})
        world.topic("q")
        world.end("q", "queue")
        url = world.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "50"})["QueueUrl"]
        told = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        equal((told["VisibilityTimeout"], told["DelaySeconds"]), ("50", "0"))


@check_of_stele
def a_queue_that_is_created_as_a_topic_keeps_both_until_either_ends():
    with both() as world:
        world.queue("q")
        world.publish("q")
        world.topic("q")
        equal(world.kind("q"), ["queue", "topic"])
        world.take("q")
        world.retention_has_looked()
        equal((world.kept("q"), world.log("q")["held_by"]), (COUNT, ["window"]))
        world.end("q", "topic")
        eventually(lambda: world.kept("q") == 0)
        equal(world.kind("q"), ["queue"])


@check_of_stele
def a_queue_that_is_given_a_retention_time_keeps_both():
    with both() as world:
        world.queue("q")
        world.publish("q")
        resource = ConfigResource(ConfigResource.Type.TOPIC, "q", set_config={"retention.ms": "3600000"})
        world.admin.alter_configs([resource])[resource].result(10)
        equal(world.kind("q"), ["queue", "topic"])
        world.take("q")
        world.retention_has_looked()
        equal(world.kept("q"), COUNT)


@check_of_stele
def other_settings_make_no_topic_of_a_queue():
    with both() as world:
        world.queue("q")
        for name, value in [("max.message.bytes", "2000000"), ("compression.type", "zstd")]:
            resource = ConfigResource(ConfigResource.Type.TOPIC, "q", set_config={name: value})
            world.admin.alter_configs([resource])[resource].result(10)
            equal(world.kind("q"), ["queue"])


@check_of_stele
def what_is_no_queue_any_more_goes_by_the_window():
    with both() as world:
        world.topic("t", retention_ms=BRIEF_MS)
        world.queue("t")
        world.produce("t")
        world.end("t", "queue")
        equal(world.kind("t"), ["topic"])
        eventually(lambda: world.kept("t") == 0)
        refused = subprocess.run(
            [STELE, "log", "end", "t", "topic", "--admin", world.operator.removeprefix("http://")],
            capture_output=True,
            text=True,
        )
        equal(refused.returncode, 1)
        equal("no other role" in refused.stderr, True)
        world.queue("t")
        equal(world.kind("t"), ["queue", "topic"])


@check_of_stele
def a_kafka_producers_record_waits_for_those_of_its_key_in_a_fifo_queue():
    with both() as world:
        name = "orders.fifo"
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        url = world.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        world.sqs.send_message(QueueUrl=url, MessageBody="first", MessageGroupId="a")
        producer = Producer({"bootstrap.servers": world.kafka, "compression.type": "zstd"})
        for key, value in [("a", "second"), ("b", "other")]:
            producer.produce(name, value, key=key)
        equal(producer.flush(30), 0)

        def receive(seconds=10):
            received = world.sqs.receive_message(
                QueueUrl=url, WaitTimeSeconds=seconds, MessageSystemAttributeNames=["MessageGroupId"]
            )
            return [
                (it["Attributes"]["MessageGroupId"], it["Body"], it["ReceiptHandle"])
                for it in received.get("Messages", [])
            ]

        (group, body, handle), = receive()
        equal((group, body), ("a", "first"))
        (group, body, _), = receive()
        equal((group, body), ("b", "other"))
        equal(receive(0), [])
        world.sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
        (group, body, _), = receive()
        equal((group, body), ("a", "second"))
