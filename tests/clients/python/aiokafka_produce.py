"""Producing with aiokafka: idempotence."""

import asyncio
import contextlib
import functools

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from checks import address, check, equal, unique

ADDRESS = "%s:%d" % address("KAFKA_ADDRESS", "127.0.0.1:9092")
SECONDS = 30


def asynchronous(function):
    """Runs a check in its own event loop, for half a minute at most."""

    @functools.wraps(function)
    def run():
        asyncio.run(asyncio.wait_for(function(), SECONDS))

    return run


def numbered(prefix):
    return [b"%s %d" % (prefix, number) for number in range(5)]


@contextlib.asynccontextmanager
async def topic():
    """An administrator and a fresh topic, deleted at the end."""
    admin = AIOKafkaAdminClient(bootstrap_servers=ADDRESS)
    await admin.start()
    name = unique("topic")
    await admin.create_topics([NewTopic(name, 1, 1)])
    try:
        yield admin, name
    finally:
        await admin.delete_topics([name])
        await admin.close()


async def send_all(producer, name, values):
    """Sends the values together and waits until all are acknowledged."""
    for sent in [await producer.send(name, value) for value in values]:
        await sent


async def values_of(name):
    """All the values of the topic."""
    partition = TopicPartition(name, 0)
    reader = AIOKafkaConsumer(bootstrap_servers=ADDRESS, auto_offset_reset="earliest")
    reader.assign([partition])
    async with reader:
        end = (await reader.end_offsets([partition]))[partition]
        return [(await reader.getone()).value for _ in range(end)]


@check
@asynchronous
async def an_idempotent_producer_delivers_each_value_once_in_order():
    async with topic() as (_, name):
        async with AIOKafkaProducer(bootstrap_servers=ADDRESS, enable_idempotence=True) as producer:
            await send_all(producer, name, numbered(b"first") + numbered(b"second"))
        equal(await values_of(name), numbered(b"first") + numbered(b"second"))


@check
@asynchronous
async def an_idempotent_producer_goes_on_in_a_topic_made_anew():
    """The broker no longer knows the producer, which continues with its sequence numbers."""
    async with topic() as (admin, name):
        async with AIOKafkaProducer(bootstrap_servers=ADDRESS, enable_idempotence=True) as producer:
            await send_all(producer, name, numbered(b"first"))
            await admin.delete_topics([name])
            while name in await admin.list_topics():
                await asyncio.sleep(0.02)
            await admin.create_topics([NewTopic(name, 1, 1)])
            await send_all(producer, name, numbered(b"second"))
        equal(await values_of(name), numbered(b"second"))
