"""aio-pika: its patterns for calls and tasks, limits of queues, and connections that come back."""

import asyncio

import aio_pika
import aio_pika.exceptions
from aio_pika.patterns import RPC, Master, NackMessage

from checks import address, check, check_of_stele, equal, unique
from own_server import own_server

HOST, PORT = address("AMQP_ADDRESS", "127.0.0.1:5672")
SECONDS = 30


def with_channel(function):
    """A check that is a coroutine with a channel on a robust connection."""

    def run():
        async def opened():
            connection = await aio_pika.connect_robust(host=HOST, port=PORT)
            async with connection:
                await function(await connection.channel())

        asyncio.run(asyncio.wait_for(opened(), 2 * SECONDS))

    run.__name__, run.__module__ = function.__name__, function.__module__
    return run


async def fails(kind, action):
    """Awaits the action, which must raise `kind`."""
    try:
        outcome = await action
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}, but it returned {outcome!r}")


@check
@with_channel
async def calls_return_raise_or_time_out(channel):
    async def double(*, number):
        return 2 * number

    async def fail():
        raise ValueError("no")

    async def late():
        return "nobody waits"

    rpc = await RPC.create(channel)
    names = {function: unique(function.__name__) for function in (double, fail, late)}
    for function, name in names.items():
        await rpc.register(name, function, auto_delete=True)
    equal(await rpc.call(names[double], {"number": 21}), 42)
    await fails(ValueError, rpc.call(names[fail]))
    await fails(aio_pika.exceptions.MessageProcessError, rpc.call(unique("unknown")))
    # A call that isn't taken in time comes back to its caller as a dead letter.
    await rpc.unregister(late)
    waiting = await channel.declare_queue(names[late], arguments={"x-dead-letter-exchange": RPC.DLX_NAME})
    await fails(asyncio.TimeoutError, rpc.call(names[late], expiration=0.2))
    await waiting.delete()
    await rpc.close()


@check
@with_channel
async def workers_take_tasks_and_may_give_them_back(channel):
    name, tries, done = unique("tasks"), [], asyncio.Event()

    async def work(*, number):
        tries.append(number)
        if len(tries) == 1:
            raise NackMessage(requeue=True)
        done.set()

    master = Master(channel)
    worker = await master.create_worker(name, work, auto_delete=True)
    await master.create_task(name, {"number": 7})
    await asyncio.wait_for(done.wait(), SECONDS)
    equal(tries, [7, 7])
    await worker.close()


@check
@with_channel
async def a_queue_that_is_full_refuses(channel):
    limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await channel.declare_queue(unique("full"), arguments=limits, auto_delete=True)
    exchange = channel.default_exchange
    await exchange.publish(aio_pika.Message(b"1"), queue.name)
    await fails(aio_pika.exceptions.DeliveryError, exchange.publish(aio_pika.Message(b"2"), queue.name))
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                equal(message.body, b"1")
                break


@check_of_stele
def a_robust_connection_takes_up_its_consumers_again():
    with own_server(keeps_ports=True) as server:

        async def outlives_the_broker():
            connection = await aio_pika.connect_robust(
                host=HOST, port=server.ports["amqp"], reconnect_interval=0.1
            )
            back, took = asyncio.Event(), asyncio.Queue()
            connection.reconnect_callbacks.add(lambda *_: back.set())
            async with connection:
                channel = await connection.channel()
                exchange = await channel.declare_exchange("news", aio_pika.ExchangeType.TOPIC)
                queue = await channel.declare_queue("reader", exclusive=True)
                await queue.bind(exchange, "news.*")
                await queue.consume(took.put, no_ack=True)
                for round_, stop in enumerate((server.kill, server.stop)):
                    await exchange.publish(aio_pika.Message(b"%d" % round_), "news.world")
                    message = await asyncio.wait_for(took.get(), SECONDS)
                    equal(message.body, b"%d" % round_)
                    back.clear()
                    stop()
                    server.start()
                    await asyncio.wait_for(back.wait(), SECONDS)
                await exchange.publish(aio_pika.Message(b"last"), "news.world")
                equal((await asyncio.wait_for(took.get(), SECONDS)).body, b"last")

        asyncio.run(outlives_the_broker())
