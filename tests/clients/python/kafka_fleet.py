"""Many consumers that start together, with the default waiting time of a new group for members."""

import contextlib

from checks import check_of_stele, equal, eventually, unique
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from own_server import own_server

MEMBERS = 6
OF_EACH = 2


class Member:
    """A consumer that records each assignment and revocation."""

    def __init__(self, address, group, topic):
        settings = {"bootstrap.servers": address, "group.id": group, "heartbeat.interval.ms": 300}
        self.assigned, self.revoked = [], []
        self.consumer = Consumer(settings)
        self.consumer.subscribe(
            [topic],
            on_assign=lambda _, partitions: self.assigned.append([it.partition for it in partitions]),
            on_revoke=lambda _, partitions: self.revoked.append([it.partition for it in partitions]),
        )


@check_of_stele
def a_fleet_that_starts_together_is_balanced_once():
    topic, group = unique("topic"), unique("group")
    with own_server(gathering=None) as server, contextlib.ExitStack() as stack:
        address = server.environment()["KAFKA_ADDRESS"]
        fresh = NewTopic(topic, MEMBERS * OF_EACH, 1)
        admin = AdminClient({"bootstrap.servers": address})
        admin.create_topics([fresh])[topic].result(15)
        members = [Member(address, group, topic) for _ in range(MEMBERS)]
        for member in members:
            stack.callback(member.consumer.close)

        def everybody_has_a_share():
            for member in members:
                member.consumer.poll(0.01)
            return all(any(member.assigned) for member in members)

        eventually(everybody_has_a_share)
        equal([[len(share) for share in member.assigned] for member in members], [[OF_EACH]] * MEMBERS)
        shares = [partition for member in members for partition in member.assigned[0]]
        equal(sorted(shares), list(range(MEMBERS * OF_EACH)))
        equal([member.revoked for member in members], [[]] * MEMBERS)
