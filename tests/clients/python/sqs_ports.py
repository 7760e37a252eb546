"""Clients that change one queue at the same time, through both SQS ports of Stele."""

import contextlib
import itertools
import threading

import boto3
import botocore.exceptions

from checks import check_of_stele, equal
from own_server import own_server

ROUNDS = 30
TAGS_MAX = 50


@contextlib.contextmanager
def two_ports():
    """A client for each port, and the URL of a queue."""
    with own_server(STELE_SQS__ALIAS_PORT="0") as server:
        clients = [
            boto3.client(
                "sqs",
                "us-east-1",
                endpoint_url=f"http://127.0.0.1:{server.ports[port]}",
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )
            for port in ("sqs", "sqs_alias")
        ]
        yield clients, clients[0].create_queue(QueueName="shared")["QueueUrl"]


def at_once(actions):
    """Runs each action in a thread, all started at the same moment; returns the exceptions."""
    start, errors = threading.Barrier(len(actions)), []

    def run(action):
        start.wait()
        try:
            action()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@check_of_stele
def two_ports_undo_no_attribute_of_each_other():
    names = ["DelaySeconds", "ReceiveMessageWaitTimeSeconds"]
    with two_ports() as (clients, url):
        for number in range(1, ROUNDS + 1):
            value = str(number % 20)
            setting = [
                lambda client=client, name=name: client.set_queue_attributes(QueueUrl=url, Attributes={name: value})
                for client, name in zip(clients, names)
            ]
            equal(at_once(setting), [])
            found = clients[number % 2].get_queue_attributes(QueueUrl=url, AttributeNames=names)
            equal(found["Attributes"], {name: value for name in names})


@check_of_stele
def two_ports_undo_no_tag_of_each_other():
    with two_ports() as (clients, url):
        expected = {}
        for number in range(ROUNDS):
            fresh = {f"{number % 20}-{port}": str(number) for port in range(len(clients))}
            tagging = [
                lambda client=client, key=key: client.tag_queue(QueueUrl=url, Tags={key: fresh[key]})
                for client, key in zip(clients, fresh)
            ]
            equal(at_once(tagging), [])
            expected |= fresh
            equal(clients[number % 2].list_queue_tags(QueueUrl=url)["Tags"], expected)


@check_of_stele
def two_ports_give_a_queue_no_more_tags_together_than_it_may_have():
    with two_ports() as (clients, url):
        clients[0].tag_queue(QueueUrl=url, Tags={f"kept-{number}": "" for number in range(TAGS_MAX - 1)})
        for number in range(ROUNDS):
            keys = [f"{number}-{thread}" for thread in range(8)]
            tagging = [
                lambda client=client, key=key: client.tag_queue(QueueUrl=url, Tags={key: ""})
                for client, key in zip(itertools.cycle(clients), keys)
            ]
            errors = at_once(tagging)
            equal([type(error) for error in errors], [botocore.exceptions.ClientError] * (len(keys) - 1))
            equal({error.response["Error"]["Code"] for error in errors}, {"InvalidParameterValue"})
            tags = clients[number % 2].list_queue_tags(QueueUrl=url)["Tags"]
            equal(len(tags), TAGS_MAX)
            clients[0].untag_queue(QueueUrl=url, TagKeys=keys)
