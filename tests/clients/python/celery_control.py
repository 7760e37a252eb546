"""Celery's remote control and events, which use fanout exchanges and queues that expire."""

import contextlib

from celery_workers import RESULT_SECONDS, lines, worker
from checks import check, check_of_stele, equal, eventually
from own_server import own_server


@check
def workers_answer_and_obey_remote_control():
    with worker() as made:
        equal(made.inspect.ping(), {made.name: {"ok": "pong"}})
        equal([queue["name"] for queue in made.inspect.active_queues()[made.name]], [made.queue])
        equal(made.command("pool_grow", n=1), {"ok": "pool will grow"})
        begun, released = made.directory / "begun", made.directory / "released"
        running = made.task("held", str(begun), str(released)).apply_async()
        eventually(lambda: lines(begun))
        equal([task["id"] for task in made.inspect.active()[made.name]], [running.id])
        waiting = made.task("note", str(made.directory / "never"), "x").apply_async(countdown=60)
        eventually(lambda: made.inspect.scheduled()[made.name])
        made.app.control.revoke([waiting.id], reply=True, destination=[made.name])
        equal(made.inspect.revoked()[made.name], [waiting.id])
        made.app.control.revoke([running.id], terminate=True, reply=True, destination=[made.name])
        eventually(lambda: not made.inspect.active()[made.name])
        equal(made.run("add", 1, 1), 2)
        made.app.control.broadcast("shutdown", destination=[made.name])
        equal(made.process.wait(RESULT_SECONDS), 0)


@check
def events_tell_what_becomes_of_a_task():
    with worker() as made, made.app.connection_for_read() as connection:
        told = []
        receiver = made.app.events.Receiver(connection, handlers={"*": told.append})
        with receiver.consumer_context(wakeup=False) as (_, channel, __):
            sent = made.task("add", 1, 2).apply_async()

            def kinds():
                with contextlib.suppress(TimeoutError):
                    channel.connection.client.drain_events(timeout=0.1)
                return [event["type"] for event in told if event.get("uuid") == sent.id]

            eventually(lambda: "task-succeeded" in kinds())
            equal(kinds(), ["task-received", "task-started", "task-succeeded"])


@check_of_stele
def a_worker_goes_on_after_its_broker_was_killed():
    with own_server(keeps_ports=True) as server:
        with worker(AMQP_ADDRESS=f"127.0.0.1:{server.ports['amqp']}") as made:
            equal(made.run("add", 1, 1), 2)
            server.kill()
            server.start()
            equal(made.run("add", 2, 2), 4)
