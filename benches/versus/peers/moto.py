"""Moto's server from PyPI: an SQS emulator with many of AWS's checks."""

import shutil
import sys

from peers.elasticmq import answers_http
from peers.process import CACHE, Peer, once

VERSION = "5.2.5"
PLACE = CACHE / "moto"


def _install(run):
    shutil.rmtree(PLACE, ignore_errors=True)
    run(sys.executable, "-m", "venv", PLACE)
    run(PLACE / "bin" / "pip", "install", "--quiet", f"moto[server]=={VERSION}")


class Moto(Peer):
    """For checking the suites; too slow for benchmarks."""

    name = f"moto {VERSION}"

    def install(self):
        once("moto", _install)

    def command(self):
        return [PLACE / "bin" / "moto_server", "-H", "127.0.0.1", "-p", self.port]

    def answers(self):
        return answers_http(f"{self.environment()['SQS_URL']}/moto-api/")

    def environment(self):
        return {"SQS_URL": f"http://127.0.0.1:{self.port}"}
