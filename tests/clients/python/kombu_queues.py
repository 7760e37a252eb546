"""kombu by itself: its simple queues, consumers with heartbeats, returned messages, reconnection."""

import contextlib
import threading
import time

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.mixins import ConsumerProducerMixin

from checks import address, check, check_of_stele, equal, eventually, unique
from own_server import own_server

HOST, PORT = address("AMQP_ADDRESS", "127.0.0.1:5672")


def connection(port=PORT, **options):
    return Connection(f"amqp://guest:guest@{HOST}:{port}//", **options)


@check
def a_simple_queue_gives_what_was_put_and_takes_it_back():
    with connection() as opened, opened.SimpleQueue(unique("simple")) as made:
        made.put({"number": 1}, compression="zlib")
        first = made.get(timeout=30)
        equal((first.payload, first.delivery_info["redelivered"]), ({"number": 1}, False))
        first.requeue()
        again = made.get(timeout=30)
        equal(again.delivery_info["redelivered"], True)
        again.ack()
        equal(made.qsize(), 0)
        made.consumer.cancel()
        made.queue.delete()


@check
def an_idle_consumer_is_kept_by_heartbeats():
    with connection(heartbeat=1) as opened:
        told, queue = [], Queue(unique("idle"), auto_delete=True)
        with Consumer(opened, [queue], callbacks=[lambda body, message: (told.append(body), message.ack())]):
            ends = time.monotonic() + 4
            while time.monotonic() < ends:
                opened.heartbeat_check()
                with contextlib.suppress(TimeoutError):
                    opened.drain_events(timeout=0.2)
            Producer(opened.channel()).publish("still here", routing_key=queue.name)
            while not told:
                opened.drain_events(timeout=30)
        equal(told, ["still here"])


@check
def what_no_queue_takes_comes_back():
    with connection() as opened:
        returned = []
        channel = opened.channel()
        producer = Producer(channel, on_return=lambda error, *_: returned.append(error.reply_text))
        producer.publish("lost", routing_key=unique("nowhere"), mandatory=True)
        while not returned:
            opened.drain_events(timeout=30)
        equal(returned, ["NO_ROUTE"])


class Doubler(ConsumerProducerMixin):
    """A service that answers with twice the number."""

    def __init__(self, opened, name):
        self.connection = opened
        self.queue = Queue(name, Exchange(name), routing_key=name)

    def get_consumers(self, Consumer, channel):
        return [Consumer([self.queue], on_message=self.answer, prefetch_count=1)]

    def answer(self, message):
        properties = message.properties
        self.producer.publish(
            2 * message.payload,
            exchange="",
            routing_key=properties["reply_to"],
            correlation_id=properties["correlation_id"],
            retry=True,
        )
        message.ack()


@contextlib.contextmanager
def doubling(port=PORT):
    with connection(port, heartbeat=10) as opened:
        service = Doubler(opened, unique("doubler"))
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        yield service.queue
        service.should_stop = True
        thread.join(30)


def ask(opened, queue, number):
    """Asks the service and waits for its answer."""
    answers = []
    reply = Queue(unique("reply"), exclusive=True, auto_delete=True)
    with Consumer(opened, [reply], callbacks=[lambda body, _: answers.append(body)], no_ack=True):
        Producer(opened.channel()).publish(
            number,
            exchange=queue.exchange,
            routing_key=queue.routing_key,
            declare=[queue],
            reply_to=reply.name,
            correlation_id=str(number),
            retry=True,
        )
        while not answers:
            opened.drain_events(timeout=30)
    return answers[0]


@check
def a_service_answers_its_callers():
    with connection() as opened, doubling() as queue:
        equal([ask(opened, queue, number) for number in range(5)], [0, 2, 4, 6, 8])


@check_of_stele
def services_and_callers_come_back_after_their_broker_was_killed():
    with own_server(keeps_ports=True) as server, doubling(server.ports["amqp"]) as queue:
        with connection(server.ports["amqp"]) as opened:
            equal(ask(opened, queue, 1), 2)
        server.kill()
        server.start()
        with connection(server.ports["amqp"]) as opened:
            equal(ask(opened, queue, 2), 4)
