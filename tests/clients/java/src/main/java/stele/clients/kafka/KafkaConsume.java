package stele.clients.kafka;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.raised;
import static stele.clients.Checks.unique;
import static stele.clients.kafka.KafkaSession.consumer;
import static stele.clients.kafka.KafkaSession.numbered;
import static stele.clients.kafka.KafkaSession.poll;
import static stele.clients.kafka.KafkaSession.produce;
import static stele.clients.kafka.KafkaSession.producer;
import static stele.clients.kafka.KafkaSession.reader;
import static stele.clients.kafka.KafkaSession.topic;
import static stele.clients.kafka.KafkaSession.values;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import stele.clients.Checks;

/** Positions: seeking, offsets by position and time, pausing, commits. */
public final class KafkaConsume {
    private KafkaConsume() {
    }

    public static void register(Checks checks) {
        checks.add("records_and_commits_carry_the_epoch_of_their_leader", () -> topic(1, topic -> {
            produce(topic, List.of("first"));
            try (var consumer = consumer(unique("group"))) {
                consumer.subscribe(List.of(topic));
                equal(poll(consumer, 1).get(0).leaderEpoch(), Optional.of(0));
                consumer.commitSync();
                var partition = new TopicPartition(topic, 0);
                equal(consumer.committed(Set.of(partition)).get(partition).leaderEpoch(), Optional.of(0));
            }
        }));
        checks.add("seeking_moves_to_any_offset", KafkaConsume::seeking);
        checks.add("beginning_and_end_offsets_are_told", () -> topic(2, topic -> {
            produceTo(topic, 0, 7);
            var first = new TopicPartition(topic, 0);
            var second = new TopicPartition(topic, 1);
            try (var reader = reader(topic, 0, 1)) {
                equal(reader.beginningOffsets(List.of(first, second)), Map.of(first, 0L, second, 0L));
                equal(reader.endOffsets(List.of(first, second)), Map.of(first, 7L, second, 0L));
            }
        }));
        checks.add("an_offset_is_found_by_its_time", KafkaConsume::offsetsForTimes);
        checks.add("pausing_holds_a_partition_and_resuming_releases_it", KafkaConsume::pausing);
        checks.add("commit_sync_is_read_back_by_committed", () -> topic(1, topic -> {
            produceTo(topic, 0, 10);
            var partition = new TopicPartition(topic, 0);
            String group = unique("group");
            try (var consumer = consumer(group)) {
                equal(consumer.committed(Set.of(partition)).get(partition), null);
                consumer.subscribe(List.of(topic));
                poll(consumer, 10);
                consumer.commitSync();
                equal(consumer.committed(Set.of(partition)).get(partition).offset(), 10L);
                consumer.commitSync(Map.of(partition, new OffsetAndMetadata(4, "a note")));
            }
            try (var consumer = consumer(group)) {
                equal(consumer.committed(Set.of(partition)).get(partition), new OffsetAndMetadata(4, "a note"));
                consumer.subscribe(List.of(topic));
                equal(poll(consumer, 6).get(0).offset(), 4L);
            }
        }));
        checks.add("a_consumer_without_a_reset_policy_learns_of_an_offset_out_of_range", () -> topic(1, topic -> {
            produceTo(topic, 0, 3);
            try (var consumer = consumer(unique("group"), "auto.offset.reset", "none")) {
                consumer.assign(List.of(new TopicPartition(topic, 0)));
                consumer.seek(new TopicPartition(topic, 0), 1000);
                raised(OffsetOutOfRangeException.class, () -> poll(consumer, 1));
            }
        }));
        checks.add("a_new_group_that_starts_at_the_end_sees_only_what_comes", () -> topic(1, topic -> {
            produceTo(topic, 0, 5);
            try (var consumer = consumer(unique("group"), "auto.offset.reset", "latest")) {
                consumer.subscribe(List.of(topic));
                Checks.eventually("the partition is assigned", () -> {
                    consumer.poll(Duration.ofMillis(50));
                    return !consumer.assignment().isEmpty();
                });
                consumer.position(new TopicPartition(topic, 0));
                produce(topic, List.of("new"));
                equal(values(poll(consumer, 1)), List.of("new"));
            }
        }));
        checks.add("a_small_fetch_size_still_moves_forward", () -> topic(1, topic -> {
            produce(topic, List.of("x".repeat(100_000), "y".repeat(100_000)));
            try (var consumer = consumer(unique("group"), "max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000")) {
                consumer.subscribe(List.of(topic));
                equal(poll(consumer, 2).size(), 2);
            }
        }));
        checks.add("fetch_min_bytes_waits_for_more_and_no_longer_than_told", () -> topic(1, topic -> {
            produce(topic, List.of("small"));
            try (var consumer = consumer(unique("group"), "fetch.min.bytes", "1000000", "fetch.max.wait.ms", "700")) {
                consumer.subscribe(List.of(topic));
                equal(values(poll(consumer, 1)), List.of("small"));
            }
        }));
        checks.add("many_partitions_are_read_in_one_session", () -> topic(50, topic -> {
            try (var producer = producer()) {
                for (int number = 0; number < 1000; number++) {
                    producer.send(new ProducerRecord<>(topic, number % 50, null, "x"));
                }
            }
            try (var consumer = consumer(unique("group"))) {
                consumer.subscribe(List.of(topic));
                var found = poll(consumer, 1000);
                equal(found.size(), 1000);
                var partitions = new HashSet<Integer>();
                found.forEach(record -> partitions.add(record.partition()));
                equal(partitions.size(), 50);
            }
        }));
    }

    private static void produceTo(String topic, int partition, int count) {
        try (var producer = producer()) {
            for (String value : numbered(count)) {
                producer.send(new ProducerRecord<>(topic, partition, null, value));
            }
        }
    }

    private static void seeking() throws Exception {
        topic(1, topic -> {
            produceTo(topic, 0, 100);
            var partition = new TopicPartition(topic, 0);
            try (var reader = reader(topic, 0)) {
                for (long offset : new long[] {42, 0, 99}) {
                    reader.seek(partition, offset);
                    equal(poll(reader, 1).get(0).offset(), offset);
                }
                reader.seekToEnd(List.of(partition));
                equal(reader.position(partition), 100L);
            }
        });
    }

    private static void offsetsForTimes() throws Exception {
        // The records are dated years ago: retention by age could remove them at any moment.
        topic(1, Map.of("retention.ms", "-1"), topic -> {
            long base = 1_700_000_000_000L;
            var partition = new TopicPartition(topic, 0);
            try (var producer = producer()) {
                for (int number = 0; number < 10; number++) {
                    producer.send(new ProducerRecord<>(topic, 0, base + number * 1000L, null, "x"));
                }
            }
            try (var reader = reader(topic, 0)) {
                equal(reader.offsetsForTimes(Map.of(partition, base)).get(partition).offset(), 0L);
                equal(reader.offsetsForTimes(Map.of(partition, base + 2500)).get(partition).offset(), 3L);
                equal(reader.offsetsForTimes(Map.of(partition, base + 2500)).get(partition).timestamp(), base + 3000);
                equal(reader.offsetsForTimes(Map.of(partition, base + 60_000)).get(partition), null);
            }
        });
    }

    private static void pausing() throws Exception {
        topic(2, topic -> {
            produceTo(topic, 0, 5);
            produceTo(topic, 1, 5);
            try (var reader = reader(topic, 0, 1)) {
                var held = List.of(new TopicPartition(topic, 1));
                reader.pause(held);
                poll(reader, 5).forEach(record -> equal(record.partition(), 0));
                for (ConsumerRecord<String, String> record : reader.poll(Duration.ofMillis(300))) {
                    equal(record.partition(), 0);
                }
                reader.resume(held);
                poll(reader, 5).forEach(record -> equal(record.partition(), 1));
            }
        });
    }
}
