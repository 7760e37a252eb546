"""The three batch actions and their partial failures."""

import digest
from checks import check, equal
from sqs_session import queue, receive, receive_all, refused, send, sqs

PREFIX = "AWS.SimpleQueueService."


def entries(*bodies):
    return [{"Id": f"id-{index}", "MessageBody": body} for index, body in enumerate(bodies)]


@check
def a_batch_of_ten_is_sent_with_checksums():
    bodies = [f"body {number}" for number in range(10)]
    with queue() as url:
        answer = sqs.send_message_batch(QueueUrl=url, Entries=entries(*bodies))
        assert not answer.get("Failed"), answer
        by_id = {entry["Id"]: entry for entry in answer["Successful"]}
        for index, body in enumerate(bodies):
            equal(by_id[f"id-{index}"]["MD5OfMessageBody"], digest.of_body(body))
        found = receive_all(url, 10)
        equal({each["MessageId"] for each in found}, {each["MessageId"] for each in by_id.values()})


@check
def batch_entries_carry_attributes_and_delays():
    given = {"kind": {"DataType": "String", "StringValue": "x"}}
    with queue() as url:
        batch = entries("now", "later")
        batch[0]["MessageAttributes"] = given
        batch[1]["DelaySeconds"] = 60
        answer = sqs.send_message_batch(QueueUrl=url, Entries=batch)
        equal(answer["Successful"][0]["MD5OfMessageAttributes"], digest.of_attributes(given))
        found = receive_all(url, 1, MessageAttributeNames=["All"])
        equal((found[0]["Body"], found[0]["MessageAttributes"]), ("now", given))


@check
def a_bad_entry_fails_alone():
    with queue() as url:
        batch = entries("good", "bad", "good too")
        batch[1]["MessageAttributes"] = {"odd name": {"DataType": "String", "StringValue": "x"}}
        answer = sqs.send_message_batch(QueueUrl=url, Entries=batch)
        equal([each["Id"] for each in answer["Successful"]], ["id-0", "id-2"])
        failed = answer["Failed"][0]
        equal((failed["Id"], failed["SenderFault"]), ("id-1", True))
        assert failed["Code"].startswith("InvalidParameterValue"), failed
        receive_all(url, 2)


@check
def the_shape_of_a_batch_is_checked():
    with queue() as url:

        def sent(batch):
            return lambda: sqs.send_message_batch(QueueUrl=url, Entries=batch)

        refused(PREFIX + "EmptyBatchRequest", sent([]))
        refused(PREFIX + "TooManyEntriesInBatchRequest", sent(entries(*["x"] * 11)))
        refused(PREFIX + "BatchEntryIdsNotDistinct", sent(entries("x")[:1] * 2))
        refused(PREFIX + "InvalidBatchEntryId", sent([{"Id": "odd id", "MessageBody": "x"}]))


@check
def a_batch_beyond_the_largest_size_is_refused():
    with queue() as url:
        refused(
            PREFIX + "BatchRequestTooLong",
            lambda: sqs.send_message_batch(QueueUrl=url, Entries=entries(*["x" * 200_000] * 10)),
        )


@check
def a_batch_of_deletions_fails_only_where_the_handle_is_bad():
    with queue(VisibilityTimeout="3") as url:
        for body in ("1", "2"):
            send(url, body)
        found = receive_all(url, 2, delete=False)
        batch = [
            {"Id": "first", "ReceiptHandle": found[0]["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "nonsense"},
            {"Id": "second", "ReceiptHandle": found[1]["ReceiptHandle"]},
        ]
        answer = sqs.delete_message_batch(QueueUrl=url, Entries=batch)
        equal([each["Id"] for each in answer["Successful"]], ["first", "second"])
        failed = answer["Failed"][0]
        equal((failed["Id"], failed["Code"]), ("bad", "ReceiptHandleIsInvalid"))
        equal(receive(url, wait=4), [])


@check
def a_batch_of_visibility_changes_fails_only_where_the_handle_is_bad():
    with queue() as url:
        send(url, "1")
        handle = receive_all(url, 1, delete=False)[0]["ReceiptHandle"]
        answer = sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "good", "ReceiptHandle": handle, "VisibilityTimeout": 0},
                {"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
            ],
        )
        equal([each["Id"] for each in answer["Successful"]], ["good"])
        equal([(each["Id"], each["Code"]) for each in answer["Failed"]], [("bad", "ReceiptHandleIsInvalid")])
        receive_all(url, 1)
