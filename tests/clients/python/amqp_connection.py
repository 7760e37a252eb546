"""Opening and closing connections and channels."""

import socket
import time

import pika
import pika.exceptions

from checks import check, check_of_stele, equal, raised, unique
from own_server import own_server
from pika_session import HOST, PORT, connection, get, parameters, publish, queue


@check
def the_server_announces_the_capabilities_that_clients_look_for():
    with connection() as opened:
        properties = opened._impl.server_properties
        capabilities = properties["capabilities"]
        for name in ("publisher_confirms", "basic.nack", "consumer_cancel_notify", "authentication_failure_close"):
            equal(capabilities.get(name), True)


@check
def client_libraries_are_told_a_rabbitmq_whose_limits_they_know():
    """Celery's library determines this way whether `basic.qos` raises the limit of a whole channel."""
    with connection() as opened:
        properties = opened._impl.server_properties
        equal(properties["product"], "RabbitMQ")
        major, minor, _ = (int(part) for part in properties["version"].split("."))
        assert (3, 3) <= (major, minor) < (4, 0), properties


@check
def a_wrong_password_is_refused_as_403():
    wrong = parameters(credentials=pika.PlainCredentials("guest", "wrong"))
    error = raised(pika.exceptions.ProbableAuthenticationError, lambda: pika.BlockingConnection(wrong))
    assert "403" in str(error) and "ACCESS_REFUSED" in str(error), error


@check
def an_unknown_virtual_host_is_refused_as_530():
    wrong = parameters(virtual_host=unique("nowhere"))
    error = raised(pika.exceptions.AMQPConnectionError, lambda: pika.BlockingConnection(wrong))
    assert "530" in repr(error) and "NOT_ALLOWED" in repr(error), repr(error)


@check
def an_amqps_style_url_with_encoded_slash_connects():
    opened = pika.BlockingConnection(pika.URLParameters(f"amqp://guest:guest@{HOST}:{PORT}/%2F"))
    assert opened.is_open
    opened.close()


@check
def many_channels_work_side_by_side():
    with connection() as opened:
        channels = [opened.channel() for _ in range(50)]
        names = [each.queue_declare("", exclusive=True).method.queue for each in channels]
        equal(len(set(names)), 50)
        for each in channels:
            each.close()


@check
def a_channel_number_is_free_again_after_closing():
    with connection(channel_max=2) as opened:
        for _ in range(10):
            opened.channel().close()


@check
def a_channel_error_leaves_the_connection_and_its_other_channels_open():
    with queue() as (good, name):
        bad = good.connection.channel()
        raised(pika.exceptions.ChannelClosedByBroker, lambda: bad.queue_declare(unique("absent"), passive=True))
        assert bad.is_closed
        publish(good, name, b"still here")
        equal(get(good, name, auto_ack=True)[2], b"still here")


@check
def the_smallest_frame_size_carries_a_large_body():
    body = bytes(range(256)) * 400
    with queue() as (_, name), connection(frame_max=4096) as small:
        opened = small.channel()
        publish(opened, name, body)
        equal(get(opened, name, auto_ack=True)[2], body)


@check
def heartbeats_keep_an_idle_connection_open():
    with connection(heartbeat=1) as opened:
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            opened.process_data_events(time_limit=0.2)
        equal(opened.channel().queue_declare("", exclusive=True).method.message_count, 0)


@check
def a_client_without_heartbeats_is_accepted():
    with connection(heartbeat=0) as opened:
        assert opened.channel().is_open


@check
def client_properties_of_every_common_type_are_accepted():
    properties = {"connection_name": "checks", "nested": {"list": [1, "two", None]}, "flag": True}
    with connection(client_properties=properties) as opened:
        assert opened.channel().is_open


@check_of_stele
def a_client_that_takes_localhost_for_ipv6_gets_in():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return  # this machine has no IPv6
    with own_server() as server:
        for port in server.ports.values():
            socket.create_connection(("::1", port), 10).close()
        with pika.BlockingConnection(parameters(host="::1", port=server.ports["amqp"])) as opened:
            assert opened.is_open
