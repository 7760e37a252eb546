"""Clients that are slow, or many: each costs itself, and what it costs the server is bounded."""

import concurrent.futures
import contextlib
import resource
import socket
import struct

import raw_clients as raw
from checks import check_of_stele, equal, eventually
from limits_memory import MIB, SETTINGS, bounded, count_of, status_mib
from own_server import own_server

CHANNELS = 2_000
# As many as this process may open, if the system allows fewer than 20,000 file descriptors.
CONNECTIONS = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)
# With a channel and a consumer.
CONNECTION_KIB = 32
QUEUES = 100_000
QUEUE_KIB = 8
BACKLOG = 10_000_000
# So many of them may be on their way to a consumer that doesn't read.
ON_THE_WAY = 200_000


def consumers_of(opened, queue):
    opened.sendall(raw.method(1, 50, 10, b"\0\0" + raw.short_string(queue) + b"\x01" + b"\0\0\0\0"))
    return int.from_bytes(raw.read_frame(opened)[2][-4:], "big")


def confirming(port, buffer=4096):
    """A connection in confirm mode whose socket holds little that isn't read."""
    opened = raw.amqp(port)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    opened.sendall(raw.method(1, 85, 10, b"\0"))
    raw.read_frame(opened)
    return opened


def sent_before_it_stops(opened, message, most):
    """Sends a message again and again, until the server takes no more for two seconds."""
    opened.settimeout(2)
    with contextlib.suppress(TimeoutError):
        for sent in range(most // 50):
            opened.sendall(message * 50)
        return most
    return sent * 50


@check_of_stele
def a_publisher_that_never_reads_its_confirms_costs_little():
    with bounded() as server:
        port = server.ports["amqp"]
        with raw.amqp(port) as watcher, confirming(port) as publisher:
            raw.declare(watcher, "unconfirmed")
            before = status_mib(server, "VmRSS")
            sent = sent_before_it_stops(publisher, raw.publish("unconfirmed", b"x"), 400_000)
            grown = status_mib(server, "VmRSS") - before
            print(f"  {sent} sent, {grown} MiB more")
            if grown > 100:
                raise AssertionError(f"{grown} MiB for one publisher")
            # Others publish and read all the same.
            watcher.sendall(raw.publish("unconfirmed", b"other"))
            assert count_of(watcher, "unconfirmed") > 0


@check_of_stele
def a_publisher_that_never_reads_what_is_returned_is_stopped():
    with bounded() as server, confirming(server.ports["amqp"]) as publisher:
        before = status_mib(server, "VmRSS")
        # Mandatory, and routed nowhere.
        mandatory = raw.method(1, 60, 40, b"\0\0" + raw.short_string("") + raw.short_string("absent") + b"\x01")
        body = bytes(64 * 1024)
        returned = mandatory + raw.frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), 0)) + raw.frame(3, 1, body)
        sent = sent_before_it_stops(publisher, returned, 10_000)
        grown = status_mib(server, "VmRSS") - before
        print(f"  {sent} sent, {grown} MiB more")
        if sent == 10_000 or grown > 64:
            raise AssertionError(f"{sent} returned, {grown} MiB for one publisher")


@check_of_stele
def a_consumer_without_a_limit_on_a_backlog_gets_what_it_reads():
    with bounded() as server:
        port = server.ports["amqp"]
        with raw.amqp(port) as opened:
            raw.declare(opened, "backlog")
            messages = raw.publish("backlog", b"hello") * 1000
            for _ in range(BACKLOG // 1000):
                opened.sendall(messages)
            eventually(lambda: count_of(opened, "backlog") == BACKLOG, 300)
            before = status_mib(server, "VmRSS")
            with raw.amqp(port) as consumer:
                consumer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                raw.consume(consumer, "backlog")
                raw.exactly(consumer, 10_000)
                # What it doesn't read stays in the queue for others, but for what is on its way.
                eventually(lambda: 0 < count_of(opened, "backlog") < BACKLOG)
                left, grown = count_of(opened, "backlog"), status_mib(server, "VmRSS") - before
                print(f"  {left} of {BACKLOG} left in the queue, {grown} MiB more")
                if left < BACKLOG - ON_THE_WAY or grown > 64:
                    raise AssertionError(f"{BACKLOG - left} messages, {grown} MiB for a consumer that reads none")
            eventually(lambda: count_of(opened, "backlog") == BACKLOG)


@check_of_stele
def thousands_of_channels_of_a_connection_cost_little_and_all_work():
    with own_server(**SETTINGS) as server:
        with raw.amqp(server.ports["amqp"]) as opened:
            raw.declare(opened, "shared")
            before = status_mib(server, "VmRSS")
            for number in range(2, CHANNELS + 1):
                opened.sendall(raw.method(number, 20, 10, b"\0"))
            for number in range(2, CHANNELS + 1):
                kind, channel, payload = raw.read_frame(opened)
                equal((kind, channel, payload[:4]), (1, number, b"\0\x14\0\x0b"))
            # A consumer on each.
            consume = struct.pack(">H", 0) + raw.short_string("shared") + raw.short_string("") + b"\0" + b"\0\0\0\0"
            for number in range(1, CHANNELS + 1):
                opened.sendall(raw.method(number, 60, 20, consume))
            for number in range(1, CHANNELS + 1):
                equal(raw.read_frame(opened)[2][:4], b"\0\x3c\0\x15")
            grown = status_mib(server, "VmRSS") - before
            print(f"  {grown} MiB more for {CHANNELS} channels")
            if grown > 64:
                raise AssertionError(f"{grown} MiB for {CHANNELS} channels")
            opened.sendall(raw.publish("shared", b"") * CHANNELS)
            reached = set()
            while len(reached) < CHANNELS:
                kind, channel, payload = raw.read_frame(opened)
                if kind == 1:
                    reached.add(channel)
        with raw.amqp(server.ports["amqp"]) as opened:
            eventually(lambda: count_of(opened, "shared") == CHANNELS)


@check_of_stele
def thousands_of_idle_connections_cost_little():
    with own_server(**{**SETTINGS, "STELE_LIMITS__CONNECTIONS": "11000"}) as server, contextlib.ExitStack() as stack:
        port = server.ports["amqp"]
        with raw.amqp(port) as opened:
            raw.declare(opened, "shared")
            before = status_mib(server, "VmRSS")
            for _ in range(CONNECTIONS):
                raw.consume(stack.enter_context(raw.amqp(port)), "shared")
            eventually(lambda: consumers_of(opened, "shared") == CONNECTIONS)
            grown = status_mib(server, "VmRSS") - before
            print(f"  {grown} MiB more for {CONNECTIONS} connections")
            if grown > CONNECTIONS * CONNECTION_KIB // 1024:
                raise AssertionError(f"{grown} MiB for {CONNECTIONS} connections")
            opened.sendall(raw.publish("shared", b"for one of them"))
            eventually(lambda: count_of(opened, "shared") == 0)


def declared_by_many(port, names):
    """Declares queues over fifty connections, whose declarations reach the disk together."""

    def declare(own):
        with raw.amqp(port) as opened:
            for at in range(0, len(own), 100):
                some = own[at : at + 100]
                declarations = (b"\0\0" + raw.short_string(name) + b"\x02" + bytes(4) for name in some)
                opened.sendall(b"".join(raw.method(1, 50, 10, fields) for fields in declarations))
                for _ in some:
                    equal(raw.read_frame(opened)[2][:4], b"\0\x32\0\x0b")

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        list(pool.map(declare, (names[at::50] for at in range(50))))


@check_of_stele
def a_hundred_thousand_queues_cost_little_and_all_work():
    names = [f"many-{at}" for at in range(QUEUES)]
    with own_server(**{**SETTINGS, "STELE_LIMITS__MEMORY": "8GiB"}) as server:
        before = status_mib(server, "VmRSS")
        declared_by_many(server.ports["amqp"], names)
        with raw.amqp(server.ports["amqp"]) as opened:
            for at in range(0, QUEUES, 500):
                opened.sendall(b"".join(raw.publish(name, b"hello") for name in names[at : at + 500]))
            eventually(lambda: count_of(opened, names[-1]) == 1)
        grown = status_mib(server, "VmRSS") - before
        print(f"  {grown} MiB more for {QUEUES} queues with a message each")
        if grown > QUEUES * QUEUE_KIB // 1024:
            raise AssertionError(f"{grown} MiB for {QUEUES} queues")
        server.stop()
        server.start()
        with raw.amqp(server.ports["amqp"]) as opened:
            for name in names[:: QUEUES // 100]:
                equal(count_of(opened, name), 1)
