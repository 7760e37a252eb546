"""Creating, finding, listing, purging and deleting queues."""

import urllib.parse

from checks import check, equal, eventually, unique
from sqs_session import ABSENT, attributes, name_of, queue, receive, receive_all, refused, send, sqs


@check
def creating_answers_a_url_that_ends_in_the_name():
    name = unique("queue")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    parts = urllib.parse.urlsplit(url)
    assert parts.scheme in ("http", "https") and parts.netloc, url
    equal(parts.path.split("/")[-1], name)
    equal(sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
    sqs.delete_queue(QueueUrl=url)


@check
def creating_again_alike_answers_the_same_url():
    with queue(VisibilityTimeout="17") as url:
        name = name_of(url)
        equal(sqs.create_queue(QueueName=name)["QueueUrl"], url)
        equal(sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "17"})["QueueUrl"], url)


@check
def creating_again_with_other_attributes_is_refused():
    with queue(VisibilityTimeout="17") as url:
        refused(
            "QueueAlreadyExists",
            lambda: sqs.create_queue(QueueName=name_of(url), Attributes={"VisibilityTimeout": "18"}),
        )


@check
def a_name_outside_the_grammar_is_refused():
    for name in ("with space", "dot.dot", "x" * 81, "slash/slash", "grün"):
        refused("InvalidParameterValue", lambda: sqs.create_queue(QueueName=name))


@check
def a_name_of_eighty_characters_is_accepted():
    name = (unique("q") + "_" + "y" * 80)[:80]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)


@check
def the_url_of_an_absent_queue_is_an_error():
    refused(ABSENT, lambda: sqs.get_queue_url(QueueName=unique("absent")))


@check
def every_action_on_an_absent_queue_is_an_error():
    with queue() as url:
        gone = url + "-absent"
        entry = {"Id": "1", "ReceiptHandle": "x"}
        for action in (
            lambda: send(gone, "x"),
            lambda: receive(gone),
            lambda: attributes(gone),
            lambda: sqs.purge_queue(QueueUrl=gone),
            lambda: sqs.delete_queue(QueueUrl=gone),
            lambda: sqs.set_queue_attributes(QueueUrl=gone, Attributes={"VisibilityTimeout": "1"}),
            lambda: sqs.send_message_batch(QueueUrl=gone, Entries=[{"Id": "1", "MessageBody": "x"}]),
            lambda: sqs.delete_message_batch(QueueUrl=gone, Entries=[entry]),
        ):
            refused(ABSENT, action)


@check
def listing_by_prefix_finds_just_those():
    prefix = unique("listed")
    urls = sorted(sqs.create_queue(QueueName=f"{prefix}-{number}")["QueueUrl"] for number in range(3))
    other = sqs.create_queue(QueueName=unique("unlisted"))["QueueUrl"]
    equal(sorted(sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"]), urls)
    everything = sqs.list_queues(MaxResults=1000)["QueueUrls"]
    assert other in everything and set(urls) <= set(everything)
    assert not sqs.list_queues(QueueNamePrefix=unique("nothing")).get("QueueUrls")
    for url in (*urls, other):
        sqs.delete_queue(QueueUrl=url)


@check
def listing_goes_page_by_page():
    prefix = unique("paged")
    urls = {sqs.create_queue(QueueName=f"{prefix}-{number}")["QueueUrl"] for number in range(5)}
    found, token, pages = [], None, 0
    while True:
        more = {"NextToken": token} if token else {}
        page = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2, **more)
        found += page["QueueUrls"]
        token, pages = page.get("NextToken"), pages + 1
        if not token:
            break
    equal((set(found), len(found), pages), (urls, 5, 3))
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


@check
def a_deleted_queue_is_gone():
    with queue() as url:
        name = name_of(url)
        sqs.delete_queue(QueueUrl=url)

        def gone():
            try:
                sqs.get_queue_url(QueueName=name)
            except sqs.exceptions.QueueDoesNotExist:
                return True
            return False

        eventually(gone)


@check
def purging_empties_the_queue():
    with queue() as url:
        for number in range(5):
            send(url, str(number))
        sqs.purge_queue(QueueUrl=url)
        equal(receive(url), [])
        send(url, "after")
        equal([message["Body"] for message in receive_all(url, 1)], ["after"])


@check
def purging_twice_within_a_minute_is_refused():
    with queue() as url:
        sqs.purge_queue(QueueUrl=url)
        refused("AWS.SimpleQueueService.PurgeQueueInProgress", lambda: sqs.purge_queue(QueueUrl=url))


@check
def only_the_name_in_a_queue_url_counts():
    with queue() as url:
        send(f"https://sqs.us-east-1.amazonaws.com/123456789/{name_of(url)}", "from afar")
        equal([message["Body"] for message in receive_all(url, 1)], ["from afar"])
