"""Dead-letter queues: what goes there, how it looks there, and which policies are refused."""

import contextlib
import json

from checks import check, check_of_stele, equal, eventually, unique
from sqs_session import attributes, fifo, name_of, queue, receive, receive_all, refused, send, sqs

EVERYTHING = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


def arn_of(url):
    return attributes(url, "QueueArn")["QueueArn"]


def policy(target, receives):
    """The attribute, for the ARN of a target."""
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": receives})}


@contextlib.contextmanager
def pair(receives, make=queue, **arguments):
    """The URLs of a queue and of its dead-letter queue."""
    with make("dead", **arguments) as dead, make("work", **policy(arn_of(dead), receives), **arguments) as work:
        yield work, dead


def fail(url, times, **arguments):
    """Receives a message so often without deleting it."""
    found = None
    for _ in range(times):
        found = eventually(lambda: receive(url, 1, VisibilityTimeout=0, **arguments))[0]
    return found


@check
def after_three_receives_a_message_is_in_the_dead_letter_queue_as_it_was():
    with pair(3) as (work, dead):
        colour = {"colour": {"DataType": "String", "StringValue": "red"}}
        sent = send(work, "bad", MessageAttributes=colour)
        last = fail(work, 3, **EVERYTHING)
        equal(last["Attributes"]["ApproximateReceiveCount"], "3")
        equal(receive(work), [])
        (found,) = receive_all(dead, 1, **EVERYTHING)
        equal(found["MessageId"], sent["MessageId"])
        for same in ("Body", "MessageAttributes", "MD5OfMessageAttributes"):
            equal(found[same], last[same])
        equal(found["Attributes"]["SentTimestamp"], last["Attributes"]["SentTimestamp"])
        equal(found["Attributes"]["DeadLetterQueueSourceArn"], arn_of(work))


@check
def what_is_deleted_in_time_does_not_go_there():
    with pair(2) as (work, dead):
        for number in range(5):
            send(work, str(number))
        fail(work, 4)
        receive_all(work, 5)
        equal(attributes(dead, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"], "0")


@check
def a_visibility_timeout_that_ends_counts_as_a_receive():
    with pair(1) as (work, dead):
        send(work, "late")
        receive_all(work, 1, delete=False, VisibilityTimeout=1)
        eventually(lambda: receive(work) or receive(dead))


@check
def a_fifo_group_goes_on_behind_its_dead_letter():
    with pair(1, fifo, ContentBasedDeduplication="true") as (work, dead):
        for body in ("bad", "good"):
            send(work, body, MessageGroupId="g")
        equal(fail(work, 1)["Body"], "bad")
        equal(receive_all(work, 1)[0]["Body"], "good")
        (found,) = receive_all(dead, 1, **EVERYTHING)
        equal((found["Body"], found["Attributes"]["MessageGroupId"]), ("bad", "g"))


@check
def a_policy_is_returned_and_removed_by_an_empty_one():
    with pair(7) as (work, dead):
        found = json.loads(attributes(work, "RedrivePolicy")["RedrivePolicy"])
        equal(found, {"deadLetterTargetArn": arn_of(dead), "maxReceiveCount": 7})
        sqs.set_queue_attributes(QueueUrl=work, Attributes={"RedrivePolicy": ""})
        assert "RedrivePolicy" not in attributes(work)


@check
def a_policy_without_a_queue_of_the_same_kind_is_refused():
    with queue() as url, fifo() as other:
        for target in (arn_of(url) + "-absent", arn_of(other), "no-arn"):
            set_policy = lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=policy(target, 1))  # noqa: E731
            refused("InvalidParameterValue", set_policy)
        for receives in (0, 1001, "x"):
            create = lambda: sqs.create_queue(QueueName=unique("q"), Attributes=policy(arn_of(url), receives))  # noqa: E731
            refused("InvalidParameterValue", create)


@check
def a_dead_letter_queue_chooses_its_sources():
    with pair(1) as (work, dead):
        for allowed, is_allowed in (
            ({"redrivePermission": "denyAll"}, False),
            ({"redrivePermission": "byQueue", "sourceQueueArns": [arn_of(dead)]}, False),
            ({"redrivePermission": "byQueue", "sourceQueueArns": [arn_of(work)]}, True),
        ):
            sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(allowed)})
            change = lambda: sqs.set_queue_attributes(QueueUrl=work, Attributes=policy(arn_of(dead), 2))  # noqa: E731
            if is_allowed:
                change()
            else:
                refused("InvalidParameterValue", change)


@check
def the_sources_of_a_dead_letter_queue_are_listed():
    with pair(1) as (work, dead), queue(**policy(arn_of(dead), 2)) as other:
        pages = sqs.get_paginator("list_dead_letter_source_queues").paginate(QueueUrl=dead, PaginationConfig={"PageSize": 1})
        found = [name_of(url) for page in pages for url in page["queueUrls"]]
        equal(found, sorted([name_of(work), name_of(other)]))


@check_of_stele
def without_its_dead_letter_queue_a_message_stays_receivable():
    with pair(2) as (work, dead):
        send(work, "bad")
        sqs.delete_queue(QueueUrl=dead)
        fail(work, 5)
        sqs.create_queue(QueueName=name_of(dead))
        fail(work, 1)
        receive_all(dead, 1)
