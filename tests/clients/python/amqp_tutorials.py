"""RabbitMQ's seven tutorials, each with its producers and consumers; what they print is compared."""

import contextlib
import functools
import threading

import pika

from checks import check, equal, eventually, unique
from pika_session import DURABLE, channel, connection


class Program:
    """A consumer in a thread with a connection of its own. `main(channel, print)` sets it up."""

    def __init__(self, main):
        self.printed = []
        self.ready = threading.Event()
        self.connection = None
        self.thread = threading.Thread(target=self.run, args=(main,), daemon=True)

    def run(self, main):
        with connection() as self.connection:
            opened = self.connection.channel()
            main(opened, self.printed.append)
            self.ready.set()
            opened.start_consuming()

    def prints(self, *lines):
        """Waits for these lines, which must be all."""
        eventually(lambda: len(self.printed) >= len(lines), 30)
        equal(self.printed, list(lines))


@contextlib.contextmanager
def running(*mains):
    """The programs, once all of them consume; they end with the block."""
    programs = [Program(main) for main in mains]
    for program in programs:
        program.thread.start()
    for program in programs:
        equal(program.ready.wait(30), True)
    try:
        yield programs
    finally:
        for program in programs:
            program.connection.add_callback_threadsafe(program.connection.close)
            program.thread.join(30)


def bound(exchange, kind, keys, opened, tell):
    """Prints the messages with these keys, from a queue that lives as long as the program."""
    opened.exchange_declare(exchange, kind)
    name = opened.queue_declare("", exclusive=True).method.queue
    for key in keys:
        opened.queue_bind(name, exchange, key)

    def received(_, method, __, body):
        tell(f" [x] {method.routing_key}:{body.decode()}")

    opened.basic_consume(name, received, auto_ack=True)


@check
def hello_world():
    name = unique("hello")

    def receive(opened, tell):
        opened.queue_declare(name, auto_delete=True)
        opened.basic_consume(name, lambda *delivery: tell(f" [x] Received {delivery[-1]}"), auto_ack=True)

    with running(receive) as [receiver], channel() as sender:
        sender.basic_publish("", name, "Hello World!")
        receiver.prints(" [x] Received b'Hello World!'")


@check
def work_queues_share_by_what_workers_have_done():
    name, busy = unique("task_queue"), threading.Event()

    def work(is_slow, opened, tell):
        opened.queue_declare(name, durable=True)
        opened.basic_qos(prefetch_count=1)

        def done(_, method, __, body):
            if is_slow:
                busy.wait(30)
            tell(f" [x] Received {body.decode()}")
            opened.basic_ack(method.delivery_tag)

        opened.basic_consume(name, done)

    with running(functools.partial(work, True), functools.partial(work, False)) as [slow, fast]:
        with channel() as sender:
            for number in range(6):
                sender.basic_publish("", name, f"task {number}", DURABLE)
            eventually(lambda: len(fast.printed) == 5, 30)
            busy.set()
            eventually(lambda: len(slow.printed) == 1)
    with channel() as cleaner:
        cleaner.queue_delete(name)


@check
def publish_subscribe_gives_each_program_every_message():
    logs = unique("logs")
    subscribe = functools.partial(bound, logs, "fanout", [""])
    with running(subscribe, subscribe) as programs, channel() as sender:
        for text in ("info: Hello", "info: World"):
            sender.basic_publish(logs, "", text)
        for program in programs:
            program.prints(" [x] :info: Hello", " [x] :info: World")
        sender.exchange_delete(logs)


@check
def routing_selects_by_severity():
    logs = unique("direct_logs")
    errors = functools.partial(bound, logs, "direct", ["error"])
    everything = functools.partial(bound, logs, "direct", ["info", "warning", "error"])
    with running(errors, everything) as [some, every], channel() as sender:
        for severity in ("info", "warning", "error"):
            sender.basic_publish(logs, severity, "it happened")
        every.prints(" [x] info:it happened", " [x] warning:it happened", " [x] error:it happened")
        some.prints(" [x] error:it happened")
        sender.exchange_delete(logs)


@check
def topics_select_by_pattern():
    logs = unique("topic_logs")
    kernel, critical, every = (
        functools.partial(bound, logs, "topic", keys) for keys in (["kern.*"], ["*.critical"], ["#", "kern.*"])
    )
    with running(kernel, critical, every) as programs, channel() as sender:
        for key in ("kern.critical", "kern.info", "cron.critical", "a.b.c"):
            sender.basic_publish(logs, key, "text")
        for program, keys in zip(
            programs,
            (
                ["kern.critical", "kern.info"],
                ["kern.critical", "cron.critical"],
                ["kern.critical", "kern.info", "cron.critical", "a.b.c"],
            ),
        ):
            program.prints(*(f" [x] {key}:text" for key in keys))
        sender.exchange_delete(logs)


def fibonacci(number):
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


@check
def remote_procedure_calls_find_their_answers():
    name = unique("rpc_queue")

    def serve(opened, tell):
        opened.queue_declare(name, auto_delete=True)
        opened.basic_qos(prefetch_count=1)

        def request(_, method, properties, body):
            tell(f" [.] fib({int(body)})")
            answer = pika.BasicProperties(correlation_id=properties.correlation_id)
            opened.basic_publish("", properties.reply_to, str(fibonacci(int(body))), answer)
            opened.basic_ack(method.delivery_tag)

        opened.basic_consume(name, request)

    with running(serve) as [server], channel() as client:
        answers, callback = {}, client.queue_declare("", exclusive=True).method.queue
        client.basic_consume(
            callback,
            lambda _, __, properties, body: answers.update({properties.correlation_id: int(body)}),
            auto_ack=True,
        )
        for number in (30, 5):
            client.basic_publish(
                "", name, str(number), pika.BasicProperties(reply_to=callback, correlation_id=f"call {number}")
            )

        def answered():
            client.connection.process_data_events(time_limit=0.1)
            return len(answers) == 2

        eventually(answered, 30)
        equal(answers, {"call 30": 832040, "call 5": 5})
        server.prints(" [.] fib(30)", " [.] fib(5)")


@check
def publisher_confirms_tell_what_has_arrived():
    with channel() as opened:
        name = opened.queue_declare("", exclusive=True).method.queue
        opened.confirm_delivery()
        for number in range(200):
            opened.basic_publish("", name, str(number), DURABLE, mandatory=True)
        equal(opened.queue_declare(name, passive=True).method.message_count, 200)
