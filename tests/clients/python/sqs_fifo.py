"""FIFO queues: order, groups, deduplication."""

import hashlib

from checks import check, equal, unique
from sqs_session import fifo, queue, receive, receive_all, refused, send, sqs


def put(url, body, group="g", deduplication=None):
    given = {"MessageGroupId": group}
    if deduplication is not False:
        given["MessageDeduplicationId"] = deduplication or unique("d")
    return send(url, body, **given)


def bodies(messages):
    return [message["Body"] for message in messages]


def drop(url, message):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def change(url, message, seconds):
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
    )


def three_received(url):
    """Three messages of one group, received together."""
    for body in "123":
        put(url, body)
    found = receive(url, wait=1)
    equal(bodies(found), ["1", "2", "3"])
    return found


@check
def a_group_comes_in_the_order_in_which_it_was_sent():
    with fifo() as url:
        for number in range(25):
            put(url, str(number))
        equal(bodies(receive_all(url, 25)), [str(number) for number in range(25)])


@check
def sequence_numbers_grow():
    with fifo() as url:
        numbers = [int(put(url, "x")["SequenceNumber"]) for _ in range(5)]
        equal(numbers, sorted(set(numbers)))


@check
def a_group_with_a_message_in_flight_gives_no_other():
    with fifo() as url:
        put(url, "a1", "a")
        first = receive(url, wait=1)
        equal(bodies(first), ["a1"])
        put(url, "a2", "a")
        put(url, "b1", "b")
        second = receive(url, wait=1)
        equal(bodies(second), ["b1"])
        drop(url, first[0])
        equal(bodies(receive(url, wait=2)), ["a2"])


@check
def a_returned_message_blocks_its_group_and_comes_first():
    with fifo(VisibilityTimeout="5") as url:
        for body in ("1", "2"):
            put(url, body)
        first = receive(url, count=1, wait=1)
        equal(bodies(first), ["1"])
        equal(receive(url), [])
        again = receive(url, count=10, wait=20)
        equal(bodies(again)[0], "1")


@check
def a_group_whose_first_is_given_back_each_time_does_not_starve_another():
    with fifo() as url:
        for body in ("a1", "a2", "b1", "b2"):
            put(url, body, body[0])
        found = []
        for _ in range(8):
            for message in receive(url, count=1, wait=1):
                found.append(message["Body"])
                change(url, message, 0) if message["Body"] == "a1" else drop(url, message)
        assert {"b1", "b2"} <= set(found) and "a2" not in found, found


@check
def a_message_given_back_comes_again_alone_while_later_ones_are_in_flight():
    with fifo() as url:
        change(url, three_received(url)[0], 0)
        equal(bodies(receive(url, wait=1)), ["1"])
        equal(receive(url), [])


@check
def a_lapsed_message_waits_for_an_extended_one_before_it():
    with fifo(VisibilityTimeout="3") as url:
        change(url, three_received(url)[1], 120)
        first = receive(url, wait=20, VisibilityTimeout=120)
        equal(bodies(first), ["1"])
        drop(url, first[0])
        equal(receive(url, wait=1), [])


@check
def one_receive_may_take_several_of_a_group_in_order():
    with fifo() as url:
        for number in range(5):
            put(url, str(number))
        found = bodies(receive(url, wait=1))
        equal(found, [str(number) for number in range(len(found))])
        assert found


@check
def the_same_deduplication_id_is_accepted_once():
    with fifo() as url:
        first, second = put(url, "one", deduplication="same"), put(url, "two", deduplication="same")
        equal(first["MessageId"], second["MessageId"])
        equal(bodies(receive_all(url, 1)), ["one"])
        put(url, "three", deduplication="same")
        equal(receive(url, wait=1), [])


@check
def a_purge_forgets_the_deduplication_ids():
    with fifo() as url:
        put(url, "purged", deduplication="same")
        sqs.purge_queue(QueueUrl=url)
        put(url, "after", deduplication="same")
        equal(bodies(receive_all(url, 1)), ["after"])


@check
def content_based_deduplication_goes_by_the_body():
    with fifo(ContentBasedDeduplication="true") as url:
        put(url, "same", deduplication=False)
        put(url, "same", "other-group", deduplication=False)
        put(url, "different", deduplication=False)
        found = receive_all(url, 2, AttributeNames=["All"])
        equal(bodies(found), ["same", "different"])
        equal(found[0]["Attributes"]["MessageDeduplicationId"], hashlib.sha256(b"same").hexdigest())


@check
def an_explicit_deduplication_id_outranks_the_content():
    with fifo(ContentBasedDeduplication="true") as url:
        put(url, "same", deduplication="1")
        put(url, "same", deduplication="2")
        receive_all(url, 2)


@check
def fifo_attributes_travel_with_the_message():
    with fifo() as url:
        sent = put(url, "x", "the-group", "the-id")
        found = receive_all(url, 1, AttributeNames=["All"])[0]["Attributes"]
        equal(
            (found["MessageGroupId"], found["MessageDeduplicationId"], found["SequenceNumber"]),
            ("the-group", "the-id", sent["SequenceNumber"]),
        )


@check
def a_group_and_a_deduplication_id_are_wanted():
    with fifo() as url:
        refused("MissingParameter", lambda: send(url, "x", MessageDeduplicationId="1"))
        refused("InvalidParameterValue", lambda: send(url, "x", MessageGroupId="g"))


@check
def a_delay_for_a_single_message_is_refused():
    with fifo() as url:
        refused(
            "InvalidParameterValue",
            lambda: send(url, "x", MessageGroupId="g", MessageDeduplicationId="1", DelaySeconds=5),
        )


@check
def the_name_and_the_attribute_go_together():
    refused(
        "InvalidParameterValue",
        lambda: sqs.create_queue(QueueName=unique("plain"), Attributes={"FifoQueue": "true"}),
    )
    refused("InvalidParameterValue", lambda: sqs.create_queue(QueueName=unique("fifo") + ".fifo"))


@check
def a_standard_queue_refuses_a_deduplication_id():
    with queue() as url:
        refused("InvalidParameterValue", lambda: send(url, "x", MessageDeduplicationId="1"))


@check
def a_batch_keeps_its_order():
    with fifo() as url:
        answer = sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": str(number),
                    "MessageGroupId": "g",
                    "MessageDeduplicationId": str(number),
                }
                for number in range(10)
            ],
        )
        equal(len(answer["Successful"]), 10)
        equal(bodies(receive_all(url, 10)), [str(number) for number in range(10)])


@check
def the_same_receive_attempt_gives_the_same_messages():
    with fifo() as url:
        for number in range(3):
            put(url, str(number))
        attempt = unique("attempt")
        first = receive(url, wait=1, ReceiveRequestAttemptId=attempt)
        second = receive(url, wait=1, ReceiveRequestAttemptId=attempt)
        equal(bodies(first), bodies(second))
