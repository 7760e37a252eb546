"""Consuming with librdkafka: positions, offsets, groups."""

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, TopicPartition

from checks import check, equal, eventually, unique
from librdkafka_session import consumer, poll, produce, topic


def numbered(start, end):
    return [b"%d" % number for number in range(start, end)]


def values(messages):
    return [message.value() for message in messages]


@check
def seeking_moves_to_any_offset():
    with topic() as name, consumer() as reader:
        produce(name, numbered(0, 100))
        reader.assign([TopicPartition(name, 0, 0)])
        poll(reader, 100)
        for offset in (42, 0, 99):
            reader.seek(TopicPartition(name, 0, offset))
            equal(poll(reader, 100 - offset)[0].offset(), offset)


@check
def watermarks_tell_the_first_and_the_next_offset():
    with topic() as name, consumer() as reader:
        equal(reader.get_watermark_offsets(TopicPartition(name, 0), timeout=10), (0, 0))
        produce(name, numbered(0, 7))
        equal(reader.get_watermark_offsets(TopicPartition(name, 0), timeout=10), (0, 7))


@check
def the_beginning_and_the_end_are_positions():
    with topic() as name, consumer() as reader:
        produce(name, numbered(0, 5))
        reader.assign([TopicPartition(name, 0, OFFSET_END)])
        equal(reader.consume(1, 1.0), [])
        produce(name, [b"after"])
        equal(values(poll(reader, 1)), [b"after"])
        reader.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
        equal(poll(reader, 6)[0].offset(), 0)


@check
def an_offset_is_found_by_its_time():
    base = 1_700_000_000_000
    # The records are dated years ago: retention by age could remove them at any moment.
    with topic(**{"retention.ms": "-1"}) as name, consumer() as reader:
        from librdkafka_session import producer

        opened = producer()
        for number in range(10):
            opened.produce(name, b"%d" % number, timestamp=base + number * 1000)
        equal(opened.flush(60), 0)
        for time_asked, expected in ((base, 0), (base + 3000, 3), (base + 3001, 4), (base + 60_000, -1)):
            found = reader.offsets_for_times([TopicPartition(name, 0, time_asked)], timeout=10)
            equal(found[0].offset, expected)


@check
def an_offset_out_of_range_resets_as_the_consumer_wishes():
    with topic() as name, consumer() as reader:
        produce(name, numbered(0, 5))
        reader.assign([TopicPartition(name, 0, 1000)])
        equal(values(poll(reader, 5)), numbered(0, 5))


@check
def pausing_holds_a_partition_and_resuming_releases_it():
    with topic(2) as name, consumer() as reader:
        for partition in range(2):
            produce(name, numbered(0, 5), partition=partition)
        reader.assign([TopicPartition(name, 0, 0), TopicPartition(name, 1, 0)])
        reader.pause([TopicPartition(name, 1)])
        equal({message.partition() for message in poll(reader, 5)}, {0})
        reader.resume([TopicPartition(name, 1)])
        equal({message.partition() for message in poll(reader, 5)}, {1})


@check
def a_group_goes_on_from_what_it_committed():
    group = unique("group")
    with topic() as name:
        produce(name, numbered(0, 10))
        with consumer(group) as reader:
            reader.subscribe([name])
            found = poll(reader, 10)
            reader.commit(offsets=[TopicPartition(name, 0, found[5].offset())], asynchronous=False)
        with consumer(group) as reader:
            committed = reader.committed([TopicPartition(name, 0)], timeout=10)
            equal(committed[0].offset, 5)
            reader.subscribe([name])
            equal(poll(reader, 5)[0].offset(), 5)


@check
def a_group_without_commits_has_none():
    with topic() as name, consumer() as reader:
        equal(reader.committed([TopicPartition(name, 0)], timeout=10)[0].offset, -1001)


@check
def committed_metadata_comes_back():
    with topic() as name, consumer() as reader:
        produce(name, numbered(0, 3))
        reader.commit(offsets=[TopicPartition(name, 0, 2, "a note")], asynchronous=False)
        found = reader.committed([TopicPartition(name, 0)], timeout=10)[0]
        equal((found.offset, found.metadata), (2, "a note"))


@check
def groups_read_independently():
    with topic() as name:
        produce(name, numbered(0, 10))
        for _ in range(2):
            with consumer() as reader:
                reader.subscribe([name])
                equal(values(poll(reader, 10)), numbered(0, 10))


def shared_by_two(**config):
    """Two members get a partition each; when one leaves, the other gets both."""
    group = unique("group")
    with topic(2) as name, consumer(group, **config) as first:
        first.subscribe([name])

        def has(reader, count):
            def assigned():
                for each in readers:
                    each.poll(0.02)
                return len(reader.assignment()) == count

            return assigned

        readers = [first]
        eventually(has(first, 2))
        with consumer(group, **config) as second:
            second.subscribe([name])
            readers.append(second)
            eventually(has(first, 1))
            eventually(has(second, 1))
            partitions = [reader.assignment()[0].partition for reader in readers]
            equal(sorted(partitions), [0, 1])
            readers.pop()
        eventually(has(first, 2))


@check
def two_members_share_the_partitions_and_one_takes_over():
    shared_by_two()


@check
def cooperative_members_share_the_partitions_too():
    shared_by_two(partition_assignment_strategy="cooperative-sticky")


@check
def a_static_member_returns_without_a_rebalance():
    group = unique("group")
    with topic(2) as name, consumer(group, group_instance_id="other") as other:
        rebalances = []
        other.subscribe([name], on_revoke=lambda _, partitions: rebalances.append(partitions))

        def balanced(reader):
            def assigned():
                other.poll(0.02)
                reader.poll(0.02)
                return len(reader.assignment()) == len(other.assignment()) == 1

            return assigned

        with consumer(group, group_instance_id="mine", session_timeout_ms=30000) as reader:
            reader.subscribe([name])
            eventually(balanced(reader))
            before = reader.assignment()[0].partition
        rebalances.clear()
        with consumer(group, group_instance_id="mine", session_timeout_ms=30000) as reader:
            reader.subscribe([name])
            eventually(balanced(reader))
            equal(reader.assignment()[0].partition, before)
            equal(rebalances, [])


@check
def a_member_that_dies_is_replaced_after_its_session():
    group = unique("group")
    with topic() as name:
        produce(name, numbered(0, 3))
        with consumer(group, group_instance_id="stays-away") as gone:
            gone.subscribe([name])
            poll(gone, 3)
        with consumer(group) as heir:
            heir.subscribe([name])
            poll(heir, 3, seconds=90)


@check
def a_subscription_by_pattern_finds_topics():
    with topic() as name, consumer() as reader:
        produce(name, numbered(0, 3))
        reader.subscribe([f"^{name[:-1]}.$"])
        equal(values(poll(reader, 3)), numbered(0, 3))


@check
def automatic_commits_are_found_afterwards():
    group = unique("group")
    with topic() as name:
        produce(name, numbered(0, 4))
        with consumer(group, enable_auto_commit=True) as reader:
            reader.subscribe([name])
            poll(reader, 4)
        with consumer(group) as reader:
            equal(reader.committed([TopicPartition(name, 0)], timeout=10)[0].offset, 4)
