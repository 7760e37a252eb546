package stele.clients.kafka;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.eventually;
import static stele.clients.Checks.raised;
import static stele.clients.Checks.unique;
import static stele.clients.kafka.KafkaSession.consumer;
import static stele.clients.kafka.KafkaSession.numbered;
import static stele.clients.kafka.KafkaSession.poll;
import static stele.clients.kafka.KafkaSession.produce;
import static stele.clients.kafka.KafkaSession.topic;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import stele.clients.Checks;

/** Consumer groups by the classic protocol. */
public final class KafkaGroups {
    private static final String STRATEGY = "partition.assignment.strategy";
    private static final String PACKAGE = "org.apache.kafka.clients.consumer.";

    private KafkaGroups() {
    }

    public static void register(Checks checks) {
        for (String assignor : List.of("RangeAssignor", "RoundRobinAssignor", "CooperativeStickyAssignor")) {
            checks.add("two_members_share_the_partitions_by_the_" + assignor, () -> sharedByTwo(assignor));
        }
        checks.add("a_static_member_returns_to_its_partition_without_a_rebalance", KafkaGroups::staticMembership);
        checks.add("the_same_static_identity_fences_the_older_member", KafkaGroups::fencing);
        checks.add("a_member_that_polls_too_rarely_loses_its_commit", KafkaGroups::tooSlow);
        checks.add("every_record_reaches_one_member_across_a_rebalance", KafkaGroups::acrossRebalance);
    }

    private static void pollAll(List<KafkaConsumer<String, String>> members) {
        members.forEach(member -> member.poll(Duration.ofMillis(20)));
    }

    private static void balanced(List<KafkaConsumer<String, String>> members, int each) throws Exception {
        eventually("every member has " + each, () -> {
            pollAll(members);
            return members.stream().allMatch(member -> member.assignment().size() == each);
        });
    }

    private static void sharedByTwo(String assignor) throws Exception {
        topic(4, topic -> {
            String group = unique("group");
            try (var first = consumer(group, STRATEGY, PACKAGE + assignor)) {
                first.subscribe(List.of(topic));
                balanced(List.of(first), 4);
                try (var second = consumer(group, STRATEGY, PACKAGE + assignor)) {
                    second.subscribe(List.of(topic));
                    balanced(List.of(first, second), 2);
                    first.assignment().forEach(partition -> Checks.holds(!second.assignment().contains(partition), partition));
                }
                balanced(List.of(first), 4);
            }
        });
    }

    private static void staticMembership() throws Exception {
        topic(2, topic -> {
            String group = unique("group");
            List<Collection<TopicPartition>> revoked = new ArrayList<>();
            try (var other = consumer(group, "group.instance.id", "other", "session.timeout.ms", "20000")) {
                other.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                    @Override
                    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                        revoked.add(partitions);
                    }

                    @Override
                    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                        // Only revocations matter here.
                    }
                });
                Collection<TopicPartition> before;
                try (var mine = consumer(group, "group.instance.id", "mine", "session.timeout.ms", "20000")) {
                    mine.subscribe(List.of(topic));
                    balanced(List.of(other, mine), 1);
                    before = mine.assignment();
                }
                revoked.clear();
                try (var mine = consumer(group, "group.instance.id", "mine", "session.timeout.ms", "20000")) {
                    mine.subscribe(List.of(topic));
                    balanced(List.of(other, mine), 1);
                    equal(mine.assignment(), before);
                    equal(revoked, List.of());
                }
            }
        });
    }

    private static void fencing() throws Exception {
        topic(1, topic -> {
            String group = unique("group");
            try (var older = consumer(group, "group.instance.id", "same")) {
                older.subscribe(List.of(topic));
                balanced(List.of(older), 1);
                try (var younger = consumer(group, "group.instance.id", "same")) {
                    younger.subscribe(List.of(topic));
                    balanced(List.of(younger), 1);
                    raised(FencedInstanceIdException.class, () -> eventually("the older one is told", () -> {
                        older.poll(Duration.ofMillis(20));
                        return false;
                    }));
                }
            }
        });
    }

    private static void tooSlow() throws Exception {
        topic(1, topic -> {
            String group = unique("group");
            var partition = new TopicPartition(topic, 0);
            produce(topic, numbered(3));
            try (var slow = consumer(group, "max.poll.interval.ms", "500"); var heir = consumer(group)) {
                slow.subscribe(List.of(topic));
                poll(slow, 3);
                heir.subscribe(List.of(topic));
                eventually("the heir has it", () -> {
                    heir.poll(Duration.ofMillis(20));
                    return heir.assignment().size() == 1;
                });
                var offsets = Map.of(partition, new OffsetAndMetadata(3));
                try {
                    raised(CommitFailedException.class, () -> slow.commitSync(offsets));
                } catch (AssertionError inProgress) {
                    raised(RebalanceInProgressException.class, () -> slow.commitSync(offsets));
                }
            }
        });
    }

    private static void acrossRebalance() throws Exception {
        topic(4, topic -> {
            String group = unique("group");
            List<String> sent = numbered(400);
            List<String> found = new ArrayList<>();
            try (var first = consumer(group)) {
                first.subscribe(List.of(topic));
                produce(topic, sent.subList(0, 200));
                poll(first, 200).forEach(record -> found.add(record.value()));
                first.commitSync();
                try (var second = consumer(group)) {
                    second.subscribe(List.of(topic));
                    balanced(List.of(first, second), 2);
                    produce(topic, sent.subList(200, 400));
                    eventually("all records came", () -> {
                        for (var member : List.of(first, second)) {
                            member.poll(Duration.ofMillis(50)).forEach(record -> found.add(record.value()));
                            member.commitSync();
                        }
                        return found.size() >= 400;
                    });
                }
            }
            equal(found.stream().sorted().toList(), sent.stream().sorted().toList());
        });
    }
}
