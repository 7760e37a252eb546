"""The AWS CLI, as used in a shell."""

import json
import os
import pathlib
import subprocess
import sys

from checks import check, equal, unique

URL = os.environ.get("SQS_URL", "http://127.0.0.1:9324")
ENVIRONMENT = {
    **os.environ,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_PAGER": "",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
AWS = str(pathlib.Path(sys.executable).with_name("aws"))


def ran(action, *arguments):
    return subprocess.run(
        [sys.executable, AWS, "--endpoint-url", URL, "sqs", action, *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def aws(action, *arguments):
    """Runs one action and returns its output."""
    done = ran(action, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


@check
def a_queue_is_made_used_and_deleted():
    name = unique("queue")
    url = aws("create-queue", "--queue-name", name, "--attributes", "VisibilityTimeout=45")["QueueUrl"]
    equal(aws("get-queue-url", "--queue-name", name)["QueueUrl"], url)
    found = aws("get-queue-attributes", "--queue-url", url, "--attribute-names", "VisibilityTimeout")
    equal(found, {"Attributes": {"VisibilityTimeout": "45"}})
    attribute = '{"kind": {"DataType": "String", "StringValue": "order"}}'
    sent = aws(
        "send-message", "--queue-url", url, "--message-body", "grün & <b>", "--message-attributes", attribute
    )
    message = aws(
        "receive-message", "--queue-url", url, "--wait-time-seconds", "5", "--message-attribute-names", "All"
    )["Messages"][0]
    equal((message["MessageId"], message["Body"]), (sent["MessageId"], "grün & <b>"))
    equal(message["MessageAttributes"]["kind"]["StringValue"], "order")
    aws(
        "change-message-visibility", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"],
        "--visibility-timeout", "60",
    )
    aws("delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
    aws("purge-queue", "--queue-url", url)
    aws("delete-queue", "--queue-url", url)


@check
def queues_are_listed_by_prefix():
    prefix = unique("listed")
    urls = sorted(aws("create-queue", "--queue-name", f"{prefix}-{number}")["QueueUrl"] for number in range(3))
    # The CLI requests all pages by itself.
    equal(sorted(aws("list-queues", "--queue-name-prefix", prefix, "--page-size", "2")["QueueUrls"]), urls)
    for url in urls:
        aws("delete-queue", "--queue-url", url)


@check
def a_fifo_batch_comes_back_in_order():
    name = unique("queue") + ".fifo"
    attributes = "FifoQueue=true,ContentBasedDeduplication=true"
    url = aws("create-queue", "--queue-name", name, "--attributes", attributes)["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": str(number), "MessageGroupId": "g"} for number in range(5)]
    sent = aws("send-message-batch", "--queue-url", url, "--entries", json.dumps(entries))
    equal(len(sent["Successful"]), 5)
    found = aws("receive-message", "--queue-url", url, "--max-number-of-messages", "10", "--wait-time-seconds", "5")
    equal([message["Body"] for message in found["Messages"]], ["0", "1", "2", "3", "4"])
    aws("delete-queue", "--queue-url", url)


@check
def an_absent_queue_is_told_in_words():
    done = ran("get-queue-url", "--queue-name", unique("absent"))
    assert done.returncode != 0 and "NonExistentQueue" in done.stderr, done.stderr
