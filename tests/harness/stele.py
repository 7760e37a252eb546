"""One running Stele: started on free ports, stopped gracefully or killed."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from harness.toolchains import ROOT

START_SECONDS = 120
STOP_SECONDS = 120


def binary(release=False):
    """The program named by STELE, or else a fresh build."""
    if given := os.environ.get("STELE"):
        return pathlib.Path(given)
    command = ["cargo", "build", "--quiet", "--bin", "stele"] + (["--release"] if release else [])
    subprocess.run(command, cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / ("release" if release else "debug") / "stele"


def free_ports(count):
    """Ports for use across restarts: a client that retries uses the same port."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Stele:
    """A process of `stele serve` on a data directory that outlives it."""

    def __init__(self, program, directory, settings=None, gathering="0s", **ports):
        """`settings` are environment variables. `gathering` is how long a new group waits for members, most
        have only one; None leaves it unset, for programs that may not know the setting."""
        self.program = pathlib.Path(program)
        self.settings = {"STELE_KAFKA__GROUP_GATHERING": gathering} if gathering else {}
        self.settings.update(settings or {})
        self.directory = pathlib.Path(directory)
        self.wanted_ports = {"kafka": 0, "amqp": 0, "sqs": 0, "admin": 0, **ports}
        self.process = None
        self.ports = {}
        self.starts = 0
        self.ready_seconds = None

    def start(self):
        """Starts, and returns when every port accepts connections; unless set, ports differ between starts."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.starts += 1
        ports_file = self.directory / f"ports-{self.starts}.json"
        ports_file.unlink(missing_ok=True)
        command = [self.program, "serve", "--dir", self.directory / "data", "--ports-file", ports_file]
        for name, port in self.wanted_ports.items():
            command += [f"--{name}-port", str(port)]
        environment = {**os.environ, **self.settings}
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, cwd=self.directory, env=environment
            )
        while not ports_file.exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"stele ended with {self.process.returncode} at its start:\n{self.tail()}")
            if time.monotonic() - began > START_SECONDS:
                self.kill()
                raise RuntimeError(f"stele was not ready within {START_SECONDS} s:\n{self.tail()}")
            time.sleep(0.002)
        self.ready_seconds = time.monotonic() - began
        self.ports = json.loads(ports_file.read_text())
        return self

    def stop(self):
        """Stops it gracefully; fails if it doesn't stop cleanly."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"stele did not stop within {STOP_SECONDS} s:\n{self.tail()}") from None
        if code != 0:
            raise RuntimeError(f"stele stopped with the exit code {code}:\n{self.tail()}")

    def kill(self):
        """Kills it, like a crash."""
        self.process.kill()
        self.process.wait()

    def pids(self):
        """The processes whose CPU time and memory count as the server's."""
        return [self.process.pid]

    def environment(self):
        """The endpoints, as environment variables for the suites."""
        return {
            "KAFKA_ADDRESS": f"127.0.0.1:{self.ports['kafka']}",
            "AMQP_ADDRESS": f"127.0.0.1:{self.ports['amqp']}",
            "SQS_URL": f"http://127.0.0.1:{self.ports['sqs']}",
        }

    @property
    def log(self):
        return self.directory / "stele.log"

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @contextlib.contextmanager
    def running(self):
        """Started on entry; stopped gracefully on a clean exit, killed otherwise."""
        self.start()
        try:
            yield self
        except BaseException:
            self.kill()
            raise
        self.stop()
