"""Requests that botocore signs in the header or presigns, and forgeries based on them."""

import contextlib
import http.client
import json
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials

from checks import check_of_stele, equal
from own_server import own_server

REGION = "us-east-1"
TARGET = "AmazonSQS.PurgeQueue"
credentials = botocore.credentials.Credentials("AKIDEXAMPLE", "a secret")


@contextlib.contextmanager
def locked_queue():
    """The URL of a queue with one message, on a server that checks signatures, and its owner's client."""
    with own_server(STELE_AUTH__SQS_KEYS="AKIDEXAMPLE:a secret") as server:
        owner = boto3.client(
            "sqs",
            endpoint_url=server.environment()["SQS_URL"],
            region_name=REGION,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
        )
        url = owner.create_queue(QueueName="orders")["QueueUrl"]
        owner.send_message(QueueUrl=url, MessageBody="kept")
        yield url, owner


def presigned(url, method="GET", headers=None, **parameters):
    request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=headers or {}, params=parameters)
    botocore.auth.SigV4QueryAuth(credentials, "sqs", REGION, expires=300).add_auth(request)
    return request.prepare().url


def signed(url, **parameters):
    """URL and headers of a GET request signed in its header."""
    address = f"{url}?{urllib.parse.urlencode(parameters)}"
    request = botocore.awsrequest.AWSRequest(method="GET", url=address)
    botocore.auth.SigV4Auth(credentials, "sqs", REGION).add_auth(request)
    return address, dict(request.headers)


def ask(url, method="GET", headers=(), body=None):
    """The status and the text of the response; `headers` may contain duplicates."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    names = {name.lower() for name, _ in headers}
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.putrequest(method, path, skip_host="host" in names)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def holds_its_message(url, owner):
    found = owner.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return found["Attributes"]["ApproximateNumberOfMessages"] == "1"


@check_of_stele
def a_presigned_url_does_what_it_was_signed_for():
    with locked_queue() as (url, _):
        link = presigned(url, Action="ReceiveMessage", Version="2012-11-05")
        status, text = ask(link)
        equal(status, 200)
        assert "<Body>kept</Body>" in text, text


@check_of_stele
def a_presigned_url_does_nothing_else():
    with locked_queue() as (url, owner):
        link = presigned(url, Action="GetQueueUrl", QueueName="orders")
        post = presigned(url, "POST", Action="GetQueueUrl", QueueName="orders")
        purge = b"Action=PurgeQueue"
        as_json = [("X-Amz-Target", TARGET), ("Content-Type", "application/x-amz-json-1.0")]
        host = urllib.parse.urlsplit(url).netloc
        for status, target, method, headers, body in [
            (403, link, "GET", as_json, None),
            (403, link, "GET", as_json[:1], None),
            (403, post, "POST", as_json, json.dumps({"QueueUrl": url}).encode()),
            (403, post, "POST", [("Content-Type", "application/x-www-form-urlencoded")], purge),
            (403, link, "POST", [], None),
            (403, link.replace("GetQueueUrl", "PurgeQueue"), "GET", [], None),
            (403, f"{link}&Action=PurgeQueue", "GET", [], None),
            (400, f"{link}&X-Amz-Expires=604800", "GET", [], None),
            (400, link, "GET", [("Host", host), ("Host", "elsewhere")], None),
            (403, link, "GET", [("Host", "elsewhere")], None),
            (400, link, "GET", list(signed(url, Action="PurgeQueue")[1].items()), None),
        ]:
            found = ask(target, method, headers, body)
            equal((found[0], target, headers), (status, target, headers))
        equal(ask(link)[0], 200)
        equal(ask(post, "POST")[0], 200)
        assert holds_its_message(url, owner)


@check_of_stele
def a_presigned_url_of_the_json_protocol_signs_its_target():
    with locked_queue() as (url, owner):
        headers = {"X-Amz-Target": "AmazonSQS.ReceiveMessage", "Content-Type": "application/x-amz-json-1.0"}
        link = presigned(url, "POST", headers)
        status, text = ask(link, "POST", headers.items())
        equal((status, json.loads(text)["Messages"][0]["Body"]), (200, "kept"))
        equal(ask(link, "POST", {**headers, "X-Amz-Target": TARGET}.items())[0], 403)
        equal(ask(link, "POST", [*headers.items(), ("X-Amz-Target", TARGET)])[0], 400)
        equal(ask(link, "POST")[0], 400)


@check_of_stele
def a_signed_request_takes_no_unsigned_target():
    with locked_queue() as (url, owner):
        address, headers = signed(url, Action="GetQueueUrl", QueueName="orders")
        equal(ask(address, "GET", headers.items())[0], 200)
        found = ask(address, "GET", [*headers.items(), ("X-Amz-Target", TARGET)])
        assert found[0] == 403 and "not signed: x-amz-target" in found[1], found
        assert holds_its_message(url, owner)


@check_of_stele
def parameters_with_many_members_are_signed_in_their_order():
    with locked_queue() as (url, _):
        entries = {}
        for n in range(1, 11):
            entries |= {f"SendMessageBatchRequestEntry.{n}.Id": f"e{n}", f"SendMessageBatchRequestEntry.{n}.MessageBody": "x"}
        status, text = ask(presigned(url, Action="SendMessageBatch", **entries))
        equal((status, text.count("<SendMessageBatchResultEntry>")), (200, 10))
        names = {f"AttributeName.{n}": "DelaySeconds" for n in range(1, 12)}
        equal(ask(presigned(url, Action="GetQueueAttributes", **names))[0], 200)
