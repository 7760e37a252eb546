"""A boto3 client without automatic retries: the loads decide what to send again."""

import boto3
import botocore.config
import botocore.exceptions

LOST = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)


def connect(environment):
    return boto3.client(
        "sqs",
        endpoint_url=environment["SQS_URL"],
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60),
    )


def url(environment, name):
    """The queue's URL; only the name counts, not the port."""
    return f"{environment['SQS_URL']}/000000000000/{name}"


def is_empty(client, url):
    """Whether no message is ready or in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return set(counts.values()) == {"0"}
