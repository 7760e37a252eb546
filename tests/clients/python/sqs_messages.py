"""Sending, receiving and deleting single messages."""

import threading
import time

import digest
from checks import check, equal, eventually
from sqs_session import attributes, queue, receive, receive_all, refused, send, sqs

ATTRIBUTES = {
    "OrderType": {"DataType": "String", "StringValue": "standard"},
    "Amount": {"DataType": "Number", "StringValue": "99.99"},
    "Blob": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    "Custom": {"DataType": "String.json", "StringValue": '{"a": "grün"}'},
    "order-id": {"DataType": "Number.int", "StringValue": "7"},
}


@check
def a_sent_message_is_received_with_its_checksum():
    with queue() as url:
        sent = send(url, "grün & <b>\n\t\"quoted\"")
        equal(sent["MD5OfMessageBody"], digest.of_body("grün & <b>\n\t\"quoted\""))
        found = receive_all(url, 1)[0]
        equal(found["Body"], "grün & <b>\n\t\"quoted\"")
        equal(found["MessageId"], sent["MessageId"])
        equal(found["MD5OfBody"], sent["MD5OfMessageBody"])
        assert "Attributes" not in found and "MessageAttributes" not in found, found


@check
def message_attributes_of_every_type_come_back_with_their_checksum():
    with queue() as url:
        sent = send(url, "body", MessageAttributes=ATTRIBUTES)
        equal(sent["MD5OfMessageAttributes"], digest.of_attributes(ATTRIBUTES))
        found = receive_all(url, 1, MessageAttributeNames=["All"])[0]
        equal(found["MessageAttributes"], ATTRIBUTES)
        equal(found["MD5OfMessageAttributes"], digest.of_attributes(ATTRIBUTES))


@check
def only_the_message_attributes_asked_for_are_given():
    with queue(VisibilityTimeout="0") as url:
        send(url, "body", MessageAttributes=ATTRIBUTES)
        for asked, expected in (
            (["Amount"], {"Amount"}),
            (["Amount", "Nothing"], {"Amount"}),
            (["order.*"], {"order-id"}),
            ([".*"], set(ATTRIBUTES)),
            ([], set()),
        ):
            found = receive_all(url, 1, delete=False, MessageAttributeNames=asked)[0]
            names = set(found.get("MessageAttributes", {}))
            equal(names, expected)
            if 0 < len(names) < len(ATTRIBUTES):
                equal(found["MD5OfMessageAttributes"], digest.of_attributes({n: ATTRIBUTES[n] for n in names}))


@check
def system_attributes_are_given_when_asked_for():
    with queue(VisibilityTimeout="0") as url:
        before = int(time.time() * 1000)
        send(url, "body")
        receive_all(url, 1, delete=False)
        found = receive_all(url, 1, delete=False, AttributeNames=["All"])[0]["Attributes"]
        equal(found["ApproximateReceiveCount"], "2")
        assert before - 5000 <= int(found["SentTimestamp"]) <= before + 5000, found
        assert int(found["ApproximateFirstReceiveTimestamp"]) >= int(found["SentTimestamp"]), found
        assert found["SenderId"], found
        only = receive_all(url, 1, delete=False, AttributeNames=["SentTimestamp"])[0]["Attributes"]
        equal(set(only), {"SentTimestamp"})


@check
def at_most_ten_messages_and_never_more_than_asked_for():
    with queue() as url:
        for number in range(12):
            send(url, str(number))
        assert len(receive(url, count=3)) <= 3
        assert len(receive(url, count=10)) <= 10
        for count in (0, 11, -1):
            refused("InvalidParameterValue", lambda: receive(url, count=count))


@check
def order_is_kept_where_one_client_sends_and_receives():
    with queue() as url:
        for number in range(30):
            send(url, str(number))
        equal(sorted(int(message["Body"]) for message in receive_all(url, 30)), list(range(30)))


@check
def a_message_body_is_wanted_and_must_not_be_empty():
    with queue() as url:
        refused("MissingParameter", lambda: send(url, ""))


@check
def a_body_beyond_the_largest_size_is_refused():
    with queue(MaximumMessageSize="2048") as url:
        send(url, "x" * 2048)
        refused("InvalidParameterValue", lambda: send(url, "x" * 2049))


@check
def a_body_of_256_kib_passes_whole():
    body = "0123456789abcdef" * 16384
    with queue() as url:
        send(url, body)
        assert receive_all(url, 1)[0]["Body"] == body


@check
def characters_outside_xml_are_refused():
    with queue() as url:
        for body in ("nul \x00", "bell \x07", "\ufffe"):
            refused("InvalidMessageContents", lambda: send(url, body))


@check
def a_delayed_message_comes_when_its_delay_is_over():
    with queue() as url:
        started = time.monotonic()
        send(url, "later", DelaySeconds=5)
        equal(receive(url), [])
        receive_all(url, 1)
        assert time.monotonic() - started >= 4.9


@check
def the_delay_of_a_queue_holds_for_messages_without_one():
    with queue(DelaySeconds="60") as url:
        send(url, "later")
        send(url, "now", DelaySeconds=0)
        equal([message["Body"] for message in receive_all(url, 1)], ["now"])


@check
def a_delay_beyond_fifteen_minutes_is_refused():
    with queue() as url:
        refused("InvalidParameterValue", lambda: send(url, "x", DelaySeconds=901))


@check
def a_long_poll_waits_and_ends_empty():
    with queue() as url:
        started = time.monotonic()
        equal(receive(url, wait=2), [])
        assert time.monotonic() - started >= 1.8


@check
def a_long_poll_returns_as_soon_as_a_message_comes():
    with queue() as url:
        timer = threading.Timer(0.5, lambda: send(url, "wake up"))
        timer.start()
        started = time.monotonic()
        found = receive(url, wait=20)
        timer.join()
        equal([message["Body"] for message in found], ["wake up"])
        assert time.monotonic() - started < 18


@check
def the_wait_of_a_queue_holds_for_polls_without_one():
    with queue(ReceiveMessageWaitTimeSeconds="1") as url:
        started = time.monotonic()
        assert not sqs.receive_message(QueueUrl=url).get("Messages")
        assert time.monotonic() - started >= 0.9


@check
def a_wait_beyond_twenty_seconds_is_refused():
    with queue() as url:
        refused("InvalidParameterValue", lambda: receive(url, wait=21))


@check
def a_deleted_message_never_comes_back():
    with queue(VisibilityTimeout="1") as url:
        send(url, "once")
        message = receive_all(url, 1, delete=False)[0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        equal(receive(url, wait=2), [])


@check
def deleting_twice_is_accepted():
    with queue() as url:
        send(url, "once")
        message = receive_all(url, 1)[0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@check
def a_malformed_receipt_handle_is_refused():
    with queue() as url:
        refused("ReceiptHandleIsInvalid", lambda: sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense"))


@check
def attribute_names_and_types_are_checked():
    with queue() as url:
        for attributes_given in (
            {"AWS.mine": {"DataType": "String", "StringValue": "x"}},
            {"odd name": {"DataType": "String", "StringValue": "x"}},
            {".dot": {"DataType": "String", "StringValue": "x"}},
            {"type": {"DataType": "Boolean", "StringValue": "x"}},
            {"empty": {"DataType": "String", "StringValue": ""}},
            {"number": {"DataType": "Number", "StringValue": "seven"}},
            {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(11)},
        ):
            refused("InvalidParameterValue", lambda: send(url, "x", MessageAttributes=attributes_given))


@check
def a_received_message_is_hidden_and_its_count_grows_on_return():
    with queue(VisibilityTimeout="5") as url:
        send(url, "again")
        receive_all(url, 1, delete=False)
        equal(receive(url), [])
        found = receive_all(url, 1, AttributeNames=["ApproximateReceiveCount"])[0]
        equal(found["Attributes"], {"ApproximateReceiveCount": "2"})

        def empty():
            counts = attributes(url, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
            return set(counts.values()) == {"0"}

        eventually(empty)
