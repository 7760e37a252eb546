"""Clients that are slow, or many: each costs itself, and what it costs the server is bounded."""

import contextlib
import socket
import struct

import raw_clients as raw
from checks import check_of_stele, equal, eventually
from limits_memory import MIB, SETTINGS, bounded, count_of, status_mib
from own_server import own_server

CHANNELS = 2_000
CONNECTIONS = 2_000
# With a channel and a consumer.
CONNECTION_KIB = 64
BACKLOG = 50_000


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
            message = raw.publish("backlog", bytes(1024)) * 100
            for _ in range(BACKLOG // 100):
                opened.sendall(message)
            eventually(lambda: count_of(opened, "backlog") == BACKLOG)
            with raw.amqp(port) as consumer:
                consumer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                raw.consume(consumer, "backlog")
                raw.exactly(consumer, 10_000)
                # What it doesn't read stays in the queue for others, but for what is on its way.
                eventually(lambda: 0 < count_of(opened, "backlog") < BACKLOG)
                left = count_of(opened, "backlog")
                print(f"  {left} of {BACKLOG} left in the queue")
                if left < BACKLOG - 20 * MIB // 1024:
                    raise AssertionError(f"{BACKLOG - left} messages for a consumer that reads none")
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
    with own_server(**SETTINGS) as server, contextlib.ExitStack() as stack:
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
