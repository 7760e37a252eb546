"""The four kinds of exchange, their bindings and their errors."""

import datetime
import decimal

import pika
import pika.exceptions

from checks import check, equal, raised, unique
from pika_session import DURABLE, channel, waits_for_depth


def bound_queue(opened, exchange, key="", arguments=None):
    name = opened.queue_declare("", exclusive=True).method.queue
    opened.queue_bind(name, exchange, key, arguments)
    return name


def declared(opened, kind, **changes):
    name = unique(kind)
    opened.exchange_declare(name, kind, **{"auto_delete": True, **changes})
    return name


def closed_with(code, action):
    error = raised(pika.exceptions.ChannelClosedByBroker, action)
    equal(error.reply_code, code)
    return error


@check
def a_direct_exchange_delivers_to_the_queues_of_the_exact_key():
    with channel() as opened:
        exchange = declared(opened, "direct")
        red, blue = bound_queue(opened, exchange, "red"), bound_queue(opened, exchange, "blue")
        for key in ("red", "red", "blue", "green"):
            opened.basic_publish(exchange, key, b"")
        waits_for_depth(opened, red, 2)
        waits_for_depth(opened, blue, 1)


@check
def a_fanout_exchange_delivers_to_every_queue_whatever_the_key():
    with channel() as opened:
        exchange = declared(opened, "fanout")
        queues = [bound_queue(opened, exchange, f"key-{index}") for index in range(3)]
        opened.basic_publish(exchange, "anything", b"")
        for name in queues:
            waits_for_depth(opened, name, 1)


@check
def a_topic_exchange_matches_words_with_star_and_hash():
    patterns = {
        "orders.*.created": {"orders.eu.created"},
        "orders.#": {"orders", "orders.eu", "orders.eu.created", "orders.eu.deleted", "orders..x"},
        "#.created": {"orders.eu.created", "created"},
        "*": {"orders", "created"},
        "#": {"orders", "orders.eu", "orders.eu.created", "orders.eu.deleted", "created", "orders..x"},
        "orders.*": {"orders.eu"},
        "*.#.deleted": {"orders.eu.deleted"},
        "orders.*.x": {"orders..x"},
    }
    keys = ["orders", "orders.eu", "orders.eu.created", "orders.eu.deleted", "created", "orders..x"]
    with channel() as opened:
        exchange = declared(opened, "topic")
        queues = {pattern: bound_queue(opened, exchange, pattern) for pattern in patterns}
        opened.confirm_delivery()
        for key in keys:
            opened.basic_publish(exchange, key, key.encode())
        for pattern, expected in patterns.items():
            found = set()
            while (answer := opened.basic_get(queues[pattern], auto_ack=True))[0]:
                found.add(answer[2].decode())
            assert found == expected, f"{pattern}: expected {expected}, found {found}"


@check
def a_headers_exchange_matches_all_or_any():
    with channel() as opened:
        exchange = declared(opened, "headers")
        every = bound_queue(opened, exchange, "", {"x-match": "all", "kind": "order", "size": 3})
        some = bound_queue(opened, exchange, "", {"x-match": "any", "kind": "order", "size": 3})
        unsaid = bound_queue(opened, exchange, "", {"kind": "order", "size": 3})
        for headers in ({"kind": "order", "size": 3, "more": 1}, {"kind": "order"}, {"kind": "refund"}, {"size": 4}):
            opened.basic_publish(exchange, "", b"", pika.BasicProperties(headers=headers))
        waits_for_depth(opened, every, 1)
        waits_for_depth(opened, unsaid, 1)
        waits_for_depth(opened, some, 2)


@check
def a_headers_exchange_compares_numbers_by_value():
    """The types in which pika sends numbers: integers, timestamps and decimals, which aren't equal."""
    five = (5, datetime.datetime.fromtimestamp(5, datetime.UTC))
    with channel() as opened:
        for wanted in five:
            exchange = declared(opened, "headers")
            name = opened.queue_declare("", exclusive=True).method.queue
            opened.queue_bind(name, exchange, "", {"size": wanted})
            for size in (*five, 6, True, "5", decimal.Decimal(5)):
                opened.basic_publish(exchange, "", b"", pika.BasicProperties(headers={"size": size}))
            waits_for_depth(opened, name, len(five))
            opened.queue_delete(name)
            opened.exchange_delete(exchange)


@check
def a_message_without_headers_matches_no_binding_that_asks_for_some():
    with channel() as opened:
        exchange = declared(opened, "headers")
        name = bound_queue(opened, exchange, "", {"x-match": "any", "kind": "order"})
        opened.confirm_delivery()
        opened.basic_publish(exchange, "", b"")
        waits_for_depth(opened, name, 0)


@check
def the_predeclared_exchanges_route():
    with channel() as opened:
        for exchange, key in (("amq.direct", unique("k")), ("amq.fanout", ""), ("amq.topic", unique("k"))):
            name = bound_queue(opened, exchange, key)
            opened.basic_publish(exchange, key, b"")
            waits_for_depth(opened, name, 1)
        wanted = {"x-match": "all", "only": unique("v")}
        for exchange in ("amq.match", "amq.headers"):
            name = bound_queue(opened, exchange, "", wanted)
            opened.basic_publish(exchange, "", b"", pika.BasicProperties(headers={"only": wanted["only"]}))
            waits_for_depth(opened, name, 1)


@check
def a_queue_bound_twice_gets_a_message_once():
    with channel() as opened:
        exchange = declared(opened, "topic")
        name = bound_queue(opened, exchange, "a.*")
        opened.queue_bind(name, exchange, "*.b")
        opened.queue_bind(name, exchange, "*.b")
        opened.confirm_delivery()
        opened.basic_publish(exchange, "a.b", b"")
        waits_for_depth(opened, name, 1)


@check
def unbinding_stops_the_flow_and_may_be_repeated():
    with channel() as opened:
        exchange = declared(opened, "direct", auto_delete=False)
        name = bound_queue(opened, exchange, "key")
        opened.queue_unbind(name, exchange, "key")
        opened.queue_unbind(name, exchange, "key")
        opened.confirm_delivery()
        opened.basic_publish(exchange, "key", b"")
        waits_for_depth(opened, name, 0)
        opened.exchange_delete(exchange)


@check
def an_auto_delete_exchange_goes_with_its_last_binding():
    with channel() as opened:
        exchange = declared(opened, "direct")
        name = bound_queue(opened, exchange, "key")
        opened.queue_unbind(name, exchange, "key")
        closed_with(404, lambda: opened.exchange_declare(exchange, passive=True))


@check
def redeclaring_an_exchange_alike_is_accepted_and_otherwise_406():
    with channel() as opened:
        exchange = declared(opened, "direct", durable=True, auto_delete=False)
        opened.exchange_declare(exchange, "direct", durable=True)
        closed_with(406, lambda: opened.exchange_declare(exchange, "fanout", durable=True))
    with channel() as opened:
        closed_with(406, lambda: opened.exchange_declare(exchange, "direct", durable=False))
    with channel() as opened:
        opened.exchange_declare(exchange, passive=True)
        opened.exchange_delete(exchange)


@check
def a_passive_declaration_of_an_absent_exchange_is_404():
    with channel() as opened:
        error = closed_with(404, lambda: opened.exchange_declare(unique("absent"), passive=True))
        assert "NOT_FOUND" in error.reply_text, error.reply_text


@check
def deleting_an_absent_exchange_is_accepted():
    with channel() as opened:
        opened.exchange_delete(unique("absent"))


@check
def deleting_a_bound_exchange_if_unused_is_406():
    with channel() as opened:
        exchange = declared(opened, "direct", auto_delete=False)
        bound_queue(opened, exchange, "key")
        closed_with(406, lambda: opened.exchange_delete(exchange, if_unused=True))
    with channel() as opened:
        opened.exchange_delete(exchange)


@check
def the_reserved_prefix_and_the_default_exchange_are_403():
    with channel() as opened:
        closed_with(403, lambda: opened.exchange_declare(f"amq.{unique('mine')}", "direct"))
    with channel() as opened:
        closed_with(403, lambda: opened.exchange_delete("amq.direct"))
    with channel() as opened:
        name = opened.queue_declare("", exclusive=True).method.queue
        closed_with(403, lambda: opened.queue_bind(name, "", "key"))


@check
def binding_to_an_absent_exchange_or_queue_is_404():
    with channel() as opened:
        name = opened.queue_declare("", exclusive=True).method.queue
        closed_with(404, lambda: opened.queue_bind(name, unique("absent"), "key"))
    with channel() as opened:
        closed_with(404, lambda: opened.queue_bind(unique("absent"), "amq.direct", "key"))


@check
def publishing_to_an_absent_exchange_is_404():
    with channel() as opened:
        opened.confirm_delivery()
        closed_with(404, lambda: opened.basic_publish(unique("absent"), "key", b"", DURABLE))


@check
def an_unknown_kind_of_exchange_closes_the_connection_as_503():
    with channel() as opened:
        error = raised(
            pika.exceptions.ConnectionClosedByBroker,
            lambda: opened.exchange_declare(unique("odd"), "no-such-kind"),
        )
        equal(error.reply_code, 503)


@check
def publishing_to_an_internal_exchange_is_403():
    with channel() as opened:
        exchange = declared(opened, "fanout", internal=True, auto_delete=False)
        opened.confirm_delivery()
        closed_with(403, lambda: opened.basic_publish(exchange, "", b""))
    with channel() as opened:
        opened.exchange_delete(exchange)
