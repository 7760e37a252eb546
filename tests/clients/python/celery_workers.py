"""Worker processes for the Celery checks."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from checks import eventually, unique
from worker_tasks import application

HERE = pathlib.Path(__file__).parent
RESULT_SECONDS = 30


class Worker:
    """A `celery worker` in a process group of its own, and an application that sends to its queue."""

    def __init__(self, directory, queue=None, options=(), **settings):
        self.directory = pathlib.Path(directory)
        self.queue = queue or unique("tasks")
        self.name = f"{unique('worker')}@here"
        self.options = options
        self.settings = {"TASK_QUEUE": self.queue, **settings}
        self.app = application({**os.environ, **self.settings})
        self.log = self.directory / f"{self.name}.log"
        self.process = None

    def start(self):
        """Starts it, and returns when it consumes."""
        command = [sys.executable, "-m", "celery", "-A", "worker_tasks", "worker"]
        command += ["-n", self.name, "-c", "1", "-l", "INFO", *self.options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=HERE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.settings},
                start_new_session=True,
            )

        def consumes():
            if self.process.poll() is not None:
                raise RuntimeError(f"the worker ended at its start: {self.log.read_text()[-2000:]}")
            return " ready." in self.log.read_text()

        eventually(consumes)
        return self

    def kill(self):
        """Kills it with its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as an operator does; it must end cleanly."""
        self.process.terminate()
        code = self.process.wait(RESULT_SECONDS)
        if code != 0:
            raise RuntimeError(f"the worker ended with {code}: {self.log.read_text()[-2000:]}")

    def task(self, name, *arguments):
        """A task for this worker, to be sent."""
        return self.app.signature(f"worker_tasks.{name}", args=arguments)

    def run(self, name, *arguments, **options):
        """Sends a task and returns its result."""
        return self.task(name, *arguments).apply_async(**options).get(timeout=RESULT_SECONDS)

    @property
    def inspect(self):
        """Questions to this worker alone."""
        return self.app.control.inspect([self.name], timeout=5, limit=1)

    def command(self, name, **arguments):
        """Sends it a remote command and returns its answer."""
        answers = self.app.control.broadcast(
            name, arguments, destination=[self.name], reply=True, timeout=5, limit=1
        )
        return answers[0][self.name]


def lines(path):
    """What tasks have written to a file so far."""
    return path.read_text().split() if path.exists() else []


@contextlib.contextmanager
def worker(**options):
    """A running worker with a directory of its own. It is killed at the end, and its queue deleted."""
    with tempfile.TemporaryDirectory(prefix="celery-") as directory:
        made = Worker(directory, **options)
        try:
            yield made.start()
        finally:
            made.kill()
            with made.app.connection_for_write() as connection:
                connection.default_channel.queue_delete(made.queue)
