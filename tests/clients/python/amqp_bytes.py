"""Queues that limit the bytes of their ready messages (`x-max-length-bytes`)."""

import pika.exceptions

from amqp_api import Api, named
from amqp_dead import EXCHANGE, KEY, dying, entry
from checks import check, check_of_stele, equal, raised, unique
from librdkafka_session import produce
from own_server import own_server
from pika_session import depth, get, publish, queue, take, waits_for_depth
from sqs_session import sqs

LIMIT = "x-max-length-bytes"
REFUSING = {"x-overflow": "reject-publish"}


def bodies(*sizes):
    """Bodies of these sizes; each begins with its place, if there is room for it."""
    return [(b"%d:" % place).ljust(size, b".")[:size] for place, size in enumerate(sizes)]


def kept(opened, name):
    """What the queue holds, which is taken."""
    return [body for _, _, body in take(opened, name, depth(opened, name), auto_ack=True)]


def nacked(opened, name, body):
    raised(pika.exceptions.NackError, lambda: publish(opened, name, body))


@check
def the_oldest_messages_leave_until_the_bodies_of_the_others_fit():
    with dying(**{LIMIT: 1000}) as (opened, name, letters):
        opened.confirm_delivery()
        sent = bodies(400, 0, 300, 300, 1, 650)
        publish(opened, name, *sent)
        lost = take(opened, letters, 3, auto_ack=True)
        equal([body for _, _, body in lost], sent[:3])
        equal(entry(lost[0][1])["reason"], "maxlen")
        waits_for_depth(opened, name, 3)
        equal(kept(opened, name), sent[3:])


@check
def a_message_that_is_too_large_by_itself_empties_the_queue():
    with queue(arguments={LIMIT: 100}) as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, *bodies(40, 60, 101, 0))
        waits_for_depth(opened, name, 1)
        equal(kept(opened, name), [b""])


@check
def a_limit_of_nothing_keeps_empty_messages():
    with queue(arguments={LIMIT: 0}) as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, b"", b"")
        equal(depth(opened, name), 2)
        publish(opened, name, b"x")
        waits_for_depth(opened, name, 0)


@check
def both_limits_of_a_queue_apply():
    with queue(arguments={LIMIT: 100, "x-max-length": 3}) as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, *bodies(10, 10, 10, 10))
        waits_for_depth(opened, name, 3)
        publish(opened, name, *bodies(90))
        waits_for_depth(opened, name, 2)


@check
def unacknowledged_messages_take_no_room_until_they_return():
    with queue(arguments={LIMIT: 100}) as (opened, name):
        opened.confirm_delivery()
        sent = bodies(60, 40)
        publish(opened, name, *sent)
        method, _, body = get(opened, name)
        equal(body, sent[0])
        publish(opened, name, b"x" * 60)
        equal(depth(opened, name), 2)
        opened.basic_nack(method.delivery_tag)
        waits_for_depth(opened, name, 2)
        equal(kept(opened, name), [sent[1], b"x" * 60])


@check
def a_queue_may_refuse_what_does_not_fit():
    for overflow, dead in (("reject-publish", 0), ("reject-publish-dlx", 2)):
        with dying(**{LIMIT: 100, "x-overflow": overflow}) as (opened, name, letters):
            opened.confirm_delivery()
            publish(opened, name, b"x" * 60)
            nacked(opened, name, b"x" * 41)
            publish(opened, name, b"x" * 40, b"")
            nacked(opened, name, b"x")
            waits_for_depth(opened, letters, dead)
            equal(depth(opened, name), 3)
            get(opened, name, auto_ack=True)
            publish(opened, name, b"x" * 60)
            equal(depth(opened, name), 3)


@check
def what_is_dead_lettered_counts_in_the_queue_that_gets_it():
    with dying(**{LIMIT: 100}) as (opened, target, lost):
        name = unique("dying")
        opened.queue_declare(name, durable=True, arguments={EXCHANGE: "", KEY: target})
        sent = bodies(50, 60, 30)
        publish(opened, name, *sent)
        for _ in sent:
            method, _, _ = get(opened, name)
            opened.basic_reject(method.delivery_tag, requeue=False)
        # The queue may be too long for a moment: once its oldest is gone, the others are its two.
        waits_for_depth(opened, lost, 1)
        waits_for_depth(opened, target, 2)
        equal(kept(opened, lost), sent[:1])
        equal(kept(opened, target), sent[1:])
        opened.queue_delete(name)


@check_of_stele
def messages_of_all_protocols_count_with_their_bodies():
    with queue(arguments={LIMIT: 1000}) as (opened, name):
        opened.confirm_delivery()
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        publish(opened, name, b"a" * 400)
        produce(name, ["k" * 300], key=b"a key counts nothing")
        sqs.send_message(QueueUrl=url, MessageBody="s" * 300)
        equal(depth(opened, name), 3)
        sqs.send_message(QueueUrl=url, MessageBody="x")
        waits_for_depth(opened, name, 3)
        produce(name, ["k" * 250, "l" * 250, "m" * 100], **{"compression.type": "zstd"})
        waits_for_depth(opened, name, 5)
        expected = [b"s" * 300, b"x", b"k" * 250, b"l" * 250, b"m" * 100]
        equal(kept(opened, name), expected)


@check_of_stele
def messages_of_all_protocols_are_refused_where_they_do_not_fit():
    with queue(arguments={LIMIT: 100, **REFUSING}) as (opened, name):
        opened.confirm_delivery()
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="x" * 60)
        entries = [{"Id": str(at), "MessageBody": "x" * size} for at, size in enumerate((50, 30, 20, 5))]
        answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        equal([each["Id"] for each in answer["Successful"]], ["1", "3"])
        equal(depth(opened, name), 3)


@check_of_stele
def an_operator_sees_the_limit_and_what_is_ready():
    with own_server() as server:
        api = Api(server)
        with named(server, "one") as connection:
            opened = connection.channel()
            opened.queue_declare("limited", durable=True, arguments={LIMIT: 1000})
            opened.confirm_delivery()
            for body in bodies(400, 300, 100):
                opened.basic_publish("", "limited", body)
            opened.basic_get("limited")
            told = api.ask("queues/%2F/limited")[1]
            equal((told["arguments"], told["message_bytes_ready"]), ({LIMIT: 1000}, 400))
