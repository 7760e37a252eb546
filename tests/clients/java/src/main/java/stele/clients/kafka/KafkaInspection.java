package stele.clients.kafka;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.holds;
import static stele.clients.Checks.raised;
import static stele.clients.Checks.unique;
import static stele.clients.kafka.KafkaSession.ADMIN;
import static stele.clients.kafka.KafkaSession.numbered;
import static stele.clients.kafka.KafkaSession.produce;
import static stele.clients.kafka.KafkaSession.topic;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeConsumerGroupsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.NoReassignmentInProgressException;
import org.apache.kafka.common.errors.ResourceNotFoundException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import stele.clients.Checks;

/** The requests of UIs and Kafka's own tools for inspecting a cluster, with the Java client. */
public final class KafkaInspection {
    private static final String THROTTLED = "leader.replication.throttled.replicas";

    private KafkaInspection() {
    }

    public static void register(Checks checks) {
        checks.add("everything_is_allowed_without_an_authorizer", KafkaInspection::authorizedOperations);
        checks.add("the_sizes_of_partitions_are_told", () -> topic(2, topic -> {
            produce(topic, numbered(3));
            var directories = ADMIN.describeLogDirs(Set.of(node())).allDescriptions().get().get(node()).values();
            equal(directories.size(), 1);
            var replicas = directories.iterator().next().replicaInfos();
            long size = replicas.get(new TopicPartition(topic, 0)).size() + replicas.get(new TopicPartition(topic, 1)).size();
            holds(size > 3 * "value 0".length(), size);
        }));
        checks.add("the_one_voter_leads_the_quorum", () -> {
            var quorum = ADMIN.describeMetadataQuorum().quorumInfo().get();
            equal(quorum.leaderId(), node());
            equal(quorum.voters().stream().map(each -> each.replicaId()).toList(), List.of(node()));
            equal(quorum.observers(), List.of());
        });
        checks.add("the_producers_of_a_partition_are_told", () -> topic(1, topic -> {
            produce(topic, numbered(3));
            var partition = new TopicPartition(topic, 0);
            var producers = ADMIN.describeProducers(Set.of(partition)).all().get().get(partition).activeProducers();
            equal(producers.size(), 1);
            equal(producers.get(0).lastSequence(), 2);
            holds(producers.get(0).currentTransactionStartOffset().isEmpty(), producers);
        }));
        checks.add("no_transaction_is_open", () -> {
            var open = new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING));
            equal(ADMIN.listTransactions(open).all().get().size(), 0);
        });
        checks.add("partitions_are_moved_to_where_they_are_alone", () -> topic(1, topic -> {
            var known = new TopicPartition(topic, 0);
            move(known, List.of(node()));
            raised(InvalidReplicaAssignmentException.class, () -> move(known, List.of(node(), node() + 1)));
            raised(UnknownTopicOrPartitionException.class, () -> move(new TopicPartition(topic, 1), List.of(node())));
            raised(NoReassignmentInProgressException.class, () -> move(known, null));
        }));
        checks.add("new_partitions_are_assigned_to_the_one_broker", () -> topic(1, topic -> {
            raised(InvalidReplicaAssignmentException.class, () -> grow(topic, List.of(List.of(node() + 1))));
            raised(InvalidReplicaAssignmentException.class, () -> grow(topic, List.of()));
            grow(topic, List.of(List.of(node())));
        }));
        checks.add("quotas_that_are_not_set_can_be_removed", () -> {
            var anna = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "anna"));
            var removal = new ClientQuotaAlteration.Op("producer_byte_rate", null);
            ADMIN.alterClientQuotas(Set.of(new ClientQuotaAlteration(anna, Set.of(removal)))).all().get();
            var nobody = new ClientQuotaEntity(Map.of());
            raised(InvalidRequestException.class, () ->
                ADMIN.alterClientQuotas(Set.of(new ClientQuotaAlteration(nobody, Set.of(removal)))).all().get());
        });
        checks.add("no_user_has_credentials_for_scram", () -> {
            equal(ADMIN.describeUserScramCredentials().all().get(), Map.of());
            raised(ResourceNotFoundException.class, () ->
                ADMIN.describeUserScramCredentials(List.of("anna")).description("anna").get());
        });
        checks.add("what_has_configurations_is_listed", () -> topic(1, topic -> {
            var all = ADMIN.listConfigResources().all().get();
            holds(all.contains(new ConfigResource(Type.TOPIC, topic)), all);
            holds(all.contains(broker()), all);
            var metrics = Set.of(Type.CLIENT_METRICS);
            equal(ADMIN.listConfigResources(metrics, new ListConfigResourcesOptions()).all().get().size(), 0);
        }));
        checks.add("the_broker_tells_its_configuration", () -> {
            var config = ADMIN.describeConfigs(Set.of(broker())).all().get().get(broker());
            equal(config.get("advertised.listeners").value(), "PLAINTEXT://" + KafkaSession.ADDRESS);
            for (String name : List.of("listeners", "log.dirs", "num.partitions", "default.replication.factor")) {
                holds(config.get(name).value() != null, name);
            }
            raised(InvalidRequestException.class, () -> alter(broker(), OpType.SET, "num.partitions", "2"));
        });
        checks.add("groups_and_client_metrics_have_default_configurations", () -> {
            var group = new ConfigResource(Type.GROUP, unique("group"));
            var metrics = new ConfigResource(Type.CLIENT_METRICS, unique("metrics"));
            var found = ADMIN.describeConfigs(Set.of(group, metrics)).all().get();
            equal(found.get(group).get("consumer.session.timeout.ms").value(), "45000");
            equal(found.get(metrics).get("interval.ms").value(), "300000");
        });
        checks.add("a_topics_configuration_names_what_its_default_comes_from", () ->
            topic(1, Map.of("max.message.bytes", "1000"), topic -> {
                var resource = new ConfigResource(Type.TOPIC, topic);
                var options = new DescribeConfigsOptions().includeSynonyms(true);
                var found = ADMIN.describeConfigs(Set.of(resource), options).all().get().get(resource);
                var synonyms = found.get("max.message.bytes").synonyms();
                equal(synonyms.stream().map(each -> each.name() + "=" + each.value()).toList(),
                    List.of("max.message.bytes=1000", "message.max.bytes=1048588"));
            }));
        checks.add("lists_are_appended_to_and_subtracted_from", () -> topic(1, topic -> {
            var resource = new ConfigResource(Type.TOPIC, topic);
            alter(resource, OpType.APPEND, THROTTLED, "0:1,1:1");
            alter(resource, OpType.SUBTRACT, THROTTLED, "0:1");
            var found = ADMIN.describeConfigs(Set.of(resource)).all().get().get(resource);
            equal(found.get(THROTTLED).value(), "1:1");
            raised(InvalidConfigurationException.class, () -> alter(resource, OpType.APPEND, "retention.ms", "1"));
        }));
    }

    private static void authorizedOperations() throws Exception {
        topic(1, topic -> {
            var onTopic = ADMIN.describeTopics(Set.of(topic), new DescribeTopicsOptions().includeAuthorizedOperations(true))
                .allTopicNames().get().get(topic).authorizedOperations();
            equal(new TreeSet<>(onTopic), new TreeSet<>(Set.of(AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE,
                AclOperation.DELETE, AclOperation.ALTER, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS,
                AclOperation.ALTER_CONFIGS)));
            String group = unique("group");
            ADMIN.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0))).all().get();
            var asked = new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true);
            var onGroup = ADMIN.describeConsumerGroups(Set.of(group), asked).all().get().get(group).authorizedOperations();
            equal(new TreeSet<>(onGroup), new TreeSet<>(Set.of(AclOperation.READ, AclOperation.DELETE, AclOperation.DESCRIBE,
                AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS)));
        });
        var onCluster = ADMIN.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true))
            .authorizedOperations().get();
        holds(onCluster.contains(AclOperation.IDEMPOTENT_WRITE) && onCluster.contains(AclOperation.ALTER), onCluster);
        equal(ADMIN.describeCluster().authorizedOperations().get(), null);
    }

    private static int node() throws Exception {
        return ADMIN.describeCluster().controller().get().id();
    }

    private static ConfigResource broker() throws Exception {
        return new ConfigResource(Type.BROKER, String.valueOf(node()));
    }

    private static void move(TopicPartition partition, List<Integer> replicas) throws Exception {
        var to = Optional.ofNullable(replicas).map(NewPartitionReassignment::new);
        ADMIN.alterPartitionReassignments(Map.of(partition, to)).all().get();
    }

    private static void grow(String topic, List<List<Integer>> assigned) throws Exception {
        ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(2, assigned))).all().get();
    }

    private static void alter(ConfigResource resource, OpType operation, String name, String value) throws Exception {
        var change = new AlterConfigOp(new ConfigEntry(name, value), operation);
        ADMIN.incrementalAlterConfigs(Map.of(resource, Set.of(change))).all().get();
    }
}
