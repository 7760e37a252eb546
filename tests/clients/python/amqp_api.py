"""The supported part of RabbitMQ's HTTP API, beside an AMQP client."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pika
import pika.exceptions

from checks import check_of_stele, equal, eventually, raised
from own_server import own_server


class Api:
    def __init__(self, server):
        self.base = f"http://127.0.0.1:{server.ports['admin']}/api/"

    def ask(self, path, method="GET", **headers):
        request = urllib.request.Request(self.base + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
            return answer.status, json.loads(body) if body else None

    def put(self, path, body):
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status


def named(server, name):
    place = pika.ConnectionParameters(
        "127.0.0.1", server.ports["amqp"], client_properties={"connection_name": name}
    )
    return pika.BlockingConnection(place)


@check_of_stele
def a_connection_is_found_by_the_name_that_its_client_gave_and_closed_as_320():
    with own_server() as server:
        api = Api(server)
        closed, kept = named(server, "closed"), named(server, "kept")
        _, connections = api.ask("connections")
        names = {each["user_provided_name"]: each["name"] for each in connections}
        equal(set(names), {"closed", "kept"})
        path = "connections/" + urllib.parse.quote(names["closed"], safe="")
        equal(api.ask(path)[1]["user"], "guest")
        equal(api.ask(path, "DELETE"), (204, None))
        error = raised(pika.exceptions.ConnectionClosedByBroker, lambda: closed.process_data_events(10))
        equal((error.reply_code, error.reply_text), (320, "CONNECTION_FORCED - Closed via management plugin"))

        def forgotten():
            return [each["user_provided_name"] for each in api.ask("connections")[1]] == ["kept"]

        eventually(forgotten)
        equal(raised(urllib.error.HTTPError, lambda: api.ask(path, "DELETE")).code, 404)
        kept.channel()
        kept.close()


@check_of_stele
def a_queue_is_told_as_it_was_declared_with_its_messages():
    with own_server() as server:
        api = Api(server)
        with named(server, "one") as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True, arguments={"x-message-ttl": 60000})
            channel.confirm_delivery()
            for _ in range(3):
                channel.basic_publish("", "q", b"x")
            channel.basic_get("q")
            queue = api.ask("queues/%2F/q")[1]
            counts = [queue[name] for name in ("messages", "messages_ready", "messages_unacknowledged")]
            equal(counts, [3, 2, 1])
            equal((queue["durable"], queue["arguments"]), (True, {"x-message-ttl": 60000}))
            equal([each["name"] for each in api.ask("queues")[1]], ["q"])
            totals = api.ask("overview")[1]["object_totals"]
            equal((totals["connections"], totals["queues"]), (1, 1))
        equal(api.ask("aliveness-test/%2F")[1], {"status": "ok"})


@check_of_stele
def a_queue_tells_which_of_its_consumers_is_active():
    with own_server() as server:
        api = Api(server)
        with named(server, "one") as connection:
            first, second = connection.channel(), connection.channel()
            second.basic_qos(prefetch_count=7)
            first.queue_declare("one", arguments={"x-single-active-consumer": True})
            first.queue_declare("all")
            for channel, tag in ((first, "a"), (second, "b")):
                channel.basic_consume("one", lambda *_: None, consumer_tag=tag)
            first.basic_consume("all", lambda *_: None, consumer_tag="c", auto_ack=True)

            def consumers(queue):
                fields = ("consumer_tag", "active", "activity_status", "ack_required", "prefetch_count")
                details = api.ask(f"queues/%2F/{queue}")[1]["consumer_details"]
                return [tuple(each[field] for field in fields) for each in details]

            equal(
                consumers("one"),
                [("a", True, "single_active", True, 0), ("b", False, "waiting", True, 7)],
            )
            equal(consumers("all"), [("c", True, "up", False, 0)])
            tags = {each["name"]: each["single_active_consumer_tag"] for each in api.ask("queues")[1]}
            equal(tags, {"one": "a", "all": None})
            first.basic_cancel("a")
            eventually(lambda: consumers("one") == [("b", True, "single_active", True, 7)])
            second.close()
            equal(consumers("one"), [])


@check_of_stele
def traced_messages_are_copied_with_their_history():
    with own_server() as server:
        api = Api(server)
        equal(api.ask("vhosts/%2F")[1], {"name": "/", "tracing": False})
        with named(server, "one") as connection:
            channel = connection.channel()
            channel.queue_declare("traces", exclusive=True)
            channel.queue_bind("traces", "amq.rabbitmq.trace", "#")
            channel.queue_declare("q")
            channel.queue_bind("q", "amq.direct", "k")
            channel.basic_publish("", "q", b"before")
            equal(channel.basic_get("q", auto_ack=True)[2], b"before")
            equal(api.put("vhosts/%2F", {"tracing": True}), 204)
            equal(api.ask("vhosts/%2F")[1]["tracing"], True)
            headers = {"a": 1, "CC": ["c"], "BCC": ["b"]}
            sent = pika.BasicProperties(content_type="t", delivery_mode=2, timestamp=5, headers=headers)
            channel.basic_publish("amq.direct", "k", b"body", sent)
            channel.basic_nack(channel.basic_get("q")[0].delivery_tag)
            channel.basic_consume("q", lambda *_: channel.basic_cancel("it"), auto_ack=True, consumer_tag="it")
            connection.process_data_events(5)
            channel.basic_publish("", "nowhere", b"")

            def trace():
                found = []

                def has_come():
                    method, properties, body = channel.basic_get("traces", auto_ack=True)
                    if method:
                        found.append((method.exchange, method.routing_key, properties, body))
                    return method

                eventually(has_come)
                return found[0]

            # As from RabbitMQ 3.10.
            common = {
                "exchange_name": "amq.direct",
                "properties": {
                    "headers": {"a": 1, "CC": ["c"]},
                    "content_type": "t",
                    "delivery_mode": 2,
                    "timestamp": 5,
                },
                "node": "stele@localhost",
                "vhost": "/",
                "connection": api.ask("connections")[1][0]["name"],
                "channel": 1,
                "user": "guest",
            }
            exchange, key, properties, body = trace()
            equal((exchange, key, body), ("amq.rabbitmq.trace", "publish.amq.direct", b"body"))
            equal(properties.headers, {**common, "routing_keys": ["k", "c", "b"], "routed_queues": ["q"]})
            equal((properties.content_type, properties.delivery_mode), (None, None))
            for redelivered in (0, 1):
                _, key, properties, body = trace()
                equal((key, body), ("deliver.q", b"body"))
                equal(properties.headers, {**common, "routing_keys": ["k", "c", "b"], "redelivered": redelivered})
            _, key, properties, _ = trace()
            equal((key, properties.headers["routed_queues"]), ("publish.", []))
            equal(api.put("vhosts/%2F", {"tracing": "false"}), 204)
            channel.basic_publish("", "q", b"after")
            equal(channel.basic_get("q", auto_ack=True)[2], b"after")
            equal(channel.queue_declare("traces", passive=True).method.message_count, 0)
        equal(raised(urllib.error.HTTPError, lambda: api.put("vhosts/none", {"tracing": True})).code, 404)
        equal(raised(urllib.error.HTTPError, lambda: api.put("vhosts/%2F", {"tracing": 5})).code, 400)
