"""Declaring, counting, purging and deleting queues."""

import pika
import pika.exceptions

from checks import check, equal, eventually, raised, unique
from pika_session import channel, connection, publish, queue, waits_for_depth


def closed_with(code, action):
    error = raised(pika.exceptions.ChannelClosedByBroker, action)
    equal(error.reply_code, code)
    return error


@check
def a_queue_without_a_name_gets_one_from_the_server():
    with channel() as opened:
        names = {opened.queue_declare("", exclusive=True).method.queue for _ in range(3)}
        equal(len(names), 3)
        assert all(name.startswith("amq.gen-") for name in names), names


@check
def an_empty_name_afterwards_means_the_queue_declared_last():
    with channel() as opened:
        name = opened.queue_declare("", exclusive=True).method.queue
        opened.queue_bind("", "amq.direct", name)
        opened.basic_publish("amq.direct", name, b"")
        waits_for_depth(opened, name, 1)
        equal(opened.queue_purge("").method.message_count, 1)


@check
def declaring_again_reports_messages_and_consumers():
    with queue() as (opened, name):
        publish(opened, name, b"1", b"2", b"3")
        waits_for_depth(opened, name, 3)
        other = opened.connection.channel()
        other.basic_qos(prefetch_count=1)
        other.basic_consume(name, lambda *_: None)

        def one_is_out():
            answer = opened.queue_declare(name, durable=True).method
            return (answer.message_count, answer.consumer_count) == (2, 1)

        eventually(one_is_out)


@check
def a_passive_declaration_of_an_absent_queue_is_404():
    with channel() as opened:
        error = closed_with(404, lambda: opened.queue_declare(unique("absent"), passive=True))
        assert "NOT_FOUND" in error.reply_text, error.reply_text


@check
def redeclaring_with_another_durability_is_406():
    with queue() as (opened, name):
        error = closed_with(406, lambda: opened.queue_declare(name, durable=False))
        assert "PRECONDITION_FAILED" in error.reply_text, error.reply_text


@check
def redeclaring_as_auto_delete_is_406():
    with queue() as (opened, name):
        closed_with(406, lambda: opened.queue_declare(name, durable=True, auto_delete=True))


@check
def the_reserved_prefix_is_403():
    with channel() as opened:
        closed_with(403, lambda: opened.queue_declare(f"amq.{unique('mine')}"))


@check
def an_exclusive_queue_is_405_for_another_connection():
    with channel() as owner, connection() as other:
        name = unique("exclusive")
        owner.queue_declare(name, exclusive=True)
        for action in (
            lambda opened: opened.queue_declare(name, exclusive=True),
            lambda opened: opened.queue_declare(name, passive=True),
            lambda opened: opened.basic_consume(name, lambda *_: None),
            lambda opened: opened.basic_get(name),
            lambda opened: opened.queue_purge(name),
            lambda opened: opened.queue_delete(name),
        ):
            opened = other.channel()
            error = closed_with(405, lambda: action(opened))
            assert "RESOURCE_LOCKED" in error.reply_text, error.reply_text


@check
def an_exclusive_queue_goes_with_its_connection():
    name = unique("exclusive")
    with channel() as owner:
        owner.queue_declare(name, exclusive=True)

    def gone():
        with channel() as opened:
            try:
                opened.queue_declare(name, passive=True)
            except pika.exceptions.ChannelClosedByBroker as error:
                return error.reply_code == 404
        return False

    eventually(gone)


@check
def an_auto_delete_queue_goes_with_its_last_consumer_and_not_before():
    with channel() as opened:
        name = unique("auto-delete")
        opened.queue_declare(name, auto_delete=True)
        opened.queue_declare(name, passive=True)
        first = opened.basic_consume(name, lambda *_: None)
        second = opened.basic_consume(name, lambda *_: None)
        opened.basic_cancel(first)
        equal(opened.queue_declare(name, passive=True).method.consumer_count, 1)
        opened.basic_cancel(second)
        closed_with(404, lambda: opened.queue_declare(name, passive=True))


def expiring(opened, milliseconds, prefix="expiring"):
    """A fresh queue that is deleted after being unused for so long."""
    name = unique(prefix)
    opened.queue_declare(name, durable=True, arguments={"x-expires": milliseconds})
    return name


def waits_until_gone(name):
    """Waits without using the queue: declaring it, even passively, would keep it."""
    with channel() as opened:
        opened.confirm_delivery()

        def gone():
            try:
                opened.basic_publish("", name, b"", mandatory=True)
            except pika.exceptions.UnroutableError:
                return True
            return False

        eventually(gone)


@check
def a_queue_with_an_expiry_goes_when_it_is_not_used():
    with channel() as opened:
        name = expiring(opened, 500)
        waits_until_gone(name)
        closed_with(404, lambda: opened.queue_declare(name, passive=True))


@check
def a_consumer_keeps_a_queue_from_expiring():
    with channel() as opened:
        kept = expiring(opened, 2000, "kept")
        tag = opened.basic_consume(kept, lambda *_: None)
        waits_until_gone(expiring(opened, 2000))
        equal(opened.queue_declare(kept, passive=True).method.consumer_count, 1)
        opened.basic_cancel(tag)
        waits_until_gone(kept)


@check
def an_expiry_is_above_zero_and_part_of_what_is_declared():
    for refused in (0, -1):
        with channel() as opened:
            error = closed_with(406, lambda: expiring(opened, refused))
            assert "invalid arg 'x-expires'" in error.reply_text, error.reply_text
    with channel() as opened:
        name = expiring(opened, 60_000)
        opened.queue_declare(name, durable=True, arguments={"x-expires": 60_000})
        closed_with(406, lambda: opened.queue_declare(name, durable=True))
    with channel() as cleaner:
        cleaner.queue_delete(name)


@check
def purging_counts_the_ready_and_spares_the_unacknowledged():
    with queue() as (opened, name):
        publish(opened, name, b"held", b"1", b"2")
        waits_for_depth(opened, name, 3)
        method, _, body = opened.basic_get(name)
        equal(body, b"held")
        equal(opened.queue_purge(name).method.message_count, 2)
        opened.basic_nack(method.delivery_tag)
        waits_for_depth(opened, name, 1)


@check
def purging_an_absent_queue_is_404():
    with channel() as opened:
        closed_with(404, lambda: opened.queue_purge(unique("absent")))


@check
def deleting_counts_what_was_in_it_and_an_absent_one_is_accepted():
    with channel() as opened:
        name = unique("queue")
        opened.queue_declare(name)
        publish(opened, name, b"1", b"2")
        waits_for_depth(opened, name, 2)
        equal(opened.queue_delete(name).method.message_count, 2)
        equal(opened.queue_delete(name).method.message_count, 0)


@check
def deleting_a_filled_queue_if_empty_is_406():
    with queue() as (opened, name):
        publish(opened, name, b"1")
        waits_for_depth(opened, name, 1)
        closed_with(406, lambda: opened.queue_delete(name, if_empty=True))


@check
def deleting_a_consumed_queue_if_unused_is_406():
    with queue() as (opened, name):
        opened.basic_consume(name, lambda *_: None)
        other = opened.connection.channel()
        closed_with(406, lambda: other.queue_delete(name, if_unused=True))


@check
def a_deleted_queue_made_anew_is_empty():
    with queue() as (opened, name):
        publish(opened, name, b"old")
        waits_for_depth(opened, name, 1)
        opened.queue_delete(name)
        opened.queue_declare(name, durable=True)
        equal(opened.basic_get(name), (None, None, None))
        publish(opened, name, b"new")
        waits_for_depth(opened, name, 1)
        equal(opened.basic_get(name, auto_ack=True)[2], b"new")


@check
def a_name_of_255_bytes_and_beyond_ascii_is_a_queue_of_its_own():
    with channel() as opened:
        for name in (unique("x" * 240)[:255], unique("größe/ \u6771\u4eac")):
            opened.queue_declare(name, exclusive=True)
            publish(opened, name, name.encode())
            waits_for_depth(opened, name, 1)


@check
def an_auto_delete_queue_is_gone_once_its_last_consumer_is():
    with connection() as opened:
        steady = opened.channel()
        for number in range(40):
            name, consuming = unique("fleeting"), opened.channel()
            consuming.queue_declare(name, durable=True, auto_delete=True)
            tag = consuming.basic_consume(name, lambda *_: None)
            if number % 2:
                consuming.basic_cancel(tag)
            consuming.close()
            # A declaration that differs, which the old queue would refuse.
            steady.queue_declare(name)
            steady.queue_delete(name)
