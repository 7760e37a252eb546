"""How much memory clients can make the server use: each attack with its ceiling, while another client works on."""

import contextlib
import multiprocessing
import pathlib
import resource
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import pika
import raw_clients as raw
from checks import check_of_stele, equal, eventually
from confluent_kafka import Producer
from own_server import own_server

MIB = 1 << 20

# Each of thousands of connections needs a file descriptor of this process.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

CEILING_MIB = 512

# The decompressed size of a batch of a few kilobytes.
BOMB = 60 * MIB

# The largest message allowed in a batch.
LARGE = 1_000_000

# Each shard has its own cache and blocks, so their number is fixed, whatever the machine.
SETTINGS = {
    "STELE_LIMITS__MEMORY": f"{CEILING_MIB}MiB",
    "STELE_ENGINE__SHARDS": "2",
    "STELE_LOGGING__LEVEL": "warn",
}


def status_mib(server, field):
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(field))


def neighbour(port, stop, answered):
    """An SQS client that repeatedly sends and receives a small message."""
    opened = raw.connect(port)
    url = raw.queue_url(port, "neighbour")
    opened.sendall(raw.sqs(port, "CreateQueue", QueueName="neighbour"))
    raw.read_http(opened)
    took = []
    while not stop.is_set():
        for action, fields in (("SendMessage", {"MessageBody": "hello"}), ("ReceiveMessage", {})):
            began = time.monotonic()
            opened.sendall(raw.sqs(port, action, QueueUrl=url, **fields))
            code, _ = raw.read_http(opened)
            took.append(time.monotonic() - began)
            if code != 200:
                answered.put(f"{action}: {code}")
                return
        time.sleep(0.002)
    answered.put(took)


@contextlib.contextmanager
def bounded(**settings):
    """A server that must stay below its memory ceiling, while another client must be answered."""
    with own_server(**SETTINGS, **settings) as server:
        stop, answered = multiprocessing.Event(), multiprocessing.Queue()
        other = multiprocessing.Process(target=neighbour, args=(server.ports["sqs"], stop, answered), daemon=True)
        other.start()
        try:
            yield server
        finally:
            stop.set()
            took = answered.get(timeout=60)
            other.join(60)
        if isinstance(took, str):
            raise AssertionError(f"the neighbour was refused: {took}")
        peak = status_mib(server, "VmHWM")
        p99 = statistics.quantiles(took, n=100)[98] * 1000
        print(f"  peak {peak} MiB, {len(took)} requests of a neighbour, p99 {p99:.1f} ms, longest {max(took) * 1000:.0f} ms")
        if peak > CEILING_MIB:
            raise AssertionError(f"{peak} MiB of {CEILING_MIB}")


def all_at_once(count, action):
    """Runs it in so many threads, and returns their results, or raises what the first of them raised."""
    results = [None] * count
    failures = []

    def run(at):
        try:
            results[at] = action(at)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def count_of(opened, queue):
    opened.sendall(raw.method(1, 50, 10, b"\0\0" + raw.short_string(queue) + b"\x01" + b"\0\0\0\0"))
    payload = raw.read_frame(opened)[2]
    assert payload[:4] == b"\0\x32\0\x0b", f"not declare-ok: {payload!r}"
    return int.from_bytes(payload[-8:-4], "big")


def eventually_counts(opened, queue, count):
    seen = []

    def is_reached():
        seen.append(count_of(opened, queue))
        return seen[-1] == count

    try:
        eventually(is_reached)
    except AssertionError:
        raise AssertionError(f"{seen[-1]} of {count} messages are in the queue, after {seen[0]} at first") from None


def flood(port, queue, publishers, each):
    """Publishes bodies of 1 MiB without confirms, over a connection for each publisher; all of them arrive."""
    with raw.amqp(port) as opened:
        raw.declare(opened, queue)
    message = raw.publish(queue, bytes(MIB))

    def publish(_):
        with raw.amqp(port) as opened:
            for _ in range(each):
                opened.sendall(message)
            # The request is processed after what it published.
            return count_of(opened, queue)

    all_at_once(publishers, publish)
    with raw.amqp(port) as opened:
        eventually_counts(opened, queue, publishers * each)


@check_of_stele
def publishers_without_confirms_are_slowed_down():
    with bounded() as server:
        flood(server.ports["amqp"], "flood", publishers=40, each=40)


@check_of_stele
def many_publishers_get_through_where_there_is_little():
    with own_server(**{**SETTINGS, "STELE_LIMITS__MEMORY": "64MiB"}) as server:
        flood(server.ports["amqp"], "little", publishers=120, each=4)


@contextlib.contextmanager
def slow_disk():
    """What makes a server's disk slow: settings for its environment."""
    with tempfile.TemporaryDirectory(prefix="slow-") as directory:
        library = pathlib.Path(directory) / "slow_disk.so"
        source = pathlib.Path(__file__).with_name("slow_disk.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lpthread"], check=True)
        yield {"LD_PRELOAD": str(library)}


@check_of_stele
def others_wait_little_for_a_slow_disk():
    with slow_disk() as slow, own_server(**SETTINGS, **slow) as server:
        port = server.ports["amqp"]
        with raw.amqp(port) as opened:
            raw.declare(opened, "flood")
        message = raw.publish("flood", bytes(MIB))
        stop = threading.Event()

        def flood():
            with contextlib.suppress(OSError), raw.amqp(port) as opened:
                while not stop.is_set():
                    opened.sendall(message)

        threads = [threading.Thread(target=flood, daemon=True) for _ in range(80)]
        for thread in threads:
            thread.start()
        time.sleep(4)
        took = []
        with raw.amqp(port) as opened:
            for at in range(4):
                began = time.monotonic()
                raw.declare(opened, f"other-{at}")
                took.append(time.monotonic() - began)
        stop.set()
        peak = status_mib(server, "VmHWM")
        print(f"  peak {peak} MiB, declarations took {', '.join(f'{one:.1f}' for one in took)} s")
        # What is on its way takes a while to be written: the clients aren't waited for.
        server.kill()
        server.start()
        if peak > CEILING_MIB:
            raise AssertionError(f"{peak} MiB of {CEILING_MIB}")
        # Where 70 MB wait for it, they take from 8 s on.
        if max(took) > 6:
            raise AssertionError(f"a declaration took {max(took):.1f} s")


@check_of_stele
def a_transient_message_does_not_wait_for_a_slow_disk():
    with slow_disk() as slow, own_server(**SETTINGS, **slow) as server:
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", server.ports["amqp"]))
        opened = connection.channel()
        opened.confirm_delivery()
        opened.queue_declare("slow", durable=True)
        took = {}
        for mode in (1, 2):
            began = time.monotonic()
            for _ in range(50):
                opened.basic_publish("", "slow", b"x", pika.BasicProperties(delivery_mode=mode))
            took[mode] = time.monotonic() - began
            # What was confirmed can be seen, once it is on disk.
            equal(opened.queue_declare("slow", passive=True).method.message_count, 50 * mode)
        connection.close()
        assert took[1] * 2 < took[2], took


def small_batches_that_are_large(server, topic, count):
    """Sends compressed batches of a few kilobytes with a very large record each."""
    producer = Producer(
        {
            "bootstrap.servers": f"127.0.0.1:{server.ports['kafka']}",
            "compression.type": "zstd",
            "message.max.bytes": 1_000_000_000,
            "linger.ms": 0,
        }
    )
    failed = []
    for _ in range(count):
        producer.produce(topic, bytes(BOMB), on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.flush()
    equal(failed, [])


@check_of_stele
def compressed_batches_are_opened_one_after_the_other():
    with bounded() as server:
        small_batches_that_are_large(server, "bombs", 5)

        def look(_):
            with raw.connect(server.ports["kafka"]) as opened:
                opened.sendall(raw.list_offsets("bombs", 1))
                return len(raw.read_kafka(opened))

        equal(len(set(all_at_once(64, look))), 1)
        with raw.amqp(server.ports["amqp"]) as opened:
            raw.consume(opened, "bombs")
            got = 0
            while got < 5 * BOMB:
                part = opened.recv(MIB)
                if not part:
                    raise AssertionError(f"closed after {got} bytes")
                got += len(part)


@check_of_stele
def large_messages_behind_small_ones_are_delivered_as_they_are_read():
    with bounded() as server:
        port = server.ports["amqp"]
        with raw.amqp(port) as opened:
            raw.declare(opened, "backlog")
            opened.sendall(raw.publish("backlog", b"small") * 300)
            for _ in range(100):
                opened.sendall(raw.publish("backlog", bytes(8 * MIB)))
            eventually(lambda: count_of(opened, "backlog") == 400)
        with contextlib.ExitStack() as stack:
            readers = [stack.enter_context(raw.amqp(port)) for _ in range(10)]
            for reader in readers:
                raw.consume(reader, "backlog")
            # They read a little and then stop.
            for reader in readers:
                raw.exactly(reader, 100)
            time.sleep(3)


def filled_topic(server, topic, mib):
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{server.ports['kafka']}", "linger.ms": 0, "message.max.bytes": 1_040_000})
    for _ in range(mib):
        producer.produce(topic, bytes(LARGE))
        producer.poll(0)
    equal(producer.flush(60), 0)


@check_of_stele
def fetches_that_nobody_reads_are_bounded_together():
    with bounded() as server:
        filled_topic(server, "unread", 64)
        with contextlib.ExitStack() as stack:
            for _ in range(300):
                opened = stack.enter_context(raw.connect(server.ports["kafka"]))
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                opened.sendall(raw.fetch("unread", 0))
            # A client that reads gets its response.
            for _ in range(20):
                with raw.connect(server.ports["kafka"]) as reader:
                    reader.sendall(raw.fetch("unread", 0))
                    if len(raw.read_kafka(reader)) < LARGE:
                        raise AssertionError("a fetch that is read holds no batch")


@check_of_stele
def receives_that_nobody_reads_are_bounded_together():
    with bounded() as server:
        port = server.ports["sqs"]
        with raw.amqp(server.ports["amqp"]) as opened:
            raw.declare(opened, "unread")
            for _ in range(300):
                opened.sendall(raw.publish("unread", b'"' * (MIB - 1000)))
            eventually(lambda: count_of(opened, "unread") == 300)
        with contextlib.ExitStack() as stack:
            url = raw.queue_url(port, "unread")
            for _ in range(200):
                opened = stack.enter_context(raw.connect(port))
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                opened.sendall(raw.sqs(port, "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1))
            time.sleep(5)


@check_of_stele
def bodies_that_never_end_are_bounded_together():
    with bounded() as server:
        with contextlib.ExitStack() as stack:
            unfinished = raw.publish("nowhere", bytes(16 * MIB))[: -1 * MIB]

            def begin(_):
                with contextlib.suppress(OSError):
                    opened = stack.enter_context(raw.amqp(server.ports["amqp"]))
                    opened.settimeout(5)
                    opened.sendall(unfinished)

            all_at_once(40, begin)
            # Meanwhile another client publishes large bodies, one after the other.
            with raw.amqp(server.ports["amqp"]) as opened:
                raw.declare(opened, "through")
                for _ in range(5):
                    opened.sendall(raw.publish("through", bytes(8 * MIB)))
                equal(count_of(opened, "through"), 5)


@check_of_stele
def claims_without_bytes_take_nothing():
    with bounded() as server:
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                opened = stack.enter_context(raw.connect(server.ports["kafka"]))
                opened.sendall((100 * MIB).to_bytes(4, "big") + bytes(70_000))
                opened = stack.enter_context(raw.connect(server.ports["sqs"]))
                opened.sendall(raw.sqs_head(server.ports["sqs"], "SendMessage", 4 * MIB) + b" " * 70_000)
            began = time.monotonic()
            filled_topic(server, "large", 20)
            took = time.monotonic() - began
            if took > 20:
                raise AssertionError(f"20 MiB took {took:.1f} s beside them")


@check_of_stele
def requests_that_stop_before_their_ends_give_way():
    with bounded() as server:
        with contextlib.ExitStack() as stack:
            def begin(_):
                with contextlib.suppress(OSError):
                    opened = stack.enter_context(raw.connect(server.ports["kafka"]))
                    opened.settimeout(5)
                    opened.sendall((90 * MIB).to_bytes(4, "big") + bytes(80 * MIB))

            all_at_once(12, begin)
            filled_topic(server, "large", 20)


@check_of_stele
def long_polls_take_little():
    with bounded() as server:
        port = server.ports["sqs"]
        with raw.connect(port) as opened:
            opened.sendall(raw.sqs(port, "CreateQueue", QueueName="empty"))
            raw.read_http(opened)
        url = raw.queue_url(port, "empty")
        before = status_mib(server, "VmRSS")
        with contextlib.ExitStack() as stack:
            for _ in range(3000):
                opened = stack.enter_context(raw.connect(port))
                opened.sendall(raw.sqs(port, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
            with raw.connect(port) as opened:
                opened.sendall(raw.sqs(port, "ReceiveMessage", QueueUrl=url))
                raw.read_http(opened)
            now = status_mib(server, "VmRSS")
            print(f"  3,000 long polls: {now} MiB, {before} before")
            if now - before > 65:
                raise AssertionError(f"3,000 long polls take {now - before} MiB")


def closed_with(opened):
    """The code that the server closes the channel or the connection with, whatever it answers before."""
    while True:
        _, _, payload = raw.read_frame(opened)
        if payload[:4] in (b"\0\x14\0\x28", b"\0\x0a\0\x32"):
            return int.from_bytes(payload[4:6], "big")


@check_of_stele
def queues_are_refused_where_memory_holds_no_more():
    with own_server(**{**SETTINGS, "STELE_LIMITS__MEMORY": "64MiB"}) as server:
        with raw.amqp(server.ports["amqp"]) as opened:
            for at in range(3000):
                opened.sendall(raw.method(1, 50, 10, b"\0\0" + raw.short_string(f"many-{at}") + b"\x02" + bytes(4)))
            equal(closed_with(opened), 506)
        # What is there goes on, and is there after a restart.
        with raw.amqp(server.ports["amqp"]) as opened:
            raw.declare(opened, "many-0")
            opened.sendall(raw.publish("many-0", b"hello"))
            equal(count_of(opened, "many-0"), 1)
        server.stop()
        server.start()
        with raw.amqp(server.ports["amqp"]) as opened:
            raw.declare(opened, "many-0")


@check_of_stele
def delayed_messages_are_refused_where_memory_holds_no_more():
    with own_server(**{**SETTINGS, "STELE_LIMITS__MEMORY": "64MiB"}) as server:
        port = server.ports["sqs"]
        url = raw.queue_url(port, "delayed")
        with raw.connect(port) as opened:
            opened.sendall(raw.sqs(port, "CreateQueue", QueueName="delayed"))
            raw.read_http(opened)
            entries = [{"Id": str(at), "MessageBody": "hello", "DelaySeconds": 900} for at in range(10)]

            def refused():
                opened.sendall(raw.sqs(port, "SendMessageBatch", QueueUrl=url, Entries=entries))
                return b"OverLimit" in raw.read_http(opened)[1]

            equal(any(refused() for _ in range(3000)), True)
            # Others get through.
            opened.sendall(raw.sqs(port, "SendMessage", QueueUrl=url, MessageBody="at once"))
            equal(raw.read_http(opened)[0], 200)
            opened.sendall(raw.sqs(port, "ReceiveMessage", QueueUrl=url))
            equal(b"at once" in raw.read_http(opened)[1], True)


@check_of_stele
def nobody_is_handed_more_than_memory_holds():
    sent = 40_000
    with own_server(**{**SETTINGS, "STELE_LIMITS__MEMORY": "64MiB"}) as server, raw.amqp(server.ports["amqp"]) as opened:
        raw.declare(opened, "taken")
        message = raw.publish("taken", b"hello")
        for _ in range(sent // 100):
            opened.sendall(message * 100)
        eventually(lambda: count_of(opened, "taken") == sent)
        with raw.amqp(server.ports["amqp"]) as consumer:
            raw.consume(consumer, "taken")
            got = 0

            def take(until):
                nonlocal got
                consumer.settimeout(3)
                with contextlib.suppress(TimeoutError):
                    while got < until:
                        got += raw.read_frame(consumer)[2][:4] == b"\0\x3c\0\x3c"

            take(sent)
            print(f"  {got} of {sent} without an acknowledgement")
            if not 15_000 < got < 30_000:
                raise AssertionError(f"{got} were handed out")
            # All that came: the rest follows.
            consumer.sendall(raw.method(1, 60, 80, got.to_bytes(8, "big") + b"\x01"))
            take(sent)
            equal(got, sent)


@check_of_stele
def open_transactions_that_memory_cannot_hold_end():
    with own_server(**{**SETTINGS, "STELE_LIMITS__MEMORY": "64MiB"}) as server:
        port = server.ports["amqp"]
        with raw.amqp(port) as opened:
            raw.declare(opened, "uncommitted")
        message = raw.publish("uncommitted", bytes(MIB))

        def fill(_):
            with raw.amqp(port) as opened:
                opened.sendall(raw.method(1, 90, 10))
                equal(raw.read_frame(opened)[2], b"\0\x5a\0\x0b")
                with contextlib.suppress(OSError):
                    for _ in range(20):
                        opened.sendall(message)
                return closed_with(opened)

        equal(all_at_once(3, fill), [506] * 3)
        # Their memory is free again.
        with raw.amqp(port) as opened:
            opened.sendall(raw.method(1, 90, 10) + message + raw.method(1, 90, 20))
            raw.read_frame(opened)
            equal(raw.read_frame(opened)[2], b"\0\x5a\0\x15")
            equal(count_of(opened, "uncommitted"), 1)
