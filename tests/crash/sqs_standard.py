"""A sender and a receiver that deletes: sent messages arrive, and deleted ones never arrive again."""

import threading
import time

import sqs_client

QUEUE = "crash-standard"
VISIBILITY_SECONDS = "5"
RETRY_SECONDS = 0.02
DRAIN_SECONDS = 180


def prepare(environment):
    client = sqs_client.connect(environment)
    client.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": VISIBILITY_SECONDS})


def drive(environment, acknowledged, stopping):
    """Returns the record: the numbers acknowledged to the sender, and what the receiver saw."""
    client, url = sqs_client.connect(environment), sqs_client.url(environment, QUEUE)
    seen = {"received": set(), "deleted": set(), "returned": []}
    receiver = threading.Thread(target=_receive_until, args=(environment, seen, stopping.is_set))
    receiver.start()
    sent, number = [], 0
    while not stopping.is_set():
        number += 1
        try:
            client.send_message(QueueUrl=url, MessageBody=str(number))
            sent.append(number)
            acknowledged.value += 1
        except sqs_client.LOST:
            time.sleep(RETRY_SECONDS)
    receiver.join()
    return {"tried": number, "sent": sent, "seen": seen}


def verify(environment, record):
    """Everything acknowledged arrived, and nothing arrived after its deletion was acknowledged."""
    seen, deadline = record["seen"], time.monotonic() + DRAIN_SECONDS
    _receive_until(environment, seen, lambda: _is_empty(environment) or time.monotonic() > deadline)
    findings = [f"{number} came after its deletion was acknowledged" for number in seen["returned"]]
    lost = sorted(set(record["sent"]) - seen["received"])
    if lost:
        findings.append(f"{len(lost)} acknowledged and lost, the first {lost[0]}")
    if not _is_empty(environment):
        findings.append(f"the queue was not empty within {DRAIN_SECONDS} s")
    told = f"{record['tried']} tried, {len(record['sent'])} acknowledged, {len(seen['received'])} found"
    return findings, f"{told}, {len(seen['deleted'])} deleted"


def _receive_until(environment, seen, over):
    client, url = sqs_client.connect(environment), sqs_client.url(environment, QUEUE)
    while not over():
        try:
            answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                number = int(message["Body"])
                seen["received"].add(number)
                if number in seen["deleted"]:
                    seen["returned"].append(number)
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                seen["deleted"].add(number)
        except sqs_client.LOST:
            time.sleep(RETRY_SECONDS)


def _is_empty(environment):
    return sqs_client.is_empty(sqs_client.connect(environment), sqs_client.url(environment, QUEUE))
