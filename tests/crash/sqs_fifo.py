"""A FIFO sender that sends again, under the same deduplication id, whatever was not acknowledged."""

import time

import sqs_client

QUEUE = "crash.fifo"
GROUPS = 4
RETRY_SECONDS = 0.02
EMPTY_POLLS = 2


def prepare(environment):
    sqs_client.connect(environment).create_queue(QueueName=QUEUE, Attributes={"FifoQueue": "true"})


def drive(environment, acknowledged, stopping):
    """The record: how many were sent, each until it was acknowledged, and how often that took a second try."""
    client, url = sqs_client.connect(environment), sqs_client.url(environment, QUEUE)
    number, retried = 0, 0
    while not stopping.is_set():
        while True:
            try:
                client.send_message(
                    QueueUrl=url,
                    MessageBody=str(number),
                    MessageGroupId=f"group-{number % GROUPS}",
                    MessageDeduplicationId=str(number),
                )
                break
            except sqs_client.LOST:
                retried += 1
                time.sleep(RETRY_SECONDS)
        number += 1
        acknowledged.value += 1
    return {"sent": number, "retried": retried}


def verify(environment, record):
    """Each number is there once, and each group's numbers are in order."""
    client, url = sqs_client.connect(environment), sqs_client.url(environment, QUEUE)
    found, empty = [], 0
    while empty < EMPTY_POLLS:
        messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
        empty = 0 if messages else empty + 1
        for message in messages:
            found.append(int(message["Body"]))
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    findings = []
    for group in range(GROUPS):
        own = [number for number in found if number % GROUPS == group]
        expected = list(range(group, record["sent"], GROUPS))
        if own != expected:
            lost, doubled = sorted(set(expected) - set(own)), len(own) - len(set(own))
            findings.append(f"group {group}: {len(lost)} lost {lost[:3]}, {doubled} doubled, in order: {own == sorted(own)}")
    return findings, f"{record['sent']} acknowledged, {record['retried']} tries again, {len(found)} found"
