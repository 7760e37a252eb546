"""Celery's tasks: results, retries, times, priorities, and a worker that is killed with a task."""

import time

from kombu import Queue

from celery_workers import RESULT_SECONDS, lines, worker
from checks import check, equal, eventually, unique


@check
def tasks_return_their_results_over_the_broker():
    with worker() as made:
        equal(made.run("add", 2, 3), 5)
        sent = [made.task("add", number, number).apply_async() for number in range(50)]
        equal([result.get(timeout=RESULT_SECONDS) for result in sent], [2 * number for number in range(50)])
        took, retries = made.run("third_time", time.time(), 0.5)
        equal((retries, 1.0 <= took < 5), (2, True))
        made.stop()


@check
def tasks_for_later_do_not_hold_up_tasks_for_now():
    with worker() as made:
        for _ in range(20):
            made.task("clock").apply_async(countdown=3600)
        began = time.time()
        equal(made.run("clock", countdown=1) - began >= 1, True)
        equal(made.run("add", 2, 3), 5)


@check
def tasks_of_higher_priority_run_first():
    name, ranks = unique("ranked"), {"x-max-priority": 10}
    ranked = Queue(name, queue_arguments=ranks)
    with worker(options=["--prefetch-multiplier", "1"]) as made:
        order = made.directory / "order"
        for priority in (1, 9, 5, 0, 10):
            made.task("note", str(order), str(priority)).apply_async(queue=ranked, priority=priority)
        made.app.control.add_consumer(name, destination=[made.name], options={"queue_arguments": ranks})
        eventually(lambda: len(lines(order)) == 5)
        equal(lines(order), ["10", "9", "5", "1", "0"])
        equal(made.command("cancel_consumer", queue=name), {"ok": f"no longer consuming from {name}"})


@check
def a_task_of_a_killed_worker_runs_again_in_another():
    with worker() as first:
        begun, released = first.directory / "begun", first.directory / "released"
        result = first.task("held", str(begun), str(released)).apply_async()
        eventually(lambda: len(lines(begun)) == 1)
        first.kill()
        with worker(queue=first.queue):
            eventually(lambda: len(lines(begun)) == 2)
            released.touch()
            equal(result.get(timeout=RESULT_SECONDS), True)
