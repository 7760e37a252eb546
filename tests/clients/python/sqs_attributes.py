"""Queue attributes: defaults, changes, limits, counts."""

import time

from checks import check, equal, eventually, unique
from sqs_session import attributes, fifo, name_of, queue, receive, refused, send, sqs

DEFAULTS = {
    "DelaySeconds": "0",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
}


@check
def a_fresh_queue_has_the_defaults():
    with queue() as url:
        found = attributes(url)
        equal({name: found.get(name) for name in DEFAULTS}, DEFAULTS)
        assert found["MaximumMessageSize"] in ("262144", "1048576"), found
        assert found["QueueArn"].startswith("arn:aws:sqs:us-east-1:") and found["QueueArn"].endswith(":" + name_of(url))
        assert abs(int(found["CreatedTimestamp"]) - time.time()) < 60, found
        assert abs(int(found["LastModifiedTimestamp"]) - time.time()) < 60, found
        assert "FifoQueue" not in found, found


@check
def only_the_attributes_asked_for_are_given():
    with queue() as url:
        equal(attributes(url, "VisibilityTimeout", "DelaySeconds"), {"VisibilityTimeout": "30", "DelaySeconds": "0"})


@check
def attributes_set_at_creation_are_given_back():
    wanted = {
        "DelaySeconds": "3",
        "MaximumMessageSize": "2048",
        "MessageRetentionPeriod": "3600",
        "ReceiveMessageWaitTimeSeconds": "2",
        "VisibilityTimeout": "7",
    }
    with queue(**wanted) as url:
        equal(attributes(url, *wanted), wanted)


@check
def attributes_change_and_the_others_stay():
    with queue(VisibilityTimeout="7", DelaySeconds="1") as url:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "9"})
        equal(attributes(url, "VisibilityTimeout", "DelaySeconds"), {"VisibilityTimeout": "9", "DelaySeconds": "1"})


@check
def values_outside_their_limits_are_refused():
    for name, value in (
        ("VisibilityTimeout", "43201"),
        ("DelaySeconds", "901"),
        ("MessageRetentionPeriod", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("MaximumMessageSize", "1023"),
        ("VisibilityTimeout", "-1"),
        ("DelaySeconds", "soon"),
    ):
        with queue() as url:
            refused(
                "InvalidAttributeValue", lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})
            )


@check
def unknown_attributes_are_refused():
    with queue() as url:
        refused("InvalidAttributeName", lambda: attributes(url, "Colour"))
        refused(
            "InvalidAttributeName", lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Colour": "red"})
        )


@check
def the_counts_follow_the_messages():
    with queue() as url:
        send(url, "ready")
        send(url, "to be received")
        send(url, "later", DelaySeconds=60)
        receive(url, count=1, wait=1)

        def counted():
            found = attributes(url)
            return [found[f"ApproximateNumberOfMessages{suffix}"] for suffix in ("", "NotVisible", "Delayed")] == [
                "1",
                "1",
                "1",
            ]

        eventually(counted)


@check
def a_fifo_queue_says_so():
    with fifo(ContentBasedDeduplication="true") as url:
        found = attributes(url)
        equal((found["FifoQueue"], found["ContentBasedDeduplication"]), ("true", "true"))


@check
def content_based_deduplication_can_be_switched():
    with fifo() as url:
        equal(attributes(url, "ContentBasedDeduplication"), {"ContentBasedDeduplication": "false"})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": "true"})
        equal(attributes(url, "ContentBasedDeduplication"), {"ContentBasedDeduplication": "true"})


@check
def booleans_are_taken_as_python_writes_them():
    name = unique("python") + ".fifo"
    given = {"FifoQueue": str(True), "ContentBasedDeduplication": str(True)}
    url = sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
    equal(attributes(url)["FifoQueue"], "true")
    equal(sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"], url)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": str(False)})
    equal(attributes(url)["ContentBasedDeduplication"], "false")
    sqs.delete_queue(QueueUrl=url)


@check
def encryption_is_told_as_it_was_set():
    with queue(KmsMasterKeyId="alias/aws/sqs") as url:
        equal(attributes(url)["KmsMasterKeyId"], "alias/aws/sqs")
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "True"})
        told = attributes(url)
        equal(told["SqsManagedSseEnabled"], "true")
        assert "KmsMasterKeyId" not in told, told
