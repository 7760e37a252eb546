"""Consuming: acknowledgement, return, prefetch, cancellation."""

import contextlib

import pika
import pika.exceptions

from checks import check, equal, eventually, raised, unique
from pika_session import channel, connection, get, publish, queue, take, waits_for_depth


def bodies(deliveries):
    return [body for _, _, body in deliveries]


def closed_with(code, action):
    error = raised(pika.exceptions.ChannelClosedByBroker, action)
    equal(error.reply_code, code)
    return error


def pump(opened, seconds=0.3):
    """Processes incoming frames for some time, to show that something doesn't arrive."""
    opened.connection.process_data_events(time_limit=seconds)


@check
def get_on_an_empty_queue_answers_empty():
    with queue() as (opened, name):
        equal(opened.basic_get(name), (None, None, None))


@check
def get_counts_what_is_left_and_numbers_its_deliveries():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        waits_for_depth(opened, name, 3)
        answers = [opened.basic_get(name) for _ in range(3)]
        equal([answer[0].message_count for answer in answers], [2, 1, 0])
        equal([answer[0].delivery_tag for answer in answers], [1, 2, 3])
        equal(bodies(answers), [b"1", b"2", b"3"])


@check
def get_from_an_absent_queue_is_404():
    with channel() as opened:
        closed_with(404, lambda: opened.basic_get(unique("absent")))


@check
def consuming_an_absent_queue_is_404():
    with channel() as opened:
        closed_with(404, lambda: opened.basic_consume(unique("absent"), lambda *_: None))


@check
def an_acknowledged_message_is_gone():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2")
        for method, _, _ in take(opened, name, 2):
            opened.basic_ack(method.delivery_tag)
        opened.close()
        with channel() as later:
            equal(later.basic_get(name)[0], None)


@check
def ack_multiple_settles_all_up_to_its_tag():
    with queue() as (opened, name):
        publish(opened, name, *[b"%d" % number for number in range(6)])
        tags = [method.delivery_tag for method, _, _ in take(opened, name, 6)]
        opened.basic_ack(tags[3], multiple=True)
        opened.close()
        with channel() as later:
            equal(bodies(take(later, name, 2)), [b"4", b"5"])


@check
def ack_multiple_of_tag_zero_settles_everything():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        take(opened, name, 3)
        opened.basic_ack(0, multiple=True)
        opened.close()
        with channel() as later:
            equal(later.basic_get(name)[0], None)


@check
def nack_requeues_at_the_head_and_marks_as_redelivered():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        waits_for_depth(opened, name, 3)
        method, _, body = opened.basic_get(name)
        equal((body, method.redelivered), (b"1", False))
        opened.basic_nack(method.delivery_tag, requeue=True)
        waits_for_depth(opened, name, 3)
        answers = [opened.basic_get(name, auto_ack=True) for _ in range(3)]
        equal(bodies(answers), [b"1", b"2", b"3"])
        equal([answer[0].redelivered for answer in answers], [True, False, False])


@check
def nack_multiple_returns_all_in_their_old_order():
    with queue() as (opened, name):
        publish(opened, name, *[b"%d" % number for number in range(5)])
        tags = [method.delivery_tag for method, _, _ in take(opened, name, 5)]
        opened.basic_nack(tags[3], multiple=True, requeue=True)
        waits_for_depth(opened, name, 4)
        equal(bodies(take(opened, name, 4)), [b"0", b"1", b"2", b"3"])


@check
def nack_and_reject_without_requeue_drop_the_message():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        waits_for_depth(opened, name, 3)
        opened.basic_nack(opened.basic_get(name)[0].delivery_tag, requeue=False)
        opened.basic_reject(opened.basic_get(name)[0].delivery_tag, requeue=False)
        opened.close()
        with channel() as later:
            equal(later.basic_get(name)[2], b"3")
            equal(later.basic_get(name)[0], None)


@check
def reject_with_requeue_returns_the_message():
    with queue() as (opened, name):
        publish(opened, name, b"1")
        waits_for_depth(opened, name, 1)
        opened.basic_reject(opened.basic_get(name)[0].delivery_tag, requeue=True)
        method, _, body = get(opened, name)
        equal((body, method.redelivered), (b"1", True))


@check
def closing_the_channel_returns_what_it_held_in_order():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        holder = opened.connection.channel()
        take(holder, name, 3)
        holder.close()
        waits_for_depth(opened, name, 3)
        again = take(opened, name, 3)
        equal(bodies(again), [b"1", b"2", b"3"])
        equal([method.redelivered for method, _, _ in again], [True] * 3)


@check
def losing_the_connection_returns_what_it_held():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2")
        with connection() as other:
            take(other.channel(), name, 2)
        waits_for_depth(opened, name, 2)
        equal(bodies(take(opened, name, 2)), [b"1", b"2"])


@check
def an_unknown_delivery_tag_is_406():
    with queue() as (opened, name):
        opened.basic_ack(77)
        error = closed_with(406, lambda: opened.queue_declare(name, passive=True))
        assert "unknown delivery tag" in error.reply_text, error.reply_text


@check
def acknowledging_twice_is_406():
    with queue() as (opened, name):
        publish(opened, name, b"1")
        tag = get(opened, name)[0].delivery_tag
        opened.basic_ack(tag)
        opened.basic_ack(tag)
        closed_with(406, lambda: opened.queue_declare(name, passive=True))


@check
def prefetch_limits_what_is_out_until_an_acknowledgement():
    with queue() as (opened, name):
        publish(opened, name, *[b"%d" % number for number in range(10)])
        waits_for_depth(opened, name, 10)
        opened.basic_qos(prefetch_count=3)
        deliveries = []
        opened.basic_consume(name, lambda _, method, properties, body: deliveries.append((method, properties, body)))

        def three_are_out():
            pump(opened, 0.02)
            return len(deliveries) >= 3

        eventually(three_are_out)
        pump(opened)
        equal(len(deliveries), 3)
        opened.basic_ack(deliveries[1][0].delivery_tag, multiple=True)

        def five_are_out():
            pump(opened, 0.02)
            return len(deliveries) >= 5

        eventually(five_are_out)
        pump(opened)
        equal(bodies(deliveries), [b"0", b"1", b"2", b"3", b"4"])


@check
def a_global_prefetch_is_shared_by_the_consumers_of_a_channel():
    with queue() as (opened, name):
        publish(opened, name, *[b"x"] * 10)
        waits_for_depth(opened, name, 10)
        opened.basic_qos(prefetch_count=3, global_qos=True)
        deliveries = []
        for _ in range(2):
            opened.basic_consume(name, lambda _, method, properties, body: deliveries.append(method))

        def three_are_out():
            pump(opened, 0.02)
            return len(deliveries) >= 3

        eventually(three_are_out)
        pump(opened)
        equal(len(deliveries), 3)


@contextlib.contextmanager
def many_queues(opened, messages):
    """Eight queues with so many messages each: what holds for one must hold for all together."""
    names = [unique("many") for _ in range(8)]
    for name in names:
        opened.queue_declare(name)
        publish(opened, name, *[b"%d" % number for number in range(messages)])
        waits_for_depth(opened, name, messages)
    yield names
    for name in names:
        opened.queue_delete(name)


def consume_all(opened, names, deliveries):
    for name in names:
        opened.basic_consume(name, lambda _, method, __, body: deliveries.append((method, body)), consumer_tag=name)


def are_out(opened, deliveries, count):
    def enough():
        pump(opened, 0.02)
        return len(deliveries) >= count

    eventually(enough)


@check
def a_global_prefetch_is_shared_by_consumers_of_many_queues():
    with channel() as opened, many_queues(opened, 4) as names:
        opened.basic_qos(prefetch_count=5, global_qos=True)
        deliveries = []
        consume_all(opened, names, deliveries)
        are_out(opened, deliveries, 5)
        pump(opened)
        equal(len(deliveries), 5)
        settled = 0
        while settled < 32:
            are_out(opened, deliveries, settled + 1)
            assert len(deliveries) <= settled + 5, f"{len(deliveries) - settled} are out"
            opened.basic_ack(deliveries[settled][0].delivery_tag)
            settled += 1
        for name in names:
            of_one = [body for method, body in deliveries if method.consumer_tag == name]
            equal(of_one, [b"0", b"1", b"2", b"3"])


@check
def a_global_prefetch_that_is_lifted_lets_everything_through():
    with channel() as opened, many_queues(opened, 2) as names:
        opened.basic_qos(prefetch_count=1, global_qos=True)
        deliveries = []
        consume_all(opened, names, deliveries)
        are_out(opened, deliveries, 1)
        opened.basic_qos(prefetch_count=0, global_qos=True)
        are_out(opened, deliveries, 16)


@check
def what_a_global_prefetch_holds_back_is_there_for_others_after_a_cancel():
    with channel() as opened, many_queues(opened, 1) as names:
        opened.basic_qos(prefetch_count=1, global_qos=True)
        deliveries = []
        consume_all(opened, names, deliveries)
        are_out(opened, deliveries, 1)
        for name in names:
            opened.basic_cancel(name)
        delivered_from = [method.consumer_tag for method, _ in deliveries]
        equal(len(delivered_from), 1)
        with channel() as other:
            for name in set(names) - set(delivered_from):
                eventually(lambda name=name: get(other, name, auto_ack=True)[2] == b"0")


@check
def recovering_brings_messages_again_in_order_whatever_a_global_prefetch_holds_back():
    with channel() as opened, many_queues(opened, 3) as names:
        opened.basic_qos(prefetch_count=10, global_qos=True)
        deliveries = []
        consume_all(opened, names, deliveries)
        are_out(opened, deliveries, 10)
        opened.basic_recover(requeue=True)
        again = len(deliveries)
        settled = 0
        while settled < 24:
            are_out(opened, deliveries, again + settled + 1)
            opened.basic_ack(deliveries[again + settled][0].delivery_tag)
            settled += 1
        for name in names:
            of_one = [body for method, body in deliveries[again:] if method.consumer_tag == name]
            equal(of_one, [b"0", b"1", b"2"])


@check
def a_consumer_without_acknowledgement_empties_the_queue_at_once():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2")
        take(opened, name, 2, auto_ack=True)
        opened.close()
        with channel() as later:
            equal(later.basic_get(name)[0], None)


@check
def consumers_take_turns():
    with queue() as (opened, name):
        counts = {"one": 0, "two": 0}

        def counted(which):
            def count(channel_of, method, _, __):
                counts[which] += 1
                channel_of.basic_ack(method.delivery_tag)

            return count

        consumers = [opened.connection.channel() for _ in counts]
        for which, each in zip(counts, consumers):
            each.basic_qos(prefetch_count=1)
            each.basic_consume(name, counted(which))
        publish(opened, name, *[b"x"] * 40)

        def all_came():
            pump(opened, 0.02)
            return sum(counts.values()) == 40

        eventually(all_came)
        assert min(counts.values()) >= 10, counts


@check
def a_cancelled_consumer_gets_nothing_more_but_may_still_acknowledge():
    with queue() as (opened, name):
        publish(opened, name, b"1")
        method, _, _ = take(opened, name, 1)[0]
        publish(opened, name, b"2")
        waits_for_depth(opened, name, 1)
        opened.basic_ack(method.delivery_tag)
        equal(get(opened, name, auto_ack=True)[2], b"2")


@check
def deleting_the_queue_tells_its_consumers():
    with queue() as (opened, name):
        cancelled = []
        opened.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
        tag = opened.basic_consume(name, lambda *_: None)
        with channel() as other:
            other.queue_delete(name)

        def told():
            pump(opened, 0.02)
            return cancelled

        eventually(told)
        equal(cancelled, [tag])
        assert opened.is_open


@check
def an_exclusive_consumer_keeps_others_out_with_403():
    with queue() as (opened, name):
        opened.basic_consume(name, lambda *_: None, exclusive=True)
        other = opened.connection.channel()
        error = closed_with(403, lambda: other.basic_consume(name, lambda *_: None))
        assert "ACCESS_REFUSED" in error.reply_text, error.reply_text


@check
def exclusive_consumption_of_a_queue_in_use_is_403():
    with queue() as (opened, name):
        opened.basic_consume(name, lambda *_: None)
        other = opened.connection.channel()
        closed_with(403, lambda: other.basic_consume(name, lambda *_: None, exclusive=True))


@check
def a_consumer_tag_used_twice_on_a_channel_closes_the_connection_as_530():
    with queue() as (opened, name):
        opened.basic_consume(name, lambda *_: None, consumer_tag="mine")
        method = pika.spec.Basic.Consume(queue=name, consumer_tag="mine")
        opened._impl._send_method(method)

        def refused():
            pump(opened, 0.02)
            return False

        error = raised(pika.exceptions.ConnectionClosedByBroker, lambda: eventually(refused))
        equal(error.reply_code, 530)


@check
def recover_delivers_the_unacknowledged_again():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2")
        waits_for_depth(opened, name, 2)
        opened.basic_get(name)
        opened.basic_get(name)
        opened.basic_recover(requeue=True)
        waits_for_depth(opened, name, 2)
        answers = [opened.basic_get(name) for _ in range(2)]
        equal(bodies(answers), [b"1", b"2"])
        equal([answer[0].redelivered for answer in answers], [True, True])


@check
def the_blocking_generator_consumes_and_stops():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        found = []
        for method, _, body in opened.consume(name, inactivity_timeout=60):
            assert method is not None, f"nothing more after {found}"
            found.append(body)
            opened.basic_ack(method.delivery_tag)
            if len(found) == 3:
                break
        opened.cancel()
        equal(found, [b"1", b"2", b"3"])


@check
def many_unacknowledged_messages_are_settled_in_any_order():
    with queue() as (opened, name):
        publish(opened, name, *[b"%d" % number for number in range(500)])
        tags = [method.delivery_tag for method, _, _ in take(opened, name, 500)]
        for tag in tags[::-2] + tags[::2][:-1]:
            opened.basic_ack(tag)
        opened.close()
        with channel() as later:
            equal(get(later, name)[2], b"498")
            equal(later.basic_get(name)[0], None)


@check
def messages_behind_very_large_ones_are_delivered():
    large = bytes(8 << 20)
    for sent in ([b"small"] * 3 + [large] + [b"small"] * 20, [large] * 5, [large, b"small"]):
        for auto_ack in (False, True):
            with queue() as (opened, name):
                publish(opened, name, *sent)
                equal(bodies(take(opened, name, len(sent), auto_ack=auto_ack)), sent)
