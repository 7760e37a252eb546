"""Idle clients that use up all file descriptors: storage has its own, and further clients are rejected for now."""

import contextlib
import pathlib
import shlex
import socket
import tempfile

import pika

from checks import check, equal, eventually
from small_disk import Amqp, Disk, Kafka, Stele, binary, is_there

# Some are for a journal of a few files, most for clients.
OPEN_FILES = 256
SETTINGS = {"STELE_STORAGE__JOURNAL_FILE": "4MiB", "STELE_STORAGE__JOURNAL": "8MiB", "STELE_ENGINE__SHARDS": "2"}
MESSAGES = 60


@contextlib.contextmanager
def few_descriptors():
    with tempfile.TemporaryDirectory(prefix="descriptors-") as directory:
        program = pathlib.Path(directory) / "stele"
        stele = shlex.quote(str(pathlib.Path(binary()).resolve()))
        program.write_text(f'#!/bin/sh\nulimit -n {OPEN_FILES}\nexec {stele} "$@"\n')
        program.chmod(0o755)
        server = Stele(program, pathlib.Path(directory) / "server", SETTINGS)
        with server.running():
            yield Disk(server, directory)


def is_let_in(port):
    """A silent connection; None if it is closed at once."""
    opened = socket.create_connection(("127.0.0.1", port))
    opened.settimeout(0.05)
    try:
        if opened.recv(1) == b"":
            opened.close()
            return None
    except TimeoutError:
        return opened
    raise AssertionError("the server sent something first")


def take_all(server):
    """Opens idle clients of each protocol, until none is accepted."""
    idle = []
    for name in ("kafka", "amqp", "sqs"):
        while opened := is_let_in(server.ports[name]):
            idle.append(opened)
            if len(idle) > OPEN_FILES:
                raise AssertionError("more clients were accepted than files may be open")
    return idle


@check
def a_publisher_goes_on_while_idle_clients_have_all_descriptors():
    with few_descriptors() as disk:
        front = Amqp(disk)
        front.make("going-on")
        with front.connect() as opened:
            channel = opened.channel()
            channel.confirm_delivery()
            channel.basic_publish("", "going-on", b"%08d" % 0)
            idle = take_all(disk.server)
            if len(idle) < OPEN_FILES // 4:
                raise AssertionError(f"only {len(idle)} clients were accepted")
            body = bytes(1_000_000)
            for number in range(1, MESSAGES):
                channel.basic_publish("", "going-on", b"%08d" % number + body)
            equal(channel.queue_declare("going-on", passive=True).method.message_count, MESSAGES)
            # The operator gets in.
            equal(disk.metric("stele_ready"), 1)
            for each in idle:
                each.close()
            expected = [b"%08d" % number for number in range(MESSAGES)]

        def let_in():
            with contextlib.suppress(pika.exceptions.AMQPError):
                front.connect().close()
                return True

        eventually(let_in)
        is_there(front.empty("going-on"), expected)
        disk.runs()


@check
def a_limit_that_does_not_fit_is_told_at_the_start():
    with few_descriptors() as disk:
        told = disk.server.log.read_text()
        if "the limit of open files is too low for limits.connections" not in told:
            raise AssertionError(f"no warning in {told[:400]}")
        Kafka(disk).make("a-topic")
