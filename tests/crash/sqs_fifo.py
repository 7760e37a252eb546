"""A FIFO sender that repeats unacknowledged messages, and a worker that fails on some messages.

The sender keeps the deduplication id when it repeats a message. The worker processes the messages of
a group in order. If it fails on one, it deletes those before, and returns that one and the later ones.
"""

import itertools
import threading
import time

import sqs_client

QUEUE = "crash.fifo"
GROUPS = 4
# The worker fails on one message in so many, the first time it gets it.
FAILS_EVERY = 7
VISIBILITY_SECONDS = "5"
RETRY_SECONDS = 0.02
DRAIN_SECONDS = 180


def prepare(environment):
    attributes = {"FifoQueue": "true", "VisibilityTimeout": VISIBILITY_SECONDS}
    sqs_client.connect(environment).create_queue(QueueName=QUEUE, Attributes=attributes)


def drive(environment, acknowledged, stopping):
    """Returns the record: how many were sent until acknowledged, and how many of those needed a retry."""
    client, url = sqs_client.connect(environment), sqs_client.url(environment, QUEUE)
    work, number, retried = Work(environment), 0, 0
    worker = threading.Thread(target=work.until, args=(stopping.is_set,))
    worker.start()
    while not stopping.is_set():
        while True:
            try:
                client.send_message(
                    QueueUrl=url,
                    MessageBody=str(number),
                    MessageGroupId=_group(number),
                    MessageDeduplicationId=str(number),
                )
                break
            except sqs_client.LOST:
                retried += 1
                time.sleep(RETRY_SECONDS)
        number += 1
        acknowledged.value += 1
    worker.join()
    return {"sent": number, "retried": retried, "seen": work.seen}


def verify(environment, record):
    """Each group is processed in order; nothing is lost, duplicated, or present after its deletion."""
    work, deadline = Work(environment, record["seen"]), time.monotonic() + DRAIN_SECONDS
    work.until(lambda: work.is_done() or time.monotonic() > deadline)
    seen, findings = work.seen, []
    findings += [f"{number} came after its deletion was acknowledged" for number in seen["returned"]]
    findings += [f"{number} is there twice" for number, told in seen["sequences"].items() if len(told) > 1]
    for group in range(GROUPS):
        own = [number for number in seen["processed"] if number % GROUPS == group]
        expected = list(range(group, record["sent"], GROUPS))
        if own != expected:
            lost = sorted(set(expected) - set(own))
            findings.append(f"group {group}: {len(lost)} lost {lost[:3]}, in order: {own == sorted(own)}")
    if not work.is_done():
        findings.append(f"the queue was not empty within {DRAIN_SECONDS} s")
    told = f"{record['sent']} acknowledged, {record['retried']} tries again, {len(seen['processed'])} processed"
    return findings, f"{told}, {len(seen['failed'])} of them after a failure, {seen['behind']} given back behind one"


def _group(number):
    return f"group-{number % GROUPS}"


class Work:
    """The worker, and what it has seen."""

    def __init__(self, environment, seen=None):
        self.client, self.url = sqs_client.connect(environment), sqs_client.url(environment, QUEUE)
        self.seen = seen or {
            # In the order in which they were first processed.
            "processed": {},
            "failed": set(),
            # How often a message was returned because it followed a failure.
            "behind": 0,
            "deleted": set(),
            "returned": [],
            "sequences": {},
        }

    def until(self, over):
        while not over():
            try:
                self._receive()
            except sqs_client.LOST:
                time.sleep(RETRY_SECONDS)

    def is_done(self):
        return sqs_client.is_empty(self.client, self.url)

    def _receive(self):
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["SequenceNumber"]
        )
        messages = answer.get("Messages", [])
        for message in messages:
            self._note(int(message["Body"]), message["Attributes"]["SequenceNumber"])
        done, back = [], []
        for group in range(GROUPS):
            own = [message for message in messages if int(message["Body"]) % GROUPS == group]
            processed = list(itertools.takewhile(self._succeeds, own))
            done += processed
            back += own[len(processed) :]
            self.seen["behind"] += len(own[len(processed) + 1 :])
        self._delete(done)
        if back:
            self._give_back(back)
            # Meanwhile more messages arrive, so that later batches of a group have several.
            time.sleep(RETRY_SECONDS)

    def _note(self, number, sequence):
        self.seen["sequences"].setdefault(number, set()).add(sequence)
        if number in self.seen["deleted"]:
            self.seen["returned"].append(number)

    def _succeeds(self, message):
        number = int(message["Body"])
        if number % FAILS_EVERY == 0 and number not in self.seen["failed"]:
            self.seen["failed"].add(number)
            return False
        self.seen["processed"].setdefault(number)
        return True

    def _delete(self, messages):
        if messages:
            answer = self.client.delete_message_batch(QueueUrl=self.url, Entries=_entries(messages))
            self.seen["deleted"].update(int(each["Id"]) for each in answer.get("Successful", []))

    def _give_back(self, messages):
        """Returns messages. Some may be refused because their lease has expired: they are back anyway."""
        entries = [{**entry, "VisibilityTimeout": 0} for entry in _entries(messages)]
        self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def _entries(messages):
    return [{"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]} for message in messages]
