"""Expiry of messages: by their queue's time to live, and by their own."""

import contextlib
import time

import pika

from checks import check, equal, eventually
from pika_session import DURABLE, depth, publish, queue

TTL_SECONDS = 1.0
BETWEEN_SECONDS = 0.9
AFTER_SECONDS = 0.6
TRIES = 5
NO_TIME = {"x-message-ttl": 0}
NO_TIME_OF_ITS_OWN = pika.BasicProperties(delivery_mode=2, expiration="0")
WITHOUT_TIME = ((NO_TIME, DURABLE), ({}, NO_TIME_OF_ITS_OWN))


@check
def a_consumer_that_waits_gets_messages_without_any_time_to_live():
    for arguments, properties in WITHOUT_TIME:
        with queue(arguments=arguments) as (opened, name):
            found, sent = [], [b"%d" % number for number in range(100)]
            opened.basic_consume(name, lambda *delivery: found.append(delivery[-1]), auto_ack=True)
            publish(opened, name, *sent, properties=properties)

            def all_came():
                opened.connection.process_data_events(time_limit=0.02)
                return len(found) >= len(sent)

            eventually(all_came)
            equal(found, sent)


@check
def a_message_without_any_time_to_live_is_gone_where_nobody_waits():
    for arguments, properties in WITHOUT_TIME:
        with queue(arguments=arguments) as (opened, name):
            opened.confirm_delivery()
            publish(opened, name, b"1", b"2", properties=properties)
            equal(opened.basic_get(name), (None, None, None))
            equal(depth(opened, name), 0)


def sleep_until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))


@contextlib.contextmanager
def one_expired():
    """A channel and its queue, in which "one" has expired and "two" hasn't, and until when that holds."""
    with queue(arguments={"x-message-ttl": int(TTL_SECONDS * 1000)}) as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, b"one")
        sleep_until(time.monotonic() + BETWEEN_SECONDS)
        until = time.monotonic() + TTL_SECONDS
        publish(opened, name, b"two")
        sleep_until(time.monotonic() + AFTER_SECONDS)
        yield opened, name, until


def in_time(found):
    """The result while "two" is alive; repeated if that took too long on a busy machine."""
    for _ in range(TRIES):
        with one_expired() as (opened, name, until):
            outcome = found(opened, name)
            if time.monotonic() < until:
                return outcome
    raise AssertionError(f"not once within {TTL_SECONDS} s in {TRIES} tries")


@check
def a_message_expires_before_the_one_behind_it_for_get():
    def found(opened, name):
        return [depth(opened, name)] + [opened.basic_get(name, auto_ack=True)[2] for _ in range(2)]

    equal(in_time(found), [1, b"two", None])


@check
def a_message_expires_before_the_one_behind_it_for_a_consumer():
    def found(opened, name):
        bodies = []
        opened.basic_consume(name, lambda *delivery: bodies.append(delivery[-1]), auto_ack=True)
        opened.connection.process_data_events(time_limit=0.2)
        return bodies

    equal(in_time(found), [b"two"])
