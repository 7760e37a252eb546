"""Clients that do what no library allows: announce without sending, send without reading."""

import json
import socket
import struct
import urllib.parse

SECONDS = 120


def connect(port):
    opened = socket.create_connection(("127.0.0.1", port), SECONDS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def exactly(opened, size):
    """Reads so many bytes, or fewer if the connection ends."""
    got = bytearray()
    while len(got) < size:
        part = opened.recv(size - len(got))
        if not part:
            break
        got += part
    return bytes(got)


def is_over(opened):
    """Whether the server has closed the connection, after reading everything it sent before."""
    try:
        while opened.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


# --- AMQP 0-9-1


def short_string(text):
    return bytes([len(text)]) + text.encode()


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, class_id, method_id, fields=b""):
    return frame(1, channel, struct.pack(">HH", class_id, method_id) + fields)


def read_frame(opened):
    head = exactly(opened, 7)
    if len(head) < 7:
        raise ConnectionError("the server has closed the connection")
    kind, channel, size = struct.unpack(">BHI", head)
    return kind, channel, exactly(opened, size + 1)[:-1]


def amqp(port, frame_max=131072):
    """A connection with channel 1 open."""
    opened = connect(port)
    opened.sendall(b"AMQP\0\0\x09\x01")
    read_frame(opened)
    login = b"\0guest\0guest"
    start_ok = struct.pack(">I", 0) + short_string("PLAIN") + struct.pack(">I", len(login)) + login + short_string("en_US")
    opened.sendall(method(0, 10, 11, start_ok))
    read_frame(opened)
    opened.sendall(method(0, 10, 31, struct.pack(">HIH", 2047, frame_max, 0)))
    opened.sendall(method(0, 10, 40, short_string("/") + b"\0\0"))
    read_frame(opened)
    opened.sendall(method(1, 20, 10, b"\0"))
    read_frame(opened)
    return opened


def publish(queue, body, frame_max=131072):
    """The frames of a message to a queue."""
    whole = [method(1, 60, 40, struct.pack(">H", 0) + short_string("") + short_string(queue) + b"\0")]
    whole.append(frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), 0)))
    step = frame_max - 8
    whole += [frame(3, 1, body[at : at + step]) for at in range(0, len(body), step)]
    return b"".join(whole)


def declare(opened, queue):
    opened.sendall(method(1, 50, 10, struct.pack(">H", 0) + short_string(queue) + b"\x02" + struct.pack(">I", 0)))
    read_frame(opened)


def consume(opened, queue):
    opened.sendall(method(1, 60, 20, struct.pack(">H", 0) + short_string(queue) + short_string("") + b"\0" + b"\0\0\0\0"))


# --- Kafka


def kafka_request(key, version, body, correlation=1):
    whole = struct.pack(">hhih", key, version, correlation, -1) + body
    return struct.pack(">i", len(whole)) + whole


def fetch(topic, offset, max_bytes=1 << 30):
    """A Fetch of partition 0, version 4."""
    name = topic.encode()
    partition = struct.pack(">iqi", 0, offset, max_bytes)
    topics = struct.pack(">i", 1) + struct.pack(">h", len(name)) + name + struct.pack(">i", 1) + partition
    return kafka_request(1, 4, struct.pack(">iiiib", -1, 100, 1, max_bytes, 0) + topics)


def list_offsets(topic, timestamp):
    """A ListOffsets of partition 0, version 1."""
    name = topic.encode()
    partition = struct.pack(">iq", 0, timestamp)
    topics = struct.pack(">i", 1) + struct.pack(">h", len(name)) + name + struct.pack(">i", 1) + partition
    return kafka_request(2, 1, struct.pack(">i", -1) + topics)


def read_kafka(opened):
    (size,) = struct.unpack(">i", exactly(opened, 4))
    return exactly(opened, size)


# --- SQS


def sqs(port, action, **fields):
    """A complete request of the JSON protocol."""
    body = json.dumps(fields).encode()
    return sqs_head(port, action, len(body)) + body


def sqs_head(port, action, length):
    head = (
        f"POST / HTTP/1.1\r\nHost: localhost:{port}\r\nX-Amz-Target: AmazonSQS.{action}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode()


def read_http(opened):
    """The status and the body of one response."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = opened.recv(1 << 16)
        if not part:
            raise ConnectionError("the server has closed the connection")
        head += part
    head, _, body = head.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body += exactly(opened, length - len(body))
    return int(head.split()[1]), body


def queue_url(port, name):
    return f"http://localhost:{port}/000000000000/{urllib.parse.quote(name)}"
