"""What a Kafka client may do to a topic that is also an SQS queue."""

import boto3
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from checks import check_of_stele, equal
from kafka_admin import refused
from own_server import own_server

QUEUE = "orders.fifo"
GROUPS = 8
OF_EACH = 5


class Both:
    """A FIFO queue, with an SQS client and a Kafka administration client."""

    def __init__(self, server):
        ends = server.environment()
        self.sqs = boto3.client(
            "sqs", "us-east-1", endpoint_url=ends["SQS_URL"], aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.url = self.sqs.create_queue(QueueName=QUEUE, Attributes={"FifoQueue": "true"})["QueueUrl"]
        self.admin = AdminClient({"bootstrap.servers": ends["KAFKA_ADDRESS"], "allow.auto.create.topics": True})

    def partitions(self):
        return len(self.admin.list_topics(QUEUE, timeout=10).topics[QUEUE].partitions)

    def send(self, numbers):
        for number in numbers:
            for group in range(GROUPS):
                body = f"{group}-{number}"
                self.sqs.send_message(
                    QueueUrl=self.url, MessageBody=body, MessageGroupId=str(group), MessageDeduplicationId=body
                )

    def received(self, count):
        """The bodies of all messages, each deleted after it was received."""
        found = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if len(found) >= count else 10
        ).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found


def in_order_around(action, **settings):
    """Sends before and after the action; each group must arrive in order."""
    with own_server(**settings) as server:
        both = Both(server)
        both.send(range(OF_EACH))
        action(both)
        both.send(range(OF_EACH, 2 * OF_EACH))
        found = both.received(GROUPS * 2 * OF_EACH)
        for group in range(GROUPS):
            own = [body for body in found if body.startswith(f"{group}-")]
            equal(own, [f"{group}-{number}" for number in range(2 * OF_EACH)])


@check_of_stele
def asking_for_metadata_of_a_fifo_queue_leaves_its_partitions_and_order():
    def action(both):
        equal([both.partitions() for _ in range(3)], [1, 1, 1])

    in_order_around(action, STELE_KAFKA__PARTITIONS="4")


@check_of_stele
def making_a_topic_of_a_fifo_queue_leaves_its_partitions_and_order():
    def action(both):
        refused("INVALID_PARTITIONS", lambda: both.admin.create_topics([NewTopic(QUEUE, 6, 1)])[QUEUE].result(15))
        both.admin.create_topics([NewTopic(QUEUE, -1, 1)])[QUEUE].result(15)
        equal(both.partitions(), 1)

    in_order_around(action)


@check_of_stele
def more_partitions_for_a_fifo_queue_are_refused():
    def action(both):
        refused("INVALID_PARTITIONS", lambda: both.admin.create_partitions([NewPartitions(QUEUE, 6)])[QUEUE].result(15))
        equal(both.partitions(), 1)

    in_order_around(action)
