"""Who is served, and with what: priorities of consumers and messages, single active consumers."""

import pika
import pika.exceptions

from checks import check, check_of_stele, equal, eventually, raised, unique
from pika_session import channel, get, publish, queue, take, waits_for_depth

ONE_AT_A_TIME = {"x-single-active-consumer": True}


def pump(opened, seconds=0.02):
    opened.connection.process_data_events(time_limit=seconds)


def consumer(opened, name, came, who, prefetch=0, **arguments):
    """A consumer on a channel of its own, which notes in `came` who got what. Returns the channel and the tag."""
    own = opened.connection.channel()
    own.basic_qos(prefetch_count=prefetch)
    noted = lambda _, method, __, body: came.append((who, body, method.delivery_tag))
    return own, own.basic_consume(name, noted, **arguments)


def until_came(opened, came, **expected):
    """Waits until these messages have come to these consumers, and shows that no more do. pika doesn't keep the
    order of deliveries on different channels."""
    count = sum(map(len, expected.values()))

    def all_came():
        pump(opened)
        return len(came) >= count

    eventually(all_came)
    pump(opened, 0.2)
    each = {who: [body for to, body, _ in came if to == who] for who, _, _ in came}
    equal(each, expected)


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
        until_came(opened, came, high=[b"1", b"2"], usual=[b"3"], low=[b"4"])
        high.basic_ack(next(tag for who, _, tag in came if who == "high"))
        pump(opened, 0.1)
        publish(opened, name, b"5")
        until_came(opened, came, high=[b"1", b"2", b"5"], usual=[b"3"], low=[b"4"])


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


@check_of_stele
def one_consumer_at_a_time_is_served_and_the_next_takes_over_in_order():
    """As in RabbitMQ 4. In RabbitMQ 3, the next one begins only when something else happens to the queue."""
    with queue(arguments=ONE_AT_A_TIME) as (opened, name):
        came = []
        first, tag = consumer(opened, name, came, "first", prefetch=2)
        second, _ = consumer(opened, name, came, "second")
        third, _ = consumer(opened, name, came, "third", prefetch=1)
        publish(opened, name, b"1", b"2", b"3")
        until_came(opened, came, first=[b"1", b"2"])
        first.basic_cancel(tag)
        publish(opened, name, b"4")
        until_came(opened, came, first=[b"1", b"2"], second=[b"3", b"4"])
        del came[:]
        second.close()
        until_came(opened, came, third=[b"3"])
        third.basic_ack(came[0][2])
        until_came(opened, came, third=[b"3", b"4"])


@check
def what_an_active_consumer_returns_with_its_channel_keeps_its_order():
    with queue(arguments=ONE_AT_A_TIME) as (opened, name):
        came = []
        first, _ = consumer(opened, name, came, "first", prefetch=300)
        consumer(opened, name, came, "second")
        bodies = [b"%d" % number for number in range(1000)]
        publish(opened, name, *bodies)
        until_came(opened, came, first=bodies[:300])
        del came[:]
        # The server closes the channel. pika's own close would cancel the consumer first.
        raised(pika.exceptions.ChannelClosedByBroker, lambda: first.queue_declare(unique("absent"), passive=True))
        until_came(opened, came, second=bodies)


@check
def of_those_that_wait_to_take_over_the_one_with_the_highest_priority_does():
    with queue(arguments=ONE_AT_A_TIME) as (opened, name):
        came = []
        first, _ = consumer(opened, name, came, "first", prefetch=1)
        consumer(opened, name, came, "second")
        consumer(opened, name, came, "third", arguments={"x-priority": 1})
        publish(opened, name, b"1", b"2")
        until_came(opened, came, first=[b"1"])
        first.basic_ack(came[0][2])
        until_came(opened, came, first=[b"1", b"2"])
        first.close()
        until_came(opened, came, first=[b"1", b"2"], third=[b"2"])


@check
def a_single_active_consumer_cannot_be_exclusive_and_a_get_is_answered():
    with queue(arguments=ONE_AT_A_TIME) as (opened, name):
        publish(opened, name, b"1")
        equal(get(opened, name)[2], b"1")
        closed_with(
            403,
            f"ACCESS_REFUSED - queue '{name}' in vhost '/' in exclusive use",
            lambda: opened.basic_consume(name, lambda *_: None, exclusive=True),
        )


@check
def a_quorum_queue_with_a_single_active_consumer_refuses_get_and_ignores_exclusive():
    with queue(arguments={**ONE_AT_A_TIME, "x-queue-type": "quorum"}) as (opened, name):
        opened.basic_consume(name, lambda *_: None, exclusive=True)
        closed_with(
            405,
            f"RESOURCE_LOCKED - cannot obtain access to locked queue '{name}' in vhost '/'. basic.get operations"
            " are not supported by quorum queues with single active consumer",
            lambda: opened.basic_get(name),
        )


def with_priority(priority):
    return pika.BasicProperties(delivery_mode=2, priority=priority)


def publish_each(opened, name, *priorities):
    """A message for each priority, which is its body."""
    for priority in priorities:
        publish(opened, name, b"%d" % (priority or 0), properties=with_priority(priority))


def bodies_of(deliveries):
    return [int(body) for _, _, body in deliveries]


@check
def messages_come_by_priority_and_then_in_order():
    with queue(arguments={"x-max-priority": 10}) as (opened, name):
        for round_ in range(3):
            for priority in (0, 7, None, 10, 3):
                publish(opened, name, b"%s %d" % (str(priority).encode(), round_), properties=with_priority(priority))
        waits_for_depth(opened, name, 15)
        came = [body.decode() for _, _, body in take(opened, name, 15)]
        lowest = [f"{priority} {round_}" for round_ in range(3) for priority in (0, None)]
        equal(came, [f"{priority} {round_}" for priority in (10, 7, 3) for round_ in range(3)] + lowest)


@check
def a_priority_above_the_highest_counts_as_the_highest():
    with queue(arguments={"x-max-priority": 2}) as (opened, name):
        publish_each(opened, name, 1, 2, 255, 2, 9)
        waits_for_depth(opened, name, 5)
        equal([int(get(opened, name)[2]) for _ in range(5)], [2, 255, 2, 9, 1])


@check
def a_returned_message_comes_again_before_lower_ones():
    with queue(arguments={"x-max-priority": 5}) as (opened, name):
        publish_each(opened, name, 1, 3)
        waits_for_depth(opened, name, 2)
        method, _, body = get(opened, name)
        equal(body, b"3")
        opened.basic_nack(method.delivery_tag)
        publish_each(opened, name, 2, 5)
        waits_for_depth(opened, name, 4)
        deliveries = take(opened, name, 4)
        equal(bodies_of(deliveries), [5, 3, 2, 1])
        equal([method.redelivered for method, _, _ in deliveries], [False, True, False, False])


@check
def a_transaction_and_a_fanout_reach_plain_and_priority_queues():
    with queue(arguments={"x-max-priority": 5}) as (opened, name), queue() as (_, plain):
        exchange = f"{name}-fan"
        opened.exchange_declare(exchange, "fanout")
        for each in (name, plain):
            opened.queue_bind(each, exchange)
        opened.tx_select()
        for priority in (1, 4, 4, 0, 5):
            opened.basic_publish(exchange, "", b"%d" % priority, with_priority(priority))
        opened.tx_commit()
        opened.exchange_delete(exchange)
        opened.tx_rollback()
        equal(bodies_of(take(opened, name, 5, auto_ack=True)), [5, 4, 4, 1, 0])
        equal(bodies_of(take(opened, plain, 5, auto_ack=True)), [1, 4, 4, 0, 5])


@check
def dead_letters_keep_their_priorities():
    with queue(arguments={"x-max-priority": 5}) as (opened, dead):
        to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
        with queue(arguments=to_dead) as (_, name):
            publish_each(opened, name, 1, 3, None, 2)
            waits_for_depth(opened, name, 4)
            for method, _, _ in take(opened, name, 4):
                opened.basic_reject(method.delivery_tag, requeue=False)
            waits_for_depth(opened, dead, 4)
            equal(bodies_of(take(opened, dead, 4)), [3, 2, 1, 0])


@check
def a_purge_takes_messages_of_every_priority():
    with queue(arguments={"x-max-priority": 5}) as (opened, name):
        publish_each(opened, name, 1, 4, None)
        waits_for_depth(opened, name, 3)
        equal(opened.queue_purge(name).method.message_count, 3)
        equal(opened.basic_get(name), (None, None, None))


@check
def priorities_that_are_out_of_range_are_406():
    for value, reason in ((-1, "{value_negative,-1}"), (256, "{max_value_exceeded,256}")):
        with channel() as opened:
            closed_with(
                406,
                f"PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'odd' in vhost '/': {reason}",
                lambda: opened.queue_declare("odd", arguments={"x-max-priority": value}),
            )
    with queue(arguments={"x-max-priority": 5}) as (opened, name):
        closed_with(
            406,
            f"PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue '{name}' in vhost '/':"
            " received '6' but current is '5'",
            lambda: opened.queue_declare(name, durable=True, arguments={"x-max-priority": 6}),
        )


@check_of_stele
def a_delivery_that_is_not_acknowledged_in_time_closes_its_channel():
    """RabbitMQ looks once a minute, and a queue's own timeout needs 3.12."""
    with queue(arguments={"x-consumer-timeout": 200}) as (opened, name):
        reasons = []
        own, _ = consumer(opened, name, [], "first")
        own._impl.add_on_close_callback(lambda _, reason: reasons.append((reason.reply_code, reason.reply_text)))
        publish(opened, name, b"1")

        def is_closed():
            pump(opened)
            return own.is_closed

        eventually(is_closed)
        text = (
            f"PRECONDITION_FAILED - delivery acknowledgement on channel {own.channel_number} timed out. Timeout value"
            " used: 200 ms. This timeout value can be configured, see consumers doc guide to learn more"
        )
        equal(reasons, [(406, text)])
        method, _, body = get(opened, name)
        equal((body, method.redelivered), (b"1", True))
