"""Transactions: messages whose queues change before the commit."""

import contextlib

from checks import check, equal, unique
from pika_session import DURABLE, channel, depth


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
