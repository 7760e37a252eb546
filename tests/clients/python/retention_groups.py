"""A queue with a fast AMQP worker and Kafka groups of three client libraries: each group sees everything."""

import contextlib
import os
import subprocess

from checks import check_of_stele, equal, eventually
from confluent_kafka import Consumer
from retention_rules import both

from harness import toolchains

COUNT = 20_000
BODY = b"x" * 500
SEPARATE = {
    "kafkajs": ["node", toolchains.NODE / "reader.js"],
    "kafka-clients": [*toolchains.JAVA, "stele.clients.kafka.Reader"],
}


class Separate:
    """A reader in a separate process: reports its first record, and continues on request."""

    def __init__(self, name, address, queue):
        command = [*SEPARATE[name], address, queue, f"group-{name}", COUNT]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def has_begun(self):
        return self.process.stdout.readline() == "begun\n"

    def rest(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@check_of_stele
def every_group_sees_all_of_a_queue_beside_a_fast_worker_whatever_its_library():
    with both() as world, contextlib.ExitStack() as stack:
        world.queue("q")
        for _ in range(COUNT):
            world.amqp.basic_publish("", "q", BODY)
        eventually(lambda: world.kept("q") == COUNT)
        own = Consumer(
            {
                "bootstrap.servers": world.kafka,
                "group.id": "group-librdkafka",
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 100,
                "fetch.max.bytes": 100_000,
                "message.max.bytes": 100_000,
            }
        )
        stack.callback(own.close)
        own.subscribe(["q"])
        eventually(lambda: own.poll(1.0))
        separate = {name: stack.enter_context(Separate(name, world.kafka, "q")) for name in SEPARATE}
        equal([name for name, reader in separate.items() if not reader.has_begun()], [])
        taken = 0
        for method, _, _ in world.amqp.consume("q"):
            world.amqp.basic_ack(method.delivery_tag)
            taken += 1
            if taken == COUNT:
                break
        world.amqp.cancel()
        world.retention_has_looked()
        seen = {name: reader.rest() for name, reader in separate.items()}
        equal(seen, dict.fromkeys(SEPARATE, COUNT))
        read = 1
        while messages := own.consume(1_000, 5.0):
            read += len(messages)
            if read == COUNT:
                break
        equal(read, COUNT)
