"""The tasks of the Celery checks, for workers and callers. The environment has a worker's settings."""

import os
import pathlib
import time

from celery import Celery, shared_task

def application(environment):
    """An application whose tasks go to one queue."""
    queue = environment.get("TASK_QUEUE", "celery")
    address = environment.get("AMQP_ADDRESS", "127.0.0.1:5672")
    made = Celery("worker_tasks", broker=f"amqp://guest:guest@{address}//", set_as_current=False)
    made.conf.update(
        result_backend=environment.get("TASK_RESULTS", "rpc://"),
        task_default_queue=queue,
        task_default_exchange=queue,
        task_default_routing_key=queue,
        task_default_queue_type=environment.get("TASK_QUEUE_TYPE", "classic"),
        task_default_exchange_type=environment.get("TASK_EXCHANGE_TYPE", "direct"),
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
        broker_native_delayed_delivery_queue_type=environment.get("TASK_QUEUE_TYPE", "classic"),
        worker_prefetch_multiplier=2,
        worker_send_task_events=True,
        result_chord_retry_interval=0.1,
    )
    return made


app = application(os.environ)
app.set_current()


@shared_task
def add(left, right):
    return left + right


@shared_task
def total(numbers):
    return sum(numbers)


@shared_task
def clock():
    """When it ran."""
    return time.time()


@shared_task(bind=True, max_retries=5)
def third_time(self, began, countdown):
    """Succeeds when it runs for the third time. Returns how long that took, and how often it was retried."""
    if self.request.retries < 2:
        raise self.retry(countdown=countdown)
    return time.time() - began, self.request.retries


@shared_task
def note(path, word):
    """Adds a line to a file, to show in which order tasks ran."""
    with pathlib.Path(path).open("a") as file:
        file.write(f"{word}\n")


@shared_task(bind=True, acks_late=True)
def held(self, begun, released):
    """Runs until a file exists. Returns whether its message was delivered before."""
    with pathlib.Path(begun).open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not pathlib.Path(released).exists():
        time.sleep(0.02)
    return self.request.delivery_info["redelivered"]
