"""Exchanges that delay messages, as RabbitMQ's plugin, which its package lacks; and Stele's own delays."""

import json
import time
import urllib.request

import pika

from amqp_refusals import check_exchanges
from checks import check_of_stele, equal, raised, unique
from own_server import own_server
from pika_session import channel, depth, parameters, queue, take, waits_for_depth

DELAY_MS = 400


def delayed(value, **properties):
    return pika.BasicProperties(headers={"x-delay": value}, **properties)


def read(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def declared(opened, kind="direct", **changes):
    exchange = unique("delayed")
    arguments = {"x-delayed-type": kind, **changes}
    opened.exchange_declare(exchange, "x-delayed-message", durable=True, arguments=arguments)
    return exchange


def bound_queue(opened, exchange, key="key", **arguments):
    name = opened.queue_declare("", exclusive=True, **arguments).method.queue
    opened.queue_bind(name, exchange, key)
    return name


@check_of_stele
def a_message_arrives_after_its_delay_and_one_without_at_once():
    with channel() as opened:
        opened.confirm_delivery()
        exchange = declared(opened)
        name = bound_queue(opened, exchange)
        began = time.monotonic()
        opened.basic_publish(exchange, "key", b"late", delayed(DELAY_MS))
        opened.basic_publish(exchange, "key", b"later", delayed(2 * DELAY_MS))
        opened.basic_publish(exchange, "key", b"now")
        equal([body for _, _, body in take(opened, name, 1, auto_ack=True)], [b"now"])
        equal(depth(opened, name), 0)
        arrived = []
        for method, properties, body in take(opened, name, 2, auto_ack=True):
            arrived.append((body, properties.headers["x-delay"], method.exchange, method.routing_key))
        equal(arrived, [(b"late", -DELAY_MS, exchange, "key"), (b"later", -2 * DELAY_MS, exchange, "key")])
        assert time.monotonic() - began >= 2 * DELAY_MS / 1000
        opened.exchange_delete(exchange)


@check_of_stele
def a_delay_may_have_any_type_of_number_and_no_delay_leaves_the_header():
    with channel() as opened:
        exchange = declared(opened, "fanout")
        name = bound_queue(opened, exchange)
        for value in ("200", 200, 2**31 + 200, 2**32):
            opened.basic_publish(exchange, "", b"", delayed(value))
        # Only the last is longer than the plugin's longest delay.
        ((_, properties, _),) = take(opened, name, 1, auto_ack=True)
        equal(properties.headers, {"x-delay": 2**32})
        found = sorted(properties.headers["x-delay"] for _, properties, _ in take(opened, name, 2, auto_ack=True))
        equal(found, [-200, -200])
        for value in (-5, 0, "soon", True, None, "-1"):
            opened.basic_publish(exchange, "", b"", delayed(value))
            ((_, properties, _),) = take(opened, name, 1, auto_ack=True)
            equal(properties.headers, {"x-delay": value})
        opened.exchange_delete(exchange)


@check_of_stele
def a_delayed_exchange_routes_as_its_type():
    with channel() as opened:
        exchange = declared(opened, "topic")
        name, other = bound_queue(opened, exchange, "a.*"), bound_queue(opened, exchange, "b.*")
        opened.basic_publish(exchange, "a.b", b"", delayed(1))
        waits_for_depth(opened, name, 1)
        equal(depth(opened, other), 0)
        opened.exchange_delete(exchange)


@check_of_stele
def what_is_behind_a_delayed_exchange_is_delayed_and_what_is_beside_it_is_not():
    with channel() as opened:
        opened.confirm_delivery()
        first, exchange = unique("first"), declared(opened, "fanout")
        opened.exchange_declare(first, "fanout", auto_delete=True)
        beside, behind = bound_queue(opened, first), bound_queue(opened, exchange)
        opened.exchange_bind(exchange, first)
        opened.queue_bind(beside, exchange)
        opened.basic_publish(first, "", b"", delayed(DELAY_MS))
        equal(depth(opened, beside), 1)
        equal(depth(opened, behind), 0)
        waits_for_depth(opened, behind, 1)
        waits_for_depth(opened, beside, 2)
        found = [properties.headers["x-delay"] for _, properties, _ in take(opened, beside, 2, auto_ack=True)]
        equal(found, [DELAY_MS, -DELAY_MS])
        opened.exchange_delete(exchange)


@check_of_stele
def a_delayed_message_in_a_transaction_waits_for_its_commit():
    with channel() as opened:
        exchange = declared(opened)
        name = bound_queue(opened, exchange)
        opened.tx_select()
        opened.basic_publish(exchange, "key", b"undone", delayed(1))
        opened.tx_rollback()
        opened.basic_publish(exchange, "key", b"done", delayed(DELAY_MS))
        opened.tx_commit()
        equal(depth(opened, name), 0)
        waits_for_depth(opened, name, 1)
        opened.exchange_delete(exchange)


@check_of_stele
def the_time_to_live_of_a_delayed_message_begins_with_its_delays_end():
    with channel() as opened:
        exchange = declared(opened)
        name = bound_queue(opened, exchange)
        opened.basic_publish(exchange, "key", b"", delayed(DELAY_MS, expiration=str(DELAY_MS // 2)))
        take(opened, name, 1)
        opened.exchange_delete(exchange)


@check_of_stele
def a_delayed_message_survives_a_crash():
    with own_server() as server:
        with channel(port=server.ports["amqp"]) as opened:
            opened.confirm_delivery()
            exchange = declared(opened)
            opened.queue_declare("kept", durable=True)
            opened.queue_bind("kept", exchange, "key")
            opened.basic_publish(exchange, "key", b"", delayed(1000, delivery_mode=2))
            equal(depth(opened, "kept"), 0)
        server.kill()
        server.start()
        with channel(port=server.ports["amqp"]) as opened:
            waits_for_depth(opened, "kept", 1)


@check_of_stele
def steles_own_delay_is_for_every_exchange():
    with queue() as (opened, name):
        opened.confirm_delivery()
        opened.queue_bind(name, "amq.fanout")
        began = time.monotonic()
        for exchange, value in (("", DELAY_MS), ("amq.fanout", str(2 * DELAY_MS))):
            properties = pika.BasicProperties(headers={"x-stele-delay": value})
            opened.basic_publish(exchange, name, exchange.encode(), properties)
        opened.basic_publish("", name, b"now", pika.BasicProperties(headers={"x-stele-delay": -1}))
        found = [(body, properties.headers["x-stele-delay"]) for _, properties, body in take(opened, name, 3)]
        equal(found, [(b"now", -1), (b"", -DELAY_MS), (b"amq.fanout", -2 * DELAY_MS)])
        assert time.monotonic() - began >= 2 * DELAY_MS / 1000


@check_of_stele
def steles_own_delay_is_refused_if_it_is_no_number_of_milliseconds():
    expected = "PRECONDITION_FAILED - invalid header 'x-stele-delay': "
    for value, reason in (
        ("soon", "expected a number of milliseconds"),
        (True, "expected a number of milliseconds"),
        (10**15, "more than a hundred years"),
    ):
        with channel() as opened:
            properties = pika.BasicProperties(headers={"x-stele-delay": value})
            opened.basic_publish("", "anywhere", b"", properties)
            error = raised(pika.exceptions.ChannelClosedByBroker, lambda: opened.queue_declare("", exclusive=True))
            equal((error.reply_code, error.reply_text), (406, expected + reason))


@check_of_stele
def a_message_for_next_year_is_kept_and_is_in_no_queue():
    with own_server() as server:
        year = 365 * 24 * 60 * 60 * 1000
        with channel(port=server.ports["amqp"]) as opened:
            opened.confirm_delivery()
            opened.queue_declare("kept", durable=True)
            exchange = declared(opened)
            opened.queue_bind("kept", exchange, "key")
            opened.basic_publish("", "kept", b"", pika.BasicProperties(headers={"x-stele-delay": year}))
            opened.basic_publish(exchange, "key", b"", delayed(2**32 - 1))
        server.kill()
        server.start()
        operator = f"http://127.0.0.1:{server.ports['admin']}/v1/logs"
        equal(read(f"{operator}/kept")["delayed"], 0)
        (log,) = read(f"{operator}?vhost=stele.internal")["logs"]
        equal((log["name"], log["ready"]), ("/", 2))
        equal([log["name"] for log in read(operator)["logs"]], ["kept"])
        internal = parameters(port=server.ports["amqp"], virtual_host="stele.internal")
        raised(pika.exceptions.AMQPConnectionError, lambda: pika.BlockingConnection(internal))


@check_of_stele
def the_type_of_a_delayed_exchange_must_be_another_known_type():
    invalid = "406 PRECONDITION_FAILED - Invalid argument, "
    check_exchanges(
        [
            ("x-delayed-message", {}, f"{invalid}'x-delayed-type' must be an existing exchange type"),
            (
                "x-delayed-message",
                {"x-delayed-type": "x-delayed-message"},
                f"{invalid}'x-delayed-message' can't be used for 'x-delayed-type'",
            ),
            ("x-delayed-message", {"x-delayed-type": "odd"}, "503 COMMAND_INVALID - unknown exchange type 'odd'"),
            (
                "x-delayed-message",
                {"x-delayed-type": "x-consistent-hash", "hash-property": "app_id"},
                "406 PRECONDITION_FAILED - Unsupported property: app_id",
            ),
        ]
    )
