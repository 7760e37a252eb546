"""The programs of the seed notes as processes: starts them and reads what they processed."""

import os
import pathlib
import queue
import subprocess
import sys
import threading

from harness import toolchains

HERE = pathlib.Path(__file__).resolve().parent
SQS_URL = "http://127.0.0.1:9324"
ENVIRONMENT = {
    **os.environ,
    "AWS_ENDPOINT_URL_SQS": SQS_URL,
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_DEFAULT_REGION": "us-east-1",
}

JAVA = ["java", "-cp", f"{toolchains.JAVA_LIBRARIES}/*"]
SENDERS = {
    "kafka": [*JAVA, HERE / "kafka" / "OrderProducer.java"],
    "amqp": [sys.executable, HERE / "amqp" / "order_producer.py"],
    "sqs": [sys.executable, HERE / "sqs" / "order_sender.py"],
}
RECEIVERS = {
    "kafka": [*JAVA, HERE / "kafka" / "OrderConsumer.java"],
    "amqp": [sys.executable, HERE / "amqp" / "order_consumer.py"],
    "sqs": [sys.executable, HERE / "sqs" / "order_receiver.py"],
}
SEND_SECONDS = 120


def send(protocol, order):
    """Runs a sender until it ends."""
    command = [str(part) for part in SENDERS[protocol]] + [order]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=SEND_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"the {protocol} sender ended with {done.returncode}:\n{done.stderr[-1500:]}")


class Receiver:
    """A running receiver, whose output is read line by line."""

    def __init__(self, protocol):
        self.protocol = protocol
        self._orders = queue.Queue()
        self._process = subprocess.Popen(
            [str(part) for part in RECEIVERS[protocol]],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def wait_for(self, order, seconds=90):
        """Waits until the order has been processed; orders of earlier pairs may come first."""
        seen = []
        while True:
            try:
                found = self._orders.get(timeout=seconds)
            except queue.Empty:
                raise RuntimeError(f"{order} was not processed within {seconds} s, only {seen}") from None
            if found is None:
                error = self._process.stderr.read()[-1500:]
                raise RuntimeError(f"the {self.protocol} receiver ended after {seen}:\n{error}")
            if found == order:
                return
            seen.append(found)

    def _read(self):
        for line in self._process.stdout:
            self._orders.put(line.rstrip("\n"))
        self._orders.put(None)
