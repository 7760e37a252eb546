"""Exchanges that choose one binding for a message: by a hash, or at random."""

import pika

from amqp_refusals import outcome
from checks import check, check_of_stele, equal, eventually, unique
from own_server import own_server
from pika_session import channel, depth, queue

MESSAGES = 400


def queues(opened, count):
    return [opened.queue_declare("", exclusive=True).method.queue for _ in range(count)]


def bound(opened, kind, weights, **arguments):
    """An exchange with a queue for each binding key."""
    exchange = unique(kind)
    opened.exchange_declare(exchange, kind, auto_delete=True, arguments=arguments)
    names = queues(opened, len(weights))
    for name, weight in zip(names, weights):
        opened.queue_bind(name, exchange, weight)
    return exchange, names


def counts(opened, names, count=MESSAGES):
    """How many messages each queue has, once all have arrived."""

    def all_arrived():
        found = [depth(opened, name) for name in names]
        return found if sum(found) == count else None

    return eventually(all_arrived)


@check
def a_consistent_hash_exchange_spreads_keys_by_weight():
    with channel() as opened:
        exchange, names = bound(opened, "x-consistent-hash", ["1", "1", "4"])
        for index in range(MESSAGES):
            opened.basic_publish(exchange, f"key-{index}", b"")
        light, other, heavy = counts(opened, names)
        assert light > MESSAGES / 12 and other > MESSAGES / 12 and heavy > MESSAGES / 2, (light, other, heavy)


@check
def a_consistent_hash_exchange_sends_one_key_to_one_queue():
    with channel() as opened:
        exchange, names = bound(opened, "x-consistent-hash", ["1"] * 5)
        for _ in range(20):
            opened.basic_publish(exchange, "same", b"")
        equal(sorted(counts(opened, names, 20)), [0, 0, 0, 0, 20])


def sends_equal_ones_to_one_queue(properties, **arguments):
    """Of messages with equal hashed values and different keys, and the other way round."""
    with channel() as opened:
        exchange, names = bound(opened, "x-consistent-hash", ["1"] * 5, **arguments)
        for index in range(20):
            opened.basic_publish(exchange, f"key-{index}", b"", properties(0))
        equal(sorted(counts(opened, names, 20)), [0, 0, 0, 0, 20])
        for index in range(MESSAGES):
            opened.basic_publish(exchange, "same", b"", properties(index))
        assert min(counts(opened, names, MESSAGES + 20)) > MESSAGES / 20


@check
def a_consistent_hash_exchange_hashes_a_header():
    sends_equal_ones_to_one_queue(
        lambda index: pika.BasicProperties(headers={"user": f"u{index}"}), **{"hash-header": "user"}
    )


@check
def a_consistent_hash_exchange_hashes_a_property():
    for name in ("message_id", "correlation_id"):
        sends_equal_ones_to_one_queue(
            lambda index, name=name: pika.BasicProperties(**{name: f"id-{index}"}), **{"hash-property": name}
        )
    sends_equal_ones_to_one_queue(lambda index: pika.BasicProperties(timestamp=index), **{"hash-property": "timestamp"})


@check_of_stele
def a_queue_that_is_bound_takes_only_its_share_from_the_others():
    with channel() as opened:
        exchange, names = bound(opened, "x-consistent-hash", ["1"] * 4)

        def routed():
            for index in range(MESSAGES):
                opened.basic_publish(exchange, f"key-{index}", f"key-{index}".encode())
            counts(opened, names)
            return found_by_key(opened, names)

        before = routed()
        names += queues(opened, 1)
        opened.queue_bind(names[-1], exchange, "1")
        after = routed()
        moved = {after[body] for body in before if after[body] != before[body]}
        equal(moved, {names[-1]})
        opened.queue_unbind(names[-1], exchange, "1")
        equal(routed(), before)


def found_by_key(opened, names):
    """The queue that each message is in, by its body; the queues are empty afterwards."""
    found = {}
    for name in names:
        while True:
            method, _, body = opened.basic_get(name, auto_ack=True)
            if method is None:
                break
            found[body] = name
    return found


@check_of_stele
def a_key_goes_to_the_same_queue_after_a_restart():
    names = [f"kept-{index}" for index in range(5)]
    with own_server() as server:

        def routed():
            with channel(port=server.ports["amqp"]) as opened:
                opened.confirm_delivery()
                for index in range(100):
                    opened.basic_publish("hashed", f"key-{index}", b"%d" % index)
                return found_by_key(opened, names)

        with channel(port=server.ports["amqp"]) as opened:
            opened.exchange_declare("hashed", "x-consistent-hash", durable=True)
            for name in names:
                opened.queue_declare(name, durable=True)
                opened.queue_bind(name, "hashed", "1")
        before = routed()
        equal(set(before.values()), set(names))
        for end in (server.stop, server.kill):
            end()
            server.start()
            equal(routed(), before)


@check
def a_consistent_hash_exchange_leads_to_exchanges_too():
    with channel() as opened:
        exchange, names = bound(opened, "x-consistent-hash", ["1"])
        fanout = unique("fanout")
        opened.exchange_declare(fanout, "fanout", auto_delete=True)
        behind = queues(opened, 1)
        opened.queue_bind(behind[0], fanout)
        opened.exchange_bind(fanout, exchange, "1")
        for index in range(MESSAGES):
            opened.basic_publish(exchange, f"key-{index}", b"")
        assert min(counts(opened, names + behind)) > MESSAGES / 4


@check
def a_random_exchange_uses_every_binding():
    with channel() as opened:
        exchange, names = bound(opened, "x-random", ["", "key", "other"])
        for _ in range(MESSAGES):
            opened.basic_publish(exchange, "same", b"")
        assert min(counts(opened, names)) > MESSAGES / 8


@check_of_stele
def a_local_random_exchange_uses_every_binding():
    with channel() as opened:
        exchange, names = bound(opened, "x-local-random", ["", ""])
        for _ in range(MESSAGES):
            opened.basic_publish(exchange, "same", b"")
        assert min(counts(opened, names)) > MESSAGES / 4


@check
def a_modulus_hash_exchange_sends_one_key_to_one_queue():
    with channel() as opened:
        exchange, names = bound(opened, "x-modulus-hash", ["", "key", "other"])
        for _ in range(20):
            opened.basic_publish(exchange, "same", b"")
        equal(sorted(counts(opened, names, 20)), [0, 0, 20])
        for index in range(MESSAGES):
            opened.basic_publish(exchange, f"key-{index}", b"")
        assert min(counts(opened, names, MESSAGES + 20)) > MESSAGES / 8


@check
def an_exchange_that_chooses_is_unroutable_without_bindings():
    for kind in ("x-consistent-hash", "x-random", "x-modulus-hash"):
        with channel() as opened:
            exchange, _ = bound(opened, kind, [])
            returned = []
            opened.add_on_return_callback(lambda *delivery: returned.append(delivery))
            opened.basic_publish(exchange, "key", b"", mandatory=True)

            def came_back():
                opened.connection.process_data_events(time_limit=0.02)
                return returned

            eventually(came_back)
            opened.exchange_delete(exchange)


@check_of_stele
def a_local_random_exchange_takes_classic_queues_without_a_key():
    with channel() as opened:
        exchange, _ = bound(opened, "x-local-random", [""])
    refused = "406 PRECONDITION_FAILED - "
    for bind, text in (
        (lambda opened, name: opened.queue_bind(name, exchange, "k"), "Non empty binding 'k' key not permitted"),
        (lambda opened, _: opened.exchange_bind("amq.fanout", exchange, ""), "Destination not found"),
        (
            lambda opened, name: opened.queue_bind(name, exchange, ""),
            "Queue type rabbit_quorum_queue not valid for this exchange type",
        ),
    ):
        with queue(arguments={"x-queue-type": "quorum"}) as (opened, name):
            opened.exchange_declare(exchange, "x-local-random")
            equal(outcome(lambda bind=bind, opened=opened, name=name: bind(opened, name)), refused + text)
    with channel() as opened:
        opened.exchange_delete(exchange)
