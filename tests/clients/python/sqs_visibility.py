"""Visibility timeouts and their changes."""

import time

from checks import check, equal, eventually
from sqs_session import attributes, queue, receive, receive_all, refused, send, sqs


def change(url, message, seconds):
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
    )


@check
def a_received_message_comes_back_when_its_timeout_is_over():
    with queue() as url:
        send(url, "again")
        started = time.monotonic()
        receive_all(url, 1, delete=False, VisibilityTimeout=5)
        equal(receive(url), [])
        receive_all(url, 1)
        assert time.monotonic() - started >= 4.9


@check
def changing_to_zero_gives_the_message_back_at_once():
    with queue() as url:
        send(url, "again")
        change(url, receive_all(url, 1, delete=False)[0], 0)
        receive_all(url, 1)


@check
def a_message_that_is_given_back_each_time_does_not_starve_the_others():
    with queue() as url:
        for body in ("poison", *"12345"):
            send(url, body)
        good, receives = set(), 0
        while len(good) < 5:
            receives += 1
            assert receives <= 20, f"{sorted(good)} within 20 receives"
            for message in receive(url, count=1, wait=1):
                if message["Body"] == "poison":
                    change(url, message, 0)
                else:
                    good.add(message["Body"])
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@check
def changing_to_more_keeps_the_message_longer():
    with queue(VisibilityTimeout="5") as url:
        send(url, "long")
        message = receive_all(url, 1, delete=False)[0]
        change(url, message, 120)
        equal(receive(url, wait=6), [])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@check
def each_receipt_has_a_handle_of_its_own():
    with queue(VisibilityTimeout="0") as url:
        send(url, "twice")
        first = receive_all(url, 1, delete=False)[0]
        second = receive_all(url, 1, delete=False)[0]
        equal(first["MessageId"], second["MessageId"])
        assert first["ReceiptHandle"] != second["ReceiptHandle"]


@check
def a_message_that_nobody_received_since_can_be_held_again():
    with queue(VisibilityTimeout="1") as url:
        send(url, "late")
        message = receive_all(url, 1, delete=False)[0]
        eventually(lambda: attributes(url)["ApproximateNumberOfMessages"] == "1")
        change(url, message, 120)
        equal(attributes(url)["ApproximateNumberOfMessagesNotVisible"], "1")
        equal(receive(url), [])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        refused("InvalidParameterValue", lambda: change(url, message, 10))


@check
def a_timeout_beyond_twelve_hours_is_refused():
    with queue() as url:
        send(url, "x")
        message = receive_all(url, 1, delete=False)[0]
        refused("InvalidParameterValue", lambda: change(url, message, 43201))
        refused("InvalidParameterValue", lambda: receive(url, VisibilityTimeout=43201))


@check
def a_malformed_receipt_handle_is_refused():
    with queue() as url:
        refused("ReceiptHandleIsInvalid", lambda: change(url, {"ReceiptHandle": "nonsense"}, 10))
