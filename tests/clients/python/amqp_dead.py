"""Dead letters: why a message leaves its queue, where it goes, and what its headers say then."""

import contextlib
import urllib.request

import pika
import pika.exceptions

from checks import check, check_of_stele, equal, eventually, raised, unique
from own_server import own_server
from pika_session import DURABLE, channel, depth, get, publish, queue, take, waits_for_depth

EXCHANGE = "x-dead-letter-exchange"
KEY = "x-dead-letter-routing-key"


@contextlib.contextmanager
def dying(**arguments):
    """A channel, a queue whose dead letters go to an exchange, and the queue that gets them."""
    with channel() as opened:
        letters, exchange, name = unique("letters"), unique("dead"), unique("dying")
        opened.exchange_declare(exchange, "topic")
        opened.queue_declare(letters, durable=True)
        opened.queue_bind(letters, exchange, "#")
        opened.queue_declare(name, durable=True, arguments={EXCHANGE: exchange, **arguments})
        try:
            yield opened, name, letters
        finally:
            with channel() as cleaner:
                for each in (name, letters):
                    cleaner.queue_delete(each)
                cleaner.exchange_delete(exchange)


def entry(properties, position=0):
    """One entry of `x-death` without its time."""
    return {name: value for name, value in properties.headers["x-death"][position].items() if name != "time"}


@check
def a_rejected_message_tells_its_history():
    with dying() as (opened, name, letters):
        sent = pika.BasicProperties(expiration="60000", headers={"own": 1, "CC": ["copy"]})
        publish(opened, name, b"bad", properties=sent)
        method, _, _ = get(opened, name)
        opened.basic_reject(method.delivery_tag, requeue=False)
        method, properties, body = get(opened, letters)
        equal((method.routing_key, body, properties.expiration), (name, b"bad", None))
        headers = properties.headers
        equal((headers["own"], headers["CC"]), (1, ["copy"]))
        first = [headers[f"x-first-death-{field}"] for field in ("exchange", "queue", "reason")]
        equal(first, ["", name, "rejected"])
        died = {
            "count": 1,
            "reason": "rejected",
            "queue": name,
            "exchange": "",
            "routing-keys": [name, "copy"],
            "original-expiration": "60000",
        }
        equal(entry(properties), died)


@check
def a_key_of_the_queue_replaces_those_of_the_message():
    with dying(**{KEY: "dead.key"}) as (opened, name, letters):
        publish(opened, name, b"bad", properties=pika.BasicProperties(headers={"CC": ["copy"]}))
        method, _, _ = get(opened, name)
        opened.basic_nack(method.delivery_tag, requeue=False)
        method, properties, _ = get(opened, letters)
        equal(method.routing_key, "dead.key")
        equal("CC" in properties.headers, False)


@check
def a_letter_is_routed_by_the_keys_of_bcc_too_which_nobody_is_told():
    with dying() as (opened, _, letters):
        names = [unique(name) for name in ("dying", "named", "open", "blind", "last")]
        first, named, open_key, blind, last = names
        opened.exchange_declare(exchange := unique("dead"), "direct")
        opened.exchange_declare(later := unique("dead"), "direct")
        for name, target in ((first, exchange), (open_key, later), (blind, None), (last, None)):
            opened.queue_declare(name, durable=True, arguments={EXCHANGE: target} if target else {})
        opened.queue_declare(named, durable=True, arguments={EXCHANGE: exchange, KEY: "named"})
        for key in (open_key, blind):
            opened.queue_bind(key, exchange, key)
        opened.queue_bind(open_key, exchange, "named")
        opened.queue_bind(last, later, blind)
        copies = pika.BasicProperties(delivery_mode=2, headers={"CC": [open_key], "BCC": [blind]})
        opened.queue_bind(first, "amq.direct", first)
        opened.basic_publish("amq.direct", first, b"bad", copies)

        def reject(name):
            method, properties, _ = get(opened, name)
            opened.basic_reject(method.delivery_tag, requeue=False)
            return properties.headers

        equal(reject(first), {"CC": [open_key]})
        # It dies again, and its keys apply again.
        told = [reject(open_key), get(opened, blind, auto_ack=True)[1].headers, get(opened, last, auto_ack=True)[1].headers]
        for headers in told:
            equal((headers["CC"], "BCC" in headers), ([open_key], False))
            equal(headers["x-death"][-1]["routing-keys"], [first, open_key])
        # A key of a queue replaces all of them, for good.
        opened.queue_bind(named, "amq.direct", first)
        opened.queue_unbind(first, "amq.direct", first)
        opened.basic_publish("amq.direct", first, b"bad", copies)
        opened.queue_bind(letters, later, "named")
        reject(named)
        reject(open_key)
        equal(get(opened, letters, auto_ack=True)[0].routing_key, "named")
        for name in (blind, last):
            equal(opened.queue_declare(name, passive=True).method.message_count, 0)
        for name in names:
            opened.queue_delete(name)
        opened.exchange_delete(exchange)
        opened.exchange_delete(later)


@check
def messages_that_expire_die_in_order_whether_by_their_queue_or_by_themselves():
    own = pika.BasicProperties(expiration="200")
    for arguments, properties, told in (({"x-message-ttl": 200}, DURABLE, False), ({}, own, True)):
        with dying(**arguments) as (opened, name, letters):
            sent = [b"%d" % number for number in range(50)]
            publish(opened, name, *sent, properties=properties)
            letters = take(opened, letters, len(sent), auto_ack=True)
            equal([body for _, _, body in letters], sent)
            died = entry(letters[0][1])
            equal((died["reason"], died.get("original-expiration")), ("expired", "200" if told else None))


@check
def a_message_with_a_time_of_its_own_passes_those_without():
    with dying() as (opened, name, letters):
        publish(opened, name, b"stays")
        publish(opened, name, b"goes", properties=pika.BasicProperties(expiration="100"))
        # RabbitMQ looks at a message's own time when it is first in its queue.
        method, _, body = get(opened, name)
        equal(body, b"stays")
        equal(get(opened, letters, auto_ack=True)[2], b"goes")
        opened.basic_nack(method.delivery_tag)
        waits_for_depth(opened, name, 1)


@check
def a_letter_is_routed_by_its_own_history():
    with dying() as (opened, _, letters):
        exchange, name = unique("by-history"), unique("dying")
        opened.exchange_declare(exchange, "headers")
        opened.queue_bind(letters, exchange, arguments={"x-match": "any-with-x", "x-first-death-reason": "rejected"})
        opened.queue_declare(name, durable=True, arguments={EXCHANGE: exchange})
        publish(opened, name, b"bad")
        method, _, _ = get(opened, name)
        opened.basic_reject(method.delivery_tag, requeue=False)
        equal(get(opened, letters, auto_ack=True)[2], b"bad")
        opened.queue_delete(name)
        opened.exchange_delete(exchange)


@check
def a_queue_deleted_with_its_letters_holds_up_no_other():
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with dying() as (opened, name, letters), queue(arguments=full) as (_, target):
        deleted = unique("deleted")
        opened.queue_declare(deleted, durable=True, arguments={EXCHANGE: "", KEY: target})
        publish(opened, target, b"first")
        publish(opened, deleted, b"letter")
        method, _, _ = get(opened, deleted)
        opened.basic_reject(method.delivery_tag, requeue=False)
        opened.queue_delete(deleted)
        publish(opened, name, b"bad")
        method, _, _ = get(opened, name)
        opened.basic_reject(method.delivery_tag, requeue=False)
        equal(get(opened, letters, auto_ack=True)[2], b"bad")


@check
def a_queue_that_is_too_long_loses_its_oldest_messages():
    with dying(**{"x-max-length": 2}) as (opened, name, letters):
        opened.confirm_delivery()
        publish(opened, name, *(b"%d" % number for number in range(5)))
        lost = take(opened, letters, 3, auto_ack=True)
        equal([body for _, _, body in lost], [b"0", b"1", b"2"])
        equal(entry(lost[0][1])["reason"], "maxlen")
        equal([get(opened, name, auto_ack=True)[2] for _ in range(2)], [b"3", b"4"])


@check
def a_queue_may_refuse_what_is_too_much():
    for overflow, dead in (("reject-publish", 0), ("reject-publish-dlx", 1)):
        with dying(**{"x-max-length": 2, "x-overflow": overflow}) as (opened, name, letters):
            opened.confirm_delivery()
            publish(opened, name, b"1", b"2")
            raised(pika.exceptions.NackError, lambda: publish(opened, name, b"3"))
            waits_for_depth(opened, letters, dead)
            equal(get(opened, name, auto_ack=True)[2], b"1")
            publish(opened, name, b"4")
            equal(depth(opened, name), 2)


@check
def a_quorum_queue_delivers_a_message_only_so_often():
    with dying(**{"x-queue-type": "quorum", "x-delivery-limit": 2}) as (opened, name, letters):
        publish(opened, name, b"poison")
        counts = []
        for _ in range(3):
            method, properties, _ = get(opened, name)
            counts.append((properties.headers or {}).get("x-delivery-count"))
            opened.basic_nack(method.delivery_tag)
        equal(counts, [0, 1, 2])
        _, properties, body = get(opened, letters)
        equal((body, entry(properties)["reason"]), (b"poison", "delivery_limit"))


@check
def a_delivery_limit_that_is_no_integer_is_no_limit():
    for limit in ("2", "a", True, None):
        with queue(arguments={"x-queue-type": "quorum", "x-delivery-limit": limit}) as (opened, name):
            publish(opened, name, b"again")
            for _ in range(25):
                opened.basic_nack(get(opened, name)[0].delivery_tag)
            equal(get(opened, name)[2], b"again")


@check
def rounds_count_until_nobody_rejects():
    with queue(arguments={EXCHANGE: "", KEY: "itself"}) as (opened, _):
        name = unique("round")
        opened.queue_declare(name, durable=True, arguments={EXCHANGE: "", KEY: name})
        publish(opened, name, b"again")
        for count in range(3):
            method, properties, _ = get(opened, name)
            died = (properties.headers or {}).get("x-death")
            equal(died and died[0]["count"], count or None)
            opened.basic_reject(method.delivery_tag, requeue=False)
        waits_for_depth(opened, name, 1)
        opened.queue_delete(name)
        # By its time alone a message would go round for ever: it is dropped.
        opened.queue_declare(name, durable=True, arguments={EXCHANGE: "", KEY: name, "x-message-ttl": 50})
        publish(opened, name, b"round")
        waits_for_depth(opened, name, 0)
        opened.queue_delete(name)


@check
def a_failed_task_waits_and_comes_back():
    with dying() as (opened, _, __):
        work, waiting = unique("work"), unique("waiting")
        opened.queue_declare(work, durable=True, arguments={EXCHANGE: "", KEY: waiting})
        opened.queue_declare(waiting, durable=True, arguments={EXCHANGE: "", KEY: work, "x-message-ttl": 100})
        publish(opened, work, b"task")
        for attempt in range(3):
            method, properties, _ = get(opened, work)
            died = {(each["queue"], each["reason"]): each["count"] for each in (properties.headers or {}).get("x-death", [])}
            equal(died, {(work, "rejected"): attempt, (waiting, "expired"): attempt} if attempt else {})
            opened.basic_reject(method.delivery_tag, requeue=False)
        for name in (work, waiting):
            opened.queue_delete(name)


@check
def a_letter_that_is_published_again_makes_its_way_again():
    with queue() as (opened, work):
        first, second = unique("first"), unique("second")
        for name, target in ((first, second), (second, work)):
            opened.queue_declare(name, durable=True, arguments={EXCHANGE: "", KEY: target, "x-message-ttl": 50})
        properties = DURABLE
        for count in range(1, 4):
            publish(opened, first, b"later", properties=properties)
            _, properties, _ = get(opened, work, auto_ack=True)
            died = [(each["queue"], each["reason"], each["count"]) for each in properties.headers["x-death"]]
            equal(died, [(second, "expired", count), (first, "expired", count)])
        for name in (first, second):
            opened.queue_delete(name)


@check_of_stele
def every_queue_of_an_exchange_gets_a_dead_letter_once_whatever_its_shard():
    with dying() as (opened, name, letters):
        others = [unique("other") for _ in range(6)]
        exchange = letters.replace("letters", "fan")
        opened.exchange_declare(exchange, "fanout")
        fanned = unique("fanned")
        opened.queue_declare(fanned, durable=True, arguments={EXCHANGE: exchange})
        for other in others:
            opened.queue_declare(other, durable=True)
            opened.queue_bind(other, exchange)
        sent = [b"%d" % number for number in range(100)]
        publish(opened, fanned, *sent)
        waits_for_depth(opened, fanned, len(sent))
        took = take(opened, fanned, len(sent))
        opened.basic_nack(took[-1][0].delivery_tag, multiple=True, requeue=False)
        for other in others:
            waits_for_depth(opened, other, len(sent))
            equal([body for _, _, body in take(opened, other, len(sent), auto_ack=True)], sent)
        for other in (*others, fanned):
            opened.queue_delete(other)
        opened.exchange_delete(exchange)


@check_of_stele
def a_letter_that_finds_its_queue_full_waits_for_room():
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with queue(arguments=full) as (opened, target), queue(arguments={EXCHANGE: "", KEY: target}) as (_, name):
        publish(opened, target, b"first")
        publish(opened, name, b"letter")
        method, _, _ = get(opened, name)
        opened.basic_reject(method.delivery_tag, requeue=False)
        equal(depth(opened, name), 0)
        equal(get(opened, target, auto_ack=True)[2], b"first")
        equal(get(opened, target, auto_ack=True)[2], b"letter")


@check_of_stele
def a_kill_while_messages_die_loses_none_and_doubles_none():
    with own_server() as server:
        ends = contextlib.suppress(pika.exceptions.AMQPError, OSError)
        sent = [b"%d" % number for number in range(2_000)]
        with channel(port=server.ports["amqp"]) as opened:
            opened.confirm_delivery()
            opened.queue_declare("letters", durable=True)
            opened.queue_declare("dying", durable=True, arguments={EXCHANGE: "", KEY: "letters"})
            publish(opened, "dying", *sent)
        for _ in range(3):
            with ends, channel(port=server.ports["amqp"]) as opened:
                opened.basic_qos(prefetch_count=500)
                took = take(opened, "dying", 500)
                opened.basic_nack(took[-1][0].delivery_tag, multiple=True, requeue=False)
                eventually(lambda: depth(opened, "letters") > 0)
                server.kill()
            server.start()
        with channel(port=server.ports["amqp"]) as opened:
            eventually(lambda: depth(opened, "dying") + depth(opened, "letters") == len(sent))
            dead = [body for _, _, body in take(opened, "letters", depth(opened, "letters"), auto_ack=True)]
            left = [body for _, _, body in take(opened, "dying", depth(opened, "dying"), auto_ack=True)]
            equal(sorted(dead + left), sorted(sent))


@check_of_stele
def dead_letters_are_counted():
    with own_server() as server:
        with channel(port=server.ports["amqp"]) as opened:
            opened.queue_declare("dying", durable=True, arguments={EXCHANGE: "", KEY: "letters"})
            opened.queue_declare("letters", durable=True)
            publish(opened, "dying", b"bad")
            method, _, _ = get(opened, "dying")
            opened.basic_reject(method.delivery_tag, requeue=False)
            waits_for_depth(opened, "letters", 1)
        page = urllib.request.urlopen(f"http://127.0.0.1:{server.ports['admin']}/metrics").read().decode()
        equal('stele_dead_letters_total{reason="rejected"} 1' in page, True)
