"""Shared by the AMQP loads: connections that may be lost at any moment."""

import time

import pika
import pika.exceptions

PERSISTENT = pika.BasicProperties(delivery_mode=2)
LOST = (pika.exceptions.AMQPError, OSError)
RETRY_SECONDS = 0.02


def connect(environment):
    host, port = environment["AMQP_ADDRESS"].split(":")
    return pika.BlockingConnection(pika.ConnectionParameters(host, int(port), socket_timeout=30))


def note(error, unexpected):
    """Waits a little for the server. A lost connection is expected; an error from the server isn't."""
    refusals = (pika.exceptions.ChannelClosedByBroker, pika.exceptions.NackError, pika.exceptions.UnroutableError)
    if isinstance(error, refusals):
        unexpected.append(repr(error))
    time.sleep(RETRY_SECONDS)


def insist(environment, action, unexpected):
    """Runs an action on a separate channel, repeating it until it succeeds."""
    while True:
        try:
            with connect(environment) as connection:
                return action(connection.channel())
        except LOST as error:
            note(error, unexpected)


def take(channel, queue, found):
    """Empties a queue. Notes and acknowledges messages one by one, because the connection may be lost."""
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None:
            return
        found.add(int(body))
        channel.basic_ack(method.delivery_tag)


def drain(environment, queue):
    """The numbers in a queue, in order."""
    with connect(environment) as connection:
        channel, found = connection.channel(), []
        count = channel.queue_declare(queue, passive=True).method.message_count
        channel.basic_qos(prefetch_count=500)
        for method, _, body in channel.consume(queue, inactivity_timeout=10) if count else ():
            if method is None:
                return found
            found.append(int(body))
            channel.basic_ack(method.delivery_tag)
            if len(found) == count:
                channel.cancel()
                return found
        return found


def exists(environment, queue):
    with connect(environment) as connection:
        try:
            connection.channel().queue_declare(queue, passive=True)
            return True
        except pika.exceptions.ChannelClosedByBroker:
            return False
