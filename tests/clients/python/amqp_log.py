"""Stele's log messages about rejected clients, and Stele with a log that can't be written."""

import base64
import json
import pathlib
import socket
import struct
import tempfile
import urllib.error
import urllib.request

import pika

from checks import STELE, check_of_stele, equal, eventually, raised
from own_server import Stele, own_server
from raw_clients import is_over, method, read_frame, short_string

TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)
KAFKA_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


def short_kafka_string(text):
    return struct.pack(">h", len(text)) + text.encode()


class Mute(Stele):
    """A server whose log is on a full disk."""

    log = pathlib.Path("/dev/full")

    def tail(self, lines=40):
        return "its log can't be written"


def serves(log_format):
    with tempfile.TemporaryDirectory(prefix="mute-") as directory:
        server = Mute(STELE, directory, {"STELE_LOGGING__FORMAT": log_format})
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


def logged(server, **fields):
    """Waits for a line with these fields, and returns it."""

    def line():
        # What follows the last end of a line may still be being written.
        for text in server.log.read_text().split("\n")[:-1]:
            read = json.loads(text)
            if all(read.get(name) == value for name, value in fields.items()):
                return read
        return None

    return eventually(line)


def sends(server, front, first):
    """Connects, sends something of another protocol, and returns its own address."""
    with socket.create_connection(("127.0.0.1", server.ports[front]), 60) as opened:
        opened.sendall(first)
        is_over(opened)
        host, port = opened.getsockname()
        return f"{host}:{port}"


@check_of_stele
def another_protocol_is_named_in_the_same_words_at_every_port():
    wanted = {"kafka": "Kafka", "amqp": "AMQP", "sqs": "HTTP", "admin": "HTTP"}
    spoken = {
        "TLS": TLS_HELLO,
        "HTTP": b"GET / HTTP/1.1\r\n\r\n",
        "AMQP": b"AMQP\0\0\x09\x01",
        "Kafka": KAFKA_API_VERSIONS,
        "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
        "MQTT": b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
    }
    with own_server() as server:
        for front, own in wanted.items():
            for foreign, first in spoken.items():
                if foreign == own:
                    continue
                peer = sends(server, front, first)
                line = logged(server, peer=peer, message=f"{front}: connection closed")
                equal((line["level"], line["reason"]), ("WARN", f"the client speaks {foreign}, not {own}"))
            peer = sends(server, front, b"\x01\xffunknown\r\n\r\n")
            line = logged(server, peer=peer, message=f"{front}: connection closed")
            equal(line["reason"], f"the client doesn't speak {own}: it begins with \"\\x01\\xffunknow\"")


@check_of_stele
def a_failed_amqp_login_is_logged_with_user_and_reason():
    with own_server() as server:
        for user, password, reason in [("guest", "hush", "wrong password"), ("a\nb", "hush", "no such user")]:
            credentials = pika.PlainCredentials(user, password)
            place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"], credentials=credentials)
            refused = raised(pika.exceptions.ProbableAuthenticationError, lambda: pika.BlockingConnection(place))
            assert "see the broker logfile" in str(refused), refused
            line = logged(server, message="amqp: login failed", user=user)
            equal((line["level"], line["reason"]), ("WARN", reason))
            assert line["peer"].startswith("127.0.0.1:"), line
        assert "hush" not in server.log.read_text()


@check_of_stele
def an_unknown_virtual_host_is_logged_with_the_user_who_wanted_it():
    with own_server() as server:
        place = pika.ConnectionParameters("127.0.0.1", server.ports["amqp"], "none")
        raised(pika.exceptions.AMQPConnectionError, lambda: pika.BlockingConnection(place))
        line = logged(server, message="amqp: connection closed", user="guest")
        equal(line["reason"], "NOT_ALLOWED - vhost none not found")


@check_of_stele
def a_sasl_login_at_the_kafka_port_is_logged():
    with own_server() as server:
        with socket.create_connection(("127.0.0.1", server.ports["kafka"]), 60) as opened:
            request = struct.pack(">hhih", 17, 1, 1, -1) + short_kafka_string("PLAIN")
            opened.sendall(struct.pack(">i", len(request)) + request)
            line = logged(server, message="kafka: login failed")
            equal(line["reason"], 'the Kafka port has no authentication: "PLAIN" was asked for')
            equal(line["peer"], "{}:{}".format(*opened.getsockname()))


@check_of_stele
def a_client_that_is_told_nothing_of_its_login_is_logged_too():
    with own_server() as server:
        with socket.create_connection(("127.0.0.1", server.ports["amqp"]), 60) as opened:
            opened.sendall(b"AMQP\0\0\x09\x01")
            read_frame(opened)
            login = b"\0eve\0hush"
            response = struct.pack(">I", len(login)) + login
            opened.sendall(method(0, 10, 11, bytes(4) + short_string("PLAIN") + response + short_string("en_US")))
            line = logged(server, message="amqp: login failed", user="eve")
            equal(line["reason"], "no such user")


@check_of_stele
def a_failed_admin_login_is_logged_with_user_and_reason():
    with own_server(STELE_ADMIN__HOST="0.0.0.0", STELE_AUTH__USERS="ann:right") as server:
        for login, user, reason in [
            ("ann:wrong", "ann", "wrong password"),
            ("eve:right", "eve", "no such user"),
        ]:
            encoded = base64.b64encode(login.encode()).decode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{server.ports['admin']}/v1/status", headers={"Authorization": f"Basic {encoded}"}
            )
            equal(raised(urllib.error.HTTPError, lambda: urllib.request.urlopen(request)).code, 401)
            equal(logged(server, message="admin: login failed", user=user)["reason"], reason)


@check_of_stele
def a_wrong_signature_is_logged_with_key_and_reason():
    date = "20260102"
    with own_server(STELE_AUTH__SQS_KEYS="AKIDEXAMPLE:a secret") as server:
        for key, reason in [("AKIDEXAMPLE", "Signature expired: it is too old."), (None, "no signature")]:
            scope = f"{key}/{date}/us-east-1/sqs/aws4_request"
            signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00"
            headers = {"Authorization": signature, "X-Amz-Date": f"{date}T030405Z"} if key else {}
            url = f"http://127.0.0.1:{server.ports['sqs']}/?Action=ListQueues"
            request = urllib.request.Request(url, headers=headers)
            raised(urllib.error.HTTPError, lambda: urllib.request.urlopen(request))
            equal(logged(server, message="sqs: login failed", user=key or "")["reason"], reason)
