"""Fairness: a queue's messages among its consumers, a channel's limit among its consumers."""

import contextlib
import itertools

from checks import check, equal, eventually, unique
from pika_session import channel, depth, publish, queue, waits_for_depth

CONSUMERS_AND_MESSAGES = ((5, 200), (2, 500))
MOST_APART_FROM_EVEN = 2


def pump(opened, seconds=0.02):
    opened.connection.process_data_events(time_limit=seconds)


def until_all_came(opened, came, count):
    """Waits until so many deliveries have arrived."""

    def all_came():
        pump(opened)
        return len(came) >= count

    eventually(all_came)
    equal(len(came), count)


def counts(came, names):
    """How often each name is among those delivered."""
    return [came.count(name) for name in names]


def shared_evenly(came, consumers):
    found, even = counts(came, range(consumers)), len(came) // consumers
    assert all(abs(each - even) <= MOST_APART_FROM_EVEN for each in found), f"{found} of {len(came)}"


def equal_consumers(opened, name, consumers, came):
    """Consumers without a limit, each on its own channel; notes which of them got each message."""
    for which in range(consumers):
        opened.connection.channel().basic_consume(name, lambda *_, which=which: came.append(which))


def in_one_commit(opened, name, messages):
    """All messages reach the queue at once."""
    opened.tx_select()
    publish(opened, name, *[b"x"] * messages)
    opened.tx_commit()


@check
def equal_consumers_share_evenly_what_comes_one_by_one():
    for consumers, messages in CONSUMERS_AND_MESSAGES:
        with queue() as (opened, name):
            came = []
            equal_consumers(opened, name, consumers, came)
            publish(opened, name, *[b"x"] * messages)
            until_all_came(opened, came, messages)
            shared_evenly(came, consumers)


@check
def equal_consumers_share_evenly_what_comes_at_once():
    for consumers, messages in CONSUMERS_AND_MESSAGES:
        with queue() as (opened, name):
            came = []
            equal_consumers(opened, name, consumers, came)
            in_one_commit(opened, name, messages)
            until_all_came(opened, came, messages)
            shared_evenly(came, consumers)


@check
def equal_consumers_share_evenly_what_one_of_them_leaves():
    """The returned messages lie apart in the queue: those of each commit that one consumer had."""
    consumers, commits = 5, (200, 5, 5, 60, 5, 5, 5, 100, 5, 5, 5)
    with queue() as (opened, name):
        came = []
        leaver = opened.connection.channel()
        leaver.basic_consume(name, lambda *_: came.append("leaver"))
        equal_consumers(opened, name, consumers - 1, came)
        for total, messages in zip(itertools.accumulate(commits), commits):
            in_one_commit(opened, name, messages)
            until_all_came(opened, came, total)
        left = came.count("leaver")
        came.clear()
        leaver.close()
        until_all_came(opened, came, left)
        shared_evenly(came, consumers - 1)


@check
def equal_consumers_share_evenly_what_was_there_before_them():
    """Equally fast consumers: each in turn acknowledges one message. Without a limit the first would get all."""
    for consumers, messages in CONSUMERS_AND_MESSAGES:
        with queue() as (opened, name):
            in_one_commit(opened, name, messages)
            waits_for_depth(opened, name, messages)
            came, held = [], [[] for _ in range(consumers)]

            def noted(which):
                def note(channel_of, method, _, __):
                    came.append(which)
                    held[which].append((channel_of, method.delivery_tag))

                return note

            for which in range(consumers):
                each = opened.connection.channel()
                each.basic_qos(prefetch_count=10)
                each.basic_consume(name, noted(which))

            def all_came():
                pump(opened, 0.005)
                for channel_of, tag in [own.pop(0) for own in held if own]:
                    channel_of.basic_ack(tag)
                return len(came) >= messages

            eventually(all_came)
            equal(len(came), messages)
            shared_evenly(came, consumers)


@contextlib.contextmanager
def filled_queues(opened, count, messages):
    names = [unique("filled") for _ in range(count)]
    for name in names:
        opened.queue_declare(name)
        publish(opened, name, *[b"x"] * messages)
        waits_for_depth(opened, name, messages)
    try:
        yield names
    finally:
        with channel() as cleaner:
            for name in names:
                cleaner.queue_delete(name)


def acknowledging(name, came):
    """A callback that notes the name and acknowledges."""

    def acknowledge(channel_of, method, _, __):
        came.append(name)
        channel_of.basic_ack(method.delivery_tag)

    return acknowledge


@check
def a_global_prefetch_serves_each_of_its_queues():
    """Three times, because the queues' shards depend on their names."""
    for _ in range(3):
        with channel() as opened, filled_queues(opened, 3, 200) as names:
            opened.basic_qos(prefetch_count=10, global_qos=True)
            came = []
            for name in names:
                opened.basic_consume(name, acknowledging(name, came))

            def half_came():
                pump(opened)
                return len(came) >= 300

            eventually(half_came)
            first = counts(came[:300], names)
            assert min(first) >= 50, first


@check
def a_global_prefetch_of_one_is_shared_by_two_consumers_of_a_queue():
    with channel() as opened, filled_queues(opened, 1, 20) as (name,):
        opened.basic_qos(prefetch_count=1, global_qos=True)
        came = []
        for which in range(2):
            opened.basic_consume(name, acknowledging(which, came))
        until_all_came(opened, came, 20)
        found = counts(came, range(2))
        assert min(found) >= 8, found


@check
def a_consumer_without_acknowledgement_waits_for_room_in_a_global_prefetch():
    with channel() as opened, filled_queues(opened, 1, 20) as (name,):
        opened.basic_qos(prefetch_count=3, global_qos=True)
        held, free = [], []
        opened.basic_consume(name, lambda _, method, *__: held.append(method.delivery_tag))
        until_all_came(opened, held, 3)
        opened.basic_consume(name, lambda *_: free.append(True), auto_ack=True)
        pump(opened, 0.5)
        equal((len(free), depth(opened, name)), (0, 17))

        for _ in range(2):
            before = len(held)
            opened.basic_ack(held[-1], multiple=True)

            def more_came(before=before):
                pump(opened)
                return free or len(held) > before

            eventually(more_came)
        assert free, f"{len(held)} to the other one"


@check
def a_consumer_without_acknowledgement_of_another_queue_waits_for_room_in_a_global_prefetch():
    with channel() as opened, filled_queues(opened, 2, 3) as names:
        opened.basic_qos(prefetch_count=3, global_qos=True)
        held, free = [], []
        opened.basic_consume(names[0], lambda _, method, *__: held.append(method.delivery_tag))
        until_all_came(opened, held, 3)
        opened.basic_consume(names[1], lambda *_: free.append(True), auto_ack=True)
        pump(opened, 0.5)
        equal((len(free), depth(opened, names[1])), (0, 3))
        opened.basic_ack(held[-1], multiple=True)
        until_all_came(opened, free, 3)
