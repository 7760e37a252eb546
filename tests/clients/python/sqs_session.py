"""The boto3 client for the SQS checks, and queues that are deleted afterwards."""

import contextlib
import os

import boto3
import botocore.config
import botocore.exceptions

from checks import equal, eventually, raised, unique

URL = os.environ.get("SQS_URL", "http://127.0.0.1:9324")


def client(url):
    """A client that doesn't retry."""
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(retries={"max_attempts": 0}, read_timeout=90),
    )


def client_of(server):
    """A client of a server of a check's own."""
    return client(f"http://127.0.0.1:{server.ports['sqs']}")


sqs = client(URL)


@contextlib.contextmanager
def queue(prefix="queue", **attributes):
    """The URL of a fresh standard queue."""
    with _made(unique(prefix), attributes) as url:
        yield url


@contextlib.contextmanager
def fifo(prefix="queue", **attributes):
    """The URL of a fresh FIFO queue."""
    with _made(unique(prefix) + ".fifo", {"FifoQueue": "true", **attributes}) as url:
        yield url


@contextlib.contextmanager
def _made(name, attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    try:
        yield url
    finally:
        with contextlib.suppress(sqs.exceptions.QueueDoesNotExist):
            sqs.delete_queue(QueueUrl=url)


def name_of(url):
    return url.rsplit("/", 1)[1]


def send(url, body, **arguments):
    return sqs.send_message(QueueUrl=url, MessageBody=body, **arguments)


def receive(url, count=10, wait=0, **arguments):
    """The messages of one ReceiveMessage: a list, possibly empty."""
    arguments = {"MaxNumberOfMessages": count, "WaitTimeSeconds": wait, **arguments}
    return sqs.receive_message(QueueUrl=url, **arguments).get("Messages", [])


def receive_all(url, count, delete=True, **arguments):
    """Receives until `count` messages have arrived."""
    found = []

    def complete():
        for message in receive(url, wait=1, **arguments):
            found.append(message)
            if delete:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(complete)
    equal(len(found), count)
    return found


def attributes(url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"]).get("Attributes", {})


def refused(code, action):
    """Runs the action, which must fail with this error code, and returns the message."""
    error = raised(botocore.exceptions.ClientError, action).response["Error"]
    equal(error["Code"], code)
    assert error.get("Message"), error
    return error["Message"]


ABSENT = "AWS.SimpleQueueService.NonExistentQueue"
