"""Publishing: confirms, returns, bodies and properties."""

import datetime
import decimal

import pika
import pika.exceptions

from checks import check, equal, eventually, raised, unique
from pika_session import DURABLE, channel, connection, get, publish, queue, take, waits_for_depth


@check
def a_confirmed_message_is_in_the_queue_when_the_confirm_arrives():
    with queue() as (opened, name):
        opened.confirm_delivery()
        for count in range(1, 6):
            publish(opened, name, b"x")
            equal(opened.queue_declare(name, passive=True).method.message_count, count)


@check
def a_message_that_nothing_takes_is_confirmed_all_the_same():
    with channel() as opened:
        opened.confirm_delivery()
        opened.basic_publish("", unique("absent"), b"lost", DURABLE)


@check
def a_mandatory_message_that_nothing_takes_comes_back_as_312():
    with channel() as opened:
        opened.confirm_delivery()
        key = unique("absent")
        error = raised(
            pika.exceptions.UnroutableError,
            lambda: opened.basic_publish("", key, b"back", DURABLE, mandatory=True),
        )
        returned = error.messages[0]
        equal((returned.method.reply_code, returned.method.reply_text), (312, "NO_ROUTE"))
        equal((returned.method.exchange, returned.method.routing_key), ("", key))
        equal((returned.body, returned.properties.delivery_mode), (b"back", 2))


@check
def a_mandatory_message_comes_back_without_confirms_too():
    with channel() as opened:
        returned = []
        opened.add_on_return_callback(lambda *message: returned.append(message))
        opened.basic_publish("amq.direct", unique("absent"), b"back", mandatory=True)

        def came_back():
            opened.connection.process_data_events(time_limit=0.02)
            return returned

        eventually(came_back)
        equal(returned[0][3], b"back")


@check
def a_mandatory_message_that_is_taken_does_not_come_back():
    with queue() as (opened, name):
        opened.confirm_delivery()
        opened.basic_publish("", name, b"kept", DURABLE, mandatory=True)
        equal(get(opened, name, auto_ack=True)[2], b"kept")


@check
def the_immediate_flag_is_refused_as_540():
    with channel() as opened:
        opened.confirm_delivery()
        method = pika.spec.Basic.Publish(exchange="", routing_key="any", immediate=True)
        opened._impl._send_method(method, (pika.BasicProperties(), b""))

        def refused():
            opened.connection.process_data_events(time_limit=0.02)
            return False

        error = raised(pika.exceptions.ConnectionClosedByBroker, lambda: eventually(refused))
        equal(error.reply_code, 540)


@check
def order_is_kept_through_a_thousand_messages():
    bodies = [str(number).encode() for number in range(1000)]
    with queue() as (opened, name):
        publish(opened, name, *bodies)
        equal([body for _, _, body in take(opened, name, 1000, auto_ack=True)], bodies)


@check
def bodies_of_every_length_round_frame_borders_come_back_whole():
    with queue() as (opened, name), connection(frame_max=4096) as small:
        narrow = small.channel()
        for length in (0, 1, 4087, 4088, 4089, 8176, 131064, 131065, 1_000_000):
            body = (b"0123456789abcdef" * (length // 16 + 1))[:length]
            for writer, reader in ((opened, narrow), (narrow, opened)):
                publish(writer, name, body)
                assert get(reader, name, auto_ack=True)[2] == body, f"a body of {length} bytes came back changed"


@check
def a_body_of_sixteen_mebibytes_comes_back_whole():
    body = bytes(range(256)) * 65536
    with queue() as (opened, name):
        opened.confirm_delivery()
        publish(opened, name, body)
        assert get(opened, name, auto_ack=True)[2] == body


@check
def every_property_comes_back_as_it_was_sent():
    sent = pika.BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        priority=4,
        correlation_id="correlation",
        reply_to="replies",
        message_id="message-1",
        timestamp=1_700_000_000,
        type="order.created",
        user_id="guest",
        app_id="checks",
        cluster_id="none",
    )
    with queue() as (opened, name):
        publish(opened, name, b"", properties=sent)
        found = get(opened, name, auto_ack=True)[1]
        equal(vars(found), vars(sent))


@check
def absent_properties_stay_absent():
    with queue() as (opened, name):
        publish(opened, name, b"", properties=pika.BasicProperties())
        equal(vars(get(opened, name, auto_ack=True)[1]), vars(pika.BasicProperties()))


@check
def headers_of_every_type_and_nesting_come_back_as_they_were_sent():
    headers = {
        "text": "grün",
        "bytes": b"\x00\xff",
        "int": 7,
        "negative": -7,
        "long": 2**40,
        "yes": True,
        "nothing": None,
        "when": datetime.datetime(2024, 1, 15, 10, 30, tzinfo=datetime.timezone.utc),
        "price": decimal.Decimal("12.34"),
        "list": ["a", 1, [True, None], {"deep": "yes"}],
        "table": {"a": {"b": {"c": ["d"]}}},
        "empty": {},
        "none": [],
    }
    with queue() as (opened, name):
        publish(opened, name, b"", properties=pika.BasicProperties(headers=headers))
        equal(get(opened, name, auto_ack=True)[1].headers, headers)


@check
def a_user_id_that_is_not_ones_own_is_406():
    with queue() as (opened, name):
        opened.confirm_delivery()
        error = raised(
            pika.exceptions.ChannelClosedByBroker,
            lambda: publish(opened, name, b"", properties=pika.BasicProperties(user_id="someone")),
        )
        equal(error.reply_code, 406)


@check
def a_delivery_mode_other_than_1_and_2_is_406():
    for mode in (0, 3, 255):
        with queue() as (opened, name):
            opened.confirm_delivery()
            odd = pika.BasicProperties(delivery_mode=mode)
            error = raised(pika.exceptions.ChannelClosedByBroker, lambda: publish(opened, name, b"x", properties=odd))
            expected = f"PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}"
            equal((error.reply_code, error.reply_text), (406, expected))


@check
def exchange_and_routing_key_travel_with_the_delivery():
    with channel() as opened:
        name = opened.queue_declare("", exclusive=True).method.queue
        key = unique("some.key")
        opened.queue_bind(name, "amq.topic", key)
        opened.basic_publish("amq.topic", key, b"")
        waits_for_depth(opened, name, 1)
        method = get(opened, name, auto_ack=True)[0]
        equal((method.exchange, method.routing_key), ("amq.topic", key))


@check
def transient_and_persistent_messages_share_a_queue_in_order():
    with queue() as (opened, name):
        for number in range(20):
            publish(opened, name, str(number).encode(), properties=pika.BasicProperties(delivery_mode=1 + number % 2))
        found = take(opened, name, 20, auto_ack=True)
        equal([int(body) for _, _, body in found], list(range(20)))
        equal([properties.delivery_mode for _, properties, _ in found], [1, 2] * 10)
