"""Stele whose log has nowhere to go."""

import pathlib
import tempfile

import pika

from checks import STELE, check_of_stele, equal
from own_server import Stele


class Mute(Stele):
    """Its log is on a disk without room."""

    log = pathlib.Path("/dev/full")

    def tail(self, lines=40):
        return "its log can't be written"


def serves(log_format):
    with tempfile.TemporaryDirectory(prefix="mute-") as directory:
        server = Mute(STELE, directory, {"STELE_LOG__FORMAT": log_format})
        with server.running():
            place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"])
            with pika.BlockingConnection(place) as connection:
                channel = connection.channel()
                channel.queue_declare("queue", durable=True)
                channel.basic_publish("", "queue", b"message")
                equal(channel.basic_get("queue")[2], b"message")


@check_of_stele
def a_log_that_cannot_be_written_ends_nothing():
    serves("json")
    serves("text")
