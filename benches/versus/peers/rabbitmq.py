"""RabbitMQ from the distribution's package, without a service manager."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

from peers.process import Peer, free_port, once

PROGRAMS = pathlib.Path("/usr/lib/rabbitmq/bin")
# For exchange types that Stele has too.
PLUGINS = "rabbitmq_consistent_hash_exchange,rabbitmq_random_exchange,rabbitmq_sharding"
NO_SERVICES = pathlib.Path("/usr/sbin/policy-rc.d")


def _install(run):
    """Installs the package without letting it start a service."""
    mine = not NO_SERVICES.exists()
    if mine:
        NO_SERVICES.write_text("#!/bin/sh\nexit 101\n")
        NO_SERVICES.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", "rabbitmq-server", env=environment)
    finally:
        if mine:
            NO_SERVICES.unlink()


class RabbitMq(Peer):
    """One node with its own Erlang port mapper, which ends with it."""

    name = "RabbitMQ"

    def __init__(self, directory):
        super().__init__(directory)
        self.mapper = None

    def install(self):
        if not (PROGRAMS / "rabbitmq-server").exists():
            once("rabbitmq", _install)

    def prepare(self):
        self.mapper_port = self.port + 1000
        self.distribution_port = self.port + 2000
        self._file("rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.file.level = warning\n")
        self._file("advanced.config").write_text("[].\n")
        self._file("plugins").write_text(f"[{PLUGINS}].\n")
        self._file("pid").unlink(missing_ok=True)
        self.mapper = subprocess.Popen(
            [shutil.which("epmd"), "-address", "127.0.0.1", "-port", str(self.mapper_port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def variables(self):
        local = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.mapper_port),
            "RABBITMQ_NODENAME": f"peer{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self._file("pid")),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._file("plugins")),
            "RABBITMQ_CONFIG_FILE": str(self._file("rabbitmq")),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._file("advanced.config")),
            "RABBITMQ_CONF_ENV_FILE": str(self._file("absent.env")),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": local,
        }

    def command(self):
        return [PROGRAMS / "rabbitmq-server"]

    def answers(self):
        """The port opens before the node is ready; a ready node answers the protocol header."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            probe.settimeout(1)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
        return False

    def stop(self):
        for pid in self._machine():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 15)
        deadline = time.monotonic() + 20
        while self.process and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        super().stop()
        if self.mapper:
            self.mapper.terminate()
            self.mapper.wait()
            self.mapper = None

    def pids(self):
        return self._machine()

    def environment(self):
        return {"AMQP_ADDRESS": f"127.0.0.1:{self.port}"}

    def _machine(self):
        """The Erlang virtual machine, which isn't the process that was started."""
        text = self._file("pid").read_text().strip() if self._file("pid").exists() else ""
        return [int(text)] if text else []

    def _file(self, name):
        return self.directory / name
