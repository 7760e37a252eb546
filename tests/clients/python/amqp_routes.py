"""Alternate exchanges, and additional routing keys of a message, through exchanges bound to each other."""

import contextlib

import pika
import pika.exceptions

from checks import check, equal, unique
from pika_session import channel, depth


@contextlib.contextmanager
def routing():
    """A channel with confirms; its exchanges and queues are deleted with its connection."""
    with channel() as opened:
        opened.confirm_delivery()
        yield Routing(opened)


class Routing:
    """Exchanges and queues with short names, to keep the checks readable."""

    def __init__(self, opened):
        self.opened, self.run = opened, unique("routes")
        self.queues = {}

    def exchange(self, name, kind="direct", alternate=None):
        arguments = {} if alternate is None else {"alternate-exchange": alternate and self.named(alternate)}
        self.opened.exchange_declare(self.named(name), kind, auto_delete=True, arguments=arguments)
        # An exchange is deleted with its last binding; this one keeps it to the end.
        self.bind(name, self.queue(f"kept by {name}"), "kept")

    def queue(self, name):
        self.queues[name] = self.opened.queue_declare("", exclusive=True).method.queue
        return name

    def bind(self, source, target, key):
        if target in self.queues:
            self.opened.queue_bind(self.queues[target], self.named(source), key)
        else:
            self.opened.exchange_bind(self.named(target), self.named(source), key)

    def publish(self, exchange, key, **headers):
        """Publishes; returns whether the message reached a queue."""
        properties = pika.BasicProperties(headers=headers)
        try:
            self.opened.basic_publish(self.named(exchange), key, b"", properties, mandatory=True)
        except pika.exceptions.UnroutableError:
            return False
        return True

    def named(self, name):
        return f"{self.run}.{name}"

    def reached(self):
        """The queues that aren't empty, with their depths."""
        depths = {name: depth(self.opened, queue) for name, queue in self.queues.items()}
        return {name: count for name, count in depths.items() if count}


@check
def an_alternate_exchange_takes_what_no_binding_matches():
    with routing() as routes:
        routes.exchange("other", "fanout")
        routes.bind("other", routes.queue("unmatched"), "")
        for kind in ("direct", "topic"):
            routes.exchange(kind, kind, alternate="other")
            equal(routes.publish(kind, "none"), True)
        equal(routes.reached(), {"unmatched": 2, "kept by other": 2})


@check
def an_alternate_exchange_is_not_used_where_a_binding_led_nowhere():
    with routing() as routes:
        routes.exchange("other", "fanout")
        for kind in ("direct", "topic"):
            routes.exchange(kind, kind, alternate="other")
            routes.exchange(f"nowhere {kind}")
            routes.bind(kind, f"nowhere {kind}", "key")
            equal(routes.publish(kind, "key"), False)
        equal(routes.reached(), {})


@check
def an_alternate_exchange_is_not_used_where_a_binding_leads_back():
    with routing() as routes:
        routes.exchange("other", "fanout")
        routes.exchange("circle", alternate="other")
        routes.bind("circle", "circle", "key")
        equal(routes.publish("circle", "key"), False)
        equal(routes.reached(), {})


@check
def an_exchange_on_the_way_uses_its_own_alternate():
    with routing() as routes:
        routes.exchange("of the first", "fanout")
        routes.exchange("of the second", "fanout")
        routes.exchange("second", alternate="of the second")
        routes.exchange("first", alternate="of the first")
        routes.bind("first", "second", "key")
        equal(routes.publish("first", "key"), True)
        equal(routes.reached(), {"kept by of the second": 1})


@check
def an_alternate_is_used_although_another_queue_is_reached():
    with routing() as routes:
        routes.exchange("other", "fanout")
        routes.exchange("second", alternate="other")
        routes.exchange("first")
        routes.bind("first", "second", "key")
        routes.bind("first", routes.queue("direct"), "key")
        equal(routes.publish("first", "key"), True)
        equal(routes.reached(), {"direct": 1, "kept by other": 1})


@check
def an_alternate_follows_an_alternate_and_an_absent_one_leads_nowhere():
    with routing() as routes:
        routes.exchange("last", "fanout")
        for number in range(12, 0, -1):
            routes.exchange(f"{number}", alternate="last" if number == 12 else f"{number + 1}")
        equal(routes.publish("1", "none"), True)
        equal(routes.reached(), {"kept by last": 1})
        routes.exchange("lonely", alternate="absent")
        equal(routes.publish("lonely", "none"), False)


@check
def an_alternate_that_is_the_default_exchange_leads_nowhere():
    with routing() as routes:
        routes.exchange("lonely", alternate="")
        routes.queue("named")
        equal(routes.publish("lonely", routes.queues["named"]), False)
        equal(routes.reached(), {})


@check
def a_further_key_that_matches_leaves_the_alternate_alone():
    with routing() as routes:
        routes.exchange("other", "fanout")
        routes.exchange("first", alternate="other")
        routes.bind("first", routes.queue("copied"), "copy")
        equal(routes.publish("first", "none", CC=["copy"]), True)
        equal(routes.reached(), {"copied": 1})


@check
def further_keys_go_along_to_exchanges_that_are_bound():
    for header in ("CC", "BCC"):
        for kind in ("direct", "topic"):
            with routing() as routes:
                routes.exchange("first", kind)
                routes.exchange("second", kind)
                routes.bind("first", "second", "key")
                routes.bind("second", routes.queue("copied"), "copy")
                equal(routes.publish("first", "key", **{header: ["copy"]}), True)
                equal(routes.reached(), {"copied": 1})


@check
def further_keys_go_along_to_an_alternate():
    with routing() as routes:
        routes.exchange("other")
        routes.bind("other", routes.queue("copied"), "copy")
        routes.exchange("first", alternate="other")
        equal(routes.publish("first", "none", CC=["copy"]), True)
        equal(routes.reached(), {"copied": 1})
