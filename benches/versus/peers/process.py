"""Shared by the peers: a directory, a process, waiting until it is ready, stopping it."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "peers"
START_SECONDS = 90
STOP_SECONDS = 30


def free_port():
    """A free port below the range of outgoing connections."""
    for port in range(17000 + os.getpid() % 5000, 30000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def once(name, step):
    """Runs an installation step once; shows its output only if it fails."""
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp, log = CACHE / f"{name}.stamp", CACHE / f"{name}.log"
    if stamp.exists():
        return
    with log.open("wb") as file:
        try:
            step(lambda *command, **options: subprocess.run(
                [str(part) for part in command], stdout=file, stderr=file, check=True, **options
            ))
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            file.flush()
            sys.exit(f"{log.read_text(errors='replace')}\ninstalling {name} failed: {error}")
    stamp.touch()


def maven_libraries(name, *artifacts):
    """Fetches Maven artifacts with their runtime dependencies; returns their directory."""
    place = CACHE / name

    def fetch(run):
        source = CACHE / f"{name}-project"
        source.mkdir(parents=True, exist_ok=True)
        wanted = "".join(
            "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>".format(
                *artifact.split(":")
            )
            for artifact in artifacts
        )
        (source / "pom.xml").write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            f"<groupId>peers</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>"
            f"<dependencies>{wanted}</dependencies></project>"
        )
        shutil.rmtree(place, ignore_errors=True)
        run("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={place}",
            "-DincludeScope=runtime", cwd=source)

    once(name, fetch)
    return place


class Peer:
    """A server process in its own directory."""

    name = "peer"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = None
        self.process = None
        self.ready_seconds = None

    def start(self):
        """Starts it and returns when it is ready."""
        self.install()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self.prepare()
        began = time.monotonic()
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.directory, env={**os.environ, **self.variables()}, start_new_session=True,
            )
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                tail = (self.directory / "server.log").read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            time.sleep(0.01)
        self.ready_seconds = time.monotonic() - began
        return self

    def stop(self):
        """Stops it, and kills it if it doesn't stop."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def pids(self):
        """The processes whose CPU time and memory count as the server's."""
        return [self.process.pid]

    def install(self):
        """Installs what it needs, if anything."""

    def prepare(self):
        """Writes its configuration."""

    def variables(self):
        """Its environment variables."""
        return {}

    def command(self):
        """The command that starts it."""
        raise NotImplementedError

    def answers(self):
        """Whether it is ready for clients."""
        raise NotImplementedError

    def environment(self):
        """Its endpoint, as environment variables for the client suites."""
        raise NotImplementedError

    def connects(self):
        """Whether its port accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True
