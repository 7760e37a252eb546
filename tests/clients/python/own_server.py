"""A server of a check's own, for one that ends it or needs other settings."""

import contextlib
import pathlib
import sys
import tempfile

from checks import STELE

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))

from harness.stele import Stele  # noqa: E402


@contextlib.contextmanager
def own_server(gathering="0s", **settings):
    """Stele over a directory of its own, running. The check may kill or stop it, and has to start it again."""
    with tempfile.TemporaryDirectory(prefix="own-") as directory:
        server = Stele(STELE, directory, settings, gathering)
        with server.running():
            yield server
