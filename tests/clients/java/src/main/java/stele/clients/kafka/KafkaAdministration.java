package stele.clients.kafka;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.eventually;
import static stele.clients.Checks.holds;
import static stele.clients.Checks.raised;
import static stele.clients.Checks.unique;
import static stele.clients.kafka.KafkaSession.ADMIN;
import static stele.clients.kafka.KafkaSession.consumer;
import static stele.clients.kafka.KafkaSession.numbered;
import static stele.clients.kafka.KafkaSession.poll;
import static stele.clients.kafka.KafkaSession.produce;
import static stele.clients.kafka.KafkaSession.topic;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import stele.clients.Checks;

/** Administration with the Java client. */
public final class KafkaAdministration {
    private KafkaAdministration() {
    }

    public static void register(Checks checks) {
        checks.add("the_cluster_describes_itself", () -> {
            var cluster = ADMIN.describeCluster();
            holds(!cluster.clusterId().get().isEmpty(), "a cluster id");
            equal(cluster.nodes().get().size(), 1);
            var node = cluster.controller().get();
            equal(node.host() + ":" + node.port(), KafkaSession.ADDRESS);
        });
        checks.add("a_topic_is_described", () -> topic(3, topic -> {
            var found = ADMIN.describeTopics(Set.of(topic)).allTopicNames().get().get(topic);
            equal(found.partitions().size(), 3);
            found.partitions().forEach(partition -> equal(partition.isr().size(), 1));
            equal(ADMIN.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(found.topicId())))
                .allTopicIds().get().get(found.topicId()).name(), topic);
        }));
        checks.add("describing_an_absent_topic_is_refused", () ->
            raised(UnknownTopicOrPartitionException.class, () ->
                ADMIN.describeTopics(Set.of(unique("absent"))).allTopicNames().get()));
        checks.add("making_a_topic_twice_is_refused", () -> topic(1, topic ->
            raised(TopicExistsException.class, () ->
                ADMIN.createTopics(Set.of(new NewTopic(topic, 1, (short) 1))).all().get())));
        checks.add("a_topic_without_counts_gets_the_defaults", () -> {
            String topic = unique("topic");
            var made = ADMIN.createTopics(Set.of(new NewTopic(topic, Optional.empty(), Optional.empty())));
            equal(made.numPartitions(topic).get(), 1);
            equal(made.replicationFactor(topic).get(), 1);
            holds(made.config(topic).get().get("retention.ms") != null, "retention.ms is told");
            ADMIN.deleteTopics(Set.of(topic)).all().get();
        });
        checks.add("an_impossible_number_of_partitions_is_refused", () ->
            raised(InvalidPartitionsException.class, () ->
                ADMIN.createTopics(Set.of(new NewTopic(unique("topic"), 0, (short) 1))).all().get()));
        checks.add("a_trial_creation_makes_nothing", () -> {
            String topic = unique("topic");
            var trial = new CreateTopicsOptions().validateOnly(true);
            ADMIN.createTopics(Set.of(new NewTopic(topic, 1, (short) 1)), trial).all().get();
            holds(!ADMIN.listTopics().names().get().contains(topic), topic);
        });
        checks.add("deleting_an_absent_topic_is_refused", () ->
            raised(UnknownTopicOrPartitionException.class, () ->
                ADMIN.deleteTopics(Set.of(unique("absent"))).all().get()));
        checks.add("a_topics_configuration_is_described", () ->
            topic(1, Map.of("retention.ms", "3600000", "retention.bytes", "1000000"), topic -> {
                var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                var found = ADMIN.describeConfigs(Set.of(resource)).all().get().get(resource);
                equal(found.get("retention.ms").value(), "3600000");
                equal(found.get("retention.bytes").value(), "1000000");
                holds(found.get("cleanup.policy").isDefault(), "cleanup.policy is a default");
            }));
        checks.add("offsets_are_listed", () -> topic(1, topic -> {
            produce(topic, numbered(6));
            var partition = new TopicPartition(topic, 0);
            equal(listed(partition, OffsetSpec.earliest()), 0L);
            equal(listed(partition, OffsetSpec.latest()), 6L);
            equal(listed(partition, OffsetSpec.forTimestamp(1)), 0L);
            equal(listed(partition, OffsetSpec.maxTimestamp()) >= 0, true);
        }));
        checks.add("access_control_is_refused_without_an_authorizer", () -> {
            var acl = new AclBinding(
                new ResourcePattern(ResourceType.TOPIC, unique("topic"), PatternType.LITERAL),
                new AccessControlEntry("User:anna", "*", AclOperation.READ, AclPermissionType.ALLOW));
            raised(SecurityDisabledException.class, () -> ADMIN.describeAcls(AclBindingFilter.ANY).values().get());
            raised(SecurityDisabledException.class, () -> ADMIN.createAcls(Set.of(acl)).all().get());
            raised(SecurityDisabledException.class, () -> ADMIN.deleteAcls(Set.of(acl.toFilter())).all().get());
        });
        checks.add("no_leader_needs_to_be_elected", () -> topic(1, topic -> {
            var known = new TopicPartition(topic, 0);
            var absent = new TopicPartition(topic, 1);
            var results = ADMIN.electLeaders(ElectionType.PREFERRED, Set.of(known, absent)).partitions().get();
            holds(results.get(known).orElseThrow() instanceof ElectionNotNeededException, results);
            holds(results.get(absent).orElseThrow() instanceof UnknownTopicOrPartitionException, results);
            equal(ADMIN.electLeaders(ElectionType.UNCLEAN, null).partitions().get(), Map.of());
        }));
        checks.add("no_partition_is_being_moved", () -> topic(1, topic -> {
            equal(ADMIN.listPartitionReassignments().reassignments().get(), Map.of());
            var named = Set.of(new TopicPartition(topic, 0), new TopicPartition(unique("absent"), 0));
            equal(ADMIN.listPartitionReassignments(named).reassignments().get(), Map.of());
        }));
        checks.add("there_are_no_quotas_and_filters_are_checked", () -> {
            equal(ADMIN.describeClientQuotas(ClientQuotaFilter.all()).entities().get(), Map.of());
            var mixed = ClientQuotaFilter.contains(List.of(
                ClientQuotaFilterComponent.ofEntity("ip", "127.0.0.1"),
                ClientQuotaFilterComponent.ofEntity("user", "anna")));
            raised(InvalidRequestException.class, () -> ADMIN.describeClientQuotas(mixed).entities().get());
        });
        checks.add("groups_are_listed_described_and_their_offsets_told", KafkaAdministration::groups);
    }

    private static long listed(TopicPartition partition, OffsetSpec spec) throws Exception {
        return ADMIN.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private static void groups() throws Exception {
        topic(1, topic -> {
            String group = unique("group");
            var partition = new TopicPartition(topic, 0);
            produce(topic, numbered(3));
            try (var consumer = consumer(group)) {
                consumer.subscribe(List.of(topic));
                poll(consumer, 3);
                consumer.commitSync();
                var described = ADMIN.describeConsumerGroups(Set.of(group)).all().get().get(group);
                equal(described.groupState(), GroupState.STABLE);
                equal(described.members().size(), 1);
                equal(described.members().iterator().next().assignment().topicPartitions(), Set.of(partition));
            }
            var listed = ADMIN.listGroups().all().get().stream().map(each -> each.groupId()).toList();
            holds(listed.contains(group), listed);
            equal(ADMIN.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition).offset(), 3L);
            ADMIN.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1))).all().get();
            equal(ADMIN.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition).offset(), 1L);
            ADMIN.deleteConsumerGroups(Set.of(group)).all().get();
            eventually("the group is gone", () ->
                ADMIN.listGroups().all().get().stream().noneMatch(each -> each.groupId().equals(group)));
        });
    }
}
