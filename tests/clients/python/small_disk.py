"""A server on a small file system, and how each protocol fills and empties it.

The file system is in memory, in this suite's mount namespace, which needs no privileges.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pika
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from checks import equal, eventually

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))

from harness.stele import Stele, binary  # noqa: E402

# The reserve is a fifth of the disk, and less than a journal file.
DISK_MIB, RESERVE_MIB = 120, 24
# How long a client waits for space before it gives up.
PATIENCE_SECONDS = 4
FREE_SECONDS = 5


class Disk:
    """A server, and the file system reserved for its data."""

    def __init__(self, server, path):
        self.server, self.path = server, path

    def free_bytes(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def metric(self, name):
        """The sum of a metric over its labels."""
        url = f"http://127.0.0.1:{self.server.ports['admin']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def runs(self):
        """Fails if the server has ended."""
        code = self.server.process.poll()
        if code is not None:
            raise AssertionError(f"the server ended with {code}: {self.server.tail(3)}")

    @contextlib.contextmanager
    def filled(self):
        """Runs without any free space: a file takes all of it."""
        ballast = self.path / "ballast"
        # Unbuffered: closing would write the buffer.
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        try:
            yield
        finally:
            ballast.unlink()


@contextlib.contextmanager
def small_disk(**settings):
    with tempfile.TemporaryDirectory(prefix="small-disk-") as directory:
        path = pathlib.Path(directory) / "data"
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "stele", path]
        subprocess.run(mount, check=True)
        try:
            chosen = {"STELE_STORAGE__RESERVE": f"{RESERVE_MIB}MiB", **settings}
            server = Stele(binary(), directory, chosen)
            with server.running():
                yield Disk(server, path)
        finally:
            subprocess.run(["umount", path], check=True)


class Amqp:
    """A queue, with confirmed messages."""

    BODY_BYTES = 1_000_000

    def __init__(self, disk):
        self.disk = disk

    def connect(self, patience_seconds=None):
        """A connection that ends when publishing is blocked for so long."""
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                "127.0.0.1", self.disk.server.ports["amqp"], blocked_connection_timeout=patience_seconds
            )
        )

    def make(self, name):
        with self.connect() as opened:
            opened.channel().queue_declare(name, durable=True)

    def remove(self, name):
        with self.connect() as opened:
            opened.channel().queue_delete(name)

    def send(self, name, bodies):
        """Returns the acknowledged bodies, up to the first one that wasn't."""
        acknowledged = []
        with contextlib.suppress(pika.exceptions.ConnectionBlockedTimeout):
            with self.connect(PATIENCE_SECONDS) as opened:
                channel = opened.channel()
                channel.confirm_delivery()
                for body in bodies:
                    channel.basic_publish("", name, body, pika.BasicProperties(delivery_mode=2))
                    acknowledged.append(body[:8])
        return acknowledged

    def empty(self, name):
        """Consumes and returns everything."""
        found = []
        with self.connect() as opened:
            channel = opened.channel()
            while True:
                method, _, body = channel.basic_get(name)
                if method is None:
                    return found
                found.append(body[:8])
                channel.basic_ack(method.delivery_tag)


class Sqs:
    """A queue, with messages that are deleted after receiving them."""

    BODY_BYTES = 250_000

    def __init__(self, disk):
        self.disk = disk

    def client(self):
        return boto3.client(
            "sqs",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{self.disk.server.ports['sqs']}",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            # Its own attempts take a fraction of a second.
            config=botocore.config.Config(
                retries={"mode": "standard", "total_max_attempts": 4}, read_timeout=PATIENCE_SECONDS
            ),
        )

    def make(self, name):
        self.client().create_queue(QueueName=name)

    def remove(self, name):
        client = self.client()
        client.delete_queue(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"])

    def send(self, name, bodies):
        client, acknowledged = self.client(), []
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        # An accepted message waits for its answer while others use up all space.
        with contextlib.suppress(botocore.exceptions.ClientError, botocore.exceptions.ReadTimeoutError):
            for body in bodies:
                self.send_one(client, QueueUrl=url, MessageBody=body.decode())
                acknowledged.append(body[:8])
        return acknowledged

    @staticmethod
    def send_one(client, **message):
        """Sends again while it is refused, as long as the clients of the other protocols do."""
        began = time.monotonic()
        while True:
            try:
                return client.send_message(**message)
            except botocore.exceptions.ClientError as error:
                is_full = error.response["Error"]["Code"] == "ServiceUnavailable"
                if not is_full or time.monotonic() - began > PATIENCE_SECONDS:
                    raise

    def empty(self, name):
        client, found = self.client(), []
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"][:8].encode())
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


class Kafka:
    """A topic of one partition, whose records are deleted after reading them."""

    BODY_BYTES = 900_000

    def __init__(self, disk):
        self.disk = disk

    def settings(self, **more):
        address = f"127.0.0.1:{self.disk.server.ports['kafka']}"
        return {"bootstrap.servers": address, "log_level": 0, **more}

    def make(self, name):
        admin = AdminClient(self.settings())
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(15)

    def remove(self, name):
        admin = AdminClient(self.settings())
        admin.delete_topics([name])[name].result(15)

    def send(self, name, bodies):
        acknowledged, failed = [], []
        producer = Producer(self.settings(**{"message.timeout.ms": PATIENCE_SECONDS * 1000, "acks": "all"}))
        for body in bodies:

            def told(error, _, number=body[:8]):
                (failed if error else acknowledged).append(number)

            producer.produce(name, body, on_delivery=told)
            producer.flush()
            if failed:
                break
        return acknowledged

    def empty(self, name):
        found = []
        consumer = Consumer(self.settings(**{"group.id": "emptying", "enable.auto.commit": False}))
        first, end = consumer.get_watermark_offsets(TopicPartition(name, 0), 10)
        consumer.assign([TopicPartition(name, 0, first)])
        while len(found) < end - first:
            if message := consumer.poll(1):
                equal(message.error(), None)
                found.append(message.value()[:8])
        consumer.close()
        admin = AdminClient(self.settings())
        for done in admin.delete_records([TopicPartition(name, 0, end)]).values():
            done.result(15)
        return found


def bodies(front, first=0):
    """More bodies than fit on the disk, each with its number."""
    count = 3 * DISK_MIB * 1_000_000 // front.BODY_BYTES
    return ((b"%08d" % number).ljust(front.BODY_BYTES, b"x") for number in range(first, first + count))


def sends_again(front, name):
    """Fails if nothing can be sent soon."""
    began = time.monotonic()
    body = next(bodies(front, first=99_000_000))

    def sent():
        return front.send(name, [body])

    eventually(sent, FREE_SECONDS + PATIENCE_SECONDS)
    taken = time.monotonic() - began
    if taken > FREE_SECONDS:
        raise AssertionError(f"sending went on after {taken:.1f} s")


def is_there(found, acknowledged):
    """Nothing acknowledged is lost or duplicated; what was refused or given up at the end may be there."""
    equal(sorted(set(acknowledged) - set(found)), [])
    equal(len(found), len(set(found)))
    if len(found) > len(acknowledged) + 1:
        raise AssertionError(f"{len(found)} found, of which {len(acknowledged)} were acknowledged")
