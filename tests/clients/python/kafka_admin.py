"""Administration with librdkafka: topics, configuration, groups, the cluster."""

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AclOperation,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import check, equal, eventually, raised, unique
from librdkafka_session import HOST, PORT, admin, consumer, poll, produce, topic


def refused(name, action):
    error = raised(KafkaException, action)
    equal(error.args[0].name(), name)


def created(name, partitions=1, replicas=1, **arguments):
    return admin.create_topics([NewTopic(name, partitions, replicas)], **arguments)[name].result(15)


def described(resource):
    return admin.describe_configs([resource])[resource].result(15)


@check
def the_cluster_describes_itself():
    found = admin.describe_cluster().result(15)
    assert found.cluster_id, found
    equal([(node.host, node.port) for node in found.nodes], [(HOST, PORT)])
    equal(found.controller.id, found.nodes[0].id)


@check
def a_topic_is_made_listed_and_deleted():
    name = unique("topic")
    created(name, 3)
    found = admin.list_topics(name, timeout=10).topics[name]
    equal(sorted(found.partitions), [0, 1, 2])
    assert all(each.leader == found.partitions[0].leader for each in found.partitions.values())
    assert name in admin.list_topics(timeout=10).topics
    admin.delete_topics([name])[name].result(15)

    def gone():
        return name not in admin.list_topics(timeout=10).topics

    eventually(gone)


@check
def making_a_topic_again_is_refused():
    with topic() as name:
        refused("TOPIC_ALREADY_EXISTS", lambda: created(name))


@check
def a_trial_creation_makes_nothing():
    name = unique("topic")
    created(name, validate_only=True)
    assert name not in admin.list_topics(timeout=10).topics


@check
def impossible_topics_are_refused():
    refused("TOPIC_EXCEPTION", lambda: created("no spaces please"))
    refused("INVALID_REPLICATION_FACTOR", lambda: created(unique("topic"), 1, 0))


@check
def deleting_an_absent_topic_is_refused():
    name = unique("absent")
    refused("UNKNOWN_TOPIC_OR_PART", lambda: admin.delete_topics([name])[name].result(15))


@check
def a_topic_made_anew_starts_at_offset_zero():
    name = unique("topic")
    for _ in range(2):
        created(name)
        equal(produce(name, [b"x"])[0].offset(), 0)
        admin.delete_topics([name])[name].result(15)

        def gone():
            return name not in admin.list_topics(timeout=10).topics

        eventually(gone)


@check
def the_configuration_of_a_topic_is_described():
    with topic(**{"retention.ms": "3600000", "cleanup.policy": "delete"}) as name:
        resource = ConfigResource(ResourceType.TOPIC, name)
        found = described(resource)
        equal(found["retention.ms"].value, "3600000")
        equal(found["cleanup.policy"].value, "delete")
        assert "max.message.bytes" in found, sorted(found)


@check
def the_configuration_of_the_broker_is_described():
    node = admin.describe_cluster().result(15).controller.id
    found = described(ConfigResource(ResourceType.BROKER, str(node)))
    for name in ("advertised.listeners", "log.dirs", "num.partitions", "default.replication.factor"):
        assert found[name].value, name
    change = ConfigEntry("num.partitions", "2", incremental_operation=AlterConfigOpType.SET)
    refused("INVALID_REQUEST", lambda: altered(ConfigResource(ResourceType.BROKER, str(node)), change))


def altered(resource, *changes):
    change = ConfigResource(resource.restype, resource.name, incremental_configs=list(changes))
    return admin.incremental_alter_configs([change])[change].result(15)


@check
def a_list_is_appended_to_and_subtracted_from():
    name = "follower.replication.throttled.replicas"
    with topic() as made:
        resource = ConfigResource(ResourceType.TOPIC, made)
        altered(resource, ConfigEntry(name, "0:1,1:1", incremental_operation=AlterConfigOpType.APPEND))
        altered(resource, ConfigEntry(name, "1:1", incremental_operation=AlterConfigOpType.SUBTRACT))
        found = described(resource)[name]
        equal((found.value, found.is_default), ("0:1", False))


@check
def what_may_be_done_is_told_where_it_is_asked_for():
    with topic() as name:
        names = TopicCollection([name])
        found = admin.describe_topics(names, include_authorized_operations=True)[name].result(15)
        assert AclOperation.WRITE in found.authorized_operations, found.authorized_operations
        equal(admin.describe_topics(names)[name].result(15).authorized_operations, None)
    cluster = admin.describe_cluster(include_authorized_operations=True).result(15)
    assert AclOperation.IDEMPOTENT_WRITE in cluster.authorized_operations, cluster.authorized_operations


@check
def new_partitions_are_assigned_to_the_one_broker():
    node = admin.describe_cluster().result(15).controller.id
    with topic() as name:
        for brokers, error in (([[node + 1]], "INVALID_REPLICA_ASSIGNMENT"), ([[node]], None)):
            more = NewPartitions(name, 2, replica_assignment=brokers)
            grow = lambda: admin.create_partitions([more])[name].result(15)  # noqa: E731
            refused(error, grow) if error else grow()


@check
def no_user_has_credentials_for_scram():
    equal(admin.describe_user_scram_credentials().result(15), {})
    refused("RESOURCE_NOT_FOUND", lambda: admin.describe_user_scram_credentials(["anna"])["anna"].result(15))


@check
def the_configuration_of_an_absent_topic_is_an_error():
    resource = ConfigResource(ResourceType.TOPIC, unique("absent"))
    refused("UNKNOWN_TOPIC_OR_PART", lambda: described(resource))


@check
def offsets_are_listed():
    with topic() as name:
        produce(name, [b"x"] * 4)
        partition = TopicPartition(name, 0)
        for spec, expected in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 4)):
            equal(admin.list_offsets({partition: spec})[partition].result(15).offset, expected)


@check
def groups_are_listed_and_described():
    group = unique("group")
    with topic() as name, consumer(group) as reader:
        produce(name, [b"x"])
        reader.subscribe([name])
        poll(reader, 1)
        assert group in [each.group_id for each in admin.list_consumer_groups().result(15).valid]
        found = admin.describe_consumer_groups([group])[group].result(15)
        equal(found.state.name, "STABLE")
        equal([each.topic for each in found.members[0].assignment.topic_partitions], [name])


@check
def an_empty_group_is_deleted():
    group = unique("group")
    with topic() as name:
        with consumer(group) as reader:
            reader.commit(offsets=[TopicPartition(name, 0, 0)], asynchronous=False)
        admin.delete_consumer_groups([group])[group].result(15)
        assert group not in [each.group_id for each in admin.list_consumer_groups().result(15).valid]
