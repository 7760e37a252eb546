"""Brings up the loopback interface of a new network namespace, where it is down at first."""

import fcntl
import socket
import struct

SET_FLAGS = 0x8914  # SIOCSIFFLAGS of linux/sockios.h
UP_AND_RUNNING = 0x41  # IFF_UP | IFF_RUNNING


def bring_up():
    request = struct.pack("16sH14x", b"lo", UP_AND_RUNNING)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, request)
