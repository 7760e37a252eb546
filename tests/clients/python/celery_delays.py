"""Celery on quorum queues: delays through chains of dead-letter queues, and workflows with file results."""

import contextlib
import tempfile
import time

from celery import chain, chord, group

from celery_workers import RESULT_SECONDS, worker
from checks import check, equal


@contextlib.contextmanager
def quorum_worker():
    """A worker that uses quorum queues alone, with results in files, since chords need them."""
    with tempfile.TemporaryDirectory(prefix="results-") as results:
        settings = {"TASK_QUEUE_TYPE": "quorum", "TASK_EXCHANGE_TYPE": "topic", "TASK_RESULTS": f"file://{results}"}
        with worker(**settings) as made:
            yield made


@check
def quorum_queues_delay_tasks_through_dead_letter_queues():
    with quorum_worker() as made:
        began = time.time()
        later = [made.task("clock").apply_async(countdown=delay) for delay in (1, 2, 3)]
        took = [result.get(timeout=RESULT_SECONDS) - began for result in later]
        for delay, each in zip((1, 2, 3), took):
            equal((delay, delay - 0.5 <= each < delay + 3), (delay, True))
        took, retries = made.run("third_time", time.time(), 3)
        equal((retries, 5 <= took < 14), (2, True))


@check
def groups_chains_and_chords_bring_their_results_together():
    with quorum_worker() as made:
        add, total = lambda *numbers: made.task("add", *numbers), made.task("total")
        sums = group(add(number, 1) for number in range(10)).apply_async()
        equal(sums.get(timeout=RESULT_SECONDS), list(range(1, 11)))
        equal(chain(add(1, 2), add(3), add(4)).apply_async().get(timeout=RESULT_SECONDS), 10)
        gathered = chord([add(number, 1) for number in range(10)], total).apply_async()
        equal(gathered.get(timeout=RESULT_SECONDS), 55)
