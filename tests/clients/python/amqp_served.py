"""Who is served: consumers' priorities."""

import contextlib

import pika.exceptions

from checks import check, equal, eventually, raised
from pika_session import channel, publish, queue


def pump(opened, seconds=0.02):
    opened.connection.process_data_events(time_limit=seconds)


def consumer(opened, name, came, who, prefetch=0, **arguments):
    """A consumer on a channel of its own, which notes in `came` who got what. Returns the channel and the tag."""
    own = opened.connection.channel()
    own.basic_qos(prefetch_count=prefetch)
    noted = lambda _, method, __, body: came.append((who, body, method.delivery_tag))
    return own, own.basic_consume(name, noted, **arguments)


def until_came(opened, came, expected):
    """Waits until these messages have come to these consumers, and shows that no more do."""

    def all_came():
        pump(opened)
        return len(came) >= len(expected)

    eventually(all_came)
    pump(opened, 0.2)
    equal([(who, body) for who, body, _ in came], expected)


def closed_with(code, text, action):
    error = raised(pika.exceptions.ChannelClosedByBroker, action)
    equal((error.reply_code, error.reply_text), (code, text))


@check
def a_higher_priority_is_served_first_while_it_has_room():
    with queue() as (opened, name):
        came = []
        consumer(opened, name, came, "low", arguments={"x-priority": -5})
        consumer(opened, name, came, "usual", prefetch=1)
        high, _ = consumer(opened, name, came, "high", prefetch=2, arguments={"x-priority": 1 << 40})
        publish(opened, name, b"1", b"2", b"3", b"4")
        expected = [("high", b"1"), ("high", b"2"), ("usual", b"3"), ("low", b"4")]
        until_came(opened, came, expected)
        high.basic_ack(came[0][2])
        pump(opened, 0.1)
        publish(opened, name, b"5")
        until_came(opened, came, [*expected, ("high", b"5")])


@check
def a_priority_that_is_no_integer_is_406():
    for value, kind in (("x", "longstr"), (True, "bool"), (None, "void")):
        with queue() as (opened, name):
            closed_with(
                406,
                f"PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{name}' in vhost '/':"
                f' "expected integer, got {kind}"',
                lambda: opened.basic_consume(name, lambda *_: None, arguments={"x-priority": value}),
            )
