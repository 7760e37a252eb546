"""A client that sends heartbeats but reads nothing any more; pika always reads, so frames are written by hand."""

import select
import socket
import time

from pika import frame, spec

from checks import check
from pika_session import HOST, PORT, channel, publish, queue, waits_for_depth

COUNT = 48
BODY = bytes(1 << 20)
HEARTBEAT_SECONDS = 2
# It must be closed after 30 s.
SECONDS_MIN, SECONDS_MAX = 20, 60


class Raw:
    """An open connection with a channel, on a socket with a small buffer."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.socket.connect((HOST, PORT))
        self.read = b""
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(spec.Connection.Start)
        self.send(0, spec.Connection.StartOk({}, "PLAIN", b"\0guest\0guest", "en_US"))
        tune = self.expect(spec.Connection.Tune)
        self.send(0, spec.Connection.TuneOk(tune.channel_max, tune.frame_max, HEARTBEAT_SECONDS))
        self.send(0, spec.Connection.Open("/"))
        self.expect(spec.Connection.OpenOk)
        self.send(1, spec.Channel.Open())
        self.expect(spec.Channel.OpenOk)

    def send(self, number, method):
        self.socket.sendall(frame.Method(number, method).marshal())

    def expect(self, kind):
        """The next method, which must be of that kind."""
        while True:
            size, found = frame.decode_frame(self.read)
            self.read = self.read[size:]
            if isinstance(found, frame.Method):
                assert isinstance(found.method, kind), found
                return found.method
            if found is None:
                received = self.socket.recv(4096)
                assert received, "closed"
                self.read += received

    def beats_until(self, seconds):
        """Sends heartbeats; returns after how many seconds that is no longer possible."""
        began = time.monotonic()
        closing = select.poll()
        closing.register(self.socket, 0)
        while time.monotonic() - began < seconds:
            try:
                self.socket.sendall(frame.Heartbeat().marshal())
            except OSError:
                return time.monotonic() - began
            closing.poll(500)
        raise AssertionError(f"it is still open after {seconds} s")


@check
def a_client_that_reads_nothing_is_closed_though_it_sends_heartbeats():
    with queue("unread") as (opened, name):
        publish(opened, name, *[BODY] * COUNT)
        waits_for_depth(opened, name, COUNT)
        unread = Raw()
        unread.send(1, spec.Basic.Consume(queue=name, consumer_tag="unread"))
        unread.expect(spec.Basic.ConsumeOk)
        seconds = unread.beats_until(SECONDS_MAX)
        assert seconds > SECONDS_MIN, f"it was closed after {seconds:.0f} s"
        with channel() as other:
            # The messages delivered to it are available to others again.
            waits_for_depth(other, name, COUNT)
