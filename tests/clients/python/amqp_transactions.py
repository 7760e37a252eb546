"""Transactions: messages whose queues change before the commit."""

import contextlib
import threading
import time

import pika
import pika.exceptions

from checks import check, check_of_stele, equal, eventually, raised, unique
from own_server import own_server
from pika_session import DURABLE, channel, depth, get, publish, take


@contextlib.contextmanager
def transaction():
    """A transactional channel, with the bodies returned on it."""
    with channel() as opened:
        opened.tx_select()
        returned = []
        opened.add_on_return_callback(lambda _, method, __, body: returned.append((method.reply_code, body)))
        yield opened, returned


def committed(opened):
    """Commits. Returned messages arrive before the reply, but pika reports them afterwards."""
    opened.tx_commit()
    opened.connection.process_data_events(time_limit=0)


def queue(opened):
    return opened.queue_declare("", exclusive=True).method.queue


@check
def a_mandatory_message_whose_queue_goes_before_the_commit_comes_back():
    with transaction() as (opened, returned):
        name = queue(opened)
        opened.basic_publish("", name, b"back", DURABLE, mandatory=True)
        opened.basic_publish("", name, b"dropped", DURABLE)
        opened.queue_delete(name)
        equal(returned, [])
        committed(opened)
        equal(returned, [(312, b"back")])


@check
def a_message_that_reaches_another_queue_does_not_come_back():
    with transaction() as (opened, returned):
        kept, gone = queue(opened), queue(opened)
        for name in (kept, gone):
            opened.queue_bind(name, "amq.direct", f"key of {kept}")
        opened.basic_publish("amq.direct", f"key of {kept}", b"kept", DURABLE, mandatory=True)
        opened.queue_delete(gone)
        committed(opened)
        equal((returned, depth(opened, kept)), ([], 1))


@check
def a_queue_that_is_declared_anew_before_the_commit_gets_the_message():
    with transaction() as (opened, returned):
        name = unique("anew")
        opened.queue_declare(name, exclusive=True)
        opened.basic_publish("", name, b"kept", DURABLE, mandatory=True)
        opened.queue_delete(name)
        opened.queue_declare(name, exclusive=True)
        committed(opened)
        equal((returned, depth(opened, name)), ([], 1))


@check
def bindings_count_as_they_are_when_the_message_is_published():
    with transaction() as (opened, returned):
        name = queue(opened)
        opened.queue_bind(name, "amq.direct", f"key of {name}")
        opened.basic_publish("amq.direct", f"key of {name}", b"kept", DURABLE, mandatory=True)
        opened.queue_unbind(name, "amq.direct", f"key of {name}")
        opened.basic_publish("amq.direct", f"key of {name}", b"back", DURABLE, mandatory=True)
        committed(opened)
        equal((returned, depth(opened, name)), ([(312, b"back")], 1))


@check
def order_is_kept_through_a_commit():
    with transaction() as (opened, _):
        kept = [queue(opened), queue(opened)]
        for number in range(300):
            opened.basic_publish("", kept[number % 7 % 2], str(number).encode(), DURABLE)
        equal([depth(opened, name) for name in kept], [0, 0])
        committed(opened)
        for at, name in enumerate(kept):
            expected = [str(number).encode() for number in range(300) if number % 7 % 2 == at]
            equal([opened.basic_get(name, auto_ack=True)[2] for _ in expected], expected)


@check
def nothing_of_a_transaction_is_seen_before_its_commit():
    with transaction() as (opened, _), channel() as other:
        source, target = unique("source"), unique("target")
        for name in (source, target):
            other.queue_declare(name, durable=True)
        publish(other, source, b"in")
        opened.basic_ack(get(opened, source)[0].delivery_tag)
        opened.basic_publish("", target, b"out", DURABLE)
        equal((depth(other, target), other.basic_get(target)[0]), (0, None))
        committed(opened)
        equal((depth(other, source), depth(other, target)), (0, 1))
        for name in (source, target):
            other.queue_delete(name)


@check_of_stele
def a_transaction_that_a_full_queue_refuses_leaves_nothing():
    # With several of them, some are on the shard of the source and some aren't.
    for _ in range(6):
        with channel() as other:
            source, full, target = unique("source"), unique("full"), unique("target")
            other.queue_declare(source, durable=True)
            other.queue_declare(target, durable=True)
            bound = {"x-max-length": 2, "x-overflow": "reject-publish"}
            other.queue_declare(full, durable=True, arguments=bound)
            publish(other, source, b"in")
            for sent, fits in ((3, False), (2, True), (1, False)):
                with channel() as opened:
                    opened.tx_select()
                    tag = get(opened, source)[0].delivery_tag
                    opened.basic_publish("", target, b"out", DURABLE)
                    for _ in range(sent):
                        opened.basic_publish("", full, b"x", DURABLE)
                    opened.basic_ack(tag)
                    if fits:
                        opened.tx_commit()
                        publish(other, source, b"in")
                    else:
                        error = raised(pika.exceptions.ChannelClosedByBroker, opened.tx_commit)
                        equal((error.reply_code, "partial tx completion" in error.reply_text), (406, True))
                eventually(lambda: depth(other, source) == 1)
                equal((depth(other, target), depth(other, full)), (1 if sent < 3 else 0, 2 if sent < 3 else 0))
            for name in (source, full, target):
                other.queue_delete(name)


def moved_by_transactions(port, sources, targets, done):
    """Moves messages from each source to two targets, in one transaction each, until the server ends."""
    ends = contextlib.suppress(pika.exceptions.AMQPError, OSError, AssertionError)
    with ends, channel(port=port) as opened:
        opened.tx_select()
        while True:
            for at, source in enumerate(sources):
                method, _, body = opened.basic_get(source)
                if method is None:
                    return
                for target in (targets[at], targets[at - 1]):
                    opened.basic_publish("", target, body, DURABLE)
                opened.basic_ack(method.delivery_tag)
            opened.tx_commit()
            done.set()


@check_of_stele
def a_kill_leaves_a_transaction_whole_or_absent():
    with own_server(STELE_ENGINE__SHARDS="2") as server:
        sources = [f"source-{number}" for number in range(3)]
        targets = [f"target-{number}" for number in range(3)]
        sent = [b"%d" % number for number in range(600)]
        with channel(port=server.ports["amqp"]) as opened:
            opened.confirm_delivery()
            for name in (*sources, *targets):
                opened.queue_declare(name, durable=True)
            for source in sources:
                publish(opened, source, *sent)
        for delay_ms in range(0, 40, 5):
            done = threading.Event()
            work = (server.ports["amqp"], sources, targets, done)
            worker = threading.Thread(target=moved_by_transactions, args=work)
            worker.start()
            done.wait(30)
            time.sleep(delay_ms / 1000)
            server.kill()
            worker.join()
            server.start()
        with channel(port=server.ports["amqp"]) as opened:
            taken = {}
            for name in (*sources, *targets):
                count = depth(opened, name)
                taken[name] = [body for _, _, body in take(opened, name, count, auto_ack=True)]
            left = {name: set(taken[name]) for name in sources}
            # All sources lose a message, and all targets get two, or none does.
            equal([sorted(taken[name]) for name in sources], [sorted(left[sources[0]])] * 3)
            moved = sorted(set(sent) - left[sources[0]])
            equal(len(moved) >= 8, True)
            for name in targets:
                equal(sorted(taken[name]), sorted(moved * 2))
