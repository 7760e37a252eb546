"""Sends an order with each program and waits until each protocol's receiver has processed it.

Queue consumers of all protocols share one ledger, so that a message goes to one of them: the
receivers run in turn. `run` starts this within a network namespace.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "benches" / "versus")]

import loopback  # noqa: E402
import programs  # noqa: E402
from harness.stele import Stele  # noqa: E402

KAFKA, AMQP, SQS = 9092, 5672, 9324
PROTOCOLS = ("kafka", "amqp", "sqs")


@contextlib.contextmanager
def stele(program, directory):
    server = Stele(program, directory, kafka=KAFKA, amqp=AMQP, sqs=SQS)
    with server.running():
        yield [(sender, receiver) for receiver in PROTOCOLS for sender in PROTOCOLS]


@contextlib.contextmanager
def peers(directory):
    import boto3
    from peers.kafka import Kafka
    from peers.moto import Moto
    from peers.rabbitmq import RabbitMq

    with contextlib.ExitStack() as stack:
        for kind, port in ((Kafka, KAFKA), (RabbitMq, AMQP), (Moto, SQS)):
            peer = kind(directory / kind.__name__.lower())
            peer.port = port
            stack.callback(peer.stop)
            peer.start()
        # Moto knows only the account 123456789012, so the queue for the nine digits of the notes is created there.
        any_key = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
        boto3.client("sqs", endpoint_url=programs.SQS_URL, **any_key).create_queue(QueueName="orders")
        yield [(protocol, protocol) for protocol in PROTOCOLS]


def kafka_consumer_is_placed():
    """Waits until the group has committed an offset: from then on it misses nothing.

    The notes set no reset policy, so a new group starts at the end of the log; what is sent
    before it has asked where that is, it rightly never sees.
    """
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    asker = Consumer({"bootstrap.servers": f"localhost:{KAFKA}", "group.id": "order-processor"})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        # A coordinator that is still starting returns an error.
        with contextlib.suppress(KafkaException):
            if asker.committed([TopicPartition("orders", 0)], timeout=10)[0].offset >= 0:
                asker.close()
                return
        time.sleep(0.2)
    raise RuntimeError("the Kafka consumer's group had no committed offset within 120 s")


def order():
    """An order in the notes' message format."""
    return json.dumps({"messageId": f"msg-{uuid.uuid4()}", "type": "OrderCreated", "data": {"orderId": "order-123"}})


def run_pairs(pairs):
    """Runs each receiver in turn, with each sender; returns how many pairs failed."""
    failed = 0
    for receiver in dict.fromkeys(receiver for _, receiver in pairs):
        with contextlib.ExitStack() as stack:
            # The SQS receiver of the notes polls once, so it is started for each order.
            running = None if receiver == "sqs" else stack.enter_context(programs.Receiver(receiver))
            if receiver == "kafka":
                kafka_consumer_is_placed()
            for sender in (sender for sender, to in pairs if to == receiver):
                try:
                    show_pair(sender, receiver, running)
                    print(f"ok   seed.{sender}_reaches_{receiver}", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"FAIL seed.{sender}_reaches_{receiver}: {error}", flush=True)
    return failed


def show_pair(sender, receiver, running):
    sent = order()
    programs.send(sender, sent)
    if running:
        running.wait_for(sent)
        return
    with programs.Receiver(receiver) as polled:
        polled.wait_for(sent)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stele", metavar="PROGRAM")
    parser.add_argument("--against-peers", action="store_true")
    parser.add_argument("--bring-up-loopback", action="store_true")
    given = parser.parse_args()
    if given.bring_up_loopback:
        loopback.bring_up()
    with tempfile.TemporaryDirectory(prefix="seed-") as name:
        directory = pathlib.Path(name)
        with peers(directory) if given.against_peers else stele(given.stele, directory) as pairs:
            failed = run_pairs(pairs)
    print(f"{len(pairs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
