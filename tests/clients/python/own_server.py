"""A separate server, for checks that end it or need other settings."""

import contextlib
import pathlib
import sys
import tempfile

from checks import STELE

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))

from harness.stele import Stele  # noqa: E402


@contextlib.contextmanager
def own_server(gathering="0s", **settings):
    """A running Stele on a directory of its own. A check that kills or stops it must start it again."""
    with tempfile.TemporaryDirectory(prefix="own-") as directory:
        server = Stele(STELE, directory, settings, gathering)
        with server.running():
            yield server
