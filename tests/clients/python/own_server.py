"""A separate server, for checks that end it or need other settings."""

import contextlib
import pathlib
import sys
import tempfile

from checks import STELE

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))

from harness.stele import Stele, free_ports  # noqa: E402


@contextlib.contextmanager
def own_server(gathering="0s", keeps_ports=False, **settings):
    """A running Stele on a directory of its own. A check that kills or stops it must start it again; clients that
    reconnect by themselves need the same AMQP port then."""
    with tempfile.TemporaryDirectory(prefix="own-") as directory:
        ports = {"amqp": free_ports(1)[0]} if keeps_ports else {}
        server = Stele(STELE, directory, settings, gathering, **ports)
        with server.running():
            yield server
