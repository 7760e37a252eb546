"""Tasks that move messages out of a dead-letter queue."""

from checks import check, check_of_stele, equal, eventually
from own_server import own_server
from sqs_dead_letters import EVERYTHING, arn_of, fail, pair, policy
from sqs_session import attributes, client_of, queue, receive, receive_all, refused, send, sqs

MESSAGES = 2000
COUNT = "ApproximateNumberOfMessages"


def count_of(url):
    return int(attributes(url, COUNT)[COUNT])


def fill(work, dead, count):
    """Puts messages into the dead-letter queue of a queue that allows one receive. Returns their ids."""
    sent = {send(work, str(number))["MessageId"] for number in range(count)}
    fail(work, count)
    eventually(lambda: count_of(dead) == count)
    return sent


def last_task(source, client=sqs):
    return client.list_message_move_tasks(SourceArn=source)["Results"][0]


def ended(source, client=sqs):
    def is_over():
        task = last_task(source, client)
        return task if task["Status"] not in ("RUNNING", "CANCELLING") else None

    return eventually(is_over)


@check
def messages_go_back_to_their_own_queues_as_they_were():
    with pair(1) as (work, dead), queue(**policy(arn_of(dead), 1)) as other:
        sent = fill(work, dead, 3)
        send(other, "other")
        fail(other, 1)
        eventually(lambda: count_of(dead) == 4)
        source = arn_of(dead)
        sqs.start_message_move_task(SourceArn=source)
        task = ended(source)
        equal((task["Status"], task["SourceArn"]), ("COMPLETED", source))
        assert "TaskHandle" not in task and "DestinationArn" not in task, task
        found = receive_all(work, len(sent), **EVERYTHING)
        equal({message["MessageId"] for message in found}, sent)
        assert all("DeadLetterQueueSourceArn" not in message["Attributes"] for message in found), found
        equal(receive_all(other, 1)[0]["Body"], "other")
        equal(receive(dead), [])


@check
def a_rate_holds_and_a_cancelled_task_leaves_the_rest():
    with pair(1) as (work, dead), queue() as elsewhere:
        fill(work, dead, 6)
        source, destination = arn_of(dead), arn_of(elsewhere)
        arguments = {"SourceArn": source, "DestinationArn": destination, "MaxNumberOfMessagesPerSecond": 1}
        handle = sqs.start_message_move_task(**arguments)["TaskHandle"]
        message = refused("InvalidParameterValue", lambda: sqs.start_message_move_task(**arguments))
        assert message.startswith("There is already a task running."), message
        eventually(lambda: count_of(elsewhere) >= 2)
        task = last_task(source)
        equal((task["Status"], task["TaskHandle"], task["DestinationArn"]), ("RUNNING", handle, destination))
        equal(task["ApproximateNumberOfMessagesToMove"], 6)
        assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] < 6
        equal(ended(source)["Status"], "CANCELLED")
        equal(count_of(elsewhere) + count_of(dead), 6)
        assert count_of(dead) > 0


@check
def a_message_without_a_source_fails_the_task_and_stays():
    with pair(1) as (_, dead):
        send(dead, "direct")
        sqs.start_message_move_task(SourceArn=arn_of(dead))
        task = ended(arn_of(dead))
        equal((task["Status"], task["FailureReason"]), ("FAILED", "CouldNotDetermineMessageSource"))
        receive_all(dead, 1)


@check
def tasks_without_their_queues_are_refused():
    with pair(1) as (work, dead):
        source = arn_of(dead)
        for arguments, code in (
            ({"SourceArn": source + "-absent"}, "ResourceNotFoundException"),
            ({"SourceArn": arn_of(work)}, "InvalidParameterValue"),
            ({"SourceArn": source, "DestinationArn": source + "-absent"}, "ResourceNotFoundException"),
            ({"SourceArn": source, "MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue"),
        ):
            refused(code, lambda: sqs.start_message_move_task(**arguments))
        refused("InvalidParameterValue", lambda: sqs.cancel_message_move_task(TaskHandle="foobared"))
        equal(sqs.list_message_move_tasks(SourceArn=source).get("Results", []), [])


def counts(client, *urls):
    """The ready messages of each queue."""
    return [
        int(client.get_queue_attributes(QueueUrl=url, AttributeNames=[COUNT])["Attributes"][COUNT]) for url in urls
    ]


def drain(client, url, count):
    """The ids of all messages of a queue, which are deleted."""
    found = []
    while len(found) < count:
        batch = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
        assert batch, f"{len(found)} of {count} messages"
        found += [message["MessageId"] for message in batch]
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(batch)
        ]
        client.delete_message_batch(QueueUrl=url, Entries=entries)
    equal(client.receive_message(QueueUrl=url).get("Messages", []), [])
    return found


@check_of_stele
def over_kills_every_message_is_in_just_one_place():
    with own_server() as server:
        client = client_of(server)
        dead, work = (client.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "work"))
        source = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        client.set_queue_attributes(QueueUrl=work, Attributes=policy(source, 1))
        sent = []
        for first in range(0, MESSAGES, 10):
            entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(first, first + 10)]
            answer = client.send_message_batch(QueueUrl=work, Entries=entries)
            sent += [entry["MessageId"] for entry in answer["Successful"]]

        kills = 0
        while counts(client, work, dead) != [0, MESSAGES]:
            client.receive_message(QueueUrl=work, MaxNumberOfMessages=10, VisibilityTimeout=0)
            if counts(client, dead)[0] > (kills + 1) * MESSAGES // 4 and kills < 2:
                kills += 1
                server.kill()
                server.start()
                client = client_of(server)
        client.start_message_move_task(SourceArn=source, MaxNumberOfMessagesPerSecond=500)
        for part in (1, 2):
            eventually(lambda: counts(client, work)[0] > part * MESSAGES // 4)
            server.kill()
            server.start()
            client = client_of(server)
        task = ended(source, client)
        equal((task["Status"], task["ApproximateNumberOfMessagesMoved"]), ("COMPLETED", MESSAGES))
        equal(counts(client, dead), [0])
        equal(sorted(drain(client, work, MESSAGES)), sorted(sent))
